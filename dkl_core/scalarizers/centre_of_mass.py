"""Deflection of the beam: the centre of mass of the diffraction pattern, relative to a measured reference.

The mean deflection is proportional to the mean electric field under the probe (Müller et al., Nature Communications 5
(2014) 5653). The middle of the camera is never its zero: a tenth of a pixel would ruin the magnitude.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import get_args

import numpy as np

from dkl_core.errors import InputError
from dkl_core.measurement import Scalar
from dkl_core.scalarizers.bright_disc import Beam, beam_of
from dkl_core.scalarizers.deflection_zero import NO_CENTRE, Measured, ReferenceKind, Zero, zero_of
from dkl_core.scalarizers.pattern import BoolArray, FloatArray, Pattern
from dkl_core.scalarizers.reading import Judge, Reading
from dkl_core.scalarizers.reference import DescanKind
from dkl_core.scalarizers.registry import register
from dkl_core.scalarizers.ring import Ring, ring_of, whole_of

UNKNOWN = (math.nan, math.nan)
NO_READING = "nothing that a reference could be found from has been measured"


@dataclass(frozen=True)
class Deflection:
    """A deflection relative to its reference, along the scan's axes.

    Attributes:
        y: mrad, downwards.
        x: mrad, to the right.
        variance_y: noise variance of y, mrad^2; None if unknown.
        variance_x: noise variance of x, mrad^2.
    """

    y: float
    x: float
    variance_y: float | None = None
    variance_x: float | None = None

    @property
    def magnitude(self) -> float:
        """Its length, mrad."""
        return math.hypot(self.y, self.x)

    @property
    def variance_along(self) -> float | None:
        """Noise variance along the deflection, mrad^2."""
        if self.variance_y is None or self.variance_x is None:
            return None
        square = self.y**2 + self.x**2
        if square == 0:
            return (self.variance_y + self.variance_x) / 2
        return (self.y**2 * self.variance_y + self.x**2 * self.variance_x) / square

    @property
    def variance_across(self) -> float | None:
        """Noise variance perpendicular to the deflection, mrad^2."""
        return Deflection(self.x, self.y, self.variance_y, self.variance_x).variance_along


@dataclass(frozen=True, kw_only=True)
class CentreOfMass:
    """What the scalarizers of the centre of mass share: how it is taken and what it is relative to.

    A reading is the centre of mass (y, x), the middle of the bright disc (y, x), the calibrated centre (y, x; NaN where
    it is not known), all in mrad along the scan's axes from the camera's first pixel, and the radius of the disc, mrad.
    The noise variance per axis is the second moment of the counted intensity over the number of electrons, (α/2)²/N for
    an evenly filled disc of semi-angle α, and that of the camera's read noise.

    Attributes:
        semiangle_mrad: radius of the bright disc, mrad; found in the pattern where it is not given.
        margin: how much larger than the disc and its edge of a pixel the mask is, as a fraction of the radius.
        mask: whether only the bright disc counts; False takes the whole pattern.
        rotation_deg: rotation from the camera's to the scan's axes, degrees from x towards y, after the flip.
        flip: whether the camera's rows run opposite to the scan's.
        reference: what is zero. `calibrated`: the patterns' calibrated centre. `vacuum`: the sites known to be vacuum.
            `disc`: the middle of the bright disc; its edge hardly follows the fields of atoms, so that few patterns
            give it well. `mean`: the robust mean of the deflection, for fields that move the disc as a whole.
            `auto`: the calibrated centre where all patterns have one and their discs do not contradict it; else vacuum
            where some is known; else the discs, and as much of the mean deflection as is better known than the discs'
            middle can be.
        descan: whether the reference is a `plane` over the field, which removes the descan, or a `constant`.
    """

    semiangle_mrad: float | None = None
    margin: float = 0.05
    mask: bool = True
    rotation_deg: float = 0.0
    flip: bool = False
    reference: ReferenceKind = "auto"
    descan: DescanKind = "plane"

    def __post_init__(self) -> None:
        if self.semiangle_mrad is not None and not self.semiangle_mrad > 0:
            raise InputError(f"semiangle_mrad is {self.semiangle_mrad}; give the positive radius of the disc, or None")
        if not self.margin >= 0:
            raise InputError(f"margin is {self.margin}; give 0 or a positive fraction of the radius")
        if not math.isfinite(self.rotation_deg):
            raise InputError(f"rotation_deg is {self.rotation_deg}; give degrees")
        for name, kinds in (("reference", ReferenceKind), ("descan", DescanKind)):
            if getattr(self, name) not in get_args(kinds):
                raise InputError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(get_args(kinds))}")

    def reading(self, pattern: Pattern) -> Reading:
        """The centre of mass and the disc of one pattern."""
        beam = beam_of(pattern)
        if isinstance(beam, str):
            return Reading.invalid(beam, pattern.electrons)
        moments = _moments(self._counted(beam), beam.pattern)
        if moments is None:
            return Reading.invalid("the bright disc holds no intensity", pattern.electrons)
        (row, col), (var_row, var_col) = moments
        scale, disc = pattern.mrad_per_px, beam.disc
        places = ((row, col), (disc.row, disc.col), pattern.centre_px or UNKNOWN)
        values = [along for y, x in places for along in self._along_scan(y * scale, x * scale)]
        variances = None
        if pattern.counts_per_electron is not None:
            variances = self._turned_variances(var_row * scale**2, var_col * scale**2)
        return Reading((*values, disc.radius * scale), variances, electrons=beam.pattern.electrons)

    def scalars(
        self, readings: Sequence[Reading], positions_nm: FloatArray, vacuum: BoolArray | None = None
    ) -> list[Scalar]:
        """The scalars of all readings relative to the reference that they give together.

        Args:
            readings: one for each site.
            positions_nm: where, (N, 2) as (y, x).
            vacuum: which are known to be vacuum, (N,).
        """
        judge = self.judge(readings, positions_nm, vacuum)
        places = np.asarray(positions_nm, dtype=np.float64)
        return [judge(reading, place) for reading, place in zip(readings, places, strict=True)]

    def judge(self, readings: Sequence[Reading], positions_nm: FloatArray, vacuum: BoolArray | None = None) -> Judge:
        """What makes scalars relative to the reference that these readings give together; see `Judging`."""
        valid = np.array([reading.valid for reading in readings], dtype=bool)
        zero: Zero | str = NO_READING
        if valid.any():
            places = np.asarray(positions_nm, dtype=np.float64)[valid]
            measured = Measured.of([reading for reading in readings if reading.valid], places)
            empty = None if vacuum is None else np.asarray(vacuum, dtype=bool)[valid]
            zero = zero_of(measured, self.reference, self.descan, empty)
        return partial(self._relative_to, zero)

    def __call__(self, pattern: Pattern) -> Scalar:
        """The scalar of one pattern by itself, relative to its calibrated centre, else to the middle of its disc."""
        reading = self.reading(pattern)
        if not reading.valid:
            return Scalar.invalid(reading.reason)
        zero = reading.values[2:4] if pattern.centre_px is None else reading.values[4:6]
        return self._scalar(_relative(reading, zero))

    def _relative_to(self, zero: Zero | str, reading: Reading, place_nm: FloatArray) -> Scalar:
        if not reading.valid:
            return Scalar.invalid(reading.reason)
        if isinstance(zero, str):
            return Scalar.invalid(zero)
        at = zero.at(place_nm, np.asarray(reading.values[4:6]))
        return self._scalar(_relative(reading, at)) if np.isfinite(at).all() else Scalar.invalid(NO_CENTRE)

    def _scalar(self, deflection: Deflection) -> Scalar:
        raise NotImplementedError

    def _counted(self, beam: Beam) -> Ring:
        """The part of the pattern that counts."""
        if not self.mask:
            return whole_of(beam.pattern)
        disc, given = beam.disc, self.semiangle_mrad
        radius = disc.radius if given is None else given / beam.pattern.mrad_per_px
        # a pixel more, since an edge between pixels lights those on both sides
        return ring_of(beam.pattern, (disc.row, disc.col), 0.0, radius * (1 + self.margin) + 1)

    def _along_scan(self, y: float, x: float) -> tuple[float, float]:
        if self.flip:
            y = -y
        turn = math.radians(self.rotation_deg)
        return x * math.sin(turn) + y * math.cos(turn), x * math.cos(turn) - y * math.sin(turn)

    def _turned_variances(self, y: float, x: float) -> tuple[float, float]:
        square = math.sin(math.radians(self.rotation_deg)) ** 2
        return x * square + y * (1 - square), x * (1 - square) + y * square


@register("com_x", raw_kind="pattern")
@dataclass(frozen=True, kw_only=True)
class DeflectionX(CentreOfMass):
    """Deflection of the beam to the right, mrad; a probe left of an atom is deflected to the right."""

    def _scalar(self, deflection: Deflection) -> Scalar:
        return Scalar(deflection.x, noise_variance=deflection.variance_x)


@register("com_y", raw_kind="pattern")
@dataclass(frozen=True, kw_only=True)
class DeflectionY(CentreOfMass):
    """Deflection of the beam downwards, mrad."""

    def _scalar(self, deflection: Deflection) -> Scalar:
        return Scalar(deflection.y, noise_variance=deflection.variance_y)


@register("com_magnitude", raw_kind="pattern")
@dataclass(frozen=True, kw_only=True)
class DeflectionMagnitude(CentreOfMass):
    """Magnitude of the beam's deflection, mrad: the strength of the electric field.

    Noise only ever adds to a magnitude (its distribution is Rice's), which matters where the deflection is of the size
    of its noise.

    Attributes:
        debias: take the expected contribution of the noise off the square, √max(0, m² − σy² − σx²).
    """

    debias: bool = False

    def _scalar(self, deflection: Deflection) -> Scalar:
        value, variance = deflection.magnitude, deflection.variance_along
        if self.debias and deflection.variance_y is not None and deflection.variance_x is not None:
            value = math.sqrt(max(0.0, value**2 - deflection.variance_y - deflection.variance_x))
        return Scalar(value, noise_variance=variance)


@register("com_angle", raw_kind="pattern")
@dataclass(frozen=True, kw_only=True)
class DeflectionAngle(CentreOfMass):
    """Direction of the beam's deflection, rad from x towards y (clockwise on the screen), in (−π, π].

    Where the deflection is below its noise the direction is noise, and not valid.
    """

    def _scalar(self, deflection: Deflection) -> Scalar:
        angle, magnitude = math.atan2(deflection.y, deflection.x), deflection.magnitude
        noise = math.sqrt((deflection.variance_y or 0.0) + (deflection.variance_x or 0.0))
        if magnitude <= noise:
            return Scalar.invalid(
                f"the deflection of {magnitude:.3g} mrad is below its noise of {noise:.3g} mrad", angle
            )
        across = deflection.variance_across
        return Scalar(angle, noise_variance=None if across is None else across / magnitude**2)


def _relative(reading: Reading, zero: Sequence[float] | FloatArray) -> Deflection:
    y, x = reading.values[0] - float(zero[0]), reading.values[1] - float(zero[1])
    return Deflection(y, x, *(reading.variances or (None, None)))


def _moments(ring: Ring, pattern: Pattern) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Mean (row, column) in pixels, and the noise variances of both in pixels squared; None without intensity."""
    total = ring.total
    if not total > 0:
        return None
    gain, read = pattern.counts_per_electron or 0.0, pattern.read_noise_counts**2
    # what the read noise of a pixel adds to a moment goes with the square of its share
    squares = ring.shares**2 if read else np.zeros((1, 1))
    means, variances = [], []
    for axis, index in ((1, ring.rows), (0, ring.cols)):
        line = ring.values.sum(axis=axis)
        mean = float(line @ index) / total
        arms = (index - mean) ** 2
        means.append(mean)
        moment = gain * max(0.0, float(line @ arms))
        moment += read * float(squares.sum(axis=axis) @ arms) if read else 0.0
        variances.append(moment / total**2)
    return (means[0], means[1]), (variances[0], variances[1])
