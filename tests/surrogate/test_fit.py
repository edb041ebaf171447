from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.surrogate import MODELS, Prediction, Surrogate, SurrogateSettings

Fitted = Callable[..., Surrogate]
QUICK = SurrogateSettings(iterations=10)
LINEAR = MODELS["linear"]


def assert_believable(believed: Prediction) -> None:
    for values in (believed.mean, believed.std, believed.gp_std, believed.ensemble_std, believed.measurement_std):
        assert np.isfinite(values).all()
    assert (believed.gp_std >= 0).all()
    assert np.isfinite(believed.noise_std)
    assert believed.noise_std > 0


def fit_to(problem: Any, values: Any, settings: SurrogateSettings = QUICK, **noise: Any) -> Surrogate:
    surrogate = Surrogate(problem.patches, settings)
    surrogate.fit(problem.order[: len(values)], values, **noise)
    return surrogate


def test_a_fit_predicts_what_was_not_measured(fitted: Fitted, problem: Any) -> None:
    believed = fitted(LINEAR, 100).predict()
    rest = problem.order[100:]
    assert np.corrcoef(believed.mean[rest], problem.truth[rest])[0, 1] > 0.9


def test_a_second_fit_learns_from_the_new_measurements(fitted: Fitted, problem: Any) -> None:
    surrogate = fitted(LINEAR)
    before = surrogate.predict()
    sites, values = problem.measured(40)
    surrogate.fit(sites, -values)
    after = surrogate.predict()
    assert np.corrcoef(before.mean[sites], values)[0, 1] > 0.8
    assert np.corrcoef(after.mean[sites], -values)[0, 1] > 0.8


def test_a_second_fit_moves_the_hyper_parameters(fitted: Fitted, problem: Any) -> None:
    surrogate = fitted(LINEAR)
    before = surrogate.state()
    surrogate.fit(*problem.measured(80))
    after = surrogate.state()
    assert surrogate.fitted_to == surrogate.count == 80
    assert all(not np.array_equal(before[name], after[name]) for name in before)


def test_a_refit_starts_from_the_last_solution(fitted: Fitted, problem: Any) -> None:
    surrogate = fitted(LINEAR)
    vector = surrogate.state()["vector_linear"]
    surrogate.fit(*problem.measured(41), iterations=1)
    moved = np.abs(surrogate.state()["vector_linear"] - vector).max()
    fresh = Surrogate(problem.patches, LINEAR)
    assert moved < np.abs(fresh.state()["vector_linear"] - vector).max() / 2


def test_an_update_is_known_at_once(fitted: Fitted, problem: Any) -> None:
    surrogate = fitted(LINEAR)
    site = int(problem.order[200])
    before = surrogate.predict()
    surrogate.update(site, before.mean[site] + 1)
    after = surrogate.predict()
    assert surrogate.count == 41
    assert surrogate.fitted_to == 40
    assert after.mean[site] > before.mean[site]
    assert after.std[site] < before.std[site]


def test_an_update_is_what_a_fit_to_everything_gives_for_the_same_hyper_parameters(problem: Any) -> None:
    surrogate = fit_to(problem, problem.measured(40)[1], LINEAR)
    for site, value in zip(*problem.measured(10, first=40), strict=True):
        surrogate.update(int(site), float(value))
    state = surrogate.state()
    state["fit"] = np.array([50.0, *state["fit"][1:]])
    again = Surrogate(problem.patches, LINEAR)
    again.restore(state, *problem.measured(50))
    assert again.predict().mean == pytest.approx(surrogate.predict().mean, abs=1e-10)
    assert again.predict().std == pytest.approx(surrogate.predict().std, abs=1e-10)


def test_the_spread_of_the_ensemble_is_reported_apart(problem: Any) -> None:
    surrogate = fit_to(problem, problem.measured(40)[1], SurrogateSettings(depth="always", iterations=10))
    believed = surrogate.predict()
    assert believed.ensemble_std.max() > 0.01
    assert believed.gp_std**2 + believed.ensemble_std**2 == pytest.approx(believed.std**2, rel=1e-12)
    means = np.stack([posterior.mean.numpy() for _, posterior in surrogate.posteriors]) * surrogate.scale.factor
    assert believed.mean == pytest.approx(means.mean(axis=0) + surrogate.scale.offset, abs=1e-12)
    assert believed.ensemble_std == pytest.approx(means.std(axis=0), abs=1e-12)
    variances = np.stack([posterior.variance.numpy() for _, posterior in surrogate.posteriors])
    assert believed.gp_std == pytest.approx(np.sqrt(variances.mean(axis=0)) * surrogate.scale.factor, abs=1e-12)


def test_a_single_expert_has_no_spread(fitted: Fitted) -> None:
    assert not fitted(LINEAR).predict().ensemble_std.any()


def test_a_new_measurement_is_less_certain_than_the_scalar(fitted: Fitted) -> None:
    believed = fitted(LINEAR).predict()
    assert believed.measurement_std == pytest.approx(np.sqrt(believed.std**2 + believed.noise_std**2))


@pytest.mark.parametrize("value", [0.0, 3.3, -1e-12, 1e12])
def test_constant_scalars_are_predicted_everywhere(problem: Any, value: float) -> None:
    believed = fit_to(problem, np.full(30, value)).predict()
    assert_believable(believed)
    assert believed.mean == pytest.approx(np.full(289, value), rel=1e-9)


def test_one_measurement_is_enough_to_start(problem: Any) -> None:
    surrogate = fit_to(problem, np.array([2.5]))
    assert_believable(surrogate.predict())
    assert surrogate.predict().mean == pytest.approx(np.full(289, 2.5))


def test_two_measurements_are_told_apart(problem: Any) -> None:
    believed = fit_to(problem, np.array([1.0, 2.0])).predict()
    assert_believable(believed)
    assert believed.mean[problem.order[0]] < believed.mean[problem.order[1]]


def test_one_site_measured_over_and_over_with_the_same_result(problem: Any) -> None:
    surrogate = Surrogate(problem.patches, QUICK)
    surrogate.fit(np.full(40, 7), np.full(40, 1.5))
    assert_believable(surrogate.predict())


def test_one_site_measured_over_and_over_averages_its_noise(problem: Any, rng: np.random.Generator) -> None:
    values = rng.standard_normal(60)
    surrogate = Surrogate(problem.patches, LINEAR)
    surrogate.fit(np.full(60, 7), values)
    believed = surrogate.predict()
    assert_believable(believed)
    assert believed.mean[7] == pytest.approx(values.mean(), abs=0.1)
    assert believed.noise_std == pytest.approx(values.std(), rel=0.3)


@pytest.mark.parametrize("power", [-500, -40, 40, 500])
def test_the_unit_of_the_scalar_changes_nothing_but_the_unit(problem: Any, power: int) -> None:
    _, values = problem.measured(40)
    plain, scaled = (fit_to(problem, factor * values).predict() for factor in (1.0, 2.0**power))
    assert_believable(scaled)
    assert np.array_equal(scaled.mean, plain.mean * 2.0**power)
    assert np.array_equal(scaled.std, plain.std * 2.0**power)
    assert scaled.noise_std == plain.noise_std * 2.0**power


@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_tiny_and_huge_scalars_are_predicted_as_well_as_others(problem: Any, factor: float) -> None:
    believed = fit_to(problem, factor * problem.measured(40)[1]).predict()
    assert_believable(believed)
    assert np.corrcoef(believed.mean, problem.truth)[0, 1] > 0.7


def test_an_offset_much_larger_than_the_contrast_does_no_harm(problem: Any) -> None:
    _, values = problem.measured(40)
    plain, shifted = (fit_to(problem, values + offset, LINEAR).predict() for offset in (0.0, 1e6))
    assert shifted.mean - 1e6 == pytest.approx(plain.mean, abs=0.01)


def test_the_last_digits_of_the_numbers_are_not_taken_for_a_signal(problem: Any, rng: np.random.Generator) -> None:
    values = 1e6 * (1 + 1e-13 * rng.standard_normal(30))
    surrogate = fit_to(problem, values)
    assert surrogate.scale.factor == pytest.approx(1e6)
    assert surrogate.predict().mean == pytest.approx(np.full(289, 1e6), rel=1e-9)


def test_the_noise_of_a_measurement_enters_in_the_units_of_the_scalar_squared(fitted: Fitted, problem: Any) -> None:
    surrogate = fitted(LINEAR)
    site, known = int(problem.order[200]), 0.09
    before = surrogate.predict()
    told = before.mean[site] + 2
    surrogate.update(site, told, known)
    variance = before.std[site] ** 2
    gain = variance / (variance + before.noise_std**2 + known)
    assert surrogate.predict().mean[site] == pytest.approx(before.mean[site] + 2 * gain, rel=1e-9)
    assert surrogate.predict().std[site] ** 2 == pytest.approx(variance * (1 - gain), rel=1e-9)


def test_a_noisy_measurement_counts_less(problem: Any) -> None:
    sites, values = problem.measured(40)
    wrong = values.copy()
    wrong[5] += 6
    variance = np.full(40, np.nan)
    variance[5] = 36.0
    trusted, doubted = (fit_to(problem, wrong, LINEAR, noise_variance=noise) for noise in (None, variance))
    error = [abs(surrogate.predict().mean[sites[5]] - values[5]) for surrogate in (trusted, doubted)]
    assert error[1] < error[0] / 2


def test_noise_that_is_not_known_is_no_noise(problem: Any) -> None:
    _, values = problem.measured(30)
    one, other = (fit_to(problem, values, LINEAR, noise_variance=noise) for noise in (None, np.full(30, np.nan)))
    assert np.array_equal(one.predict().mean, other.predict().mean)


def test_equal_seeds_give_equal_predictions_and_others_do_not(problem: Any) -> None:
    deep = {"depth": "always", "iterations": 10}
    one, again, other = (fit_to(problem, problem.measured(40)[1], SurrogateSettings(seed=s, **deep)) for s in (1, 1, 2))
    assert np.array_equal(one.predict().mean, again.predict().mean)
    assert np.array_equal(one.predict().std, again.predict().std)
    assert not np.array_equal(one.predict().mean, other.predict().mean)


def test_a_fit_leaves_the_random_numbers_of_others_alone(problem: Any) -> None:
    import torch

    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    fit_to(problem, problem.measured(40)[1])
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scalars_that_are_not_finite_are_refused_by_name(problem: Any, bad: float) -> None:
    values = problem.measured(10)[1].copy()
    values[3] = bad
    with pytest.raises(InputError, match=f"scalar of site {problem.order[3]} is {bad}.*tell it as failed"):
        fit_to(problem, values)


def test_an_update_that_is_not_finite_is_refused_and_changes_nothing(fitted: Fitted) -> None:
    surrogate = fitted(LINEAR)
    before = surrogate.predict()
    with pytest.raises(InputError, match="scalar of site 3 is nan"):
        surrogate.update(3, np.nan)
    assert surrogate.count == 40
    assert np.array_equal(surrogate.predict().mean, before.mean)


@pytest.mark.parametrize("bad", [-1.0, np.inf])
def test_impossible_noise_variances_are_refused(problem: Any, bad: float) -> None:
    with pytest.raises(InputError, match=f"noise variance {bad} is not usable"):
        fit_to(problem, np.ones(3), noise_variance=[0.1, bad, 0.1])


@pytest.mark.parametrize("site", [-1, 289])
def test_sites_that_do_not_exist_are_refused(fitted: Fitted, site: int) -> None:
    surrogate = fitted(LINEAR)
    with pytest.raises(InputError, match="there are 289, counted from 0"):
        surrogate.update(site, 1.0)
    with pytest.raises(InputError, match="there are 289, counted from 0"):
        surrogate.fit([0, site], [1.0, 2.0])


def test_sites_are_whole_numbers(problem: Any) -> None:
    with pytest.raises(InputError, match="float64 values; give whole numbers from 0 to 288"):
        Surrogate(problem.patches, LINEAR).fit([0.5, 1.5], [1.0, 2.0])


def test_sites_scalars_and_noise_variances_must_match(problem: Any) -> None:
    surrogate = Surrogate(problem.patches, LINEAR)
    with pytest.raises(InputError, match="2 sites, 3 scalars and 3 noise variances"):
        surrogate.fit([0, 1], [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="2 sites, 2 scalars and 1 noise variances"):
        surrogate.fit([0, 1], [1.0, 2.0], [0.1])


def test_there_must_be_something_to_learn_from(problem: Any) -> None:
    with pytest.raises(InputError, match="no measurement to learn from"):
        Surrogate(problem.patches, LINEAR).fit([], [])


@pytest.mark.parametrize("ask", [Surrogate.predict, Surrogate.structure_map, lambda s: s.update(0, 1.0)])
def test_before_a_fit_there_is_nothing_to_ask(problem: Any, ask: Callable[[Surrogate], object]) -> None:
    surrogate = Surrogate(problem.patches, LINEAR)
    assert not surrogate.is_fitted
    with pytest.raises(InputError, match="call fit"):
        ask(surrogate)


def test_the_features_of_another_surrogate_can_be_shared(fitted: Fitted, problem: Any) -> None:
    first = fitted(LINEAR)
    second = Surrogate(problem.patches, LINEAR, first.features)
    second.fit(*problem.measured(40))
    assert second.features is first.features
    assert np.array_equal(first.predict().mean, second.predict().mean)
