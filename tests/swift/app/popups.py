"""Finds what came up on a screen, and the rows of a list, by comparing pictures of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class Box:
    """A part of the screen, pixels.

    Attributes:
        left: first column.
        top: first row.
        right: column after the last.
        bottom: row after the last.
    """

    left: int
    top: int
    right: int
    bottom: int

    @property
    def middle(self) -> tuple[float, float]:
        """(x, y) of its middle."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    def row(self, index: int, count: int) -> tuple[float, float]:
        """(x, y) of the middle of one of so many rows of equal height."""
        return (self.left + self.right) / 2, self.top + (index + 0.5) * self.height / count

    def of(self, frame: Frame) -> Frame:
        """That part of a picture."""
        return frame[self.top : self.bottom, self.left : self.right]


def changed_box(before: Frame, after: Frame, within: Box | None = None) -> Box | None:
    """The smallest box with all that differs between two pictures of the screen; None where nothing does."""
    part = within or Box(0, 0, before.shape[1], before.shape[0])
    changed = (part.of(before) != part.of(after)).any(axis=2)
    rows, cols = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if not len(rows):
        return None
    top, left = part.top, part.left
    return Box(left + int(cols[0]), top + int(rows[0]), left + int(cols[-1]) + 1, top + int(rows[-1]) + 1)
