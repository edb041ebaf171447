from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from dkl_core.errors import MeasurementError, RecordError
from dkl_core.experiment import Experiment, Progress, run
from dkl_core.measurement import Measurement, Site
from dkl_core.survey import SurveyImage

Make = Callable[..., Experiment]
Drive = Callable[..., list[int]]
Value = Callable[[Site], float]
SEEDS = 6


@dataclass
class Bench:
    """An instrument that remembers where it was and what it gave."""

    survey: SurveyImage
    value: Value
    visited: list[Site] = field(default_factory=list)
    given: list[float] = field(default_factory=list)
    parked: int = 0
    failing: dict[int, BaseException] = field(default_factory=dict)

    def image(self) -> SurveyImage:
        return self.survey

    def measure(self, site: Site) -> Measurement:
        self.visited.append(site)
        error = self.failing.pop(len(self.visited), None)
        if error is not None:
            raise error
        self.given.append(self.value(site))
        return Measurement.of(self.given[-1])

    def park(self) -> None:
        self.parked += 1


@pytest.fixture
def bench(survey: SurveyImage, value: Value) -> Bench:
    return Bench(survey, value)


def events(experiment: Experiment) -> list[tuple[str, Any]]:
    """Will hold what the experiment does from now on."""
    seen: list[tuple[str, Any]] = []
    experiment.sink = lambda kind, data, _: seen.append((kind, dict(data)))
    return seen


@pytest.mark.parametrize("batch", [1, 4])
def test_what_is_measured_is_what_was_suggested(make: Make, bench: Bench, batch: int) -> None:
    experiment = make()
    seen = events(experiment)
    run(experiment, bench, batch=batch)
    suggested = [site for kind, data in seen if kind == "ask" for site in data["sites"]]
    assert [site.index for site in bench.visited] == suggested
    assert [told.site for told in experiment.told] == bench.visited
    assert [told.measurement.scalar.value for told in experiment.told] == bench.given
    assert bench.given == [bench.value(experiment.sites[index]) for index in suggested]


def test_the_model_learns_each_value_at_the_site_where_it_was_measured(make: Make, bench: Bench) -> None:
    experiment = make()
    run(experiment, bench)
    data = experiment.begin_refit().data
    assert data.indices.tolist() == [site.index for site in bench.visited]
    assert data.values.tolist() == [bench.value(experiment.sites[index]) for index in data.indices]


def test_the_next_site_follows_from_what_was_measured_and_nothing_else(make: Make, bench: Bench) -> None:
    def other_beyond(count: int) -> list[int]:
        experiment = make()
        told = experiment.told
        lying = Bench(bench.survey, lambda site: bench.value(site) + 5.0 * (len(experiment.told) >= count))
        run(experiment, lying)
        told = experiment.told
        return [one.site.index for one in told]

    honest, lied = other_beyond(100), other_beyond(SEEDS + 5)
    # The measurement that differs is number SEEDS + 5, counted from 0; the first site that it can change comes after.
    assert honest[: SEEDS + 6] == lied[: SEEDS + 6]
    assert honest != lied


def test_it_returns_why_it_ended_and_has_parked(make: Make, bench: Bench) -> None:
    assert run(make(budget=8), bench) == "the budget of 8 measurements is used up"
    assert (len(bench.visited), bench.parked) == (8, 1)


def test_a_run_gives_the_sites_of_ask_and_tell(make: Make, bench: Bench, drive: Drive) -> None:
    run(make(), bench)
    assert [site.index for site in bench.visited] == drive(make())


def test_progress_sees_every_measurement_failed_ones_too(make: Make, bench: Bench) -> None:
    bench.failing = {3: MeasurementError("no counts")}
    seen: list[Progress] = []
    experiment = make(budget=10)
    run(experiment, bench, progress=seen.append)
    assert [at.told for at in seen] == list(experiment.told)
    assert [at.measured for at in seen] == list(range(1, 11))
    assert {at.budget for at in seen} == {10}
    assert not seen[2].told.measurement.ok
    best = np.maximum.accumulate([at.told.measurement.scalar.value if at.told.measurement.ok else -1 for at in seen])
    assert [at.best.measurement.scalar.value for at in seen if at.best is not None] == best.tolist()


def test_a_measurement_error_is_told_as_failed_and_the_run_goes_on(make: Make, bench: Bench) -> None:
    bench.failing = {3: MeasurementError("the stage is stuck"), 9: MeasurementError("no counts")}
    experiment = make(budget=10)
    run(experiment, bench)
    reasons = {at: told.measurement.reason for at, told in enumerate(experiment.told, 1) if not told.measurement.ok}
    assert reasons == {3: "the stage is stuck", 9: "no counts"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("no answer"), SystemExit(1), OSError("gone")])
def test_any_other_error_ends_the_run_with_the_instrument_parked(
    make: Make, bench: Bench, error: BaseException
) -> None:
    bench.failing = {4: error}
    experiment = make()
    with pytest.raises(type(error)):
        run(experiment, bench)
    assert bench.parked == 1
    assert len(experiment.told) == 3


def test_an_error_of_the_observer_ends_the_run_with_the_instrument_parked(make: Make, bench: Bench) -> None:
    def observer(_: Progress) -> None:
        raise RuntimeError("the window is closed")

    experiment = make()
    with pytest.raises(RuntimeError, match="the window is closed"):
        run(experiment, bench, progress=observer)
    assert bench.parked == 1
    assert len(experiment.told) == 1


def test_a_record_that_cannot_be_written_ends_the_run_with_the_instrument_parked(make: Make, bench: Bench) -> None:
    def refuse(kind: str, *_: object) -> None:
        if kind == "tell":
            raise RecordError("no space left")

    experiment = make()
    experiment.sink = refuse
    with pytest.raises(RecordError, match="no space left"):
        run(experiment, bench)
    assert (bench.parked, len(experiment.told), len(experiment.pending)) == (1, 0, 1)


def test_a_finished_experiment_is_parked_without_a_measurement(make: Make, bench: Bench) -> None:
    experiment = make()
    experiment.stop("done before")
    assert run(experiment, bench) == "done before"
    assert (bench.visited, bench.parked) == ([], 1)


def test_a_pause_ends_the_run_after_the_measurement_under_way(make: Make, bench: Bench) -> None:
    experiment = make()
    assert run(experiment, bench, progress=lambda at: experiment.pause() if at.measured == 5 else None) == "paused"
    assert (len(experiment.told), bench.parked) == (5, 1)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_run_goes_on_after_a_pause_as_if_there_had_been_none(
    make: Make, bench: Bench, survey: SurveyImage, value: Value, batch: int
) -> None:
    whole = Bench(survey, value)
    run(make(), whole, batch=batch)
    experiment = make()
    while run(experiment, bench, batch=batch, progress=lambda at: experiment.pause() if at.measured % 4 == 0 else None):
        if experiment.phase == "finished":
            break
        experiment.resume()
    assert bench.visited == whole.visited


@pytest.mark.parametrize("batch", [1, 3])
def test_a_run_goes_on_after_an_error_as_if_there_had_been_none(
    make: Make, bench: Bench, survey: SurveyImage, value: Value, batch: int
) -> None:
    whole = Bench(survey, value)
    run(make(), whole, batch=batch)
    bench.failing = {5: RuntimeError("no answer"), 11: RuntimeError("no answer")}
    experiment = make()
    for _ in range(2):
        with pytest.raises(RuntimeError):
            run(experiment, bench, batch=batch)
    run(experiment, bench, batch=batch)
    assert [told.site for told in experiment.told] == whole.visited


def test_a_stop_ends_the_run_in_the_middle_of_a_batch(make: Make, bench: Bench) -> None:
    experiment = make()
    reason = run(experiment, bench, batch=5, progress=lambda at: experiment.stop() if at.measured == 7 else None)
    assert reason == "stopped by the user"
    assert len(bench.visited) == 7


def test_a_site_excluded_while_its_batch_is_measured_is_not_visited(make: Make, bench: Bench) -> None:
    experiment = make()
    forbidden: list[Site] = []

    def forbid(at: Progress) -> None:
        if at.measured == 2:
            forbidden.extend(experiment.pending[:2])
            experiment.exclude(forbidden)

    run(experiment, bench, batch=5, progress=forbid)
    assert len(forbidden) == 2
    assert not set(forbidden) & set(bench.visited)
    assert len(experiment.told) == 20


def test_a_place_that_the_user_chooses_during_the_run_is_measured_next(make: Make, bench: Bench) -> None:
    experiment = make()
    chosen: list[Site] = []

    def choose(at: Progress) -> None:
        if at.measured == SEEDS + 2:
            chosen.append(experiment.ask_for(20, 20))

    run(experiment, bench, progress=choose)
    assert bench.visited[SEEDS + 2] == chosen[0]
    assert len(bench.visited) == 20


def test_a_run_ends_when_everything_fails(make: Make, bench: Bench) -> None:
    bench.failing = {number: MeasurementError("no counts") for number in range(1, 1000)}
    reason = run(make(budget=500, retries=1), bench)
    assert reason.endswith("all 198 measurements failed, the last because: no counts")
    assert bench.parked == 1
