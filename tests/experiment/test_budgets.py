"""Limits of time and electrons, and what the host notes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dkl_core.errors import InputError, RecordError
from dkl_core.experiment import Experiment, ExperimentSettings, RecordedExperiment, StopRules
from dkl_core.experiment import clock as clock_module
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.survey import SurveyImage

Make = Callable[..., Experiment]
Settings = Callable[..., ExperimentSettings]
Value = Callable[[Site], float]


class Clock:
    """A clock that a test moves on."""

    now = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(clock_module.time, "monotonic", lambda: clock.now)
    return clock


def measure(experiment: Experiment, clock: Clock, value: Value, seconds: float = 10.0) -> int:
    """Asks and tells, each measurement so long, until it ends; gives the number of measurements."""
    while sites := experiment.ask():
        clock.now += seconds
        experiment.tell(sites[0], value(sites[0]))
    return len(experiment.told)


def dosed(electrons: float) -> Measurement:
    return Measurement(Scalar(1.0), electrons=electrons)


def test_a_run_stops_before_it_exceeds_its_time(make: Make, clock: Clock, value: Value) -> None:
    experiment = make(stop=StopRules(20, seconds=75.0))
    assert measure(experiment, clock, value) == 7
    assert experiment.stop_reason == (
        "the time limit of 75 s is reached: 70 s have passed and a measurement takes up to 10 s"
    )
    assert experiment.phase == "finished"


def test_pauses_and_rests_cost_no_time(make: Make, clock: Clock, value: Value) -> None:
    experiment = make(stop=StopRules(20, seconds=75.0))
    for interrupt in (experiment.pause, experiment.rest):
        (site,) = experiment.ask()
        clock.now += 10.0
        experiment.tell(site, value(site))
        interrupt()
        clock.now += 5000.0
        if experiment.phase == "paused":
            experiment.resume()
    assert experiment.elapsed == pytest.approx(20.0)
    assert measure(experiment, clock, value) == 7


def test_time_before_the_first_question_is_free(make: Make, clock: Clock) -> None:
    experiment = make(stop=StopRules(20, seconds=75.0))
    clock.now += 500.0
    assert len(experiment.ask()) == 1


def test_a_site_of_the_users_choice_costs_no_time_during_a_pause(make: Make, clock: Clock) -> None:
    experiment = make()
    experiment.pause()
    experiment.ask_for(3, 3)
    clock.now += 100.0
    assert experiment.elapsed == 0.0


def test_the_clock_stands_still_when_the_last_measurement_is_told(make: Make, clock: Clock) -> None:
    experiment = make()
    sites = experiment.ask(2)
    clock.now += 10.0
    experiment.stop()
    clock.now += 10.0
    for site in sites:
        experiment.tell(site, 1.0)
    clock.now += 5000.0
    experiment.tell(50, 1.0)
    clock.now += 5000.0
    assert experiment.elapsed == 20.0


def test_a_resumed_run_has_used_the_time_of_its_earlier_sessions(
    tmp_path: Path, survey: SurveyImage, settings: Settings, clock: Clock, value: Value
) -> None:
    path = tmp_path / "run.h5"
    with RecordedExperiment.start(path, survey, settings(stop=StopRules(20, seconds=75.0))) as recorded:
        for _ in range(4):
            (site,) = recorded.experiment.ask()
            clock.now += 10.0
            recorded.experiment.tell(site, value(site))
    clock.now += 5000.0
    with RecordedExperiment.resume(path) as recorded:
        assert recorded.experiment.elapsed == pytest.approx(40.0)
        assert measure(recorded.experiment, clock, value) == 7


def test_the_slowest_of_the_recent_measurements_is_expected_next(make: Make, clock: Clock) -> None:
    experiment = make(stop=StopRules(20, seconds=100.0))
    for seconds in (1.0, 40.0, 1.0, 1.0):
        clock.now += 0.0 if not experiment.ask() else seconds
        experiment.tell(experiment.pending[0], 1.0)
    clock.now += 20.0
    assert experiment.ask() == []
    experiment = make(stop=StopRules(20, seconds=100.0))
    experiment.ask()
    experiment.tell(experiment.pending[0], Measurement(Scalar(1.0), seconds=99.5))
    clock.now += 1.0
    assert experiment.ask() == []


def test_a_run_stops_before_it_exceeds_its_electrons(make: Make) -> None:
    experiment = make(stop=StopRules(20, electrons=1e6))
    while sites := experiment.ask():
        experiment.tell(sites[0], dosed(3e5))
    assert len(experiment.told) == 3
    assert experiment.stop_reason == (
        "the limit of 1e+06 electrons is reached: 9e+05 have hit the sample and a measurement takes up to 3e+05"
    )


def test_a_limit_of_a_whole_number_of_measurements_allows_them_all(make: Make) -> None:
    experiment = make(stop=StopRules(30, electrons=6.0))
    while sites := experiment.ask():
        experiment.tell(sites[0], dosed(0.3))
    assert len(experiment.told) == 20
    assert experiment.stop_reason is not None


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), -5.0])
def test_what_a_measurement_cannot_have_taken_does_not_count(make: Make, amount: float) -> None:
    experiment = make(stop=StopRules(20, electrons=1e6, seconds=1e6))
    experiment.tell(3, Measurement(Scalar(1.0), electrons=amount, seconds=amount))
    experiment.tell(8, dosed(9e5))
    assert experiment.stop_reason is not None
    experiment.change(stop=StopRules(20, electrons=2e6, seconds=1e6))
    assert len(experiment.ask()) == 1


def test_failed_measurements_cost_electrons_too(make: Make) -> None:
    experiment = make(stop=StopRules(20, electrons=1e6))
    experiment.tell(3, replace(dosed(9e5), scalar=Scalar.invalid("saturated")))
    assert experiment.ask() == []


def test_noted_doses_count_and_other_notes_do_not(make: Make) -> None:
    experiment = make(stop=StopRules(20, electrons=1e6))
    experiment.note("drift", {"electrons": 5e6})
    experiment.note("dose", {"dose": 2.0})
    assert experiment.stop_reason is None
    experiment.note("dose", {"electrons": 1e6, "dose": 3.0})
    assert experiment.stop_reason is not None


def test_no_more_sites_are_asked_at_once_than_the_electrons_allow(make: Make) -> None:
    experiment = make(stop=StopRules(20, electrons=1e6))
    experiment.tell(3, dosed(2e5))
    assert len(experiment.ask(10)) == 4
    assert experiment.ask(10) == []
    assert experiment.stop_reason is None


def test_a_raised_limit_lets_the_run_go_on(make: Make) -> None:
    experiment = make(stop=StopRules(20, electrons=1e6))
    experiment.tell(3, dosed(9e5))
    assert experiment.ask() == []
    experiment.change(stop=StopRules(20, electrons=3e6))
    assert len(experiment.ask()) == 1


@pytest.mark.parametrize(
    "limits", [{"seconds": 0.0}, {"seconds": -1.0}, {"electrons": 0.0}, {"electrons": float("nan")}]
)
def test_limits_that_allow_nothing_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(InputError, match="give a positive number of"):
        StopRules(20, **limits)


def test_limits_survive_the_way_through_json(settings: Settings) -> None:
    limited = settings(stop=StopRules(20, seconds=3600.0, electrons=1e9))
    assert ExperimentSettings.from_json(limited.to_json()) == limited
    old = limited.to_json()
    del old["stop"]["seconds"], old["stop"]["electrons"]
    assert ExperimentSettings.from_json(old).stop == StopRules(20)


def test_notes_come_back_from_the_record(tmp_path: Path, survey: SurveyImage, settings: Settings) -> None:
    path = tmp_path / "run.h5"
    with RecordedExperiment.start(path, survey, settings()) as recorded:
        recorded.experiment.note("dose", {"electrons": 2e5})
        recorded.experiment.note("drift", {"nm": [0.1, -0.2]})
    with RecordedExperiment.resume(path) as resumed:
        notes = resumed.experiment.notes
    assert notes == recorded.experiment.notes
    assert [note["kind"] for note in notes] == ["dose", "drift"]
    assert (notes[0]["electrons"], notes[1]["nm"]) == (2e5, [0.1, -0.2])


@pytest.mark.parametrize("electrons", ["many", -1.0, float("inf"), float("nan")])
def test_a_dose_that_cannot_be_counted_is_refused(make: Make, electrons: object) -> None:
    experiment = make()
    with pytest.raises(InputError, match="electrons cannot be counted; give a number, zero or positive"):
        experiment.note("dose", {"electrons": electrons})
    assert experiment.notes == ()


def test_a_note_that_cannot_be_recorded_is_not_taken(make: Make) -> None:
    def full(*_: object) -> None:
        raise RecordError("no space left")

    experiment = make()
    experiment.sink = full
    with pytest.raises(RecordError):
        experiment.note("drift")
    assert experiment.notes == ()
