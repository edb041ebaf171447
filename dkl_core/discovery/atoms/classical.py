"""Atoms as bright spots of the image filtered to the size of a spot (Laplacian of Gaussian), with scikit-image."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from dkl_core.discovery.atoms.width import Spot
from dkl_core.survey import FloatArray

# Of white noise, about one pixel in 100,000 exceeds this many standard deviations; its maxima are tested again later.
LEAST_SIGNIFICANCE = 4.0
# Faint maxima between atoms of a lattice are not atoms.
LEAST_SHARE = 0.2
# Ratio of the curvatures of a spot; an edge or a line has one large and one small (Lowe, IJCV 60 (2004) 91).
MOST_ELONGATED = 6.0


def spots(image: FloatArray, spot: Spot) -> FloatArray:
    """Pixels (n, 2) where spots as wide as an atom's are brightest, to be refined.

    Args:
        image: (rows, columns), finite.
        spot: width of a spot and noise of the image.
    """
    from skimage.feature import peak_local_max

    width = max(spot.width_px, 0.6)
    response = -ndimage.gaussian_laplace(np.asarray(image, dtype=np.float64), width)
    least = LEAST_SIGNIFICANCE * spot.noise * _noise_gain(width)
    # The filter has already taken away what is finer than a spot.
    peaks = peak_local_max(  # type: ignore[no-untyped-call]
        response, min_distance=1, threshold_abs=max(least, 0.0), exclude_border=False
    )
    if not len(peaks):
        return np.zeros((0, 2))
    heights = response[tuple(peaks.T)]
    bright = heights > LEAST_SHARE * np.median(heights[heights >= np.percentile(heights, 50)])
    kept: FloatArray = peaks[bright & round_at(image, peaks, width)].astype(float)
    return kept


def _noise_gain(width: float) -> float:
    """Standard deviation of white noise of standard deviation 1 after the filter."""
    impulse = np.zeros((2 * int(6 * width) + 3,) * 2)
    impulse[tuple(n // 2 for n in impulse.shape)] = 1.0
    return float(np.sqrt((ndimage.gaussian_laplace(impulse, width) ** 2).sum()))


def round_at(image: FloatArray, peaks: np.ndarray, width: float) -> np.ndarray:
    """Whether the image falls off in all directions from pixels (n, 2)."""
    down, across, mixed = (
        -ndimage.gaussian_filter(image, width, order=order)[tuple(peaks.T)] for order in ((2, 0), (0, 2), (1, 1))
    )
    determinant, trace = down * across - mixed**2, down + across
    limit = (MOST_ELONGATED + 1) ** 2 / MOST_ELONGATED
    verdict: np.ndarray = (determinant > 0) & (trace**2 < limit * determinant)
    return verdict
