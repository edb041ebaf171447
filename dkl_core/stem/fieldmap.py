"""A map over the sample's field that collects what the beam leaves behind: dose, or a deposit."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dkl_core.stem.scan import ScanFrame
from dkl_core.survey import FloatArray

MapArray = NDArray[np.float32]


class FieldMap:
    """Square cells centred on the sample's centre; what falls outside is dropped.

    Args:
        extent_nm: edge of the map, nm.
        pitch_nm: edge of a cell, nm.

    Attributes:
        values: (rows, columns), amount per nm^2.
        pitch_nm: edge of a cell, nm.
    """

    def __init__(self, extent_nm: float, pitch_nm: float) -> None:
        count = max(2, math.ceil(extent_nm / pitch_nm))
        self.pitch_nm = pitch_nm
        self.values: MapArray = np.zeros((count, count), dtype=np.float32)
        self._corner = -count * pitch_nm / 2
        self._empty = True

    @property
    def empty(self) -> bool:
        """Whether nothing was added yet."""
        return self._empty

    def add_spot(self, y_nm: float, x_nm: float, sigma_nm: float, amount: float) -> None:
        """Add an amount as a Gaussian round a place; cells take their exact share, however narrow it is."""
        rows, row_shares = self._shares(y_nm, sigma_nm)
        cols, col_shares = self._shares(x_nm, sigma_nm)
        share = (row_shares[:, None] * col_shares[None, :]).astype(np.float32)
        self.values[rows, cols] += share * np.float32(amount / self.pitch_nm**2)
        self._empty = self._empty and not share.any()

    def add_frame(self, frame: ScanFrame, moved_nm: FloatArray, first: float, last: float, density: float) -> None:
        """Add a density per nm^2 over the scanned lines `first` to `last` of a frame whose sample moved by (y, x)."""
        box = self._box(frame, moved_nm)
        y, x = self._centres(box[0]) + moved_nm[0], self._centres(box[1]) + moved_nm[1]
        row, col = frame.from_scan_nm(y[:, None], x[None, :])
        cell = self.pitch_nm / frame.pixel_nm
        covered = _covered(row, first - 0.5, last - 0.5, cell) * _covered(col, -0.5, frame.size[1] - 0.5, cell)
        self.values[box] += (density * covered).astype(np.float32)
        self._empty = self._empty and not covered.any()

    def at(self, y_nm: FloatArray, x_nm: FloatArray) -> MapArray:
        """Amount per nm^2 at places (...), linear between cells, 0 outside."""
        y, x = np.broadcast_arrays(np.asarray(y_nm, dtype=np.float64), np.asarray(x_nm, dtype=np.float64))
        # A border of zeros stands for all that is outside.
        last = len(self.values)
        row, col = (np.clip(self._index(nm) + 1, 0, last) for nm in (y, x))
        top, left = (np.minimum(index.astype(np.intp), last) for index in (row, col))
        down, right = (row - top).astype(np.float32), (col - left).astype(np.float32)
        flat = np.pad(self.values, ((1, 2), (1, 2))).reshape(-1)
        width = last + 3
        first = top * width + left
        upper = flat[first] * (1 - right) + flat[first + 1] * right
        lower = flat[first + width] * (1 - right) + flat[first + width + 1] * right
        found: MapArray = np.asarray(upper + (lower - upper) * down, dtype=np.float32)
        return found

    def _index(self, nm: FloatArray) -> FloatArray:
        index: FloatArray = (nm - self._corner) / self.pitch_nm - 0.5
        return index

    def _centres(self, cells: slice) -> FloatArray:
        centres: FloatArray = self._corner + (np.arange(cells.start, cells.stop) + 0.5) * self.pitch_nm
        return centres

    def _cells(self, low_nm: float, high_nm: float) -> slice:
        count = len(self.values)
        low, high = (math.floor((nm - self._corner) / self.pitch_nm) for nm in (low_nm, high_nm))
        first = min(max(low, 0), count)
        return slice(first, min(max(high + 1, first), count))

    def _shares(self, at_nm: float, sigma_nm: float) -> tuple[slice, FloatArray]:
        reach = 4 * sigma_nm + self.pitch_nm
        cells = self._cells(at_nm - reach, at_nm + reach)
        # A dozen edges: plain numbers are faster than arrays.
        scale, first = math.sqrt(2) * max(sigma_nm, 1e-6), self._corner - at_nm
        below = [0.5 * math.erf((first + edge * self.pitch_nm) / scale) for edge in range(cells.start, cells.stop + 1)]
        return cells, np.array([high - low for low, high in pairwise(below)])

    def _box(self, frame: ScanFrame, moved_nm: FloatArray) -> tuple[slice, slice]:
        rows, cols = frame.size
        corner_rows, corner_cols = np.array([-0.5, -0.5, rows, rows]), np.array([-0.5, cols, -0.5, cols])
        y, x = frame.to_scan_nm(*frame.local_nm(corner_rows, corner_cols))
        y, x = y - moved_nm[0], x - moved_nm[1]
        return self._cells(float(y.min()), float(y.max())), self._cells(float(x.min()), float(x.max()))


def _covered(index: FloatArray, low: float, high: float, width: float) -> FloatArray:
    """Which part of cells of a width round an index lies between two limits."""
    return np.clip(
        np.minimum((index - low) / width + 0.5, (high - index) / width + 0.5), 0, min(1.0, (high - low) / width)
    )
