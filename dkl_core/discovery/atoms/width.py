"""How wide an atom's spot is, and how strong the noise, from the image's autocorrelation.

Spots of standard deviation s give the autocorrelation a central peak of standard deviation √2·s. White noise adds to
lag zero alone, and offsets of scan lines to lags along the line alone: neither is used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import fft, ndimage, optimize

from dkl_core.survey import FloatArray

LARGEST_PX = 1024
NARROWEST_PX, WIDEST_PX = 0.5, 16.0
# The central peak of white noise at this many of its own standard deviations is no peak.
LEAST_SIGNIFICANCE = 5.0
_HIGH_PASS = tuple(2.5 * 1.6**k for k in range(7))
_NARROWER = 2.2
# Neighbours narrow the central peak; measured on the images that the network is trained on.
_BIAS = 1.25


@dataclass(frozen=True)
class Spot:
    """Spots and noise of an image.

    Attributes:
        width_px: standard deviation of a spot, px.
        noise: standard deviation of the noise that is independent from pixel to pixel, units of the image.
        contrast: standard deviation of the image without that noise, units of the image.
    """

    width_px: float
    noise: float
    contrast: float


def spot_of(image: FloatArray) -> Spot | None:
    """Spots and noise of an image (rows, columns); None where nothing is as wide as a spot can be."""
    rows, cols = (slice((n - min(n, LARGEST_PX)) // 2, (n + min(n, LARGEST_PX)) // 2) for n in image.shape)
    part = np.asarray(image[rows, cols], dtype=np.float64)
    reach = float(min(WIDEST_PX, min(part.shape) / 6))
    # From fine to coarse: contamination is wider than atoms, and brighter.
    for over in _HIGH_PASS:
        spot = _measured(part - ndimage.gaussian_filter(part, over), reach)
        if spot is not None and spot.width_px * _NARROWER < over:
            return replace(spot, width_px=float(np.clip(_BIAS * spot.width_px, NARROWEST_PX, WIDEST_PX)))
    return None


def _measured(flat: FloatArray, reach: float) -> Spot | None:
    size = int(np.ceil(2 * reach))
    lags, values = _correlation(flat, size)
    whole = float(values[size, size]) if size else 0.0
    distance = np.hypot(*lags)
    # Lags along a scan line carry the line's own offset.
    usable = (lags[0] >= 1) & (distance <= size)
    profile_at, profile = _profile(distance[usable], values[usable])
    if whole <= 0 or profile[0] < LEAST_SIGNIFICANCE * whole / np.sqrt(flat.size):
        return None
    end = _first_minimum(profile)
    near = usable & (distance <= max(profile_at[end], 2.3))
    width = _fitted(distance[near], values[near])
    if width is None:
        return None
    sigma, peak = width
    noise = np.sqrt(max(whole - min(peak, whole), 0.0))
    return Spot(float(np.clip(sigma, NARROWEST_PX, reach)), float(noise), float(np.sqrt(min(peak, whole))))


def _correlation(flat: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Lags (2, 2s+1, 2s+1) and the autocorrelation there, unbiased."""
    shape = [fft.next_fast_len(n + size, real=True) for n in flat.shape]
    power = np.abs(fft.rfft2(flat - flat.mean(), shape)) ** 2
    whole = fft.irfft2(power, shape)
    line = np.arange(-size, size + 1)
    lags = np.stack(np.meshgrid(line, line, indexing="ij")).astype(float)
    overlap = (flat.shape[0] - np.abs(lags[0])) * (flat.shape[1] - np.abs(lags[1]))
    return lags, whole[np.ix_(line, line)] / overlap


def _profile(distance: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean over rings one pixel wide."""
    ring = np.rint(distance).astype(int)
    count = np.maximum(np.bincount(ring), 1)
    at, mean = np.bincount(ring, distance) / count, np.bincount(ring, values) / count
    return at[1:], mean[1:]


def _first_minimum(profile: FloatArray) -> int:
    rises = np.flatnonzero(np.diff(profile) > 0)
    return int(rises[0]) if len(rises) else len(profile) - 1


def _fitted(distance: FloatArray, values: FloatArray) -> tuple[float, float] | None:
    """Width of a spot and height of the central peak, extrapolated to lag zero."""

    def model(at: FloatArray, height: float, sigma: float, base: float) -> FloatArray:
        curve: FloatArray = height * np.exp(-(at**2) / (4 * sigma**2)) + base
        return curve

    scale = float(np.abs(values).max())
    if scale <= 0:
        return None
    start = (1.0, max(float(distance.max()) / 3, NARROWEST_PX), 0.0)
    limits = ([0.0, NARROWEST_PX / 2, -3.0], [20.0, 4 * float(distance.max()) + 1, 1.0])
    try:
        found, _ = optimize.curve_fit(model, distance, values / scale, start, bounds=limits, max_nfev=400)
    except RuntimeError:
        return None
    return float(found[1]), float((found[0] + found[2]) * scale)
