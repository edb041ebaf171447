"""The reference of a deflection: a constant or a plane over the field, fitted robustly to what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dkl_core.scalarizers.pattern import FloatArray

DescanKind = Literal["plane", "constant"]
# A plane has three numbers; with fewer places, or places nearly on a line, its slopes would be invented.
_LEAST_FOR_PLANE = 8
_LEAST_WIDTH = 0.1
# Vacuum that spans this part of the field in each direction gives the slopes of a plane by itself.
_COVERS = 0.5
# Neighbouring sites are alike; the field is cut into up to so many blocks along each side, of this many sites or more.
_BLOCKS, _SITES_PER_BLOCK = 4, 6
_HUBER = 1.345
_TO_SIGMA = 1.4826
_ROUNDS = 30
_SETTLED = 1e-9


@dataclass(frozen=True, eq=False)
class Reference:
    """A linear function of the position, of several components at once.

    Attributes:
        middle_nm: (y, x) where it is `level`.
        level: shape (k,).
        slopes: change per nm along y and x, shape (2, k); zero for a constant.
    """

    middle_nm: FloatArray
    level: FloatArray
    slopes: FloatArray

    def at(self, positions_nm: FloatArray) -> FloatArray:
        """Its value at positions (N, 2), shape (N, k)."""
        value: FloatArray = self.level + (positions_nm - self.middle_nm) @ self.slopes
        return value


def fit_reference(positions_nm: FloatArray, values: FloatArray, *, plane: bool = True) -> Reference:
    """The robust plane, or the robust mean, of values over a field.

    Iteratively reweighted least squares with Huber's weights, the scale from the median absolute deviation (Huber,
    Robust Statistics, 1981, chapter 7): the minority of sites where the field is strong does not pull it.

    Args:
        positions_nm: (N, 2) as (y, x).
        values: (N, k), finite.
        plane: whether to fit slopes. A constant is fitted to fewer than 8 places, or places nearly on a line.
    """
    middle = positions_nm.mean(axis=0)
    away = positions_nm - middle
    sloped = plane and _spans_a_plane(away)
    design = np.column_stack([np.ones(len(away)), away]) if sloped else np.ones((len(away), 1))
    weights = np.ones(len(away))
    solution = np.zeros((design.shape[1], values.shape[1]))
    for _ in range(_ROUNDS):
        root = np.sqrt(weights)[:, None]
        before, solution = solution, np.linalg.lstsq(design * root, values * root, rcond=None)[0]
        if np.abs(solution - before).max() <= _SETTLED * (np.abs(solution).max() + 1e-300):
            break
        distance = np.sqrt(((values - design @ solution) ** 2).sum(axis=1))
        # Of a two-dimensional normal deviation the median length is 1.18 deviations, of a one-dimensional one 0.67.
        scale = float(np.median(distance)) * (_TO_SIGMA if values.shape[1] == 1 else 1 / 1.1774)
        if scale == 0:
            break
        weights = np.minimum(1, _HUBER * scale / np.maximum(distance, 1e-300))
    slopes = solution[1:] if sloped else np.zeros((2, values.shape[1]))
    return Reference(middle, solution[0], slopes)


def covers(part: FloatArray, whole: FloatArray) -> bool:
    """Whether places (N, 2) span so much of the field of all places (M, 2) that a plane through them holds there."""
    away = part - part.mean(axis=0)
    widths = (np.ptp(places, axis=0) for places in (part, whole))
    inner, outer = widths
    return _spans_a_plane(away) and bool((inner >= _COVERS * outer).all())


def error_of_mean(positions_nm: FloatArray, residuals: FloatArray) -> FloatArray:
    """Variance of a mean over a field, of each component, shape (k,); infinite for a single site.

    Sites near one another have residuals of one sign, so the field is cut into blocks and their sums are compared
    (Liang and Zeger, Biometrika 73 (1986) 13, for one mean).

    Args:
        positions_nm: (N, 2).
        residuals: (N, k), what is left after the mean is taken off.
    """
    if len(residuals) < 2:
        return np.full(residuals.shape[1], np.inf)
    names, block = np.unique(_blocks(positions_nm), return_inverse=True)
    sums = np.zeros((len(names), residuals.shape[1]))
    np.add.at(sums, block, residuals)
    variance: FloatArray = (sums**2).sum(axis=0) / len(residuals) ** 2 * len(names) / (len(names) - 1)
    return variance


def _blocks(positions_nm: FloatArray) -> NDArray[np.intp]:
    """The number of the block of each site; each site is its own where there are too few for blocks."""
    sides = min(_BLOCKS, int((len(positions_nm) / _SITES_PER_BLOCK) ** 0.5))
    span = np.ptp(positions_nm, axis=0)
    if sides < 2 or not (span > 0).all():
        return np.arange(len(positions_nm))
    cells = np.minimum(((positions_nm - positions_nm.min(axis=0)) / span * sides).astype(np.intp), sides - 1)
    numbers: NDArray[np.intp] = cells[:, 0] * sides + cells[:, 1]
    return numbers


def _spans_a_plane(away: FloatArray) -> bool:
    if len(away) < _LEAST_FOR_PLANE:
        return False
    widths = np.linalg.svd(away, compute_uv=False)
    return bool(widths[-1] > _LEAST_WIDTH * widths[0] > 0)
