"""The piece of the surface that a topograph covers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.sample.settings import Pair

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """A rectangle of the surface and the pixels it is scanned with.

    Attributes:
        centre_nm: (row, column) position of the middle, nm.
        size_nm: height and width, nm.
        shape: rows and columns, pixels.
    """

    centre_nm: Pair
    size_nm: Pair
    shape: tuple[int, int] = (256, 256)

    def __post_init__(self) -> None:
        if not all(math.isfinite(size) and size > 0 for size in self.size_nm):
            raise InputError(f"the frame's size is {self.size_nm} nm, expected more than 0; give height and width")
        if min(self.shape) < 1:
            raise InputError(f"the frame has {self.shape} pixels, expected 1 or more in both directions")

    @property
    def pixel_nm(self) -> Pair:
        """Height and width of a pixel, nm."""
        return self.size_nm[0] / self.shape[0], self.size_nm[1] / self.shape[1]

    @property
    def corner_nm(self) -> Pair:
        """(row, column) position of the outer corner at the top left, nm."""
        return self.centre_nm[0] - self.size_nm[0] / 2, self.centre_nm[1] - self.size_nm[1] / 2

    @property
    def origin_nm(self) -> Pair:
        """(row, column) position of the first pixel's centre, nm."""
        return self.corner_nm[0] + self.pixel_nm[0] / 2, self.corner_nm[1] + self.pixel_nm[1] / 2

    def positions_nm(self) -> FloatArray:
        """Centres of all pixels as (row, column) in nm, shape (rows, columns, 2)."""
        pixels = np.moveaxis(np.indices(self.shape, dtype=float), 0, -1)
        positions: FloatArray = pixels * np.asarray(self.pixel_nm) + np.asarray(self.origin_nm)
        return positions

    def inside(self, extent_nm: Pair, tolerance_nm: float = 1e-6) -> bool:
        """Whether the whole frame lies on a sample of that height and width."""
        return all(
            corner >= -tolerance_nm and corner + size <= extent + tolerance_nm
            for corner, size, extent in zip(self.corner_nm, self.size_nm, extent_nm, strict=True)
        )
