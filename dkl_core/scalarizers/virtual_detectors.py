"""Virtual detectors: the share of the beam that falls on a disc or a ring of the diffraction pattern."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dkl_core.errors import InputError
from dkl_core.measurement import Scalar
from dkl_core.scalarizers.bright_disc import beam_of
from dkl_core.scalarizers.pattern import Pair, Pattern
from dkl_core.scalarizers.registry import register
from dkl_core.scalarizers.ring import Ring, ring_of


@dataclass(frozen=True, kw_only=True)
class VirtualDetector:
    """A ring round the calibrated centre, else round the middle of the bright disc, with edges one pixel soft.

    The value is the intensity on the ring over that of the whole pattern, so that the beam current does not matter;
    values that are fractions of the beam already stay so. Its noise variance is that of a share p of N electrons,
    p(1 − p)/N, and that of the camera's read noise.

    Attributes:
        inner: inner radius as a fraction of the disc's; 0 for a disc.
        outer: outer radius as a fraction of the disc's; infinite for all beyond the inner one.
        semiangle_mrad: radius of the bright disc, mrad; found in the pattern where it is not given.
        normalise: whether counts are divided by the pattern's sum; False gives electrons.
        beyond_px: pixels to add to the outer radius, for a disc's edge that lies between pixels.
    """

    inner: float
    outer: float
    semiangle_mrad: float | None = None
    normalise: bool = True
    beyond_px: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.inner < self.outer:
            raise InputError(f"the ring is {self.inner} to {self.outer} of the semi-angle; give 0 <= inner < outer")
        if self.semiangle_mrad is not None and not self.semiangle_mrad > 0:
            raise InputError(f"semiangle_mrad is {self.semiangle_mrad}; give the positive radius of the disc, or None")
        if not self.beyond_px >= 0:
            raise InputError(f"beyond_px is {self.beyond_px}; give 0 or a positive number of pixels")

    def __call__(self, pattern: Pattern) -> Scalar:
        """The share of the beam on the ring."""
        beam = beam_of(pattern)
        if isinstance(beam, str):
            return Scalar.invalid(beam)
        pattern, disc = beam.pattern, beam.disc
        middle = (disc.row, disc.col) if pattern.centre_px is None else pattern.centre_px
        radius = disc.radius if self.semiangle_mrad is None else self.semiangle_mrad / pattern.mrad_per_px
        if self.inner * radius > math.hypot(*pattern.shape):
            return Scalar.invalid(
                f"the camera ends within {self.inner:g} of the semi-angle; use a shorter camera length"
            )
        return self._scalar(self._caught(pattern, middle, radius), pattern)

    def _scalar(self, caught: _Caught, pattern: Pattern) -> Scalar:
        gain, total, pixels = pattern.counts_per_electron, float(pattern.values.sum()), pattern.values.size
        if gain is None:
            return Scalar(caught.total)
        if not self.normalise:
            noise = gain * max(caught.total, 0.0) + pattern.read_noise_counts**2 * caught.squares
            return Scalar(caught.total / gain, noise_variance=noise / gain**2)
        share = caught.total / total
        counted = max(share * (1 - share), 0.0) * gain * total
        read = pattern.read_noise_counts**2 * (caught.squares - 2 * share * caught.area + share**2 * pixels)
        return Scalar(share, noise_variance=(counted + read) / total**2)

    def _caught(self, pattern: Pattern, middle: Pair, radius: float) -> _Caught:
        if math.isinf(self.outer):
            hole = _Caught.of(ring_of(pattern, middle, 0.0, self.inner * radius))
            return hole.rest_of(pattern)
        return _Caught.of(ring_of(pattern, middle, self.inner * radius, self.outer * radius + self.beyond_px))


@dataclass(frozen=True)
class _Caught:
    """What a detector caught, and the sums of its pixels' shares and of their squares, which carry the read noise."""

    total: float
    area: float
    squares: float

    @classmethod
    def of(cls, ring: Ring) -> _Caught:
        return cls(ring.total, float(ring.shares.sum()), float(np.square(ring.shares).sum()))

    def rest_of(self, pattern: Pattern) -> _Caught:
        """All of the pattern but this."""
        pixels = pattern.values.size
        total = float(pattern.values.sum()) - self.total
        return _Caught(total, pixels - self.area, pixels - 2 * self.area + self.squares)


@register("bright_field", raw_kind="pattern")
@dataclass(frozen=True, kw_only=True)
class BrightField(VirtualDetector):
    """Bright field: the share of the beam in the inner half of the bright disc."""

    inner: float = 0.0
    outer: float = 0.5


@register("annular_bright_field", raw_kind="pattern")
@dataclass(frozen=True, kw_only=True)
class AnnularBrightField(VirtualDetector):
    """Annular bright field: the share of the beam in the outer half of the bright disc (Okunishi et al., 2009).

    The outer edge is a twentieth and a pixel beyond the disc's own, so that it never cuts it, wherever the disc lies
    between the pixels: the contrast is some tenths of a percent, and less than that of the electrons lie between the
    two edges.
    """

    inner: float = 0.5
    outer: float = 1.05
    beyond_px: float = 1.0


@register("annular_dark_field", raw_kind="pattern")
@dataclass(frozen=True, kw_only=True)
class AnnularDarkField(VirtualDetector):
    """Annular dark field: the share of the beam beyond the bright disc, as far as the camera reaches."""

    inner: float = 1.1
    outer: float = math.inf
