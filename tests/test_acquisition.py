"""Acquisition functions: what ranks the sites, whatever the goal."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from dkl_core.acquisition import (
    AcquisitionSettings,
    AnnealedBeta,
    ConstantBeta,
    evaluate,
    expected_improvement,
    probability_of_improvement,
    upper_confidence_bound,
    with_travel,
)
from dkl_core.errors import InputError
from dkl_core.goal import Goal

MAXIMISE, MINIMISE, TARGET = Goal(), Goal("minimise"), Goal("target", 1.2)
GOALS = [MAXIMISE, MINIMISE, TARGET]
IMPROVEMENTS = [expected_improvement, probability_of_improvement]
NAMES = ["ei", "pi", "ucb", "uncertainty", "thompson"]
BEST, XI = 0.4, 0.05
MEAN = np.array([-2.0, 0.0, 0.3, 0.45, 1.2, 1.9, 2.5])
STD = np.array([0.4, 1.0, 0.05, 0.2, 0.7, 0.3, 1.5])


def expectation(of: Callable[[float], float], goal: Goal, mean: float, std: float) -> float:
    """The mean of a function of a normal scalar, over where it improves on the best, by numerical integration."""
    match goal.direction:
        case "maximise":
            low, high = BEST + XI, math.inf
        case "minimise":
            low, high = -math.inf, BEST - XI
        case _:
            assert goal.value is not None
            reach = abs(BEST - goal.value) - XI
            low, high = goal.value - reach, goal.value + reach
    low, high = max(low, mean - 12 * std), min(high, mean + 12 * std)
    if low >= high:
        return 0.0
    middle = [min(max(point, low), high) for point in (mean, goal.value or mean)]
    value, _ = quad(lambda f: of(f) * norm.pdf(f, mean, std), low, high, points=middle, epsabs=1e-13, limit=200)
    return float(value)


def merit(goal: Goal, scalar: float) -> float:
    return float(goal.merit(scalar))


@pytest.mark.parametrize("goal", GOALS, ids=str)
def test_ei_is_the_expectation_of_the_improvement(goal: Goal) -> None:
    def gain(f: float) -> float:
        return max(merit(goal, f) - merit(goal, BEST) - XI, 0)

    expected = [expectation(gain, goal, m, s) for m, s in zip(MEAN, STD, strict=True)]
    np.testing.assert_allclose(expected_improvement(MEAN, STD, BEST, goal, XI), expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("goal", GOALS, ids=str)
def test_pi_is_the_probability_of_an_improvement(goal: Goal) -> None:
    expected = [expectation(lambda _: 1.0, goal, m, s) for m, s in zip(MEAN, STD, strict=True)]
    np.testing.assert_allclose(probability_of_improvement(MEAN, STD, BEST, goal, XI), expected, rtol=1e-8, atol=1e-12)


def test_ei_of_a_target_is_what_drawing_scalars_gives(rng: np.random.Generator) -> None:
    drawn = MEAN + STD * rng.normal(size=(400_000, len(MEAN)))
    gain = np.maximum(TARGET.merit(drawn) - TARGET.merit(BEST) - XI, 0)
    error = gain.std(axis=0) / math.sqrt(len(gain))
    assert (np.abs(expected_improvement(MEAN, STD, BEST, TARGET, XI) - gain.mean(axis=0)) < 4 * error + 1e-6).all()


def test_known_values() -> None:
    density, half = 1 / math.sqrt(2 * math.pi), 0.5
    assert expected_improvement(1.0, 2.0, 1.0, MAXIMISE) == pytest.approx(2 * density)
    assert probability_of_improvement(1.0, 2.0, 1.0, MAXIMISE) == pytest.approx(half)
    assert probability_of_improvement(1.0, 2.0, 1.0, MAXIMISE, xi=2.0) == pytest.approx(0.15865525393145707)
    assert upper_confidence_bound(1.0, 2.0, 9.0, MAXIMISE) == 7
    assert upper_confidence_bound(1.0, 2.0, 9.0, MINIMISE) == 5
    assert upper_confidence_bound(1.0, 2.0, 9.0, TARGET) == pytest.approx(5.8)


# ---------------------------------------------------------------------- goals


@pytest.mark.parametrize("name", NAMES)
def test_minimising_is_the_mirror_of_maximising(name: Any) -> None:
    settings = AcquisitionSettings(name, xi=0.3)
    measured = np.array([0.4, -1.0, 0.2])
    np.testing.assert_array_equal(
        evaluate(settings, MEAN, STD, measured, MINIMISE), evaluate(settings, -MEAN, STD, -measured, MAXIMISE)
    )


@pytest.mark.parametrize("name", NAMES)
def test_maximising_k_less_s_ranks_the_sites_as_minimising_s_does(name: Any) -> None:
    # As published for k = 3.1; here some scalars exceed k, so that k - s is negative, and none may be lost.
    k, measured = 1.0, np.array([0.4, 1.9, 2.3])
    settings = AcquisitionSettings(name)
    np.testing.assert_allclose(
        evaluate(settings, k - MEAN, STD, k - measured, MAXIMISE) - evaluate(settings, MEAN, STD, measured, MINIMISE),
        k if name in ("ucb", "thompson") else 0,
        atol=1e-12,
    )


@pytest.mark.parametrize("improvement", IMPROVEMENTS)
@pytest.mark.parametrize("goal", [MAXIMISE, MINIMISE], ids=str)
def test_asking_for_more_improvement_makes_it_less_likely(improvement: Any, goal: Goal) -> None:
    values = [improvement(MEAN, STD, BEST, goal, xi) for xi in (0.0, 0.1, 1.0)]
    assert (np.diff(values, axis=0) < 0).all()


@pytest.mark.parametrize("improvement", IMPROVEMENTS)
def test_a_target_is_sought_from_both_sides_alike(improvement: Any) -> None:
    below, above = improvement([1.2 - 0.7, 1.2 + 0.7], [0.3, 0.3], BEST, TARGET, XI)
    assert below == pytest.approx(above, rel=1e-12)
    assert improvement(1.2, 0.3, BEST, TARGET, XI) > above > 0


@pytest.mark.parametrize("improvement", IMPROVEMENTS)
def test_hopeless_sites_of_a_target_keep_their_rank(improvement: Any) -> None:
    far = TARGET.value + np.array([[-1.0], [1.0]]) * [2.0, 4.0, 8.0]
    values = improvement(far, 0.3, 1.0, TARGET)
    assert (np.diff(values, axis=1) < 0).all()
    assert (values > 0).all()
    np.testing.assert_allclose(*values, rtol=1e-6)


@pytest.mark.parametrize("improvement", IMPROVEMENTS)
def test_a_target_that_has_been_met_goes_on_being_sought(improvement: Any) -> None:
    values = improvement([0.0, 1.19, 2.0], 0.3, 1.2, TARGET, xi=0.01)
    assert int(np.argmax(values)) == 1
    assert (values > 0).all()


@pytest.mark.parametrize("name", ["ei", "pi"])
def test_improvement_is_over_the_best_that_was_measured(name: Any) -> None:
    function = {"ei": expected_improvement, "pi": probability_of_improvement}[name]
    measured = np.array([0.1, 1.0, -3.0])
    for goal, best in ((MAXIMISE, 1.0), (MINIMISE, -3.0), (TARGET, 1.0)):
        expected = function(MEAN, STD, best, goal, 0.2 * measured.std())
        np.testing.assert_array_equal(evaluate(AcquisitionSettings(name, xi=0.2), MEAN, STD, measured, goal), expected)


def test_ei_is_not_pure_exploration() -> None:
    promising, merely_unknown = expected_improvement([1.0, -3.0], [0.1, 1.0], 0.5, MAXIMISE)
    assert promising > 100 * merely_unknown
    by_std = np.argsort(STD)
    assert (np.argsort(expected_improvement(MEAN, STD, BEST, MAXIMISE)) != by_std).any()


@pytest.mark.parametrize("improvement", IMPROVEMENTS)
@given(mean=st.floats(-3, 3), more=st.floats(0, 2), std=st.floats(0, 3))
def test_a_better_mean_is_never_worth_less(improvement: Any, mean: float, more: float, std: float) -> None:
    better, worse = improvement([mean + more, mean], std, 0.0, MAXIMISE)
    assert better >= worse - 1e-15
    better, worse = improvement([mean - more, mean], std, 0.0, MINIMISE)
    assert better >= worse - 1e-15


# ---------------------------------------------------------------------- limits


@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e12])
@pytest.mark.parametrize("goal", GOALS, ids=str)
def test_without_uncertainty_the_improvement_is_what_the_mean_says(goal: Goal, scale: float) -> None:
    goal = goal if goal.value is None else Goal("target", goal.value * scale)
    mean, best = MEAN * scale, BEST * scale
    gain = np.maximum(goal.merit(mean) - goal.merit(best), 0)
    np.testing.assert_allclose(expected_improvement(mean, 0 * STD, best, goal), gain, atol=1e-12 * scale)
    np.testing.assert_array_equal(probability_of_improvement(mean, 0 * STD, best, goal), gain > 0)
    np.testing.assert_allclose(upper_confidence_bound(mean, 0 * STD, 4.0, goal), goal.merit(mean))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("goal", GOALS, ids=str)
@given(st.floats(-1e9, 1e9), st.sampled_from([0.0, 1e-320, 1e-200, 1e-9, 1.0, 1e9]), st.floats(-1e9, 1e9))
def test_no_prediction_gives_nan(name: Any, goal: Goal, mean: float, std: float, measured: float) -> None:
    value = evaluate(AcquisitionSettings(name), np.array([mean]), np.array([std]), [measured], goal)
    assert np.isfinite(value).all()


@pytest.mark.parametrize("name", NAMES)
def test_constant_measurements_are_no_division_by_zero(name: Any) -> None:
    value = evaluate(AcquisitionSettings(name), np.full(4, 2.0), [0.0, 0.1, 0.2, 0.3], np.full(5, 2.0), MAXIMISE)
    assert np.isfinite(value).all()


@pytest.mark.parametrize("function", [*IMPROVEMENTS, upper_confidence_bound])
def test_a_negative_standard_deviation_is_refused(function: Any) -> None:
    with pytest.raises(InputError, match=r"a standard deviation is -0.1; it must be zero or positive"):
        function([0.0, 1.0], [0.2, -0.1], 1.0, MAXIMISE)


def test_uncertainty_and_thompson_take_what_they_are_called_after() -> None:
    np.testing.assert_array_equal(evaluate(AcquisitionSettings("uncertainty"), MEAN, STD, [0.0], TARGET), STD)
    sample = evaluate(AcquisitionSettings("thompson"), MEAN, STD, [0.0], MINIMISE)
    np.testing.assert_array_equal(sample, -MEAN)


@pytest.mark.parametrize("name", NAMES)
def test_who_changes_the_map_does_not_change_the_prediction(name: Any) -> None:
    mean, std = MEAN.copy(), STD.copy()
    evaluate(AcquisitionSettings(name), mean, std, [0.0, 1.0], MAXIMISE)[:] = -np.inf
    np.testing.assert_array_equal([mean, std], [MEAN, STD])


# ---------------------------------------------------------------------- settings


def test_the_published_beta_falls_from_10_at_the_last_seed_to_a_floor() -> None:
    beta = AnnealedBeta()
    assert [beta(n) for n in (20, 21, 30)] == [10.0, 9.0, pytest.approx(10 * 0.9**10)]
    assert beta(107) == pytest.approx(10 * 0.9**87)
    assert beta(107) > 0.001
    assert [beta(n) for n in (108, 2304)] == [0.001, 0.001]


def test_ucb_takes_beta_at_the_number_of_measurements() -> None:
    for count in (20, 33, 500):
        expected = upper_confidence_bound(MEAN, STD, max(10 * 0.9 ** (count - 20), 0.001), MAXIMISE)
        np.testing.assert_allclose(evaluate(AcquisitionSettings(), MEAN, STD, np.zeros(count), MAXIMISE), expected)


def test_a_constant_beta_never_changes() -> None:
    assert {ConstantBeta(4.0)(n) for n in range(50)} == {4.0}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AcquisitionSettings("kg"), "unknown acquisition 'kg'; choose one of ei, ucb, pi, uncertainty, thomp"),  # type: ignore[arg-type]
        (lambda: AcquisitionSettings(xi=math.nan), "xi is nan; give the least improvement that counts"),
        (lambda: AcquisitionSettings(travel_weight=-1), "travel_weight is -1; give 0 .distance is free. or more"),
        (lambda: ConstantBeta(-2.0), "beta is -2.0; give 0 .pure exploitation. or more"),
        (lambda: AnnealedBeta(start=-1), "beta starts at -1 and ends at 0.001; give 0 or more for both"),
        (lambda: AnnealedBeta(decay=0.0), "beta's decay is 0.0; give a factor per measurement above 0, 1 at most"),
        (lambda: upper_confidence_bound(0.0, 1.0, -1.0, MAXIMISE), "beta is -1.0; give 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_once(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


# ---------------------------------------------------------------------- travel


def test_travel_costs_its_weight_times_the_distance() -> None:
    values, distance = np.array([10.0, 30.0, 20.0]), np.array([0.1, 0.8, 0.0])
    cost = with_travel(values, distance, np.ones(3, dtype=bool), 0.5)
    np.testing.assert_allclose(cost, [0 - 0.05, 1 - 0.4, 0.5 - 0])


def test_travel_for_nothing_changes_nothing() -> None:
    values = np.array([10.0, 30.0, 20.0])
    assert with_travel(values, np.ones(3), np.ones(3, dtype=bool), 0.0) is values
    assert with_travel(values, np.ones(3), np.zeros(3, dtype=bool), 1.0) is values


def test_closed_sites_have_no_say_in_the_scale() -> None:
    is_open = np.array([True, True, False])
    cost = with_travel(np.array([1.0, 2.0, 1e6]), np.zeros(3), is_open, 0.5)
    np.testing.assert_allclose(cost[is_open], [0, 1])


def test_among_equally_good_sites_the_nearest_is_taken() -> None:
    cost = with_travel(np.full(3, 7.0), np.array([0.3, 0.1, 0.2]), np.ones(3, dtype=bool), 0.01)
    assert int(np.argmax(cost)) == 1
