"""Divergence and curl of the beam's deflection, from a small block of probe positions at each site.

The deflection is proportional to the projected electric field; its divergence is therefore the projected charge density
(Gauss's law), and its curl is zero but for noise and error, which makes it a check. Müller-Caspary et al.,
Ultramicroscopy 178 (2017) 62, and Shibata et al., Nature Communications 8 (2017) 15631.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from dkl_core.errors import InputError
from dkl_core.measurement import Scalar
from dkl_core.scalarizers.centre_of_mass import CentreOfMass
from dkl_core.scalarizers.pattern import FloatArray, Pattern
from dkl_core.scalarizers.reading import Reading
from dkl_core.scalarizers.registry import NamedScalarizer, register

_REST_ENERGY_EV = 510_998.95
# vacuum permittivity, elementary charges per (V nm)
_PERMITTIVITY_E_PER_V_NM = 0.055263494
_LEAST, _MOST = 2, 15


@dataclass(frozen=True)
class BlockShape:
    """The probe positions that a site is measured with: a square of n × n, its middle at the site.

    Attributes:
        n: positions along each side.
        step_nm: distance between neighbours, nm.
    """

    n: int = 3
    step_nm: float = 0.02

    def __post_init__(self) -> None:
        if not _LEAST <= self.n <= _MOST:
            raise InputError(f"a block has {self.n} positions along a side; give {_LEAST} to {_MOST}")
        if not (math.isfinite(self.step_nm) and self.step_nm > 0):
            raise InputError(f"the step of a block is {self.step_nm} nm; give a positive distance")

    @property
    def offsets_nm(self) -> FloatArray:
        """Where the positions are from the site, (n·n, 2) as (y, x), row by row, nm."""
        line = (np.arange(self.n) - (self.n - 1) / 2) * self.step_nm
        offsets: FloatArray = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
        return offsets


@dataclass(frozen=True, eq=False)
class PatternBlock:
    """The patterns of one site, measured at the positions of a block.

    Attributes:
        patterns: n·n patterns, row by row along the scan's axes.
        n: positions along each side.
        step_nm: distance between neighbours, nm.
    """

    patterns: tuple[Pattern, ...]
    n: int
    step_nm: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "patterns", tuple(self.patterns))
        if len(self.patterns) != self.shape.n**2:
            raise InputError(f"a block of {self.n} by {self.n} has {len(self.patterns)} patterns; give {self.n**2}")

    @property
    def shape(self) -> BlockShape:
        """Number and distance of the positions."""
        return BlockShape(self.n, self.step_nm)


@runtime_checkable
class BlockScalarizer(Protocol):
    """A scalarizer that takes a `PatternBlock`."""

    @property
    def block(self) -> BlockShape:
        """The positions it wants at each site."""

    def __call__(self, raw: PatternBlock, /) -> Scalar:
        """The scalar of the block."""


@runtime_checkable
class ReadsEach(BlockScalarizer, Protocol):
    """A block scalarizer that reads each pattern by itself: blocks that overlap need not read one twice."""

    def reading(self, pattern: Pattern, /) -> Reading:
        """What one pattern says by itself."""

    def of_readings(self, readings: Sequence[Reading], shape: BlockShape, /) -> Scalar:
        """The scalar of a block whose patterns were read, row by row."""


def block_of(scalarizer: NamedScalarizer) -> BlockShape | None:
    """The positions that a scalarizer wants at each site; None for one that takes a single pattern or spectrum."""
    function = scalarizer.function
    return function.block if isinstance(function, BlockScalarizer) else None


@dataclass(frozen=True)
class Gradient:
    """The change of the deflection over a block, with the variances of its noise.

    Attributes:
        of: ∂(com_i)/∂(j), (2, 2) over (y, x), mrad/nm; the least-squares plane.
        variances: their noise variances, (2, 2), mrad²/nm²; None where the noise is not known.
    """

    of: FloatArray
    variances: FloatArray | None


@dataclass(frozen=True, kw_only=True)
class BlockOptions:
    """What the scalarizers of a block share; only differences within the block count, so no reference is needed.

    Attributes:
        n: probe positions along each side of the block.
        step_nm: distance between neighbours, nm; about the probe's size, so that noise is not divided by too little.
        semiangle_mrad: radius of the bright disc, mrad; found in the patterns where it is not given.
        margin: how much larger than the disc the mask is, as a fraction of the radius.
        mask: whether only the bright disc counts; False takes the whole pattern.
        rotation_deg: rotation from the camera's to the scan's axes, degrees from x towards y, after the flip.
        flip: whether the camera's rows run opposite to the scan's.
    """

    n: int = 3
    step_nm: float = 0.02
    semiangle_mrad: float | None = None
    margin: float = 0.05
    mask: bool = True
    rotation_deg: float = 0.0
    flip: bool = False

    def __post_init__(self) -> None:
        # both refuse what they cannot use
        _ = self.block, self._deflection

    @property
    def block(self) -> BlockShape:
        """The positions it wants at each site."""
        return BlockShape(self.n, self.step_nm)

    def __call__(self, raw: PatternBlock) -> Scalar:
        """The scalar of one block; invalid where one of its patterns is.

        Raises:
            InputError: it is no `PatternBlock`.
        """
        if not isinstance(raw, PatternBlock):
            raise InputError(f"got {type(raw).__name__}; give a PatternBlock, the patterns of n by n positions")
        return self.of_readings([self.reading(pattern) for pattern in raw.patterns], raw.shape)

    def reading(self, pattern: Pattern) -> Reading:
        """What one pattern says by itself."""
        return self._deflection.reading(pattern)

    def of_readings(self, readings: Sequence[Reading], shape: BlockShape) -> Scalar:
        """The scalar of a block whose patterns were read, row by row."""
        for number, reading in enumerate(readings):
            if not reading.valid:
                return Scalar.invalid(f"pattern {number + 1} of {len(readings)}: {reading.reason}")
        return self._scalar(_plane(readings, shape.offsets_nm))

    @property
    def _deflection(self) -> CentreOfMass:
        return CentreOfMass(
            semiangle_mrad=self.semiangle_mrad,
            margin=self.margin,
            mask=self.mask,
            rotation_deg=self.rotation_deg,
            flip=self.flip,
        )

    def _scalar(self, gradient: Gradient) -> Scalar:
        raise NotImplementedError


@register("com_divergence", raw_kind="block")
@dataclass(frozen=True, kw_only=True)
class DeflectionDivergence(BlockOptions):
    """Divergence of the beam's deflection, mrad/nm: negative where the beam is drawn together, at atoms.

    ∂com_y/∂y + ∂com_x/∂x of the least-squares plane through the deflections of the block.
    """

    def _scalar(self, gradient: Gradient) -> Scalar:
        return divergence(gradient)


@register("com_curl", raw_kind="block")
@dataclass(frozen=True, kw_only=True)
class DeflectionCurl(BlockOptions):
    """Curl of the beam's deflection, mrad/nm, which electrostatic fields do not have.

    ∂com_y/∂x − ∂com_x/∂y. What is left shows a wrong rotation between scan and camera, drift within the block, or a
    magnetic field.
    """

    def _scalar(self, gradient: Gradient) -> Scalar:
        return _sum(gradient, np.array([[0.0, 1.0], [-1.0, 0.0]]))


@register("charge_density", raw_kind="block")
@dataclass(frozen=True, kw_only=True)
class ChargeDensity(BlockOptions):
    """Projected charge density, elementary charges per nm²: positive at nuclei; blurred by the probe.

    −ε₀·(pv/e)·divergence, from the deflection θ = −e∫E dz/(pv) of a thin sample and Gauss's law ∇·E = ρ/ε₀.

    Attributes:
        energy_ev: kinetic energy of the electrons, eV.
    """

    energy_ev: float = 70e3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.energy_ev) and self.energy_ev > 0):
            raise InputError(f"energy_ev is {self.energy_ev}; give the kinetic energy of the electrons in eV")

    def _scalar(self, gradient: Gradient) -> Scalar:
        scale, found = charge_per_divergence(self.energy_ev), divergence(gradient)
        variance = found.noise_variance
        return Scalar(scale * found.value, noise_variance=None if variance is None else scale**2 * variance)


def charge_per_divergence(energy_ev: float) -> float:
    """Projected charge density per divergence of the deflection, (e/nm²)/(mrad/nm); negative.

    The electrons' momentum times velocity, pv = E(E + 2m₀c²)/(E + m₀c²), turns an angle into a projected field
    (Müller et al., Nature Communications 5 (2014) 5653), ε₀ turns its divergence into charge.

    Args:
        energy_ev: kinetic energy of the electrons, eV.
    """
    momentum_times_velocity_v = energy_ev * (energy_ev + 2 * _REST_ENERGY_EV) / (energy_ev + _REST_ENERGY_EV)
    return -1e-3 * _PERMITTIVITY_E_PER_V_NM * momentum_times_velocity_v


def divergence(gradient: Gradient) -> Scalar:
    """The divergence of a gradient, mrad/nm, with its noise variance."""
    return _sum(gradient, np.eye(2))


def _plane(readings: Sequence[Reading], offsets_nm: FloatArray) -> Gradient:
    measured = np.array([reading.values[:2] for reading in readings])
    # offsets have no mean and do not mix: each slope is a sum of its own
    solver = offsets_nm.T / np.sum(offsets_nm**2, axis=0)[:, None]
    known = [reading.variances[:2] for reading in readings if reading.variances is not None]
    variances = (solver**2 @ np.array(known)).T if len(known) == len(readings) else None
    return Gradient((solver @ measured).T, variances)


def _sum(gradient: Gradient, signs: FloatArray) -> Scalar:
    variance = None if gradient.variances is None else float(np.sum(signs**2 * gradient.variances))
    return Scalar(float(np.sum(signs * gradient.of)), noise_variance=variance)
