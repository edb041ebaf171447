"""How much of what there is was found, judged with the whole map in hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dkl_core.survey import FloatArray

_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03


def structural_similarity(one: FloatArray, other: FloatArray) -> float:
    """Mean SSIM of two maps with Gaussian weights of 1.5 cells (Wang et al., IEEE Trans. Image Process. 13, 600, 2004).

    Args:
        one: (rows, columns); the data range is that of this map.
        other: same shape.
    """
    from scipy.ndimage import gaussian_filter

    return _similarity(one, other, lambda values: np.asarray(gaussian_filter(values, _SIGMA)))


def scattered_similarity(one: FloatArray, other: FloatArray, places: FloatArray, count: int = 12) -> float:
    """Mean SSIM of two maps whose sites lie anywhere: the window of a site holds its nearest neighbours and itself.

    Args:
        one: values (M,); the data range is that of this map.
        other: same shape.
        places: of the sites (M, 2).
        count: neighbours in a window.
    """
    from scipy.spatial import KDTree

    members = KDTree(places).query(places, k=np.arange(1, min(count + 1, len(places)) + 1))[1]
    return _similarity(one, other, lambda values: values[members].mean(axis=1))


def _similarity(one: FloatArray, other: FloatArray, averaged: Callable[[FloatArray], FloatArray]) -> float:
    """Mean SSIM with the averages over each site's window that a function gives."""
    spread = float(np.ptp(one)) or 1.0
    small, large = (_K1 * spread) ** 2, (_K2 * spread) ** 2
    mean_a, mean_b = averaged(one), averaged(other)
    var_a, var_b = averaged(one * one) - mean_a**2, averaged(other * other) - mean_b**2
    both = averaged(one * other) - mean_a * mean_b
    similarity = (2 * mean_a * mean_b + small) * (2 * both + large)
    similarity /= (mean_a**2 + mean_b**2 + small) * (var_a + var_b + large)
    return float(similarity.mean())


def two_level_threshold(values: FloatArray) -> float:
    """The value that parts a map into low and high with least variance inside both (Otsu 1979)."""
    ordered = np.sort(np.ravel(values))
    if len(ordered) < 2:
        return float(ordered[0])
    count = np.arange(1, len(ordered))
    below = np.cumsum(ordered)[:-1]
    between = (below / count - (below[-1:] + ordered[-1] - below) / (len(ordered) - count)) ** 2
    split = int(np.argmax(between * count * (len(ordered) - count)))
    return float(ordered[split : split + 2].mean())


def edge_level(values: FloatArray, margin: float = 0.0) -> float:
    """Where a feature ends: half way between what is usual and what is typical inside the feature.

    Args:
        values: a map that is 0 where all is usual (M,).
        margin: how far from usual a value has to be before the map rises above 0.

    Returns:
        The level, on the scale of the map; at least a quarter of what is typical inside, so that a feature that hardly
        reaches beyond the margin does not spread over everything.
    """
    high = values[values > two_level_threshold(values)]
    if len(high) == 0:
        return float(np.max(values, initial=0.0))
    inside = float(high.mean())
    return max((inside - margin) / 2, inside / 4)


def found_share(predicted: FloatArray, feature: NDArray[np.bool_], threshold: float) -> tuple[float, float]:
    """How much of a feature a reconstruction shows, and how much it shows elsewhere.

    Args:
        predicted: reconstructed target (M,).
        feature: which sites belong to the feature (M,).
        threshold: above it a site counts as found.

    Returns:
        Share of the feature that is found, and share of what is called feature that is none.
    """
    called = predicted > threshold
    wrong = float((called & ~feature).sum() / max(int(called.sum()), 1))
    return float((called & feature).sum() / max(int(feature.sum()), 1)), wrong
