"""The pathfinder: where to go among sites that are as good, in what order, and where not to return yet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.acquisition import short_path
from dkl_core.errors import InputError
from dkl_core.survey import FloatArray

Mover = Literal["tip", "scan"]
IntArray = NDArray[np.int64]
_CANDIDATES = 40


@dataclass(frozen=True)
class Travel:
    """What a way costs, in px of travel.

    A tip moves slowly: the cost is the distance. A scanned beam is there at once but has to settle, the longer the
    farther it was thrown, and going back against the scan (left or up) costs a fly-back on top.

    Attributes:
        mover: `tip` or `scan`.
        settle: of a scan, fixed part of every move, as px of travel.
        flyback: of a scan, what going back costs more, as a factor on the distance gone back.
    """

    mover: Mover = "scan"
    settle: float = 5.0
    flyback: float = 0.5

    def __post_init__(self) -> None:
        if self.mover not in get_args(Mover):
            raise InputError(f"unknown mover {self.mover!r}; choose one of {', '.join(get_args(Mover))}")
        if not (0 <= self.settle < math.inf and 0 <= self.flyback < math.inf):
            raise InputError(f"settle is {self.settle} and flyback {self.flyback}; give 0 or more for both")

    def cost(self, here: ArrayLike, there: ArrayLike) -> FloatArray:
        """What it costs to go from positions (…, 2) to others, in px of travel."""
        way = np.asarray(there, dtype=np.float64) - np.asarray(here, dtype=np.float64)
        distance: FloatArray = np.hypot(way[..., 0], way[..., 1])
        if self.mover == "tip":
            return distance
        back = np.maximum(-way[..., 1], 0.0) + np.maximum(-way[..., 0], 0.0)
        moved = distance > 0
        total: FloatArray = distance + self.flyback * back + self.settle * moved
        return total


@dataclass(frozen=True)
class PathSettings:
    """How the pathfinder works.

    Attributes:
        travel: what a way costs.
        tolerance: sites count as good as the best whose acquisition is less by no more than this share of its range
            over the open sites; the nearest of some of them is taken.
        keep_off: distance in steps of the site grid that is kept from the sites measured last, while there are others.
        recent: how many sites are the last.
    """

    travel: Travel = Travel()
    tolerance: float = 0.05
    keep_off: float = 1.0
    recent: int = 10

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance < 1:
            raise InputError(f"tolerance is {self.tolerance}; give a share of the acquisition's range, 0 to below 1")
        if self.keep_off < 0 or self.recent < 0:
            raise InputError(f"keep_off is {self.keep_off} and recent {self.recent}; give 0 or more for both")


def best_site(acquisition: FloatArray, open_sites: NDArray[np.bool_], rng: np.random.Generator) -> int:
    """The open site of largest acquisition, drawn where several are exactly as good."""
    highest = acquisition[open_sites].max()
    return int(rng.choice(np.flatnonzero(open_sites & (acquisition >= highest - 1e-9 * abs(highest)))))


def near_site(
    acquisition: FloatArray,
    open_sites: NDArray[np.bool_],
    positions: IntArray,
    here: ArrayLike,
    settings: PathSettings,
    rng: np.random.Generator,
) -> int:
    """The cheapest to reach of some sites that are nearly as good as the best.

    Only some are looked at, so that a search without any preference does not crawl from neighbour to neighbour.
    """
    values = acquisition[open_sites]
    highest = values.max()
    enough = highest - settings.tolerance * (highest - values.min())
    good = np.flatnonzero(open_sites & (acquisition >= enough))
    if len(good) > _CANDIDATES:
        good = rng.choice(good, _CANDIDATES, replace=False)
    return int(good[np.argmin(settings.travel.cost(here, positions[good]))])


def away_from(
    recent: IntArray, positions: IntArray, open_sites: NDArray[np.bool_], distance_px: float
) -> NDArray[np.bool_]:
    """The open sites that lie farther than a distance from those measured last; all open ones where none does."""
    if len(recent) == 0 or distance_px <= 0:
        return open_sites
    from scipy.spatial import KDTree

    nearest, _ = KDTree(positions[recent]).query(positions)
    allowed: NDArray[np.bool_] = open_sites & (nearest > distance_px)
    return allowed if allowed.any() else open_sites


def ordered(positions: ArrayLike, start: ArrayLike, travel: Travel) -> IntArray:
    """An order that visits points cheaply from a start: the short path, then moved points and turned stretches.

    Args:
        positions: (n, 2).
        start: where the probe or tip is (2,).
        travel: what a way costs; it need not cost the same both ways.

    Returns:
        Order of the points (n,).
    """
    places = np.asarray(positions, dtype=np.float64)
    order = short_path(places, start)
    nodes = np.vstack([np.asarray(start, dtype=np.float64), places])
    table = travel.cost(nodes[:, None], nodes[None])
    best = _length(order, table)
    while True:
        found = min(_changed(order), key=lambda other: _length(other, table), default=order)
        length = _length(found, table)
        if length >= best - 1e-9:
            return order
        order, best = found, length


def path_cost(positions: ArrayLike, travel: Travel) -> float:
    """What visiting positions (n, 2) in their order costs, in px of travel."""
    places = np.asarray(positions, dtype=np.float64)
    return float(travel.cost(places[:-1], places[1:]).sum())


def _length(order: IntArray, table: FloatArray) -> float:
    nodes = np.concatenate([[0], order + 1])
    return float(table[nodes[:-1], nodes[1:]].sum())


def _changed(order: IntArray) -> list[IntArray]:
    """Every order with one stretch turned round or one point moved."""
    count = len(order)
    turned = [
        np.concatenate([order[:first], order[first : last + 1][::-1], order[last + 1 :]])
        for first in range(count)
        for last in range(first + 1, count)
    ]
    moved = [
        np.insert(np.delete(order, old), new, order[old]) for old in range(count) for new in range(count) if new != old
    ]
    return turned + moved
