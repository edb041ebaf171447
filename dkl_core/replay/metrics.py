"""How good a run or a model was, judged with the truth in hand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dkl_core.goal import Goal
from dkl_core.survey import FloatArray

_Z90 = 1.6448536269514722


@dataclass(frozen=True)
class Fit:
    """How well predictions meet held-out measurements.

    Attributes:
        r2: coefficient of determination.
        nlpd: negative log predictive density, nats per measurement, of standardised scalars.
        coverage90: share of the truths inside the central 90 % interval.
    """

    r2: float
    nlpd: float
    coverage90: float


def fit_quality(truth: FloatArray, mean: FloatArray, std: FloatArray, scale: float) -> Fit:
    """Judge normal predictions.

    Args:
        truth: held-out scalars (n,).
        mean: predicted means (n,).
        std: predicted standard deviations of a measurement, noise included (n,).
        scale: standard deviation of the scalars learned from; the density is that of scalars divided by it.

    Returns:
        All NaN where there is nothing to judge; R^2 is NaN where the truth does not vary.
    """
    if len(truth) == 0:
        return Fit(math.nan, math.nan, math.nan)
    spread = float(((truth - truth.mean()) ** 2).sum())
    error = truth - mean
    sigma = np.maximum(std, 1e-12 * max(scale, 1e-300))
    width = sigma / (scale if scale > 0 else 1.0)
    nlpd = 0.5 * np.log(2 * np.pi) + np.log(width) + 0.5 * (error / sigma) ** 2
    return Fit(
        r2=1 - float((error**2).sum()) / spread if spread > 0 else math.nan,
        nlpd=float(nlpd.mean()),
        coverage90=float((np.abs(error) <= _Z90 * sigma).mean()),
    )


def top_sites(truth: FloatArray, goal: Goal, share: float = 0.05) -> NDArray[np.bool_]:
    """The sites whose true value is among the best `share` of all, shape (M,); NaN never is."""
    known = np.isfinite(truth)
    if not known.any():
        return known
    merit = goal.merit(np.where(known, truth, 0.0))
    top: NDArray[np.bool_] = known & (merit >= np.quantile(merit[known], 1 - share))
    return top


def simple_regret(truth: FloatArray, found: FloatArray, goal: Goal) -> float:
    """How far the best value found is from the best there is, in the scalar's units; NaN if nothing was found."""
    valid = found[np.isfinite(found)]
    if len(valid) == 0:
        return math.nan
    return float(goal.merit(truth[np.isfinite(truth)]).max() - goal.merit(valid).max())
