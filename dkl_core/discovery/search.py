"""Bayesian optimisation over the positions of an image, batch by batch, from a single point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import get_args

import numpy as np
import torch

from dkl_core.acquisition import AcquisitionSettings, evaluate
from dkl_core.discovery.pathfinder import IntArray, PathSettings, away_from, best_site, near_site, ordered
from dkl_core.discovery.process import Hyper, Model, ModelName, PositionModel, ProcessSettings
from dkl_core.errors import InputError
from dkl_core.goal import Goal
from dkl_core.patches import Sites
from dkl_core.surrogate.posterior import SitePosterior
from dkl_core.surrogate.prediction import Scale
from dkl_core.surrogate.threads import one_thread_each
from dkl_core.survey import FloatArray

Evaluate = Callable[[IntArray], FloatArray]

_GOAL = Goal("maximise")
_RELEARN_GROWTH = 1.15


@dataclass(frozen=True)
class SearchSettings:
    """How the image is searched.

    Attributes:
        process: the process over the position alone; of no use to `structure`.
        acquisition: what ranks the sites.
        batch: sites chosen at a time.
        budget: sites visited, the first included.
        path: the pathfinder; None visits the sites in the order in which they were chosen.
        seed: of the first site and of what is drawn among equals.
        model: `position` for a process over the position alone, `structure` for one over position and structure (see
            `structural`); None for what suits the workflow.
    """

    process: ProcessSettings = field(default_factory=ProcessSettings)
    acquisition: AcquisitionSettings = field(default_factory=lambda: AcquisitionSettings("ei"))
    batch: int = 10
    budget: int = 300
    path: PathSettings | None = field(default_factory=PathSettings)
    seed: int = 0
    model: ModelName | None = None

    def __post_init__(self) -> None:
        if self.model is not None and self.model not in get_args(ModelName):
            raise InputError(f"unknown model {self.model!r}; choose one of {', '.join(get_args(ModelName))}")
        if self.batch < 1 or self.budget < 1:
            raise InputError(f"batch is {self.batch} and budget {self.budget}; give 1 or more for both")
        if self.acquisition.name == "thompson":
            raise InputError("acquisition 'thompson' is not for this search; choose ei, ucb, pi or uncertainty")


@dataclass(frozen=True, eq=False)
class SearchStep:
    """What is known after a batch.

    Attributes:
        visited: sites in the order of the visits (n,).
        values: the target there (n,).
        mean: expected target of all sites (M,).
        std: its standard deviation (M,).
        acquisition: of all sites, as it was before the batch (M,); NaN before the first.
        hyper: what the model is set to; lengths in steps of the site grid, variances in units of the target's.
        seconds: since the search began.
    """

    visited: IntArray
    values: FloatArray
    mean: FloatArray
    std: FloatArray
    acquisition: FloatArray
    hyper: Hyper
    seconds: float


def search(
    sites: Sites,
    target: Evaluate,
    settings: SearchSettings | None = None,
    *,
    usual: float | None = None,
    model: Model | None = None,
) -> Iterator[SearchStep]:
    """Visit sites where the target promises to be high; one step for the first site and one for each batch.

    The batch is chosen one by one, each site as if those before it had given what was expected (kriging believer;
    Ginsbourger, Le Riche and Carraro 2010). Leave the iteration to stop: nothing else runs.

    Args:
        sites: the candidate positions.
        target: gives the target of some sites (n,), called once for each batch.
        settings: how to search.
        usual: what the target is where nothing is known; None finds it from what was visited.
        model: what is believed of the target; the settings' process over the position alone if None.

    Raises:
        InputError: no sites, or a target that is no number.
    """
    if len(sites) == 0:
        raise InputError("there is no site to search; allow a larger area or a smaller window")
    chosen = settings or SearchSettings()
    return _Search(sites, target, chosen, usual, model or PositionModel(sites, chosen.process)).run()


class _Search:
    def __init__(
        self, sites: Sites, target: Evaluate, settings: SearchSettings, usual: float | None, model: Model
    ) -> None:
        self.settings, self.usual = settings, usual
        self.sites = sites
        self.target = target
        self.rng = np.random.default_rng(settings.seed)
        self.model = model
        self.open = np.ones(len(sites), dtype=bool)
        self.visited: IntArray = np.empty(0, dtype=np.int64)
        self.values = np.empty(0)
        self.learned_at = 0
        self.scale = Scale()
        self.began = time.monotonic()

    def run(self) -> Iterator[SearchStep]:
        self._visit(np.array([self.rng.integers(len(self.sites))], dtype=np.int64))
        acquisition = np.full(len(self.sites), np.nan)
        posterior: SitePosterior | None = None
        while True:
            with one_thread_each():
                posterior = self._posterior(posterior)
            yield self._step(posterior, acquisition)
            room = min(self.settings.batch, self.settings.budget - len(self.visited), int(self.open.sum()))
            if room <= 0:
                return
            with one_thread_each():
                batch, acquisition = self._batch(posterior, room)
            self._visit(batch)

    def _visit(self, batch: IntArray) -> None:
        values = np.asarray(self.target(batch), dtype=np.float64)
        if values.shape != batch.shape or not np.isfinite(values).all():
            raise InputError(f"the target of {len(batch)} sites is {values}; it must be one finite number for each")
        self.visited = np.concatenate([self.visited, batch])
        self.values = np.concatenate([self.values, values])
        self.open[batch] = False
        if len(self.values) == len(batch):
            self.scale = Scale.of(self.values)

    def _posterior(self, old: SitePosterior | None) -> SitePosterior:
        target = self._standardised()
        due = len(self.visited) >= max(_RELEARN_GROWTH * self.learned_at, self.learned_at + self.settings.batch, 3)
        if due and np.ptp(self.values) > 0:
            self.model.learn(self.visited, target)
            self.learned_at = len(self.visited)
            old = None
        if old is None:
            old = self.model.posterior()
            zeros = torch.zeros(len(target), dtype=torch.float64)
            old.condition(torch.as_tensor(self.visited), zeros, zeros)
        for site in self.visited[len(old) :]:
            old.append(int(site), 0.0)
        usual = _typical(old.factor, torch.as_tensor(self.values)) if self.usual is None else self.usual
        self.scale = replace(self.scale, offset=usual)
        old.retarget(torch.as_tensor(self._standardised()))
        return old

    def _standardised(self) -> FloatArray:
        self.scale = replace(self.scale, factor=Scale.of(self.values).factor)
        return (self.values - self.scale.offset) / self.scale.factor

    def _batch(self, posterior: SitePosterior, room: int) -> tuple[IntArray, FloatArray]:
        mean, variance, known = posterior.mean, posterior.variance, len(posterior)
        path, here = self.settings.path, self.sites.positions[self.visited[-1]]
        allowed = self.open.copy()
        chosen: list[int] = []
        first = np.empty(0)
        for number in range(room):
            acquisition = self._acquisition(posterior)
            first = acquisition if number == 0 else first
            if path is None:
                site = best_site(acquisition, allowed, self.rng)
            else:
                recent = np.concatenate([self.visited, np.array(chosen, dtype=np.int64)])[-path.recent :]
                reach = path.keep_off * self.sites.stride * (1 + 1e-9)
                free = away_from(recent if path.recent else recent[:0], self.sites.positions, allowed, reach)
                site = near_site(acquisition, free, self.sites.positions, here, path, self.rng)
            chosen.append(site)
            allowed[site] = False
            here = self.sites.positions[site]
            posterior.imagine(site)
        posterior.forget(known, mean, variance)
        batch = np.array(chosen, dtype=np.int64)
        if path is not None:
            start = self.sites.positions[self.visited[-1]]
            batch = batch[ordered(self.sites.positions[batch], start, path.travel)]
        return batch, first

    def _acquisition(self, posterior: SitePosterior) -> FloatArray:
        measured = self._standardised()
        mean, std = posterior.mean.numpy(), posterior.variance.sqrt().numpy()
        settings = self.settings.acquisition
        if settings.name == "pi" and np.ptp(self.values) == 0:
            # Any improvement on nothing is as probable everywhere: half.
            settings = replace(settings, name="uncertainty")
        return evaluate(settings, mean, std, measured, _GOAL)

    def _step(self, posterior: SitePosterior, acquisition: FloatArray) -> SearchStep:
        scale = self.scale
        return SearchStep(
            visited=self.visited,
            values=self.values,
            mean=scale.offset + scale.factor * posterior.mean.numpy(),
            std=scale.factor * posterior.variance.sqrt().numpy(),
            acquisition=acquisition,
            hyper=self.model.hyper,
            seconds=time.monotonic() - self.began,
        )


def _typical(factor: torch.Tensor, values: torch.Tensor) -> float:
    """The constant that the process varies round, by generalised least squares.

    The plain mean would be too high wherever nothing was measured, because the search went to high values.
    """
    columns = torch.stack([torch.ones_like(values), values], dim=1)
    ones, measured = torch.linalg.solve_triangular(factor, columns, upper=False).T
    return float(ones @ measured / (ones @ ones))
