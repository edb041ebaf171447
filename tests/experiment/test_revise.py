"""Scalars that change after they were told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from dkl_core.errors import InputError, RecordError
from dkl_core.experiment import Experiment, ExperimentSettings, RecordedExperiment, StopRules
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.record import read_run
from dkl_core.surrogate import Surrogate
from dkl_core.survey import SurveyImage

Make = Callable[..., Experiment]
Drive = Callable[..., list[int]]
Value = Callable[[Site], float]
Settings = Callable[..., ExperimentSettings]
SEEDS = 6


def shifted(experiment: Experiment, by: float, noise: float | None = None) -> dict[int, Scalar]:
    """Every valid scalar plus something."""
    return {
        number: Scalar(told.measurement.scalar.value + by, noise_variance=noise)
        for number, told in enumerate(experiment.told)
        if told.measurement.ok
    }


def known(experiment: Experiment) -> list[str]:
    """Everything of its measurements, as text: NaN is not equal to itself."""
    return [f"{told.measurement.scalar} {dict(told.measurement.details)}" for told in experiment.told]


def assert_same_model(left: Experiment, right: Experiment, within: float = 0.0) -> None:
    """Both predict the same, to the bit or nearly."""
    first, second = left.predict(), right.predict()
    assert first is not None
    assert second is not None
    assert np.allclose(first.mean, second.mean, rtol=within, atol=within)
    assert np.allclose(first.std, second.std, rtol=within, atol=within)


def test_a_revised_scalar_is_what_the_log_and_the_best_show(make: Make) -> None:
    experiment = make()
    for site, scalar in ((3, 1.0), (8, 2.0), (20, 3.0)):
        experiment.tell(site, scalar)
    experiment.revise({2: Scalar(1.5), 0: Scalar(5.0, noise_variance=0.1)})
    assert [told.measurement.scalar.value for told in experiment.told] == [5.0, 2.0, 1.5]
    assert experiment.best is not None
    assert experiment.best.site.index == 3
    assert experiment.begin_refit().data.values.tolist() == [5.0, 2.0, 1.5]


def test_the_scalar_as_it_was_told_stays_in_the_details(make: Make) -> None:
    experiment = make()
    experiment.tell(3, Measurement(Scalar(1.0, noise_variance=0.25), details={"probe": "a"}))
    experiment.revise({0: Scalar(2.0)})
    experiment.revise({0: Scalar(3.0)})
    original = {"value": 1.0, "valid": True, "reason": "", "noise_variance": 0.25}
    assert experiment.told[0].measurement.details == {"probe": "a", "original": original}


def test_the_patience_counts_from_the_best_revised_scalar(make: Make, drive: Drive) -> None:
    experiment = make(stop=StopRules(30, patience=4))
    drive(experiment, SEEDS + 3)
    assert experiment.stop_reason is None
    experiment.revise({0: Scalar(100.0)})
    drive(experiment)
    assert experiment.stop_reason == "no better measurement among the last 4"


@pytest.mark.parametrize("noise", [None, 0.02])
def test_the_posterior_is_that_of_the_revised_scalars(
    make: Make, drive: Drive, value: Value, noise: float | None
) -> None:
    later, at_once = make(refit_growth=10.0), make(refit_growth=10.0)
    for experiment in (later, at_once):
        drive(experiment, SEEDS + 1)
    for site in (5, 40, 77):
        later.tell(site, value(later.sites[site]))
        at_once.tell(site, Measurement.of(value(at_once.sites[site]) + 0.3, noise))
    changes = shifted(later, 0.3, noise)
    later.revise({number: changes[number] for number in range(SEEDS + 1, SEEDS + 4)})
    assert_same_model(later, at_once, within=1e-9)


def test_hyper_parameters_stay_as_they_were(make: Make, drive: Drive) -> None:
    experiment = make(refit_growth=10.0)
    drive(experiment, SEEDS + 2)
    assert experiment.surrogate is not None
    before = experiment.surrogate.state()
    experiment.revise(shifted(experiment, 0.5, noise=0.1))
    for name, array in experiment.surrogate.state().items():
        assert np.array_equal(array, before[name], equal_nan=True)


def test_measurements_revised_during_a_refit_are_taken_into_it(make: Make, drive: Drive, value: Value) -> None:
    during, before = make(refit_growth=10.0), make(refit_growth=10.0)
    for experiment in (during, before):
        drive(experiment, SEEDS + 3)
        task = experiment.begin_refit().run()
        experiment.tell(50, value(experiment.sites[50]))
        if experiment is during:
            experiment.revise(shifted(experiment, 0.25))
            experiment.adopt(task)
        else:
            experiment.adopt(task)
            experiment.revise(shifted(experiment, 0.25))
    assert_same_model(during, before, within=1e-9)


@pytest.mark.parametrize("noise", [None, 0.3])
def test_scalars_revised_during_a_refit_are_the_ones_it_knows(
    make: Make, drive: Drive, value: Value, noise: float | None
) -> None:
    during, before = make(refit_growth=10.0), make(refit_growth=10.0)
    for experiment in (during, before):
        drive(experiment, SEEDS + 3)
        task = experiment.begin_refit().run()
        if experiment is before:
            experiment.adopt(task)
        experiment.revise(shifted(experiment, 0.25, noise))
        if experiment is during:
            experiment.adopt(task)
        experiment.tell(50, value(experiment.sites[50]))
    assert_same_model(during, before, within=1e-9)


def test_scalars_revised_during_a_refit_do_not_make_it_start_anew(
    make: Make, drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = make(refit_growth=10.0)
    drive(experiment, SEEDS + 3)
    task = experiment.begin_refit().run()
    experiment.revise(shifted(experiment, 0.25))
    monkeypatch.delattr(Surrogate, "recondition")
    experiment.adopt(task)
    assert experiment.surrogate is task.surrogate


def test_a_refit_to_measurements_that_all_became_invalid_is_dropped(make: Make, drive: Drive) -> None:
    experiment = make()
    drive(experiment, SEEDS + 1)
    task = experiment.begin_refit().run()
    seen: list[str] = []
    experiment.revise(everything_invalid(experiment))
    experiment.sink = lambda kind, *_: seen.append(kind)
    experiment.adopt(task)
    assert (seen, experiment.surrogate) == ([], None)
    assert len(experiment.ask()) == 1


def test_a_noise_variance_that_is_nearly_the_same_stays(make: Make) -> None:
    experiment = make()
    for site in (3, 8, 20):
        experiment.tell(site, Measurement.of(1.0, 0.10))
    experiment.revise({0: Scalar(2.0, noise_variance=0.119), 1: Scalar(2.0, noise_variance=0.121), 2: Scalar(2.0)})
    scalars = [told.measurement.scalar for told in experiment.told]
    assert [scalar.noise_variance for scalar in scalars] == [0.10, 0.121, None]
    assert [scalar.value for scalar in scalars] == [2.0, 2.0, 2.0]


def test_a_measurement_that_becomes_valid_is_learned_from(make: Make, drive: Drive) -> None:
    experiment = make(retries=0)
    experiment.tell(3, Measurement(Scalar.invalid("no reference yet", 1.0)))
    drive(experiment, SEEDS + 3)
    assert 3 in experiment.excluded
    experiment.revise({0: Scalar(1.25)})
    assert 3 not in experiment.excluded
    assert 1.25 in experiment.begin_refit().data.values


def test_a_measurement_that_becomes_invalid_is_learned_from_no_more(make: Make, drive: Drive) -> None:
    experiment = make(retries=0)
    sites = drive(experiment, SEEDS + 3)
    experiment.revise({1: Scalar.invalid("the reference is lost")})
    assert len(experiment.begin_refit().data) == SEEDS + 2
    assert sites[1] in experiment.excluded


def test_a_noise_variance_that_would_upset_the_model_makes_the_scalar_invalid(make: Make, drive: Drive) -> None:
    experiment = make()
    drive(experiment, SEEDS + 1)
    experiment.revise({0: Scalar(1.0, noise_variance=-1.0)})
    assert (
        experiment.told[0].measurement.reason == "its noise variance is -1.0, which must be zero or positive and finite"
    )


@pytest.mark.parametrize("number", [-1, 2])
def test_a_measurement_that_was_not_told_cannot_be_revised(make: Make, number: int) -> None:
    experiment = make()
    experiment.tell(3, 1.0)
    with pytest.raises(InputError, match=f"measurement {number} cannot be revised; 1 are told, counted from 0"):
        experiment.revise({number: Scalar(1.0)})


def test_no_change_is_no_event(make: Make) -> None:
    experiment = make()
    seen: list[str] = []
    experiment.sink = lambda kind, *_: seen.append(kind)
    experiment.revise({})
    assert seen == []


def test_a_revision_that_cannot_be_recorded_does_not_happen(make: Make) -> None:
    def full(*_: object) -> None:
        raise RecordError("no space left")

    experiment = make()
    experiment.tell(3, 1.0)
    experiment.sink = full
    with pytest.raises(RecordError):
        experiment.revise({0: Scalar(9.0)})
    assert experiment.told[0].measurement.scalar.value == 1.0


def only_values(experiment: Experiment) -> Mapping[int, Scalar]:
    return shifted(experiment, 0.1)


def noise_too(experiment: Experiment) -> Mapping[int, Scalar]:
    return shifted(experiment, 0.1, noise=0.01 * len(experiment.told))


def validity(experiment: Experiment) -> Mapping[int, Scalar]:
    return {1: Scalar.invalid("lost")} if experiment.told[1].measurement.ok else {1: Scalar(2.0)}


def everything_invalid(experiment: Experiment) -> Mapping[int, Scalar]:
    return {number: Scalar.invalid("lost") for number in range(len(experiment.told))}


@pytest.mark.parametrize("last", [only_values, noise_too, validity, everything_invalid])
@pytest.mark.parametrize("first", [only_values, noise_too, validity])
def test_a_resumed_run_goes_on_to_the_same_sites_to_the_bit(
    tmp_path: Path,
    survey: SurveyImage,
    settings: Settings,
    drive: Drive,
    first: Callable[[Experiment], Mapping[int, Scalar]],
    last: Callable[[Experiment], Mapping[int, Scalar]],
) -> None:
    path = tmp_path / "run.h5"
    with RecordedExperiment.start(path, survey, settings(refit_growth=0.4)) as recorded:
        live = recorded.experiment
        for measured, change in ((SEEDS + 1, first), (SEEDS + 2, only_values), (SEEDS + 4, first), (SEEDS + 7, last)):
            drive(live, measured)
            live.revise(change(live))
        drive(live, SEEDS + 8)
    with RecordedExperiment.resume(path) as recorded:
        resumed = recorded.experiment
        assert known(resumed) == known(live)
        assert (resumed.surrogate is None) == (live.surrogate is None)
        if live.surrogate is not None:
            assert_same_model(live, resumed)
        live.sink = lambda *_: None
        assert resumed.ask(3) == live.ask(3)


@pytest.mark.parametrize("change", [only_values, noise_too, validity])
def test_a_resumed_run_repeats_a_refit_adopted_after_a_revision_to_the_bit(
    tmp_path: Path,
    survey: SurveyImage,
    settings: Settings,
    drive: Drive,
    value: Value,
    change: Callable[[Experiment], Mapping[int, Scalar]],
) -> None:
    path = tmp_path / "run.h5"
    with RecordedExperiment.start(path, survey, settings(refit_growth=10.0)) as recorded:
        live = recorded.experiment
        drive(live, SEEDS + 2)
        task = live.begin_refit().run()
        live.tell(50, value(live.sites[50]))
        live.revise(change(live))
        live.adopt(task)
        live.tell(70, value(live.sites[70]))
    with RecordedExperiment.resume(path) as recorded:
        assert_same_model(live, recorded.experiment)


def test_a_scalar_that_is_no_number_is_the_same_after_a_resume(
    tmp_path: Path, survey: SurveyImage, settings: Settings
) -> None:
    path = tmp_path / "run.h5"
    with RecordedExperiment.start(path, survey, settings()) as recorded:
        recorded.experiment.tell(3, float("nan"))
        recorded.experiment.tell(8, float("inf"))
        recorded.experiment.revise({0: Scalar(1.0)})
    with RecordedExperiment.resume(path) as resumed:
        assert known(resumed.experiment) == known(recorded.experiment)


def test_the_record_shows_the_latest_scalars_whether_in_order_or_not(
    tmp_path: Path, survey: SurveyImage, settings: Settings
) -> None:
    path = tmp_path / "run.h5"
    with RecordedExperiment.start(path, survey, settings()) as recorded:
        recorded.experiment.tell(3, 1.0)
        recorded.experiment.tell(8, Measurement(Scalar.invalid("no reference yet")))
        recorded.experiment.revise({0: Scalar(4.0, noise_variance=0.5), 1: Scalar(7.0)})
        with read_run(path) as waiting:
            assert waiting.measurements.value.tolist() == [4.0, 7.0]
    with read_run(path) as contents:
        table = contents.measurements
    assert table.value.tolist() == [4.0, 7.0]
    assert table.valid.tolist() == [True, True]
    assert table.reason == ("", "")
    assert table.noise_variance[0] == 0.5
    assert table.details[0]["original"]["value"] == 1.0
    assert table.details[1]["original"]["reason"] == "no reference yet"
