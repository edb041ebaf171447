"""The order in which sites are measured before the model decides."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.experiment.settings import SeedSettings
from dkl_core.patches import Sites


def seed_order(sites: Sites, settings: SeedSettings, rng: np.random.Generator) -> NDArray[np.int64]:
    """All sites, the planned seeds first and the rest in random order; no site twice.

    More than the planned seeds are needed when some of them fail.

    Raises:
        InputError: more seeds than sites.
    """
    if settings.count > len(sites):
        raise InputError(f"{settings.count} seeds are asked of {len(sites)} sites; lower the seeds or add sites")
    shuffled = rng.permutation(len(sites))
    match settings.method:
        case "random":
            return shuffled
        case "latin":
            planned = _closest(sites, _latin(settings.count, sites, rng))
        case "grid":
            planned = _closest(sites, _grid(settings.count, sites))
        case "points":
            planned = _closest(sites, np.asarray(settings.points, dtype=float))
    rest = shuffled[~np.isin(shuffled, planned)]
    return np.concatenate([planned, rest])


def _latin(count: int, sites: Sites, rng: np.random.Generator) -> NDArray[np.float64]:
    from scipy.stats import qmc

    # Every site stands for the stride by stride pixels round it: all have the same chance.
    low, high = sites.positions.min(axis=0) - sites.stride / 2, sites.positions.max(axis=0) + sites.stride / 2
    sample: NDArray[np.float64] = qmc.LatinHypercube(2, rng=rng, optimization="random-cd").random(count)
    places: NDArray[np.float64] = low + sample * (high - low)
    return places


def _grid(count: int, sites: Sites) -> NDArray[np.float64]:
    low, high = sites.positions.min(axis=0), sites.positions.max(axis=0)
    height, width = np.maximum(high - low, 1)
    rows = min(max(round(math.sqrt(count * height / width)), 1), count)
    cols = math.ceil(count / rows)
    steps = [(np.arange(n) + 0.5) / n for n in (rows, cols)]
    grid = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 2)
    chosen = np.linspace(0, len(grid) - 1, count).round().astype(int)
    points: NDArray[np.float64] = low + grid[chosen] * (high - low)
    return points


def _closest(sites: Sites, points: NDArray[np.float64]) -> NDArray[np.int64]:
    """The nearest site of each point that no earlier point has taken, while there are any."""
    free = np.ones(len(sites), dtype=bool)
    chosen = []
    for point in points[: len(sites)]:
        distance = ((sites.positions - point) ** 2).sum(axis=1).astype(float)
        distance[~free] = np.inf
        index = int(np.argmin(distance))
        free[index] = False
        chosen.append(index)
    return np.array(chosen, dtype=np.int64)
