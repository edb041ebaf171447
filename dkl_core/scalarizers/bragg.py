"""The mean distance of the first-order diffraction discs from the central one."""

from __future__ import annotations

from dataclasses import dataclass

from dkl_core.errors import InputError
from dkl_core.measurement import Scalar
from dkl_core.scalarizers.bragg_lattice import Lattice, lattice_of
from dkl_core.scalarizers.pattern import Pattern
from dkl_core.scalarizers.registry import register


@dataclass(frozen=True, kw_only=True)
class BraggOptions:
    """What every scalarizer of diffraction discs can be told.

    Attributes:
        semiangle_mrad: radius of the discs, mrad; measured on the central one where it is None.
        min_intensity: the least sum of a first-order disc as a fraction of the whole pattern. Below it a disc is none;
            the default is half of what one layer of graphene gives at 70 kV.
        allow_saturated: use patterns with saturated pixels; those of the central disc do no harm to the others.
    """

    semiangle_mrad: float | None = None
    min_intensity: float = 7e-5
    allow_saturated: bool = False

    def __post_init__(self) -> None:
        if self.semiangle_mrad is not None and not self.semiangle_mrad > 0:
            raise InputError(f"semiangle_mrad is {self.semiangle_mrad}; give a positive angle, or None to measure it")
        if not 0 < self.min_intensity < 1:
            raise InputError(f"min_intensity is {self.min_intensity}; give a fraction of the beam between 0 and 1")

    def lattice(self, pattern: object) -> Lattice | str:
        """The reciprocal lattice of a pattern, or why there is none.

        Raises:
            InputError: it is no `Pattern`.
        """
        if not isinstance(pattern, Pattern):
            raise InputError(f"got {type(pattern).__name__}; give a Pattern, which knows its angle per pixel")
        if pattern.saturated_px and not self.allow_saturated:
            return f"{pattern.saturated_px} pixels are saturated; expose shorter or set allow_saturated"
        return lattice_of(pattern, self.semiangle_mrad, self.min_intensity)


@register("bragg_distance", raw_kind="pattern")
@dataclass(frozen=True, kw_only=True)
class BraggDistance(BraggOptions):
    """Mean distance of the first-order discs from the central one, mrad, without a reference lattice.

    The discs are found anywhere on the camera, in any orientation, and a lattice is fitted to their centroids; the
    mean is that of its first-order vectors, so that a disc that is missing does not change it.
    """

    def __call__(self, raw: Pattern) -> Scalar:
        """The mean distance with the variance of its counting noise; invalid in vacuum."""
        lattice = self.lattice(raw)
        if isinstance(lattice, str):
            return Scalar.invalid(lattice)
        distance, variance = lattice.mean_distance_mrad()
        return Scalar(distance, noise_variance=variance)
