"""Which component is worth looking for: the one that is high in few places which hang together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dkl_core.errors import InputError
from dkl_core.patches import Sites
from dkl_core.survey import FloatArray

CLEAR = 0.1
"""Below this score no component stands out."""


@dataclass(frozen=True)
class Choice:
    """The component to look for.

    Attributes:
        component: its number, from 0.
        sign: 1, or -1 where what is unusual has low weights.
        automatic: whether the scores decided.
        scores: of all components, 0 to 1.
        clear: whether the component stands out.
    """

    component: int
    sign: float
    automatic: bool
    scores: tuple[float, ...]
    clear: bool


def choose_component(
    weights: FloatArray, sites: Sites, reach: int = 1, wanted: int | None = None, *, signed: bool = False
) -> Choice:
    """Choose the component whose map has most structure and is most sparse.

    Structure is Moran's I of the map, less what overlapping windows give any map: the correlation of neighbours that
    share no pixel. Sparsity is the skewness s of the weights as s / (1 + s): a phase that fills the share p of the
    image has s = (1 - 2 p) / sqrt(p (1 - p)). The score is their product.

    Args:
        weights: of the components at some sites on a grid, (n, p).
        sites: those sites.
        reach: distance of windows that share no pixel, in steps of the grid.
        wanted: the user's component, from 0; None decides by the score.
        signed: whether weights may be turned round (principal components have no sign of their own).

    Raises:
        InputError: there is no such component.
    """
    count = weights.shape[1]
    if wanted is not None and not 0 <= wanted < count:
        raise InputError(f"component {wanted} is asked for; there are {count}, numbered 0 to {count - 1}")
    skews = [_skewness(column) for column in weights.T]
    signs = [-1.0 if signed and skew < 0 else 1.0 for skew in skews]
    scores = tuple(
        max(structure(sites.to_map(column), reach), 0.0) * _sparse(sign * skew)
        for column, sign, skew in zip(weights.T, signs, skews, strict=True)
    )
    chosen = int(np.argmax(scores)) if wanted is None else wanted
    return Choice(chosen, signs[chosen], wanted is None, scores, scores[chosen] >= CLEAR)


def structure(grid: FloatArray, reach: int = 1) -> float:
    """Moran's I of a map for neighbours at a distance: 1 where they are equal, 0 where they are unrelated.

    Args:
        grid: values with NaN where there is none, (rows, columns).
        reach: distance of the neighbours in cells, cut to a third of the map.
    """
    if np.isfinite(grid).sum() < 4:
        return 0.0
    centred = grid - np.nanmean(grid)
    variance = float(np.nanmean(centred**2))
    if variance <= 0:
        return 0.0
    # A window as large as the map has no neighbour without overlap.
    down, right = (max(1, min(reach, length // 3)) for length in grid.shape)
    products = np.concatenate(
        [(centred[down:] * centred[:-down]).ravel(), (centred[:, right:] * centred[:, :-right]).ravel()]
    )
    products = products[np.isfinite(products)]
    return float(products.mean()) / variance if len(products) else 0.0


def _skewness(values: FloatArray) -> float:
    spread = float(values.std())
    return float(((values - values.mean()) ** 3).mean()) / spread**3 if spread > 0 else 0.0


def _sparse(skewness: float) -> float:
    return max(skewness, 0.0) / (1 + max(skewness, 0.0))
