"""Strain and rotation of the lattice, relative to the lattice of the whole field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dkl_core.errors import InputError
from dkl_core.measurement import Scalar
from dkl_core.scalarizers.bragg import BraggOptions
from dkl_core.scalarizers.bragg_lattice import Lattice
from dkl_core.scalarizers.pattern import BoolArray, FloatArray, Pattern
from dkl_core.scalarizers.reading import Judge, Reading
from dkl_core.scalarizers.registry import register

_LARGEST_STRAIN = 0.25
_LARGEST_ROTATION_DEG = 25.0
_STEP = 1e-6


@dataclass(frozen=True)
class Deformation:
    """How a lattice differs from the reference, along the scan's axes.

    Attributes:
        xx: strain along x as a fraction; positive is stretched.
        yy: strain along y.
        xy: tensor shear strain, half of the change of the angle between the axes.
        rotation_deg: rotation of the lattice from x towards y (clockwise on the screen), degrees.
    """

    xx: float
    yy: float
    xy: float
    rotation_deg: float

    @classmethod
    def between(cls, vectors: FloatArray, reference: FloatArray) -> Deformation:
        """The deformation F with k = F⁻ᵀ·g, split into strain and rotation: F = (1 + ε)·R (left polar decomposition).

        Args:
            vectors: two reciprocal vectors as rows of (y, x).
            reference: the same two of the reference.
        """
        left, stretches, right = np.linalg.svd(np.linalg.solve(vectors, reference))
        turn = left @ right
        strain = left @ np.diag(stretches) @ left.T - np.eye(2)
        angle = math.degrees(math.atan2(turn[0, 1] - turn[1, 0], turn[0, 0] + turn[1, 1]))
        return cls(float(strain[1, 1]), float(strain[0, 0]), float(strain[0, 1]), angle)

    @property
    def sensible(self) -> bool:
        """Whether it can be that of one crystal, not of another grain or of a wrongly found disc."""
        strains = (abs(self.xx), abs(self.yy), abs(self.xy))
        return max(strains) < _LARGEST_STRAIN and abs(self.rotation_deg) < _LARGEST_ROTATION_DEG


@dataclass(frozen=True, kw_only=True)
class StrainOptions(BraggOptions):
    """What the components of the deformation share: the reference lattice, and how the camera lies to the scan.

    A reading is the two shortest reciprocal vectors (y, x, y, x) in mrad along the scan's axes, and the correlation of
    their noise. The reference is the median of each component over the field, so that most of the field is taken as
    unstrained; with the method of Hÿtch, Snoeck and Kilaas, Ultramicroscopy 74 (1998) 131, strain is what differs from
    it. Units: strain is a fraction, 0.01 for one per cent.

    Attributes:
        rotation_deg: rotation from the camera's to the scan's axes, degrees from x towards y, after the flip.
        flip: whether the camera's rows run opposite to the scan's.
        reference_mrad: the reference lattice as two reciprocal vectors (y, x, y, x) along the scan's axes, mrad; by
            default it is measured in the field.
    """

    rotation_deg: float = 0.0
    flip: bool = False
    reference_mrad: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not math.isfinite(self.rotation_deg):
            raise InputError(f"rotation_deg is {self.rotation_deg}; give degrees")
        if self.reference_mrad is not None:
            given = np.asarray(self.reference_mrad, dtype=np.float64)
            if given.shape != (4,) or not abs(np.linalg.det(given.reshape(2, 2))) > 0:
                raise InputError(f"reference_mrad is {self.reference_mrad}; give two vectors (y, x, y, x) not in line")

    def reading(self, pattern: Pattern) -> Reading:
        """The reciprocal lattice of one pattern."""
        lattice = self.lattice(pattern)
        electrons = pattern.electrons
        if isinstance(lattice, str):
            return Reading.invalid(lattice, electrons)
        vectors = lattice.vectors_mrad @ self._to_scan().T
        variances, correlation = self._noise(lattice)
        return Reading((*map(float, vectors.ravel()), correlation), variances, electrons=electrons)

    def scalars(
        self, readings: Sequence[Reading], positions_nm: FloatArray, vacuum: BoolArray | None = None
    ) -> list[Scalar]:
        """The scalars of all readings relative to the lattice that they have in common.

        Args:
            readings: one for each site.
            positions_nm: where, (N, 2) as (y, x); the reference is the same everywhere.
            vacuum: sites to leave out of the reference, (N,); None if it is not known.
        """
        judge = self.judge(readings, positions_nm, vacuum)
        return [judge(reading, place) for reading, place in zip(readings, positions_nm, strict=True)]

    def judge(self, readings: Sequence[Reading], positions_nm: FloatArray, vacuum: BoolArray | None = None) -> Judge:
        """What makes scalars relative to the lattice that these readings have in common; see `Judging`."""
        del positions_nm
        empty = np.zeros(len(readings), dtype=np.bool_) if vacuum is None else np.asarray(vacuum)
        used = [reading for reading, left_out in zip(readings, empty, strict=True) if not left_out]
        reference = common_lattice(used) if self.reference_mrad is None else self._given()
        return lambda reading, _: self._scalar(reading, reference)

    def __call__(self, pattern: Pattern) -> Scalar:
        """The scalar of one pattern by itself, relative to the given reference; invalid where there is none."""
        return self._scalar(self.reading(pattern), self._given())

    def _given(self) -> FloatArray | None:
        return None if self.reference_mrad is None else np.array(self.reference_mrad).reshape(2, 2)

    def _scalar(self, reading: Reading, reference: FloatArray | None) -> Scalar:
        if not reading.valid:
            return Scalar.invalid(reading.reason)
        if reference is None:
            return Scalar.invalid("no reference lattice is known; measure the field or give reference_mrad")
        vectors = _vectors(reading)
        change = _matching(vectors, reference)
        if change is None:
            return Scalar.invalid("the lattice is not that of the reference; it may be another grain")
        found = Deformation.between(change @ vectors, reference)
        value = self._component(found)
        if not found.sensible:
            return Scalar.invalid("the lattice is too far from the reference; it may be another grain", value)
        return Scalar(value, noise_variance=self._variance(reading, change, reference))

    def _component(self, found: Deformation) -> float:
        raise NotImplementedError

    def _variance(self, reading: Reading, change: FloatArray, reference: FloatArray) -> float | None:
        if reading.variances is None:
            return None
        vectors = _vectors(reading)
        here = self._component(Deformation.between(change @ vectors, reference))
        step = _STEP * float(np.abs(vectors).max())
        slopes = np.empty(4)
        for number, unit in enumerate(np.eye(4).reshape(4, 2, 2)):
            there = Deformation.between(change @ (vectors + step * unit), reference)
            slopes[number] = (self._component(there) - here) / step
        return float(slopes @ _covariance(reading.variances, reading.values[4]) @ slopes)

    def _to_scan(self) -> FloatArray:
        """Takes (y, x) on the camera to (y, x) along the scan's axes."""
        turn = math.radians(self.rotation_deg)
        rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        matrix: FloatArray = rotation @ np.diag([-1.0 if self.flip else 1.0, 1.0])
        return matrix

    def _noise(self, lattice: Lattice) -> tuple[tuple[float, ...] | None, float]:
        if lattice.covariance_mrad2 is None:
            return None, 0.0
        along_y, along_x = lattice.covariance_mrad2
        squares = self._to_scan() ** 2
        variances = np.outer(squares[:, 0], np.diag(along_y)) + np.outer(squares[:, 1], np.diag(along_x))
        both = along_y + along_x
        correlation = float(both[0, 1] / math.sqrt(both[0, 0] * both[1, 1]))
        return (*map(float, variances.T.ravel()), 0.0), correlation


@register("strain_xx", raw_kind="pattern")
@dataclass(frozen=True, kw_only=True)
class StrainXX(StrainOptions):
    """Strain along the scan's x axis relative to the field's lattice, a fraction."""

    def _component(self, found: Deformation) -> float:
        return found.xx


@register("strain_yy", raw_kind="pattern")
@dataclass(frozen=True, kw_only=True)
class StrainYY(StrainOptions):
    """Strain along the scan's y axis relative to the field's lattice, a fraction."""

    def _component(self, found: Deformation) -> float:
        return found.yy


@register("strain_xy", raw_kind="pattern")
@dataclass(frozen=True, kw_only=True)
class StrainXY(StrainOptions):
    """Shear strain relative to the field's lattice, a fraction (half of the change of the angle between the axes)."""

    def _component(self, found: Deformation) -> float:
        return found.xy


@register("lattice_rotation", raw_kind="pattern")
@dataclass(frozen=True, kw_only=True)
class LatticeRotation(StrainOptions):
    """Rotation of the lattice relative to the field's, degrees from x towards y (clockwise on the screen)."""

    def _component(self, found: Deformation) -> float:
        return found.rotation_deg


def common_lattice(readings: Sequence[Reading]) -> FloatArray | None:
    """The median lattice of all readings, two vectors as rows of (y, x), mrad; None where none is valid."""
    lattices = [_vectors(reading) for reading in readings if reading.valid]
    if not lattices:
        return None
    # one that few differ from: a start in another grain would leave the majority out
    starts = lattices[:: max(1, len(lattices) // 8)]
    matched = max((_matched(lattices, start) for start in starts), key=len)
    median: FloatArray = np.median(np.array(matched), axis=0)
    return median


def _matched(lattices: Sequence[FloatArray], reference: FloatArray) -> list[FloatArray]:
    changes = [_matching(vectors, reference) for vectors in lattices]
    turned = [change @ vectors for change, vectors in zip(changes, lattices, strict=True) if change is not None]
    return [vectors for vectors in turned if Deformation.between(vectors, reference).sensible]


def _vectors(reading: Reading) -> FloatArray:
    return np.array(reading.values[:4]).reshape(2, 2)


def _matching(vectors: FloatArray, reference: FloatArray) -> FloatArray | None:
    """Which sums of the vectors are those of the reference; None where the lattices do not correspond."""
    change: FloatArray = np.round(reference @ np.linalg.inv(vectors)).astype(np.float64)
    return change if abs(abs(np.linalg.det(change)) - 1) < 0.5 else None


def _covariance(variances: Sequence[float], correlation: float) -> FloatArray:
    spread = np.sqrt(variances[:4]).reshape(2, 2)
    covariance = np.diag(np.asarray(variances[:4], dtype=np.float64))
    for axis in (0, 1):
        covariance[axis, 2 + axis] = covariance[2 + axis, axis] = correlation * spread[0, axis] * spread[1, axis]
    return covariance
