"""How many atoms were found, and how many of those found are atoms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from dkl_core.survey import FloatArray


@dataclass(frozen=True)
class Score:
    """Found positions against true ones.

    Attributes:
        atoms: number of true atoms that count.
        within: share of them with a found position within reach; one position may serve several.
        matched: share of them with a found position of their own within reach.
        false: share of found positions that are no atom's own.
        stray: share of found positions without any atom within reach.
        error_px: root mean square distance of matched pairs, px.
    """

    atoms: int
    within: float
    matched: float
    false: float
    stray: float
    error_px: float


def scored(found: FloatArray, true: FloatArray, reach_px: float, shape: tuple[int, ...], border_px: float) -> Score:
    """Judge found positions (n, 2) by true ones (m, 2), px.

    Pairs are made one to one by increasing distance. Only true atoms, and found ones, at least `border_px` inside the
    image count; those nearer to its border may be partners.
    """
    found, true = np.asarray(found, float).reshape(-1, 2), np.asarray(true, float).reshape(-1, 2)
    if not len(true) or not len(found):
        return Score(len(true), 0.0, 0.0, float(bool(len(found))), float(bool(len(found))), float("nan"))
    distance, _ = KDTree(found).query(true)
    backwards, _ = KDTree(true).query(found)
    partner = _partners(found, true, reach_px)
    counted, judged = (_inside(places, shape, border_px) for places in (true, found))
    matched = partner >= 0
    own = np.zeros(len(found), dtype=bool)
    own[partner[matched]] = True
    error = np.linalg.norm(found[partner[matched & counted]] - true[matched & counted], axis=1)
    return Score(
        atoms=int(counted.sum()),
        within=_share(distance[counted] <= reach_px),
        matched=_share(matched[counted]),
        false=_share(~own[judged]),
        stray=_share(backwards[judged] > reach_px),
        error_px=float(np.sqrt((error**2).mean())) if len(error) else float("nan"),
    )


def _share(flags: np.ndarray) -> float:
    return float(flags.mean()) if len(flags) else 0.0


def _inside(places: FloatArray, shape: tuple[int, ...], border: float) -> np.ndarray:
    inside = (places >= border) & (places <= np.array(shape) - 1 - border)
    return np.asarray(inside.all(axis=1))


def _partners(found: FloatArray, true: FloatArray, reach: float) -> np.ndarray:
    """Index of the found position of each true one (m,), −1 for none."""
    near = KDTree(true).sparse_distance_matrix(KDTree(found), reach, output_type="ndarray")
    partner, taken = np.full(len(true), -1), np.zeros(len(found), dtype=bool)
    for one in np.argsort(near["v"], kind="stable"):
        row, col = near["i"][one], near["j"][one]
        if partner[row] < 0 and not taken[col]:
            partner[row], taken[col] = col, True
    return partner
