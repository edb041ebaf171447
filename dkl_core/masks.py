"""Where sites are allowed: by threshold (vacuum), by drawn shapes (forbidden zones)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InputError
from dkl_core.survey import SurveyImage

Mask = NDArray[np.bool_]


def threshold_mask(
    survey: SurveyImage, *, low: float | None = None, high: float | None = None, smooth_px: float = 0.0
) -> Mask:
    """Pixels whose value lies between two limits, in the image's own units.

    Args:
        survey: the survey image; NaN pixels are never allowed.
        low: smallest allowed value, e.g. just above the vacuum's; None for no limit.
        high: largest allowed value, e.g. just below dirt; None for no limit.
        smooth_px: standard deviation of a Gaussian blur applied first, so that noise does not speckle the mask, px.

    Raises:
        InputError: no limit given, or limits that allow nothing.
    """
    if low is None and high is None:
        raise InputError("a threshold mask needs a limit; give low, high or both")
    values = _smoothed(survey.values, smooth_px)
    mask: Mask = np.isfinite(survey.values)
    if low is not None:
        mask &= values >= low
    if high is not None:
        mask &= values <= high
    if not mask.any():
        limits = " and ".join(f"{sign} {limit:g}" for sign, limit in (("≥", low), ("≤", high)) if limit is not None)
        raise InputError(f"no pixel is {limits}; {_range(values[np.isfinite(survey.values)])}")
    return mask


def polygon_mask(shape: tuple[int, int], vertices: ArrayLike) -> Mask:
    """Pixels inside a drawn polygon.

    Args:
        shape: (rows, columns) of the survey image.
        vertices: corners (n, 2) as (row, column) in pixels, n of 3 or more.

    Returns:
        True inside; use `~` to forbid the inside.
    """
    from matplotlib.path import Path

    corners = np.asarray(vertices, dtype=float)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
        raise InputError(f"the polygon's vertices have shape {corners.shape}; give three or more (row, column) pairs")
    pixels = np.moveaxis(np.indices(shape), 0, -1).reshape(-1, 2)
    inside: Mask = Path(corners).contains_points(pixels).reshape(shape)
    return inside


def rectangle_mask(shape: tuple[int, int], top: float, left: float, bottom: float, right: float) -> Mask:
    """Pixels of a drawn rectangle, edges in pixels, the lower and right ones excluded."""
    rows, cols = np.indices(shape)
    inside: Mask = (rows >= top) & (rows < bottom) & (cols >= left) & (cols < right)
    return inside


def _range(values: NDArray[np.float64]) -> str:
    if values.size == 0:
        return "the image holds no finite value; check the file or the detector"
    return f"the image runs from {values.min():g} to {values.max():g}; choose limits within"


def _smoothed(values: NDArray[np.float64], smooth_px: float) -> NDArray[np.float64]:
    if smooth_px <= 0:
        return values
    from scipy.ndimage import gaussian_filter

    good = np.isfinite(values)
    weight = gaussian_filter(good.astype(float), smooth_px)
    blurred: NDArray[np.float64] = gaussian_filter(np.where(good, values, 0.0), smooth_px) / np.maximum(weight, 1e-12)
    return blurred
