"""From candidates to atoms: a fit of all together, and a test of each against the noise around it.

A candidate that noise could make is dropped, two that noise could make of one atom are joined, and a spot that is
longer than the others is taken for two atoms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from dkl_core.discovery.atoms.canvas import Canvas, Spots
from dkl_core.discovery.atoms.fit import Alike, begun, fitted
from dkl_core.survey import FloatArray

# In standard deviations of the noise: of a height that is kept, and of a whole image that holds atoms.
LEAST_SIGNIFICANCE, SURE_SIGNIFICANCE = 4.5, 6.0
# Share of the median height below which nothing is called an atom, and of a brighter neighbour's within reach.
LEAST_HEIGHT, LEAST_BESIDE, BESIDE = 0.08, 0.09, 2.6
# Two spots nearer than this many widths are one; excess variance that makes two of one, in squares of the width.
ONE_SPOT, LONG = 0.9, 0.15
# Most atoms of an image are alike: what is as bright as two of them needs little else to be two, and anything else much
# (in standard deviations of the noise, by brightness in ordinary atoms).
BRIGHTNESS, NEEDED = (1.1, 1.5, 2.6, 3.4), (3.0, 0.8, 0.8, 4.0)
# Where hardly any spots overlap, two in one place are unlikely: shares of spots that overlap another.
CROWDED = (0.03, 0.2)
# Spread of heights that is expected of spots that overlap, in ordinary heights; fewer spots tell no ordinary one.
LIKENESS, OVERLAPPING, FEW = 0.15, 3.0, 20
# Evidence that a spot's neighbours cannot stand in for it, standard deviations; more for one that is faint.
OWN_SIGNIFICANCE, OWN_IF_FAINT, FAINT = 2.8, 6.0, 0.55
# Noise varies slowly: it is averaged over blocks of this many pixels.
_COARSE = 4
# Gram matrix of a Gaussian and its second derivatives along rows and columns, in π·width².
_GRAM = np.array([[1.0, -0.5, -0.5], [-0.5, 0.75, 0.25], [-0.5, 0.25, 0.75]])


@dataclass(frozen=True, eq=False)
class Refined:
    """Atoms and how sure they are.

    Attributes:
        spots: the model.
        significance: (n,) height in standard deviations of its noise.
    """

    spots: Spots
    significance: FloatArray


def refined(image: FloatArray, positions: FloatArray, width: float, noise: float, *, split: bool = True) -> Refined:
    """Atoms from candidates.

    Args:
        image: (rows, columns), finite.
        positions: candidates (n, 2), px.
        width: standard deviation of a spot, px.
        noise: standard deviation of the noise of a pixel, units of the image.
        split: whether long spots are taken for two atoms.
    """
    canvas = Canvas(image, width)
    spots = fitted(canvas, begun(canvas, positions, width), steps=2)
    spots = fitted(canvas, _kept(canvas, spots, noise, 0.7)[0], steps=1)
    if split:
        spots = _settled(canvas, _split(canvas, spots, noise), noise)
    spots = _settled(canvas, _thinned(canvas, _joined(canvas, spots, noise), noise), noise)
    spots = _settled(canvas, _thinned(canvas, spots, noise), noise, steps=1)
    return Refined(*_kept(canvas, spots, noise, 1.0))


def width_of(image: FloatArray, positions: FloatArray, width: float, noise: float) -> float:
    """Standard deviation of spots near positions (n, 2), px, from a fit that starts at `width`."""
    canvas = Canvas(image, 2 * width)
    spots = fitted(canvas, begun(canvas, positions, width), steps=1)
    spots = _thinned(canvas, _kept(canvas, spots, noise, 1.0)[0], noise)
    # A width that is far off settles only together with the positions.
    spots = fitted(canvas, spots, steps=6, width_too=True)
    return float(np.clip(spots.width, 0.6 * width, 2 * width)) if np.isfinite(spots.width) else width


def _noise_at(spots: Spots, residual: FloatArray, noise: float) -> FloatArray:
    """Standard deviation (n,) of a pixel's noise round each spot."""
    rows, cols = (n // _COARSE * _COARSE for n in residual.shape)
    blocks = (residual[:rows, :cols] ** 2).reshape(rows // _COARSE, _COARSE, cols // _COARSE, _COARSE).mean(axis=(1, 3))
    local = np.sqrt(np.maximum(ndimage.gaussian_filter(blocks, 3 * spots.width / _COARSE), 0))
    at = np.clip(np.rint(spots.positions).astype(int) // _COARSE, 0, np.array(local.shape) - 1)
    # A fit to maxima of noise leaves too little of it.
    found: FloatArray = np.maximum(local[tuple(at.T)], 0.9 * noise)
    return np.maximum(found, 1e-30)


def _kept(canvas: Canvas, spots: Spots, noise: float, strictness: float) -> tuple[Spots, FloatArray]:
    """The spots that are atoms, and their significance."""
    if not len(spots.heights):
        return spots, np.zeros(0)
    sure = _significance(spots, _noise_at(spots, canvas.residual(spots), noise))
    inside = ((spots.positions > -0.5) & (spots.positions < np.array(canvas.shape) - 0.5)).all(axis=1)
    kept = inside & (spots.heights > 0) & (sure > strictness * LEAST_SIGNIFICANCE)
    if kept.any():
        kept &= spots.heights > strictness * LEAST_HEIGHT * np.median(spots.heights[kept])
    pairs = KDTree(spots.positions).query_pairs(BESIDE * spots.width, output_type="ndarray")
    one, two = spots.heights[pairs[:, 0]], spots.heights[pairs[:, 1]]
    kept[pairs[one < strictness * LEAST_BESIDE * two, 0]] = False
    kept[pairs[two < strictness * LEAST_BESIDE * one, 1]] = False
    return spots.chosen(kept), sure[kept]


def _significance(spots: Spots, noise: FloatArray) -> FloatArray:
    ratio: FloatArray = spots.heights * np.sqrt(np.pi) * spots.width / noise
    return ratio


def _joined(canvas: Canvas, spots: Spots, noise: float) -> Spots:
    """One spot for every two that the noise does not tell apart."""
    pairs = KDTree(spots.positions).query_pairs(3 * spots.width, output_type="ndarray")
    if not len(pairs):
        return spots
    local = _noise_at(spots, canvas.residual(spots), noise)[pairs].mean(axis=1)
    high = np.maximum(spots.heights, 1e-30)
    whole, product = high[pairs].sum(axis=1), high[pairs].prod(axis=1)
    apart = np.linalg.norm(np.diff(spots.positions[pairs], axis=1)[:, 0], axis=1) / spots.width
    # What one spot would leave over of two: half their excess variance times the second derivative of a Gaussian.
    left = 0.5 * product / whole * apart**2 * np.sqrt(np.pi / 2) * spots.width
    same = (apart < ONE_SPOT) | ((apart < 2.2) & (left < _needed(whole, spots) * local))
    positions, heights = spots.positions.copy(), high.copy()
    gone = np.zeros(len(high), dtype=bool)
    for one, two in pairs[same][np.argsort(apart[same])]:
        if not (gone[one] or gone[two]):
            share = heights[one] / (heights[one] + heights[two])
            positions[one] = share * positions[one] + (1 - share) * positions[two]
            heights[one] += heights[two]
            gone[two] = True
    return replace(spots, positions=positions, heights=heights).chosen(~gone)


def _thinned(canvas: Canvas, spots: Spots, noise: float) -> Spots:
    """The spots without those that their neighbours could stand in for, the faintest of each neighbourhood first."""
    if len(spots.heights) < 2:
        return spots
    sure = _significance(spots, _noise_at(spots, canvas.residual(spots), noise))
    pairs = KDTree(spots.positions).query_pairs(3 * spots.width, output_type="ndarray")
    apart = (np.diff(spots.positions[pairs], axis=1)[:, 0] ** 2).sum(axis=1) / spots.width**2
    # Share of a spot that another's height and position take over.
    shared = np.exp(-apart / 2) * (1 + apart / 2)
    total = np.bincount(pairs.ravel(), np.repeat(shared, 2), len(sure))
    own = sure * np.sqrt(np.maximum(1 - total, 0.04))
    doubtful = own < np.where(spots.heights < FAINT * _ordinary(spots.heights), OWN_IF_FAINT, OWN_SIGNIFICANCE)
    fainter = own[pairs[:, 0]] < own[pairs[:, 1]]
    low, high = np.where(fainter, pairs[:, 0], pairs[:, 1]), np.where(fainter, pairs[:, 1], pairs[:, 0])
    near = apart < OVERLAPPING**2
    # Of two doubtful neighbours only one goes.
    spared = np.zeros(len(own), dtype=bool)
    spared[high[near & doubtful[low]]] = True
    return spots.chosen(~doubtful | spared)


def _settled(canvas: Canvas, spots: Spots, noise: float, steps: int = 2) -> Spots:
    alike = _alike(canvas, spots, noise)
    for _ in range(steps):
        spots = fitted(canvas, spots, steps=1, alike=alike)
        alike = None if alike is None else replace(alike, height=_ordinary(spots.heights))
    return spots


def _alike(canvas: Canvas, spots: Spots, noise: float) -> Alike | None:
    """Heights expected of spots that overlap others."""
    if len(spots.heights) < FEW:
        return None
    ordinary = max(_ordinary(spots.heights), 1e-6 * float(np.abs(spots.heights).max()), 1e-300)
    nearest = KDTree(spots.positions).query(spots.positions, k=2)[0][:, 1]
    local = _noise_at(spots, canvas.residual(spots), noise)
    weight = np.where(nearest < OVERLAPPING * spots.width, (local / (LIKENESS * ordinary)) ** 2, 0.0)
    return Alike(ordinary, weight)


def _needed(brightness: FloatArray, spots: Spots) -> FloatArray:
    """Evidence needed for two atoms in place of one of a brightness, standard deviations."""
    needed = np.interp(brightness / max(_ordinary(spots.heights), 1e-300), BRIGHTNESS, NEEDED)
    if len(spots.heights) < 2:
        return np.full_like(needed, max(NEEDED))
    nearest = KDTree(spots.positions).query(spots.positions, k=2)[0][:, 1]
    crowded = float((nearest < OVERLAPPING * spots.width).mean())
    evidence: FloatArray = np.maximum(needed, np.interp(crowded, CROWDED, (max(NEEDED), 0.0)))
    return evidence


def _ordinary(heights: FloatArray) -> float:
    """The most common height: the highest point of a smooth histogram."""
    median = max(float(np.median(heights)), 1e-300)
    counts, edges = np.histogram(heights, bins=240, range=(0.0, 4 * median))
    smooth = ndimage.gaussian_filter1d(counts.astype(float), 9.0)
    top = int(smooth.argmax())
    return float(edges[top] + edges[top + 1]) / 2 or median


def _split(canvas: Canvas, spots: Spots, noise: float) -> Spots:
    """Two spots in place of each that is longer than the noise and the width explain."""
    if not len(spots.heights):
        return spots
    residual = canvas.residual(spots)
    seen = canvas.read(residual, spots) / (np.pi * spots.width**2)
    along = np.stack([seen[:, 0, 0], seen[:, 2, 0], seen[:, 0, 2]], axis=1) @ np.linalg.inv(_GRAM)
    high = np.maximum(spots.heights, 1e-30)
    excess = 2 * np.stack([along[:, 1], 4 * seen[:, 1, 1] / 2, 4 * seen[:, 1, 1] / 2, along[:, 2]], axis=1)
    excess = excess / high[:, None]
    if len(excess) >= FEW:
        # An astigmatic probe makes all spots long.
        excess = excess - np.median(excess, axis=0)
    values, axes = np.linalg.eigh(excess.reshape(-1, 2, 2))
    error = 2 / high * np.sqrt(np.linalg.inv(_GRAM)[1, 1] / np.pi) / spots.width
    error = error * _noise_at(spots, residual, noise)
    long = (values[:, 1] > LONG) & (values[:, 1] > _needed(high, spots) * error)
    beside = axes[long, :, 1] * (np.sqrt(np.minimum(values[long, 1], 1.0)) * spots.width)[:, None]
    halves = [spots.positions[long] + beside, spots.positions[long] - beside]
    positions = np.concatenate([spots.positions[~long], *halves])
    heights = np.concatenate([high[~long], 0.55 * high[long], 0.55 * high[long]])
    return replace(spots, positions=positions, heights=heights)
