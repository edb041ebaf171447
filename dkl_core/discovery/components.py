"""Which component is worth looking for: the one that is high in few places, on a grid in such that hang together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dkl_core.errors import InputError
from dkl_core.patches import Sites
from dkl_core.survey import FloatArray

CLEAR = 0.1
"""Below this score no component stands out."""

_MAD_TO_STD = 1.4826
_TAIL_SPREADS, _FAR_SPREADS = 5.0, 10.0


@dataclass(frozen=True)
class Choice:
    """The component to look for.

    Attributes:
        component: its number, from 0.
        sign: 1, or -1 where what is unusual has low weights.
        automatic: whether the scores decided.
        scores: of all components, 0 to 1.
        clear: whether the component stands out.
        by: what the scores are made of, in words.
    """

    component: int
    sign: float
    automatic: bool
    scores: tuple[float, ...]
    clear: bool
    by: str = "structure and sparsity"


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
    _check(weights, wanted)
    signs = _signs(weights, signed=signed)
    scores = tuple(
        max(structure(sites.to_map(column), reach), 0.0) * _sparse(_skewness(sign * column))
        for column, sign in zip(weights.T, signs, strict=True)
    )
    return _chosen(signs, scores, wanted, "structure and sparsity")


def choose_rare(weights: FloatArray, wanted: int | None = None, *, signed: bool = False) -> Choice:
    """Choose the component that is high round few atoms, wherever they are.

    That neighbours are alike says nothing here: a foreign atom is alone, and its neighbours see it in their own windows
    whatever it is. What counts instead is how much of the component's variance comes from atoms that are beyond the
    median by five spreads or more (by the median absolute deviation): nothing where weights vary evenly, in two halves
    or as noise does, nearly all where a few atoms are foreign and the others alike. The score is that share times the
    sparsity of `choose_component`. One foreign atom of thousands hardly counts in it; the component stands out all the
    same where an atom is ten spreads away, which noise is not.

    Args:
        weights: of the components round some atoms, (n, p).
        wanted: the user's component, from 0; None decides by the score.
        signed: whether weights may be turned round.

    Raises:
        InputError: there is no such component.
    """
    _check(weights, wanted)
    signs = _signs(weights, signed=signed)
    scores = tuple(
        _tail(sign * column) * _sparse(_skewness(sign * column)) for column, sign in zip(weights.T, signs, strict=True)
    )
    choice = _chosen(signs, scores, wanted, "how much of it is in few atoms")
    turned = choice.sign * weights[:, choice.component]
    middle, spread = usual_spread(turned)
    far = bool((turned > middle + _FAR_SPREADS * spread).any()) and spread > 0
    return replace(choice, clear=choice.clear or far)


def usual_spread(values: FloatArray) -> tuple[float, float]:
    """Median, and spread by the median absolute deviation: of normal values the standard deviation."""
    middle = float(np.median(values))
    return middle, _MAD_TO_STD * float(np.median(np.abs(values - middle)))


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


def _check(weights: FloatArray, wanted: int | None) -> None:
    count = weights.shape[1]
    if wanted is not None and not 0 <= wanted < count:
        raise InputError(f"component {wanted} is asked for; there are {count}, numbered 0 to {count - 1}")


def _signs(weights: FloatArray, *, signed: bool) -> list[float]:
    return [-1.0 if signed and _skewness(column) < 0 else 1.0 for column in weights.T]


def _chosen(signs: list[float], scores: tuple[float, ...], wanted: int | None, by: str) -> Choice:
    chosen = int(np.argmax(scores)) if wanted is None else wanted
    return Choice(chosen, signs[chosen], wanted is None, scores, scores[chosen] >= CLEAR, by)


def _tail(values: FloatArray) -> float:
    middle, spread = usual_spread(values)
    away = (values - middle) ** 2
    total = float(away.sum())
    return float(away[values > middle + _TAIL_SPREADS * spread].sum()) / total if total > 0 else 0.0


def _skewness(values: FloatArray) -> float:
    spread = float(values.std())
    return float(((values - values.mean()) ** 3).mean()) / spread**3 if spread > 0 else 0.0


def _sparse(skewness: float) -> float:
    return max(skewness, 0.0) / (1 + max(skewness, 0.0))
