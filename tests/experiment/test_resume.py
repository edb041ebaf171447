"""A run that is killed at any event goes on to the same sites, to the bit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dkl_core.experiment import Experiment, ExperimentSettings, RecordedExperiment, run
from dkl_core.goal import Goal
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.surrogate import Prediction, SurrogateSettings
from dkl_core.survey import SurveyImage

Settings = Callable[..., ExperimentSettings]
Value = Callable[[Site], float]
SEEDS = 6
DEEP = SurrogateSettings(components=4, iterations=8, warm_iterations=2)


@dataclass
class State:
    """What decides an experiment's future."""

    told: list[tuple[Any, ...]]
    pending: tuple[Site, ...]
    excluded: frozenset[int]
    settings: ExperimentSettings
    phase: str
    model: Prediction | None

    @classmethod
    def of(cls, experiment: Experiment) -> State:
        told = [
            (one.site, one.attempt, one.time, one.measurement.ok, one.measurement.reason, one.measurement.scalar.value)
            for one in experiment.told
        ]
        return cls(
            told, experiment.pending, experiment.excluded, experiment.settings, experiment.phase, experiment.predict()
        )

    def assert_same(self, other: State) -> None:
        assert str(self.told) == str(other.told)
        assert (self.pending, self.excluded) == (other.pending, other.excluded)
        assert (self.settings, self.phase) == (other.settings, other.phase)
        assert (self.model is None) == (other.model is None)
        if self.model is not None and other.model is not None:
            for name in ("mean", "std", "gp_std", "ensemble_std"):
                assert np.array_equal(getattr(self.model, name), getattr(other.model, name))
            assert self.model.noise_std == other.model.noise_std


@dataclass
class Copy:
    """The file as it was when an event had been recorded, and the experiment once the event had taken effect."""

    kind: str
    path: Path
    state: State | None = None


def copied_at_each_event(recorded: RecordedExperiment, folder: Path) -> list[Copy]:
    """Will hold a copy for each event from now on; what a kill right after it would leave."""
    copies: list[Copy] = []
    record = recorded.experiment.sink

    def write(kind: str, data: Any, arrays: Any) -> None:
        finish(copies, recorded.experiment)
        record(kind, data, arrays)
        path = folder / f"killed_{len(copies)}.h5"
        shutil.copyfile(recorded.record.path, path)
        copies.append(Copy(kind, path))

    recorded.experiment.sink = write
    return copies


def finish(copies: list[Copy], experiment: Experiment) -> None:
    """Note what the last event has led to."""
    if copies and copies[-1].state is None:
        copies[-1].state = State.of(experiment)


def sequence(experiment: Experiment) -> list[tuple[int, float]]:
    """Sites and scalars in order."""
    return [(told.site.index, told.measurement.scalar.value) for told in experiment.told]


@dataclass
class Host:
    """Measures in batches, and interferes at certain numbers of measurements."""

    value: Value
    batch: int = 1
    interferes: bool = False

    def drive(self, experiment: Experiment, measured: int = 1000) -> None:
        while len(experiment.told) < measured:
            if self.interferes:
                self._interfere(experiment, len(experiment.told))
            sites = experiment.ask(self.batch)
            if not sites:
                return
            for site in sites:
                experiment.tell(site, self._measured(site, len(experiment.told)))

    def _measured(self, site: Site, number: int) -> Measurement:
        if number % 7 == 4:
            return Measurement.failed("no counts", np.full(5, number))
        scalar = Scalar(self.value(site), noise_variance=0.01 if number % 2 else None)
        return Measurement(scalar, np.full((2, 3), float(site.row)), 0.5, details={"number": number})

    def _interfere(self, experiment: Experiment, measured: int) -> None:
        if experiment.phase == "paused":
            experiment.resume()
        elif measured == 3:
            experiment.pause()
            experiment.resume()
        elif measured == SEEDS + 3 and experiment.settings.goal.direction == "maximise":
            experiment.change(goal=Goal("minimise"))
        elif measured == SEEDS + 5 and 10 not in experiment.excluded:
            experiment.exclude(range(10, 40))
        elif measured == SEEDS + 6:
            experiment.withdraw(experiment.pending[0] if experiment.pending else experiment.ask_for(20, 20))


@pytest.mark.parametrize(
    ("changes", "batch", "interferes"),
    [
        pytest.param({}, 1, False, id="one by one"),
        pytest.param({}, 3, False, id="in batches"),
        pytest.param({"acquisition": "thompson"}, 1, False, id="thompson"),
        pytest.param({"acquisition": "thompson"}, 4, False, id="thompson in batches"),
        pytest.param({"acquisition": "ei", "refit_growth": 0.0}, 1, True, id="with a user who interferes"),
        pytest.param({"surrogate": DEEP, "seeds": 14, "budget": 19}, 1, False, id="with networks"),
    ],
)
def test_a_run_killed_after_any_event_goes_on_as_if_it_had_not_been(
    tmp_path: Path,
    survey: SurveyImage,
    settings: Settings,
    value: Value,
    changes: dict[str, Any],
    batch: int,
    interferes: bool,
) -> None:
    chosen = settings(
        budget=changes.get("budget", 13), **{k: v for k, v in changes.items() if k not in ("seeds", "budget")}
    )
    if "seeds" in changes:
        chosen = replace(chosen, seeds=replace(chosen.seeds, count=changes["seeds"]))
    host = Host(value, batch, interferes)
    with RecordedExperiment.start(tmp_path / "run.h5", survey, chosen) as recorded:
        copies = copied_at_each_event(recorded, tmp_path)
        host.drive(recorded.experiment)
        finish(copies, recorded.experiment)
        whole = sequence(recorded.experiment)
    assert {"ask", "tell", "fit"} | ({"control"} if interferes else set()) == {copy.kind for copy in copies}
    for copy in copies:
        with RecordedExperiment.resume(copy.path) as resumed:
            assert copy.state is not None
            State.of(resumed.experiment).assert_same(copy.state)
            host.drive(resumed.experiment, len(copy.state.told) + 2)
            after = sequence(resumed.experiment)
            assert str(after) == str(whole[: len(after)])
            assert len(after) >= min(len(copy.state.told) + 2, len(whole))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.h5"


class Bench:
    """An instrument that can fail."""

    def __init__(self, survey: SurveyImage, value: Value, fails_at: int = 0) -> None:
        self.survey, self.value, self.left = survey, value, fails_at

    def image(self) -> SurveyImage:
        return self.survey

    def measure(self, site: Site) -> Measurement:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return Measurement.of(self.value(site))

    def park(self) -> None:
        """There is nothing to park."""


@pytest.mark.parametrize("batch", [1, 4])
def test_a_driven_run_that_was_interrupted_and_resumed_visits_the_same_sites(
    path: Path, survey: SurveyImage, settings: Settings, value: Value, batch: int
) -> None:
    whole = Experiment(survey, settings())
    run(whole, Bench(survey, value), batch=batch)
    recorded = RecordedExperiment.start(path, survey, settings())
    for fails_at in (3, 6, 4):
        with recorded, pytest.raises(KeyboardInterrupt):
            run(recorded.experiment, Bench(survey, value, fails_at), batch=batch)
        recorded = RecordedExperiment.resume(path)
    with recorded:
        run(recorded.experiment, Bench(survey, value), batch=batch)
    assert sequence(recorded.experiment) == sequence(whole)


def test_a_finished_run_can_be_looked_at_and_extended(
    path: Path, survey: SurveyImage, settings: Settings, value: Value
) -> None:
    with RecordedExperiment.start(path, survey, settings(budget=10)) as recorded:
        Host(value).drive(recorded.experiment)
        before = State.of(recorded.experiment)
    with RecordedExperiment.resume(path) as recorded:
        State.of(recorded.experiment).assert_same(before)
        assert recorded.experiment.stop_reason == "the budget of 10 measurements is used up"
        recorded.experiment.change(stop=replace(before.settings.stop, budget=12))
        Host(value).drive(recorded.experiment)
        assert len(recorded.experiment.told) == 12


def test_a_stopped_run_stays_stopped(path: Path, survey: SurveyImage, settings: Settings) -> None:
    with RecordedExperiment.start(path, survey, settings()) as recorded:
        recorded.experiment.stop("the sample is gone")
    with RecordedExperiment.resume(path) as recorded:
        assert recorded.experiment.stop_reason == "the sample is gone"
        assert recorded.experiment.ask() == []


def test_a_refit_made_beside_the_measurements_is_resumed_with_what_was_told_meanwhile(
    path: Path, survey: SurveyImage, settings: Settings, value: Value
) -> None:
    with RecordedExperiment.start(path, survey, settings(refit_growth=10.0)) as recorded:
        experiment = recorded.experiment
        for _ in range(SEEDS + 2):
            (site,) = experiment.ask()
            experiment.tell(site, value(site))
        task = experiment.begin_refit().run()
        for index in (3, 44, 80):
            experiment.tell(index, value(experiment.sites[index]))
        experiment.adopt(task)
        before = State.of(experiment)
    with RecordedExperiment.resume(path) as recorded:
        State.of(recorded.experiment).assert_same(before)


def test_a_model_that_grew_by_many_measurements_is_resumed_to_the_bit(
    path: Path, survey: SurveyImage, settings: Settings, value: Value
) -> None:
    with RecordedExperiment.start(path, survey, settings(refit_growth=100.0, budget=95)) as recorded:
        Host(value, batch=3).drive(recorded.experiment)
        before = State.of(recorded.experiment)
    with RecordedExperiment.resume(path) as recorded:
        State.of(recorded.experiment).assert_same(before)
