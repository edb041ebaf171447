"""A diffraction pattern with what is needed to read it in physical units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from dkl_core.errors import InputError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Pair = tuple[float, float]
# What the files of simulated and recorded 4D sets call them.
MRAD_PER_PX, CENTRE_PX, COUNTS_PER_ELECTRON = "det_mrad", "centre_px", "counts_per_electron"


@dataclass(frozen=True, eq=False)
class Pattern:
    """A diffraction pattern as a scalarizer gets it. NumPy functions take it as its array of values.

    Attributes:
        values: (rows, columns), what each pixel received above its dark level: counts, or fractions of the beam.
        mrad_per_px: angle per pixel, mrad.
        centre_px: (row, column) of the undeflected beam where it is calibrated; None where it is unknown. The middle of
            the frame is never taken for it.
        counts_per_electron: counts that one electron gives; None where the values are no counts and have no shot noise.
        saturated_px: number of saturated pixels.
        bad: pixels whose values were filled in, (rows, columns); None for none.
        read_noise_counts: noise of the camera beside that of the electrons, counts rms per pixel; 0 where unknown.

    Raises:
        InputError: values that are no image, or numbers out of range.
    """

    values: FloatArray
    mrad_per_px: float
    centre_px: Pair | None = None
    counts_per_electron: float | None = None
    saturated_px: int = 0
    bad: BoolArray | None = None
    read_noise_counts: float = 0.0

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "fiub":
            raise InputError(
                f"a pattern has shape {values.shape} and type {values.dtype}; give numbers (rows, columns)"
            )
        if not (math.isfinite(self.mrad_per_px) and self.mrad_per_px > 0):
            raise InputError(f"mrad_per_px is {self.mrad_per_px}; give the positive angle per pixel in mrad")
        counts = self.counts_per_electron
        if counts is not None and not (math.isfinite(counts) and counts > 0):
            raise InputError(f"counts_per_electron is {counts}; give a positive number, or None for noise-free values")
        if not (math.isfinite(self.read_noise_counts) and self.read_noise_counts >= 0):
            raise InputError(f"read_noise_counts is {self.read_noise_counts}; give 0 or the counts rms per pixel")
        object.__setattr__(self, "values", np.asarray(values, dtype=np.float64))

    @classmethod
    def from_array(cls, values: ArrayLike, constants: Mapping[str, float]) -> Self:
        """A recorded pattern with the named numbers of its file.

        Args:
            values: (rows, columns).
            constants: `det_mrad` (angle per pixel, mrad) and, where known, `centre_px` (row and column alike) and
                `counts_per_electron`.

        Raises:
            InputError: the angle per pixel is missing.
        """
        if MRAD_PER_PX not in constants:
            raise InputError(
                f"the file does not say how large a detector pixel is; add {MRAD_PER_PX}, the angle in mrad"
            )
        centre = constants.get(CENTRE_PX)
        return cls(
            np.asarray(values, dtype=np.float64),
            float(constants[MRAD_PER_PX]),
            None if centre is None else (float(centre), float(centre)),
            constants.get(COUNTS_PER_ELECTRON),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self.values.shape
        return rows, cols

    @property
    def electrons(self) -> float | None:
        """Number of electrons in it, None where the values are no counts."""
        return None if self.counts_per_electron is None else float(self.values.sum()) / self.counts_per_electron

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype=dtype, copy=copy)
