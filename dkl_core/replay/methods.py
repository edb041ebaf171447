"""Replaying an experiment with the model, and with what it must beat."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError, MeasurementError
from dkl_core.experiment import Experiment, ExperimentSettings
from dkl_core.experiment.seeding import seed_order
from dkl_core.measurement import Measurement, Site
from dkl_core.patches import Sites
from dkl_core.replay.metrics import Fit, fit_quality, simple_regret, top_sites
from dkl_core.replay.problem import ReplayProblem
from dkl_core.surrogate.settings import MODELS, SurrogateSettings, model_settings
from dkl_core.survey import FloatArray

PLAIN_METHODS = ("random", "raster")
BASELINES = (*PLAIN_METHODS, *(name for name in MODELS if name != "dkl"))


@dataclass(frozen=True, eq=False)
class Replay:
    """One replayed experiment.

    Attributes:
        method: what chose the sites.
        repeat: number of the repeat, from 0.
        sites: chosen sites in order (n,).
        values: their scalars (n,), NaN where the measurement failed.
        hits: whether each is among the best 5 % of all sites (n,).
        seeds: how many of them were seeds.
        hit_rate: share of hits among the measurements after seeding; NaN if there is none.
        regret: how far the best value found is from the best there is, in the scalar's units.
        fit: quality of the final map on the sites not measured.
        decision_ms: time from telling a measurement to the next site, one per decision by a model.
        stop_reason: why it ended.
        experiment: the experiment at its end; for a baseline without a model, the default model told its measurements.
    """

    method: str
    repeat: int
    sites: NDArray[np.int64]
    values: FloatArray
    hits: NDArray[np.bool_]
    seeds: int
    hit_rate: float
    regret: float
    fit: Fit
    decision_ms: FloatArray
    stop_reason: str
    experiment: Experiment


Step = Callable[[str, int], None]
"""Called after each measurement with the method's name and the number of measurements so far."""

Prepared = Callable[[str, float], None]
"""Called during a pre-training with the method's name and the share that is done; what it raises ends the replay."""


def replay(
    problem: ReplayProblem,
    settings: ExperimentSettings,
    method: str = "dkl",
    repeat: int = 0,
    *,
    step: Step | None = None,
    prepared: Prepared | None = None,
    experiment: Experiment | None = None,
) -> Replay:
    """Replay one experiment; one that structure drives is judged by the structure, not by the recorded scalars.

    Args:
        problem: sites and truth.
        settings: the experiment; its seed is that of repeat 0.
        method: `dkl` (the settings' own model), `random`, `raster`, or a baseline model by name.
        repeat: adds to the seed.
        step: progress.
        prepared: progress of a model that learns from all patches before the first measurement.
        experiment: an experiment to go on with, e.g. one that is recorded; made from the settings if None.

    Raises:
        InputError: unknown method.
    """
    if method not in ("dkl", *BASELINES):
        raise InputError(f"unknown method {method!r}; choose dkl or one of {', '.join(BASELINES)}")
    settings = replace(settings, seed=settings.seed + repeat, surrogate=_model(settings.surrogate, method, repeat))
    if experiment is None:
        experiment = Experiment(problem.survey, settings, patches=problem.patches)
    problem = _judged_by_structure(problem, experiment)
    order = _plain_order(method, problem.patches.sites, settings) if method in PLAIN_METHODS else None
    if prepared is not None and order is None and settings.surrogate.pretrain != "none":
        experiment.prepare(partial(prepared, method))
    decisions = []
    site = _next(experiment, order)
    while site is not None:
        measured = _measure(problem, site)
        start = time.perf_counter()
        experiment.tell(site, measured)
        told = time.perf_counter()
        if step is not None:
            step(method, len(experiment.told))
        resumed = time.perf_counter()
        site = _next(experiment, order)
        if site is not None and experiment.surrogate is not None:
            decisions.append(1000 * (time.perf_counter() - resumed + told - start))
    return _judged(problem, experiment, method, repeat, np.array(decisions))


def _judged_by_structure(problem: ReplayProblem, experiment: Experiment) -> ReplayProblem:
    """The problem with the scalars that drive the experiment, at the sites where something was recorded."""
    if experiment.structure is None:
        return problem
    experiment.learn_structure()
    return replace(problem, truth=np.where(np.isfinite(problem.truth), experiment.structure.everywhere(), np.nan))


def _model(surrogate: SurrogateSettings, method: str, repeat: int) -> SurrogateSettings:
    chosen = surrogate if method in ("dkl", *PLAIN_METHODS) else model_settings(method)
    return replace(chosen, seed=surrogate.seed + 1000 * repeat, device=surrogate.device)


def _next(experiment: Experiment, order: list[int] | None) -> Site | None:
    if order is None:
        return next(iter(experiment.ask()), None)
    if experiment.stop_reason is not None or len(experiment.told) >= len(order):
        return None
    return experiment.sites[order[len(experiment.told)]]


def _measure(problem: ReplayProblem, site: Site) -> Measurement:
    try:
        return problem.measure(site)
    except MeasurementError as error:
        return Measurement.failed(str(error))


def _plain_order(method: str, sites: Sites, settings: ExperimentSettings) -> list[int]:
    """Random: without repeats, the model's own seeds first. Raster: a regular grid of as many sites as the budget."""
    rng = np.random.default_rng([settings.seed, 1])
    if method == "random":
        return [int(index) for index in seed_order(sites, settings.seeds, rng)]
    low, high = sites.positions.min(axis=0), sites.positions.max(axis=0)
    count = min(settings.stop.budget, len(sites))
    rows = max(1, round(math.sqrt(count * (high[0] - low[0] + 1) / (high[1] - low[1] + 1))))
    cols = math.ceil(count / rows)
    chosen: list[int] = []
    for row in low[0] + (np.arange(rows) + 0.5) / rows * (high[0] - low[0]):
        for col in low[1] + (np.arange(cols) + 0.5) / cols * (high[1] - low[1]):
            index = sites.nearest(float(row), float(col)).index
            if index not in chosen:
                chosen.append(index)
    return chosen[:count]


def _judged(problem: ReplayProblem, experiment: Experiment, method: str, repeat: int, decisions: FloatArray) -> Replay:
    told = experiment.told
    settings = experiment.settings
    sites = np.array([entry.site.index for entry in told], dtype=np.int64)
    values = np.array([entry.measurement.scalar.value if entry.measurement.ok else np.nan for entry in told])
    hits = top_sites(problem.truth, settings.goal)[sites]
    # The raster has no seeds, but all methods are judged on as many measurements.
    seeds = min(settings.seeds.count, len(told))
    return Replay(
        method=method,
        repeat=repeat,
        sites=sites,
        values=values,
        hits=hits,
        seeds=seeds,
        hit_rate=float(hits[seeds:].mean()) if len(hits) > seeds else math.nan,
        regret=simple_regret(problem.truth, values, settings.goal),
        fit=_map_quality(problem, experiment, sites),
        decision_ms=decisions,
        stop_reason=experiment.stop_reason or "all planned sites are measured",
        experiment=experiment,
    )


def _map_quality(problem: ReplayProblem, experiment: Experiment, measured: NDArray[np.int64]) -> Fit:
    valid = [entry for entry in experiment.told if entry.measurement.ok]
    if not valid:
        return Fit(math.nan, math.nan, math.nan)
    if experiment.surrogate is None:
        experiment.adopt(experiment.begin_refit().run())
    prediction = experiment.predict()
    assert prediction is not None
    left = np.isfinite(problem.truth)
    left[measured] = False
    scale = float(np.std([entry.measurement.scalar.value for entry in valid]))
    return fit_quality(problem.truth[left], prediction.mean[left], prediction.measurement_std[left], scale)
