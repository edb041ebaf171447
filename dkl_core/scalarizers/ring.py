"""Rings and discs of a pattern, with soft edges."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dkl_core.scalarizers.pattern import FloatArray, Pattern


@dataclass(frozen=True, eq=False)
class Ring:
    """The part of a pattern within a ring, with edges one pixel soft, on the rectangle that holds the ring.

    Attributes:
        shares: how much of each pixel is within the ring, 0 to 1.
        values: the values of the pattern times these shares.
        rows: row of each line of `values`, px.
        cols: column, px.
    """

    shares: FloatArray
    values: FloatArray
    rows: FloatArray
    cols: FloatArray

    @property
    def total(self) -> float:
        """Sum of the pattern over the ring."""
        return float(self.values.sum())


def ring_of(pattern: Pattern, middle: tuple[float, float], inner: float, outer: float) -> Ring:
    """A ring of a pattern.

    Its place is not rounded to pixels: bright-field contrast is some tenths of a percent, and a ring that jumps by a
    fraction of a pixel would bury it.

    Args:
        pattern: the pattern.
        middle: its (row, column), px.
        inner: inner radius, px; 0 for a disc.
        outer: outer radius, px.
    """
    (top, bottom), (left, right) = (
        (max(0, math.floor(at - outer - 1)), max(0, min(size, math.ceil(at + outer + 2))))
        for at, size in zip(middle, pattern.shape, strict=True)
    )
    rows, cols = np.arange(top, bottom, dtype=np.float64), np.arange(left, right, dtype=np.float64)
    distance = np.sqrt(((rows - middle[0]) ** 2)[:, None] + (cols - middle[1]) ** 2)
    shares = np.clip(outer + 0.5 - distance, 0, 1)
    if inner > 0:
        shares -= np.clip(inner + 0.5 - distance, 0, 1)
    return Ring(shares, shares * pattern.values[top:bottom, left:right], rows, cols)


def whole_of(pattern: Pattern) -> Ring:
    """All of a pattern."""
    rows, cols = (np.arange(size, dtype=np.float64) for size in pattern.shape)
    return Ring(np.ones(pattern.shape), pattern.values, rows, cols)
