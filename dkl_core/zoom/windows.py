"""Sites on the pixels of a frame, all windows of one size, and what each window holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InputError
from dkl_core.frame import Frame, Pair
from dkl_core.survey import FloatArray

# Sums over windows carry rounding errors of this part of the sum of all magnitudes; smaller differences are ties.
ROUNDING = 1e-12


@dataclass(frozen=True)
class SiteTable:
    """The sites on the pixels of the frame.

    Attributes:
        excess: sum of the scores above their mean, shape of the frame's image.
        spread: sum of their standard deviations.
        count: how many there are.
        mean: the mean score of all sites.
        flat: per site, the excess that rounding alone may give.
        rounding: the difference between two windows' sums that rounding alone may give.
    """

    excess: FloatArray
    spread: FloatArray
    count: FloatArray
    mean: float
    flat: float
    rounding: float

    @classmethod
    def of(cls, frame: Frame, sites: ArrayLike, score: ArrayLike, std: ArrayLike | None) -> SiteTable:
        """The table of the sites that have a finite score and, where given, a finite deviation.

        Raises:
            InputError: arrays that do not match, sites outside the frame, or a negative deviation.
        """
        places, scores = _checked(frame, sites, score)
        spread = np.zeros_like(scores) if std is None else np.asarray(std, dtype=float)
        if spread.shape != scores.shape:
            raise InputError(f"std has shape {spread.shape} but score has {scores.shape}; give one deviation per site")
        good = np.isfinite(scores) & np.isfinite(spread)
        if (spread[good] < 0).any():
            raise InputError(f"std holds {spread[good].min():g}; a standard deviation is not below zero")
        places, scores, spread = places[good], scores[good], spread[good]
        mean = float(scores.mean()) if scores.size else 0.0
        excess = scores - mean
        largest = float(np.abs(scores).max(initial=0.0))
        return cls(
            excess=_on_pixels(frame.shape, places, excess),
            spread=_on_pixels(frame.shape, places, spread),
            count=_on_pixels(frame.shape, places, np.ones_like(scores)),
            mean=mean,
            flat=ROUNDING * largest,
            rounding=ROUNDING * float(np.abs(excess).sum()),
        )


@dataclass(frozen=True)
class Windows:
    """All windows of one size that lie within a frame.

    Attributes:
        starts: first rows and first columns of the windows, in pixels.
        inner: for rows and columns, the pixels (first, one past the last) that count, from the window's start.
        size_px: height and width in pixels, not rounded.
    """

    starts: tuple[NDArray[np.int64], NDArray[np.int64]]
    inner: tuple[tuple[int, int], tuple[int, int]]
    size_px: Pair

    @classmethod
    def of(cls, frame: Frame, size_nm: Pair, margin_nm: float) -> Windows:
        """The windows of `size_nm` that keep `margin_nm` from the frame's edges.

        Raises:
            InputError: none fits.
        """
        size = [size_nm[axis] / frame.pixel_nm[axis] for axis in (0, 1)]
        margin = [margin_nm / frame.pixel_nm[axis] for axis in (0, 1)]
        starts = [_starts(frame.shape[axis], size[axis], margin[axis]) for axis in (0, 1)]
        inner = [(_first_centre(margin[axis]), _first_centre(size[axis] - margin[axis])) for axis in (0, 1)]
        if any(not len(first) for first in starts) or any(first >= end for first, end in inner):
            raise InputError(
                f"no window of {size_nm[0]:g} x {size_nm[1]:g} nm with a margin of {margin_nm:g} nm fits a frame of "
                f"{frame.size_nm[0]:g} x {frame.size_nm[1]:g} nm; give a smaller margin"
            )
        return cls((starts[0], starts[1]), (inner[0], inner[1]), (size[0], size[1]))

    def sums(self, values: FloatArray) -> FloatArray:
        """The sum of a map over each window, by its summed-area table."""
        table = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
        (top, bottom), (left, right) = self.inner
        rows, cols = self.starts
        low = table[rows + bottom][:, cols + right] - table[rows + bottom][:, cols + left]
        high = table[rows + top][:, cols + right] - table[rows + top][:, cols + left]
        difference: FloatArray = low - high
        return difference


def _starts(pixels: int, size: float, margin: float) -> NDArray[np.int64]:
    """First pixels of the windows that lie wholly within the frame, with the margin left free."""
    fuzz = 1e-9
    return np.arange(int(np.ceil(margin - fuzz)), int(np.floor(pixels - margin - size + fuzz)) + 1, dtype=np.int64)


def _first_centre(edge: float) -> int:
    """The first pixel whose centre lies at or beyond a distance from the window's start, in pixels."""
    return int(np.ceil(edge - 0.5 - 1e-9))


def _on_pixels(shape: tuple[int, int], places: NDArray[np.int64], values: FloatArray) -> FloatArray:
    pixels = np.zeros(shape)
    np.add.at(pixels, (places[:, 0], places[:, 1]), values)
    return pixels


def _checked(frame: Frame, sites: ArrayLike, score: ArrayLike) -> tuple[NDArray[np.int64], FloatArray]:
    exact, scores = np.asarray(sites, dtype=float), np.asarray(score, dtype=float)
    if exact.ndim != 2 or exact.shape[1] != 2 or scores.shape != exact.shape[:1]:
        raise InputError(f"sites have shape {exact.shape} and score {scores.shape}; give (M, 2) and (M,) of the same M")
    whole = np.isfinite(exact).all() and (exact == np.rint(exact)).all()
    if not whole or (exact < 0).any() or (exact >= frame.shape).any():
        raise InputError(
            f"some sites are not whole pixels of an image of {frame.shape} pixels; give row and column of it"
        )
    return exact.astype(np.int64), scores
