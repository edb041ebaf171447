"""Virtual detectors: the share of the beam that falls on a disc or a ring of the diffraction pattern."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dkl_core.errors import InputError
from dkl_core.measurement import Scalar
from dkl_core.scalarizers.bright_disc import Beam, beam_of
from dkl_core.scalarizers.pattern import BoolArray, FloatArray, Pair, Pattern
from dkl_core.scalarizers.reading import Judge, Reading
from dkl_core.scalarizers.registry import register
from dkl_core.scalarizers.ring import Ring, ring_of

# The ring that tells how much dark field there is beside the disc is so wide; so much the radius is varied, px.
_DARK_PX, _STEP_PX = 2.0, 0.5


@dataclass(frozen=True, kw_only=True)
class VirtualDetector:
    """A ring round the calibrated centre, else round the middle of the bright disc, with edges one pixel soft.

    The value is the intensity on the ring over that of the whole pattern, so that the beam current does not matter;
    values that are fractions of the beam already stay so. Its noise variance is that of a share p of N electrons,
    p(1 − p)/N, and that of the camera's read noise.

    All patterns of a run have one semi-angle, which each of them shows with an error, and an inner edge that is a
    thousandth of the radius off costs as much as the contrast of a light atom. So a reading is the value, its change
    with the radius, and the radius of the pattern's disc, mrad; the scalars of a run are those at its median radius.

    Attributes:
        inner: inner radius as a fraction of the disc's; 0 for a disc.
        outer: outer radius as a fraction of the disc's; infinite for all beyond the inner one.
        semiangle_mrad: radius of the bright disc, mrad; found in the pattern where it is not given.
        normalise: whether counts are divided by the pattern's sum; False gives electrons.
        beyond_px: pixels to add to the outer radius, for a disc's edge that lies between pixels.
        less_dark: whether the dark field between the disc's edge and the outer one is taken off, as the pixels beyond
            show it.
    """

    inner: float
    outer: float
    semiangle_mrad: float | None = None
    normalise: bool = True
    beyond_px: float = 0.0
    less_dark: bool = False

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
        return Scalar.invalid(beam) if isinstance(beam, str) else self._at(beam, self._radius_px(beam))

    def reading(self, pattern: Pattern) -> Reading:
        """What one pattern says by itself, at the radius of its own disc."""
        beam = beam_of(pattern)
        if isinstance(beam, str):
            return Reading.invalid(beam, pattern.electrons)
        radius, scale = self._radius_px(beam), pattern.mrad_per_px
        here = self._at(beam, radius)
        if not here.valid:
            return Reading.invalid(here.reason, pattern.electrons)
        less, more = (self._at(beam, radius + step).value for step in (-_STEP_PX, _STEP_PX))
        variance = here.noise_variance
        slope = 0.0 if self.semiangle_mrad is not None else (more - less) / (2 * _STEP_PX * scale)
        values = (here.value, slope, radius * scale)
        return Reading(values, None if variance is None else (variance,), electrons=pattern.electrons)

    def scalars(
        self, readings: Sequence[Reading], positions_nm: FloatArray, vacuum: BoolArray | None = None
    ) -> list[Scalar]:
        """The scalars of all readings at the radius that they have in common.

        Args:
            readings: one for each site.
            positions_nm: where, (N, 2); the radius is the same everywhere.
            vacuum: which are known to be vacuum, (N,); their radius is no other.
        """
        judge = self.judge(readings, positions_nm, vacuum)
        return [judge(reading, place) for reading, place in zip(readings, positions_nm, strict=True)]

    def judge(self, readings: Sequence[Reading], positions_nm: FloatArray, vacuum: BoolArray | None = None) -> Judge:
        """What makes scalars at the radius that these readings have in common; see `Judging`."""
        del positions_nm, vacuum
        radii = [reading.values[2] for reading in readings if reading.valid]
        radius = float(np.median(radii)) if radii else math.nan

        def judged(reading: Reading, _: FloatArray) -> Scalar:
            if not reading.valid:
                return Scalar.invalid(reading.reason)
            value, slope, own = reading.values
            variance = None if reading.variances is None else reading.variances[0]
            return Scalar(value if math.isnan(radius) else value + slope * (radius - own), noise_variance=variance)

        return judged

    def _radius_px(self, beam: Beam) -> float:
        return beam.disc.radius if self.semiangle_mrad is None else self.semiangle_mrad / beam.pattern.mrad_per_px

    def _at(self, beam: Beam, radius: float) -> Scalar:
        """The scalar with a radius of the disc, px."""
        pattern, disc = beam.pattern, beam.disc
        middle = (disc.row, disc.col) if pattern.centre_px is None else pattern.centre_px
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
            noise = gain * max(caught.total + caught.beside, 0.0) + pattern.read_noise_counts**2 * caught.squares
            return Scalar(caught.total / gain, noise_variance=noise / gain**2)
        share = caught.total / total
        counted = (max(share * (1 - share), 0.0) * total + max(caught.beside, 0.0)) * gain
        read = pattern.read_noise_counts**2 * (caught.squares - 2 * share * caught.area + share**2 * pixels)
        return Scalar(share, noise_variance=(counted + read) / total**2)

    def _caught(self, pattern: Pattern, middle: Pair, radius: float) -> _Caught:
        if math.isinf(self.outer):
            hole = _Caught.of(ring_of(pattern, middle, 0.0, self.inner * radius))
            return hole.rest_of(pattern)
        outer = self.outer * radius + self.beyond_px
        caught = _Caught.of(ring_of(pattern, middle, self.inner * radius, outer))
        if not self.less_dark:
            return caught
        between = _Caught.of(ring_of(pattern, middle, radius, outer))
        dark = _Caught.of(ring_of(pattern, middle, outer, outer + _DARK_PX))
        return caught.less(dark, between.area / dark.area) if dark.area > 0 else caught


@dataclass(frozen=True)
class _Caught:
    """What a detector caught.

    Attributes:
        total: the sum.
        area: sum of its pixels' shares.
        squares: sum of their squares, which carry the read noise.
        beside: what adds to the counting noise beyond that of the total.
    """

    total: float
    area: float
    squares: float
    beside: float = 0.0

    @classmethod
    def of(cls, ring: Ring) -> _Caught:
        return cls(ring.total, float(ring.shares.sum()), float(np.square(ring.shares).sum()))

    def less(self, other: _Caught, times: float) -> _Caught:
        """This without so many times another that it has no pixel in common with."""
        return _Caught(
            self.total - times * other.total,
            self.area - times * other.area,
            self.squares + times**2 * other.squares,
            (times + times**2) * other.total,
        )

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
    between the pixels. The contrast is some tenths of a percent, and between the two edges there is dark field that
    grows where the disc fades: as much of it as the pixels beyond show is taken off.
    """

    inner: float = 0.5
    outer: float = 1.05
    beyond_px: float = 1.0
    less_dark: bool = True


@register("annular_dark_field", raw_kind="pattern")
@dataclass(frozen=True, kw_only=True)
class AnnularDarkField(VirtualDetector):
    """Annular dark field: the share of the beam beyond the bright disc, as far as the camera reaches."""

    inner: float = 1.1
    outer: float = math.inf
