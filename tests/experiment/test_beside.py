"""Refits beside the measurements, revisions by the instrument, and instruments that give up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from dkl_core.errors import InputError, InstrumentError, ScalarizerError
from dkl_core.experiment import Experiment, RefitTask, Told, run
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.survey import SurveyImage

Make = Callable[..., Experiment]
Value = Callable[[Site], float]
SEEDS = 6


@dataclass
class Bench:
    """An instrument whose measurements take a while."""

    survey: SurveyImage
    value: Value
    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    parked: int = 0

    def image(self) -> SurveyImage:
        return self.survey

    def measure(self, site: Site) -> Measurement:
        self.times.append(time.perf_counter())
        time.sleep(self.seconds)
        return Measurement.of(self.value(site))

    def park(self) -> None:
        self.parked += 1


class Revised(Bench):
    """One that adds 1 to the first scalar after every third measurement."""

    def revisions(self, told: Sequence[Told]) -> Mapping[int, Scalar]:
        return {0: Scalar(told[0].measurement.scalar.value + 1)} if len(told) % 3 == 0 else {}


@dataclass
class Fits:
    """What happened to the refits."""

    sizes: list[int] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    running: int = 0
    most: int = 0


@pytest.fixture
def bench(survey: SurveyImage, value: Value) -> Bench:
    return Bench(survey, value)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Fits]:
    """Makes refits slow, or fail by their number of measurements."""
    whole = RefitTask.run

    def watch(
        seconds: Callable[[int], float] = lambda _: 0.0, failing: Callable[[int], bool] = lambda _: False
    ) -> Fits:
        seen = Fits()

        def slow(task: RefitTask) -> RefitTask:
            seen.running += 1
            seen.most = max(seen.most, seen.running)
            seen.sizes.append(len(task.data))
            seen.threads.add(threading.current_thread().name)
            time.sleep(seconds(len(task.data)))
            seen.running -= 1
            if failing(len(task.data)):
                raise RuntimeError("no convergence")
            return whole(task)

        monkeypatch.setattr(RefitTask, "run", slow)
        return seen

    return watch


def test_a_decision_does_not_wait_for_a_slow_refit(make: Make, bench: Bench, fits: Callable[..., Fits]) -> None:
    fits(seconds=lambda measured: 2.0 if measured > SEEDS else 0.0)
    experiment = make(budget=14, refit_growth=0.0)
    run(experiment, bench, refit="beside", deadline_s=0.02)
    assert max(np.diff(bench.times[SEEDS:])) < 1.0
    assert len(experiment.told) == 14


def test_the_first_refit_is_waited_for(make: Make, bench: Bench, fits: Callable[..., Fits]) -> None:
    fits(seconds=lambda _: 0.3)
    experiment = make(budget=SEEDS + 2)
    run(experiment, bench, refit="beside", deadline_s=0.0)
    assert bench.times[SEEDS] - bench.times[SEEDS - 1] >= 0.3
    assert experiment.told[SEEDS].predicted_mean == experiment.told[SEEDS].predicted_mean  # not NaN


def test_refits_never_run_two_at_once_nor_in_the_thread_of_the_run(
    make: Make, bench: Bench, fits: Callable[..., Fits]
) -> None:
    seen = fits(seconds=lambda _: 0.05)
    bench.seconds = 0.01
    run(make(refit_growth=0.0), bench, refit="beside", deadline_s=0.0)
    assert seen.most == 1
    assert seen.threads == {"dkl-refit_0"}


def test_quick_refits_beside_give_the_sites_of_refits_waited_for(make: Make, survey: SurveyImage, value: Value) -> None:
    waited, beside = Bench(survey, value), Bench(survey, value)
    first, second = make(refit_growth=0.0), make(refit_growth=0.0)
    run(first, waited)
    run(second, beside, refit="beside", deadline_s=60.0)
    assert [told.site for told in second.told] == [told.site for told in first.told]


def test_the_last_refit_is_awaited_and_adopted(make: Make, bench: Bench, fits: Callable[..., Fits]) -> None:
    seen = fits(seconds=lambda measured: 1.0 if measured > SEEDS else 0.0)
    experiment = make(budget=SEEDS + 3, refit_growth=0.0)
    run(experiment, bench, refit="beside", deadline_s=0.0)
    assert seen.sizes == [SEEDS, SEEDS + 1]
    assert experiment.surrogate is not None
    assert experiment.surrogate.fitted_to == SEEDS + 1
    assert experiment.surrogate.count == SEEDS + 3


def test_a_failed_refit_is_noted_and_tried_again_after_the_next_measurement(
    make: Make, bench: Bench, fits: Callable[..., Fits]
) -> None:
    fits(failing=lambda measured: measured in (SEEDS, SEEDS + 1, SEEDS + 4))
    experiment = make(budget=14, refit_growth=0.0)
    run(experiment, bench, refit="beside", deadline_s=60.0)
    assert len(experiment.told) == 14
    reasons = [note["reason"] for note in experiment.notes if note["kind"] == "refit_failed"]
    assert set(reasons) == {"RuntimeError: no convergence"}
    assert experiment.surrogate is not None
    assert experiment.surrogate.fitted_to == 14


def test_without_waiting_the_next_seed_comes_before_the_first_refit(make: Make, value: Value) -> None:
    experiment = make()
    for _ in range(SEEDS):
        (site,) = experiment.ask()
        experiment.tell(site, value(site))
    assert len(experiment.ask(refit=False)) == 1
    assert experiment.surrogate is None


def test_an_unknown_way_to_refit_is_refused(make: Make, bench: Bench) -> None:
    with pytest.raises(InputError, match="unknown way to refit 'never'; choose one of wait, beside"):
        run(make(), bench, refit="never")  # type: ignore[arg-type]


@pytest.mark.parametrize("refit", ["wait", "beside"])
def test_an_instrument_that_cannot_go_on_ends_the_run_parked_with_its_site_left(
    make: Make, bench: Bench, refit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = bench.measure

    def broken(site: Site) -> Measurement:
        if len(bench.times) == 8:
            raise InstrumentError("the camera does not answer")
        return whole(site)

    monkeypatch.setattr(bench, "measure", broken)
    experiment = make()
    with pytest.raises(InstrumentError, match="the camera does not answer"):
        run(experiment, bench, refit=refit)  # type: ignore[arg-type]
    assert (bench.parked, len(experiment.told), len(experiment.pending)) == (1, 8, 1)


def test_the_clock_stands_still_after_a_run(make: Make, bench: Bench) -> None:
    experiment = make(budget=8)
    run(experiment, bench)
    elapsed = experiment.elapsed
    time.sleep(0.01)
    assert experiment.elapsed == elapsed > 0


def test_an_instrument_may_revise_scalars_after_each_measurement(make: Make, survey: SurveyImage, value: Value) -> None:
    experiment = make(budget=10)
    run(experiment, Revised(survey, value))
    first = experiment.told[0].measurement.scalar.value
    assert first == pytest.approx(value(experiment.told[0].site) + 3)


def test_the_observer_sees_the_revised_scalar(make: Make, survey: SurveyImage, value: Value) -> None:
    class Doubling(Bench):
        def revisions(self, told: Sequence[Told]) -> Mapping[int, Scalar]:
            return {len(told) - 1: Scalar(2 * told[-1].measurement.scalar.value)}

    seen = []
    experiment = make(budget=8)
    run(experiment, Doubling(survey, value), progress=lambda at: seen.append(at.told))
    assert seen == list(experiment.told)
    assert seen[3].measurement.scalar.value == 2 * value(seen[3].site)


def test_revisions_that_fail_are_noted_and_the_run_goes_on(make: Make, survey: SurveyImage, value: Value) -> None:
    class Failing(Bench):
        def revisions(self, told: Sequence[Told]) -> Mapping[int, Scalar]:
            raise ScalarizerError(f"no pattern of vacuum among {len(told)}")

    experiment = make(budget=8)
    run(experiment, Failing(survey, value))
    assert len(experiment.told) == 8
    assert [note["reason"] for note in experiment.notes] == [
        f"no pattern of vacuum among {count}" for count in range(1, 9)
    ]
