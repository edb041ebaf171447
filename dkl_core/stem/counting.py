"""Random numbers of electrons: Poisson's distribution, drawn fast for whole images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CountsArray = NDArray[np.float32]
# Above this mean a skewed Gaussian stands for the distribution; it is off by less than 0.5 % of the probability.
GAUSSIAN_ABOVE = 6.0
THINNED_BELOW = 0.5
# Single precision does not tell what is rarer than this.
RAREST = 2e-6


def arrivals(electrons: CountsArray, rng: np.random.Generator) -> CountsArray:
    """Random numbers of electrons with these expectations (...), whole numbers."""
    expected = electrons.ravel()
    often = np.flatnonzero(expected >= THINNED_BELOW)
    if len(often) == len(expected):
        return _several(expected, rng).reshape(electrons.shape)
    hits = _thinned(expected, rng)
    hits[often] = _several(expected[often], rng)
    return hits.reshape(electrons.shape)


def _several(expected: CountsArray, rng: np.random.Generator) -> CountsArray:
    many = expected > GAUSSIAN_ABOVE
    hits = np.empty_like(expected)
    hits[many] = _skewed(expected[many], rng)
    hits[~many] = _inverted(expected[~many], rng)
    return hits


def _thinned(expected: CountsArray, rng: np.random.Generator) -> CountsArray:
    """Where almost all are 0: electrons fall anywhere and count with the right probability."""
    pixels = len(expected)
    where = rng.integers(0, pixels, rng.poisson(THINNED_BELOW * pixels), dtype=np.int32)
    counted = rng.random(len(where), dtype=np.float32) * np.float32(THINNED_BELOW) < expected[where]
    return np.bincount(where[counted], minlength=pixels).astype(np.float32)


def _inverted(expected: CountsArray, rng: np.random.Generator) -> CountsArray:
    """By inverting the distribution, for all pixels at once."""
    chance = np.exp(-expected)
    left = rng.random(len(expected), dtype=np.float32)
    left *= np.float32(1 - RAREST)
    left -= chance
    hits = np.zeros(len(expected), dtype=np.float32)
    number = 0
    while (more := left > 0).any():
        number += 1
        hits += more
        chance *= expected / np.float32(number)
        left -= chance
    return hits


def _skewed(expected: CountsArray, rng: np.random.Generator) -> CountsArray:
    """From the first terms of the expansion of Cornish and Fisher (Rev. Inst. Int. Stat. 5 (1938) 307)."""
    normal = rng.standard_normal(len(expected), dtype=np.float32)
    hits: CountsArray = np.rint(expected + np.sqrt(expected) * normal + (normal**2 - 1) / np.float32(6))
    return np.maximum(hits, 0, out=hits)
