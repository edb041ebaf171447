"""Where a small image lies in a larger one, to a fraction of a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from dkl_core.errors import InputError

FloatArray = NDArray[np.float64]
Pair = tuple[float, float]


@dataclass(frozen=True)
class Match:
    """Where a template was found.

    Attributes:
        position_px: (row, column) of the template's first pixel in the image.
        score: correlation coefficient there, 1 for identical up to brightness and contrast.
        is_inside: whether the maximum lies within the searched positions, not on their edge.
    """

    position_px: Pair
    score: float
    is_inside: bool


def correlation_map(template: FloatArray, image: FloatArray) -> FloatArray:
    """Correlation coefficient of the template (h, w) with each equally large part of the image (H, W).

    Returns:
        (H - h + 1, W - w + 1) coefficients; 0 where a part of the image is constant.

    Source: J. P. Lewis, "Fast Normalized Cross-Correlation", Vision Interface (1995).
    """
    if any(small > large for small, large in zip(template.shape, image.shape, strict=True)):
        raise InputError(f"a template of {template.shape} pixels does not fit in an image of {image.shape} pixels")
    small = template - template.mean()
    large = image - image.mean()
    product = signal.fftconvolve(large, small[::-1, ::-1], mode="valid")
    ones = np.ones(template.shape)
    sums = signal.fftconvolve(large, ones, mode="valid")
    squares = signal.fftconvolve(large**2, ones, mode="valid")
    spread = np.maximum(squares - sums**2 / template.size, 0.0) * float((small**2).sum())
    flat = spread <= 1e-12 * float((large**2).sum() + 1e-300) * float((small**2).sum() + 1e-300)
    return np.asarray(np.where(flat, 0.0, product / np.sqrt(np.where(flat, 1.0, spread))), dtype=np.float64)


def find(template: FloatArray, image: FloatArray, expected_px: Pair, radius_px: float) -> Match:
    """Find a template near the place where it is expected.

    On a lattice many places fit equally well, so a place counts the less the farther it is from the expected one
    (a Gaussian with half the radius as its standard deviation); the position itself is that of the unweighted peak.

    Args:
        template: (h, w), without NaN.
        image: (H, W), at least as large.
        expected_px: (row, column) of the template's first pixel.
        radius_px: how far from there it may be.

    Raises:
        InputError: the template is larger than the image, or no searched place lies in it.
    """
    scores = correlation_map(template, image)
    rows, cols = np.indices(scores.shape)
    distance = np.hypot(rows - expected_px[0], cols - expected_px[1])
    near = distance <= radius_px
    if not near.any():
        raise InputError(f"the image does not reach to {expected_px} where the template is expected")
    weighted = np.where(near, scores * np.exp(-2 * (distance / radius_px) ** 2), -np.inf)
    row, col = _climbed(scores, np.unravel_index(int(np.argmax(weighted)), scores.shape))
    inside = 0 < row < scores.shape[0] - 1 and 0 < col < scores.shape[1] - 1
    position = _refined(scores, row, col) if inside else (float(row), float(col))
    return Match(position, float(scores[row, col]), inside)


def _climbed(scores: FloatArray, start: tuple[np.intp, ...]) -> tuple[int, int]:
    """The top of the peak whose flank the weighted maximum is on."""
    row, col = int(start[0]), int(start[1])
    while True:
        top, left = max(row - 1, 0), max(col - 1, 0)
        around = scores[top : row + 2, left : col + 2]
        step = np.unravel_index(int(np.argmax(around)), around.shape)
        best = top + int(step[0]), left + int(step[1])
        if scores[best] <= scores[row, col]:
            return row, col
        row, col = best


def _refined(scores: FloatArray, row: int, col: int) -> Pair:
    """The top of the paraboloid through the 3 × 3 values round a maximum (least squares)."""
    around = scores[row - 1 : row + 2, col - 1 : col + 2]
    dy, dx = np.indices((3, 3)) - 1.0
    design = np.stack([dy**2, dx**2, dy * dx, dy, dx, np.ones((3, 3))], axis=-1).reshape(9, 6)
    yy, xx, yx, y, x, _ = np.linalg.lstsq(design, around.ravel(), rcond=None)[0]
    curvature = np.asarray([[2 * yy, yx], [yx, 2 * xx]])
    if np.linalg.det(curvature) <= 0 or yy >= 0:
        return float(row), float(col)
    offset = np.clip(-np.linalg.solve(curvature, (y, x)), -1.0, 1.0)
    return row + float(offset[0]), col + float(offset[1])
