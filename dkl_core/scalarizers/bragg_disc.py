"""Sub-pixel position of one diffraction disc."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# in radii of the disc: the window of the centroid ends, and the ring that shows the background begins, at the first
WINDOW = 1.25
RING = 1.6
LEASH = 0.5
_STEPS = 8
_LEAST_RING_PX = 8
_SETTLED_PX = 1e-3


@dataclass(frozen=True)
class Disc:
    """A diffraction disc that was found.

    Attributes:
        row: its centre in pixels.
        col: its centre in pixels.
        intensity: its sum above the background, in the pattern's units.
        variance_px2: variance of row and of column from the counting noise, None where the noise is not known.
        significance: the sum over its own standard deviation, infinite where the noise is not known.
    """

    row: float
    col: float
    intensity: float
    variance_px2: tuple[float, float] | None = None
    significance: float = math.inf

    def distance_px(self, other: Disc) -> float:
        """Distance between two centres in pixels."""
        return math.hypot(self.row - other.row, self.col - other.col)


@dataclass(frozen=True, eq=False)
class _Moments:
    row: float
    col: float
    intensity: float
    # what a count in each pixel adds to row and column moment, and to the sum
    weights: tuple[FloatArray, FloatArray, FloatArray]
    values: FloatArray
    ring: FloatArray


def centroid(
    values: FloatArray, start: tuple[float, float], radius_px: float, gain: float | None, leash: float = LEASH
) -> Disc | None:
    """The centroid of a disc above its background in a window that follows it.

    The background is a plane through the ring round the window, so that the tail of a neighbour does not pull.

    Args:
        values: the pattern (rows, columns).
        start: (row, col) in pixels near the centre.
        radius_px: radius of the disc.
        gain: counts per electron, None where the values are no counts.
        leash: how far it may walk from the start, in radii.

    Returns:
        The disc; None when it walked away, left the frame or holds no intensity.
    """
    row, col = start
    found = None
    for _ in range(_STEPS):
        found = _moments(values, row, col, radius_px)
        if found is None or math.hypot(found.row - start[0], found.col - start[1]) > leash * radius_px:
            return None
        step = math.hypot(found.row - row, found.col - col)
        row, col = found.row, found.col
        if step < _SETTLED_PX:
            break
    return None if found is None else _disc(found, gain)


def camera_variance(background: FloatArray, gain: float) -> float:
    """Variance of a pixel beyond that of its electrons, as the scatter of the dark pixels round a disc shows it."""
    return max(0.0, float(background.var()) - gain * max(float(background.mean()), 0.0))


def _moments(values: FloatArray, row: float, col: float, radius: float) -> _Moments | None:
    outer = math.ceil(RING * radius) + 1
    top, left = max(0, round(row) - outer), max(0, round(col) - outer)
    crop = values[top : round(row) + outer + 1, left : round(col) + outer + 1]
    dy = (np.arange(crop.shape[0]) + top - row)[:, None]
    dx = (np.arange(crop.shape[1]) + left - col)[None, :]
    distance = np.sqrt(dy**2 + dx**2)
    # the edge of the window is one pixel soft, so that the centroid moves smoothly
    inside = np.minimum(np.maximum(WINDOW * radius + 0.5 - distance, 0.0), 1.0)
    ring = ((inside == 0) & (distance <= RING * radius + 0.5)).astype(np.float64)
    area, pixels = float(inside.sum()), float(ring.sum())
    if area < 0.9 * math.pi * (WINDOW * radius) ** 2 or pixels < _LEAST_RING_PX:
        return None
    whole = inside - (area / pixels) * ring
    along_y, along_x = (_along(offset, inside, ring) for offset in (dy, dx))
    intensity = float(np.vdot(whole, crop))
    if intensity <= 0:
        return None
    y, x = float(np.vdot(along_y, crop)) / intensity, float(np.vdot(along_x, crop)) / intensity
    return _Moments(row + y, col + x, intensity, (along_y, along_x, whole), crop, ring)


def _along(offset: NDArray[np.floating], inside: FloatArray, ring: FloatArray) -> FloatArray:
    """What each pixel adds to a first moment in the window, the slope of the background in the ring taken off."""
    square = offset**2
    weights: FloatArray = offset * (inside - (np.sum(square * inside) / np.sum(square * ring)) * ring)
    return weights


def _disc(found: _Moments, gain: float | None) -> Disc:
    if gain is None:
        return Disc(found.row, found.col, found.intensity)
    background = found.values[found.ring > 0]
    camera = camera_variance(background, gain)
    # pixels that read noise made negative stay so: clipped, they would count it twice
    noise = gain * found.values + camera
    in_y, in_x, in_sum = (max(0.0, float(np.sum(weights**2 * noise))) for weights in found.weights)
    variance = (in_y / found.intensity**2, in_x / found.intensity**2)
    return Disc(found.row, found.col, found.intensity, variance, found.intensity / math.sqrt(max(in_sum, 1e-300)))
