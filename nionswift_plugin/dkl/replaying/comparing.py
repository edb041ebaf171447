"""A run against random sites and a grid of as many, offline."""

from __future__ import annotations

import gettext
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.experiment import Experiment, StopRules
from dkl_core.goal import Goal
from dkl_core.measurement import Measurement, Site
from dkl_core.patches import make_patches
from dkl_core.replay import Replay, ReplayProblem, replay, top_sites
from dkl_core.report import MethodRuns, RunLabels, best_so_far
from dkl_core.survey import FloatArray
from nionswift_plugin.dkl.replaying.truth import Truth

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nionswift_plugin.dkl.display.publish import Stage

_ = gettext.gettext
Step = Callable[[str, float], object]
# Random sites are drawn so many times.
REPEATS = 3
# Of fewer measured sites nothing can be learned by replaying half of them.
_FEWEST = 10
_WIDTH = 105


@dataclass(frozen=True, eq=False)
class Comparison:
    """How a run compares.

    Attributes:
        sentence: for the user.
        methods: best value and hit rate after each measurement, by method.
        best_possible: the best value of all sites that are known.
        seeds: how many of the first measurements were seeds.
    """

    sentence: str
    methods: tuple[MethodRuns, ...]
    best_possible: float
    seeds: int


def compared(experiment: Experiment, truth: Truth, step: Step) -> Comparison:
    """Compare a run with random sites and a grid; with what was measured alone, the model with random sites.

    Args:
        experiment: the run, its model fitted.
        truth: what is known of its sites.
        step: is told what is being done and how much of it is done; what it raises ends the comparison.

    Raises:
        InputError: too little was measured.
    """
    return _with_truth(experiment, truth, step) if truth.is_whole else _without(experiment, truth, step)


def draw(
    stage: Stage, run: Path, host: Mapping[str, Any], experiment: Experiment, result: Comparison
) -> tuple[Path, str]:
    """Draw a comparison: PNG and PDF beside the run's file, and a data item.

    Returns:
        The PNG and the uuid of the data item.

    Raises:
        InputError: it cannot be written there.
    """
    from nionswift_plugin.dkl.display.page import keep_figure
    from nionswift_plugin.dkl.display.provenance import Provenance
    from nionswift_plugin.dkl.display.words import looked_for, property_of

    shown = looked_for(experiment.settings.structure, property_of(str(host.get("target", _("value")))))
    path = run.with_name(f"{run.stem}-compared.png")
    metadata = Provenance(run, shown, host).of("comparison", experiment, file=str(path), sentence=result.sentence)
    labels = RunLabels(shown.name, shown.unit, textwrap.fill(result.sentence, _WIDTH))
    return path, keep_figure(stage, _figure(result, labels), path, metadata, _("against random sites and a grid"))


def _figure(result: Comparison, labels: RunLabels) -> Figure:
    from dkl_core.report import baseline_figure

    return baseline_figure(result.methods, labels, seeds=result.seeds, best_possible=result.best_possible)


# ---------------------------------------------------------------------- all sites are known


def _with_truth(experiment: Experiment, truth: Truth, step: Step) -> Comparison:
    visited = np.array([told.site.index for told in experiment.told], dtype=np.int64)
    if len(visited) < 2:
        raise InputError("fewer than 2 sites were measured, so there is nothing to compare; choose a longer run")
    goal, settings = experiment.settings.goal, experiment.settings
    count = len(visited)
    seeds = min(settings.seeds.count, count)
    seeding = replace(settings.seeds, count=seeds)
    # What drives a run is its truth here, whether it was measured or not.
    settings = replace(settings, stop=StopRules(count), seeds=seeding, structure=None)
    problem = _problem(experiment, truth)
    wanted = [("random", repeat) for repeat in range(REPEATS)] + [("raster", 0)]
    others = _replayed(problem, settings, wanted, step)
    top = top_sites(truth.values, goal)
    mine = MethodRuns("dkl", *_curves([truth.values[visited]], [top[visited]], goal))
    methods = (mine, *_of_replays(others, truth.values, top, goal))
    found = int(top[np.unique(visited)].sum())
    random = [one for one in others if one.method == "random"]
    (grid,) = [one for one in others if one.method == "raster"]
    sentence = _(
        "With {measured} of {sites:,} sites this run measured {found} of the {best} best (top 5 %); as many random "
        "sites {random:.1f}, a grid {grid}. Correlation of the predicted map with the truth: {map:.2f}; random "
        "{random_map:.2f}, grid {grid_map:.2f}. The truth is {words}."
    ).format(
        measured=count,
        sites=len(truth.values),
        found=found,
        best=int(top.sum()),
        random=np.mean([one.hits.sum() for one in random]),
        grid=int(grid.hits.sum()),
        map=_map_correlation(experiment, truth.values),
        random_map=np.mean([_map_correlation(one.experiment, truth.values) for one in random]),
        grid_map=_map_correlation(grid.experiment, truth.values),
        words=truth.words,
    )
    return Comparison(sentence, methods, _best(truth.values, goal), seeds)


def _map_correlation(experiment: Experiment, truth: FloatArray) -> float:
    """Of the sites that were not measured; that measurements may be offset from the truth does not count."""
    prediction = experiment.predict()
    left = np.isfinite(truth)
    left[[told.site.index for told in experiment.told]] = False
    if prediction is None or left.sum() < 2:
        return float("nan")
    mean, true = prediction.mean[left], truth[left]
    if np.ptp(mean) == 0 or np.ptp(true) == 0:
        return 0.0
    return float(np.corrcoef(mean, true)[0, 1])


# ---------------------------------------------------------------------- the measured sites alone


def _without(experiment: Experiment, truth: Truth, step: Step) -> Comparison:
    known = np.flatnonzero(np.isfinite(truth.values))
    if len(known) < _FEWEST:
        raise InputError(
            f"{len(known)} sites have a value; without the truth of the others at least {_FEWEST} are needed to "
            "compare anything. Measure more, or replay a 4D set"
        )
    settings, goal = experiment.settings, experiment.settings.goal
    budget = len(known) // 2
    seeds = max(1, min(settings.seeds.count, budget // 3))
    settings = replace(
        settings,
        stop=StopRules(budget),
        seeds=replace(settings.seeds, count=seeds, method="random", points=()),
        structure=None,
    )
    values = truth.values[known]
    places = experiment.sites.positions[known]
    patches = make_patches(experiment.survey, replace(settings.patches, nan="fill"), positions=places)
    problem = ReplayProblem(experiment.survey, patches, values, _measuring(values), "", on_grid=False)
    wanted = [("dkl", 0)] + [("random", repeat) for repeat in range(REPEATS)]
    replays = _replayed(problem, settings, wanted, step)
    top = top_sites(values, goal)
    model, random = replays[0], replays[1:]
    sentence = _(
        "Of the {count} measured sites alone: with {budget} of them the model finds {found} of the {best} best "
        "(top 5 %), random order {random:.1f}. What a grid would have found, and what was missed between these sites, "
        "cannot be told: nobody knows the {unknown:,} others."
    ).format(
        count=len(known),
        budget=budget,
        found=int(model.hits.sum()),
        best=int(top.sum()),
        random=np.mean([one.hits.sum() for one in random]),
        unknown=len(truth.values) - len(known),
    )
    return Comparison(sentence, _of_replays(replays, values, top, goal), _best(values, goal), seeds)


# ---------------------------------------------------------------------- both


def _problem(experiment: Experiment, truth: Truth) -> ReplayProblem:
    return ReplayProblem(
        experiment.survey, experiment.patches, truth.values, _measuring(truth.values), "", on_grid=True
    )


def _measuring(values: FloatArray) -> Callable[[Site], Measurement]:
    def measure(site: Site) -> Measurement:
        value = float(values[site.index])
        return Measurement.of(value) if np.isfinite(value) else Measurement.failed("no value is known here")

    return measure


def _replayed(problem: ReplayProblem, settings: Any, wanted: Sequence[tuple[str, int]], step: Step) -> list[Replay]:
    replays = []
    for number, (method, repeat) in enumerate(wanted):

        def follow(name: str, measured: int, before: int = number) -> None:
            step(_NAMES.get(name, name), (before + measured / settings.stop.budget) / len(wanted))

        replays.append(replay(problem, settings, method, repeat, step=follow))
    return replays


def _of_replays(
    replays: Sequence[Replay], truth: FloatArray, top: NDArray[np.bool_], goal: Goal
) -> tuple[MethodRuns, ...]:
    methods = []
    for name in dict.fromkeys(one.method for one in replays):
        mine = [one for one in replays if one.method == name]
        values, hits = [truth[one.sites] for one in mine], [top[one.sites] for one in mine]
        methods.append(MethodRuns(name, *_curves(values, hits, goal)))
    return tuple(methods)


def _curves(
    values: Sequence[FloatArray], hits: Sequence[NDArray[np.bool_]], goal: Goal
) -> tuple[FloatArray, FloatArray]:
    """Best value so far and hit rate (repeats, n) of runs that are cut to the shortest."""
    length = min(len(one) for one in values)
    direction = "reach" if goal.direction == "target" else goal.direction
    best = np.stack([best_so_far(one[:length], direction, goal.value) for one in values])
    return best, np.stack([np.cumsum(one[:length]) / np.arange(1, length + 1) for one in hits])


def _best(truth: FloatArray, goal: Goal) -> float:
    known = truth[np.isfinite(truth)]
    return float(known[int(np.argmax(goal.merit(known)))])


_NAMES = {"random": _("random sites"), "raster": _("a grid"), "dkl": _("the model")}
