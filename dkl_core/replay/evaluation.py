"""How well a model predicts recorded scalars it has not seen."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dkl_core.errors import InputError
from dkl_core.replay.metrics import Fit, fit_quality
from dkl_core.replay.problem import ReplayProblem
from dkl_core.surrogate.settings import SurrogateSettings
from dkl_core.survey import FloatArray

if TYPE_CHECKING:
    from dkl_core.surrogate.features import Features


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One model on one random split.

    Attributes:
        model: its name.
        repeat: number of the repeat, from 0.
        trained: number of measurements learned from.
        tested: number of measurements predicted.
        fit: quality of the predictions.
        structure_share: share of the explained variance that structure gives.
        depth_weight: weight of the networks in the model.
        fit_s: time of the fit, s.
        truth: held-out scalars (n,).
        mean: predicted means (n,).
        std: predicted standard deviations, noise included (n,).
    """

    model: str
    repeat: int
    trained: int
    tested: int
    fit: Fit
    structure_share: float
    depth_weight: float
    fit_s: float
    truth: FloatArray
    mean: FloatArray
    std: FloatArray


def evaluate_model(
    problem: ReplayProblem,
    name: str,
    settings: SurrogateSettings,
    repeat: int,
    seed: int,
    train: int | float,
    features: Features | None = None,
) -> Evaluation:
    """Fit to a random part of the known scalars and predict the rest.

    Args:
        problem: sites and truth.
        name: name of the model.
        settings: the model.
        repeat: number of the repeat; the split is that of `numpy.random.default_rng(seed + repeat).permutation(n)`.
        seed: seed of the first repeat.
        train: number of measurements to learn from, or their share if below 1.
        features: the feature table, if it is known already.

    Raises:
        InputError: a split that leaves nothing to learn from or to predict.
    """
    from dkl_core.surrogate import Surrogate

    known = np.flatnonzero(np.isfinite(problem.truth))
    count = round(train * len(known)) if isinstance(train, float) else train
    if not 1 <= count < len(known):
        raise InputError(
            f"{count} of {len(known)} known scalars cannot be the training part; "
            "at least 1 must be learned from and 1 predicted"
        )
    order = known[np.random.default_rng(seed + repeat).permutation(len(known))]
    learned, held = order[:count], order[count:]
    surrogate = Surrogate(problem.patches, replace(settings, seed=seed + repeat), features)
    start = time.perf_counter()
    surrogate.fit(learned, problem.truth[learned])
    seconds = time.perf_counter() - start
    prediction = surrogate.predict()
    mean, std = prediction.mean[held], prediction.measurement_std[held]
    scale = float(problem.truth[learned].std())
    judged = surrogate.judgement
    return Evaluation(
        model=name,
        repeat=repeat,
        trained=count,
        tested=len(held),
        fit=fit_quality(problem.truth[held], mean, std, scale),
        structure_share=judged.structure_share,
        depth_weight=judged.depth_weight,
        fit_s=seconds,
        truth=problem.truth[held],
        mean=mean,
        std=std,
    )
