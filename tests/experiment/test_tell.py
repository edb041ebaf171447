from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.experiment import Experiment
from dkl_core.measurement import Measurement, Scalar, Site

Make = Callable[..., Experiment]
Drive = Callable[..., list[int]]
Value = Callable[[Site], float]
SEEDS = 6


def learned(experiment: Experiment) -> list[float]:
    """The values that a refit would learn from."""
    return list(experiment.begin_refit().data.values)


def test_a_measurement_is_kept_with_everything_it_brought(make: Make) -> None:
    experiment = make()
    (site,) = experiment.ask()
    raw = np.arange(6.0).reshape(2, 3)
    told = experiment.tell(site, Measurement(Scalar(1.5, noise_variance=0.01), raw, 2.0, 30.0, {"gain": 3}))
    assert experiment.told == (told,)
    assert (told.site, told.attempt) == (site, 1)
    assert told.measurement.raw is raw
    assert (told.measurement.seconds, told.measurement.dose, told.measurement.details["gain"]) == (2.0, 30.0, 3)
    assert experiment.begin_refit().data.noise.tolist() == [0.01]


def test_a_number_is_a_measurement(make: Make) -> None:
    experiment = make()
    assert experiment.tell(7, 2).measurement.scalar == Scalar(2.0)


def test_a_site_that_was_not_asked_for_may_be_told(make: Make, drive: Drive, value: Value) -> None:
    experiment = make()
    site = experiment.sites[50]
    experiment.tell(site, value(site))
    assert experiment.pending == ()
    assert drive(experiment).count(50) == 1


@pytest.mark.parametrize("site", [-1, 99])
def test_a_site_that_does_not_exist_is_refused(make: Make, site: int) -> None:
    with pytest.raises(InputError, match=f"there is no site {site}; sites are counted from 0 to 98"):
        make().tell(site, 1.0)


def test_a_site_of_another_experiment_is_refused(make: Make) -> None:
    with pytest.raises(InputError, match="is of another experiment; here site 5 is"):
        make().tell(Site(5, 0, 0), 1.0)


def test_what_the_model_expected_is_kept_with_the_measurement(make: Make, drive: Drive) -> None:
    experiment = make()
    drive(experiment, SEEDS + 2)
    assert np.isnan(experiment.told[0].predicted_mean)
    (site,) = experiment.ask()
    expected = experiment.predict()
    assert expected is not None
    told = experiment.tell(site, 1.0)
    assert told.predicted_mean == expected.mean[site.index]
    assert told.predicted_std == expected.measurement_std[site.index]


def test_the_model_knows_a_measurement_as_soon_as_it_is_told(make: Make, drive: Drive) -> None:
    experiment = make(refit_growth=10.0)
    drive(experiment, SEEDS + 1)
    (site,) = experiment.ask()
    before = experiment.predict()
    assert before is not None
    experiment.tell(site, 5.0)
    after = experiment.predict()
    assert after is not None
    assert after.mean[site.index] > before.mean[site.index]
    assert after.std[site.index] < before.std[site.index]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_counts_as_failed_and_says_why(make: Make, value: float) -> None:
    experiment = make()
    told = experiment.tell(3, value)
    assert not told.measurement.ok
    assert told.measurement.reason == f"the scalar is {value}, which is not a finite number"
    assert experiment.best is None


@pytest.mark.parametrize("variance", [-1.0, np.inf])
def test_a_noise_variance_that_cannot_be_counts_as_failed_and_says_why(make: Make, variance: float) -> None:
    experiment = make()
    told = experiment.tell(3, Measurement.of(1.0, noise_variance=variance))
    assert told.measurement.reason == f"its noise variance is {variance}, which must be zero or positive and finite"
    assert told.measurement.scalar.value == 1.0


def test_an_unknown_noise_variance_may_be_nan(make: Make, drive: Drive, value: Value) -> None:
    experiment = make()
    drive(experiment, SEEDS + 2, lambda site: Measurement.of(value(site), noise_variance=np.nan))
    assert drive(experiment, SEEDS + 4) == drive(make(), SEEDS + 4)


def test_measurements_of_known_noise_pull_the_model_less(make: Make, drive: Drive) -> None:
    def pulled(variance: float) -> float:
        experiment = make(refit_growth=10.0)
        drive(experiment, SEEDS + 1)
        (site,) = experiment.ask()
        experiment.tell(site, Measurement.of(20.0, noise_variance=variance))
        prediction = experiment.predict()
        assert prediction is not None
        return float(prediction.mean[site.index])

    assert pulled(100.0) < pulled(0.0)


@pytest.mark.parametrize("failure", [np.nan, Measurement.failed("no counts"), Measurement(Scalar(2.5, False, "drift"))])
def test_a_failed_measurement_is_kept_and_never_learned_from(make: Make, drive: Drive, failure: Any) -> None:
    experiment = make()
    drive(experiment, SEEDS + 2)
    (site,) = experiment.ask()
    before, known = experiment.predict(), learned(experiment)
    told = experiment.tell(site, failure)
    after = experiment.predict()
    assert before is not None
    assert after is not None
    assert experiment.told[-1] is told
    assert learned(experiment) == known
    assert np.array_equal(before.mean, after.mean)
    assert np.array_equal(before.std, after.std)


def test_a_failed_measurement_never_counts_as_zero(make: Make, drive: Drive, value: Value) -> None:
    experiment = make()
    drive(experiment, SEEDS - 1, lambda site: value(site) - 100)
    experiment.tell_failed(experiment.ask()[0], "the shutter did not open")
    assert experiment.best is not None
    assert experiment.best.measurement.scalar.value < -90
    assert max(learned(experiment)) < -90


def test_a_failed_measurement_keeps_its_raw_data_and_its_reason(make: Make) -> None:
    experiment = make()
    raw = np.zeros(4)
    told = experiment.tell(3, Measurement.failed("no counts", raw))
    assert told.measurement.raw is raw
    assert told.measurement.reason == "no counts"


def test_a_site_that_cannot_be_measured_may_be_told_with_the_reason_alone(make: Make) -> None:
    experiment = make()
    assert experiment.tell_failed(3, "out of reach").measurement.reason == "out of reach"


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_failed_site_is_tried_again_so_often_and_then_excluded(make: Make, drive: Drive, retries: int) -> None:
    experiment = make(retries=retries, budget=30)
    bad = experiment.ask()[0].index
    experiment.tell_failed(bad, "no counts")
    sites = drive(experiment, measure=lambda site: np.nan if site.index == bad else 1.0 + site.row)
    assert sites.count(bad) == 1 + retries
    assert experiment.excluded == {bad}
    assert [told.attempt for told in experiment.told if told.site.index == bad] == list(range(1, retries + 2))


def test_a_failed_site_that_succeeds_later_is_learned_from(make: Make) -> None:
    experiment = make()
    (site,) = experiment.ask()
    experiment.tell_failed(site, "no counts")
    assert experiment.ask() == [site]
    experiment.tell(site, 4.0)
    assert learned(experiment) == [4.0]
    assert experiment.excluded == frozenset()


def test_a_failed_seed_is_replaced_by_another(make: Make, drive: Drive) -> None:
    experiment = make(retries=0)
    first, second = (site.index for site in experiment.ask(2))
    experiment.tell_failed(first, "no counts")
    experiment.tell_failed(second, "no counts")
    sites = drive(experiment, SEEDS + 2)
    assert experiment.surrogate is None
    assert len(set(sites)) == SEEDS + 2
    assert experiment.phase == "deciding"


def test_a_site_that_fails_after_it_was_measured_stays_measured(make: Make) -> None:
    experiment = make(retries=0)
    experiment.tell(3, 1.0)
    experiment.tell_failed(3, "no counts")
    assert experiment.excluded == frozenset()
    assert learned(experiment) == [1.0]


def test_failed_measurements_count_for_the_budget(make: Make, drive: Drive) -> None:
    experiment = make(budget=12)
    drive(experiment, measure=lambda site: np.nan if site.index % 3 else 1.0 + site.col)
    assert len(experiment.told) == 12


def test_when_all_measurements_fail_the_budget_ends_it_and_the_reason_says_so(make: Make, drive: Drive) -> None:
    experiment = make(budget=10)
    drive(experiment, measure=lambda _: Measurement.failed("no counts"))
    assert experiment.stop_reason == (
        "the budget of 10 measurements is used up; all 10 measurements failed, the last because: no counts"
    )


def test_when_all_sites_fail_the_experiment_ends_and_the_reason_says_so(make: Make, drive: Drive) -> None:
    experiment = make(budget=1000, retries=1)
    drive(experiment, measure=lambda _: Measurement.failed("no counts"))
    assert len(experiment.told) == 2 * 99
    assert experiment.stop_reason == (
        "every site is measured or excluded; all 198 measurements failed, the last because: no counts"
    )


def test_equal_values_everywhere_do_not_stop_it(make: Make, drive: Drive) -> None:
    for acquisition in ("ei", "ucb", "pi", "uncertainty", "thompson"):
        experiment = make(acquisition=acquisition, budget=12)
        assert len(set(drive(experiment, measure=lambda _: 7.0))) == 12
        prediction = experiment.predict()
        assert prediction is not None
        assert prediction.mean == pytest.approx(np.full(99, 7.0), abs=1e-6)


def test_one_seed_is_enough_to_decide(make: Make, drive: Drive) -> None:
    from dkl_core.experiment import SeedSettings

    experiment = make(seeds=SeedSettings(1), budget=6)
    assert len(set(drive(experiment))) == 6


def test_a_site_told_twice_counts_as_two_measurements(make: Make, drive: Drive, value: Value) -> None:
    experiment = make()
    drive(experiment, SEEDS + 2)
    again = experiment.told[0].site
    experiment.tell(again, value(again) + 0.5)
    experiment.tell(again, value(again))
    assert len(learned(experiment)) == SEEDS + 4
    assert experiment.told[-1].attempt == 3
    assert len(drive(experiment)) == 20


@pytest.mark.parametrize("outlier", [1e12, -1e100])
def test_a_wild_value_does_not_stop_it(make: Make, drive: Drive, value: Value, outlier: float) -> None:
    experiment = make(acquisition="ei", budget=14)
    drive(experiment, SEEDS + 2)
    experiment.tell(experiment.ask()[0], outlier)
    assert len(set(drive(experiment))) == 14
    prediction = experiment.predict()
    assert prediction is not None
    assert np.isfinite(prediction.mean).all()


def test_numpy_numbers_are_taken(make: Make) -> None:
    experiment = make()
    experiment.tell(experiment.sites[int(np.int64(3))], np.float32(1.5))  # type: ignore[arg-type]
    assert learned(experiment) == [1.5]
