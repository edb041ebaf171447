"""Single pixels that no beam can have lit: cosmic rays, and hot pixels that are not on the list of bad ones."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from dkl_core.scalarizers.pattern import FloatArray, Pattern

# More of them than this are no accidents: the camera needs a list of its bad pixels.
_MOST = 32
# So many times what all but the brightest pixels, and the third of its neighbours, have, and so many deviations more.
_TIMES, _DEVIATIONS = 3.0, 10.0
_THIRD = -3


def without_outliers(pattern: Pattern) -> Pattern:
    """The pattern with single pixels that stand out filled in by the median of their neighbours, and marked as bad.

    A pixel stands out when it has several times as much as the brightest others in the pattern and as its neighbours;
    two that touch are found as well. The discs of a pattern have more pixels than that, electrons that are counted one
    by one are all alike.
    """
    values = pattern.values
    # the common case costs one look at the brightest pixel
    row, col = divmod(int(values.argmax()), values.shape[1])
    if not _is_alone(values, row, col):
        return pattern
    usual = max(float(np.partition(values.ravel(), -_MOST - 1)[-_MOST - 1]), 0.0) if values.size > _MOST else 0.0
    places = np.argwhere(values > _TIMES * usual + _DEVIATIONS * _deviation(pattern, usual))
    alone = [(int(row), int(col)) for row, col in places if _is_alone(values, int(row), int(col))]
    if not alone:
        return pattern
    repaired = values.copy()
    bad = np.zeros(values.shape, dtype=np.bool_) if pattern.bad is None else pattern.bad.copy()
    for row, col in alone:
        repaired[row, col] = float(np.median(_neighbours(values, row, col)))
        bad[row, col] = True
    return replace(pattern, values=repaired, bad=bad)


def _neighbours(values: FloatArray, row: int, col: int) -> FloatArray:
    top, left = max(0, row - 1), max(0, col - 1)
    near = values[top : row + 2, left : col + 2]
    return np.delete(near, (row - top) * near.shape[1] + col - left)


def _is_alone(values: FloatArray, row: int, col: int) -> bool:
    near = _neighbours(values, row, col)
    return near.size >= 3 and bool(values[row, col] > _TIMES * max(float(np.sort(near)[_THIRD]), 0.0))


def _deviation(pattern: Pattern, level: float) -> float:
    """Noise of a pixel at a level, one electron at least."""
    gain = pattern.counts_per_electron or 0.0
    return math.sqrt(gain * (level + gain) + pattern.read_noise_counts**2)
