"""How good a run or a model was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from dkl_core.goal import Goal
from dkl_core.replay import fit_quality, simple_regret, top_sites

GOALS = [Goal(), Goal("minimise"), Goal("target", 30.0)]
TOP = [range(95, 100), range(5), range(28, 33)]


def test_a_perfect_prediction_explains_everything() -> None:
    truth = np.array([1.0, 2.0, 4.0])
    fit = fit_quality(truth, truth, np.full(3, 0.1), scale=1.0)
    assert (fit.r2, fit.coverage90) == (1, 1)


def test_the_mean_of_the_truth_explains_nothing() -> None:
    truth = np.array([1.0, 2.0, 6.0])
    assert fit_quality(truth, np.full(3, 3.0), np.ones(3), scale=1.0).r2 == pytest.approx(0)
    assert fit_quality(truth, -truth, np.ones(3), scale=1.0).r2 < 0


def test_nlpd_is_the_mean_surprise_of_standardised_scalars(rng: np.random.Generator) -> None:
    truth, mean, std = rng.normal(size=(3, 40))
    std = np.abs(std) + 0.1
    expected = -norm.logpdf(truth / 2.5, mean / 2.5, std / 2.5).mean()
    assert fit_quality(truth, mean, std, scale=2.5).nlpd == pytest.approx(expected)


@given(st.floats(1e-12, 1e12))
def test_the_unit_of_the_scalar_does_not_matter(unit: float) -> None:
    truth, mean, std = np.random.default_rng(1).normal(size=(3, 30))
    std = np.abs(std) + 0.1
    ours, other = (fit_quality(u * truth, u * mean, u * std, u * 1.3) for u in (1.0, unit))
    assert (other.r2, other.nlpd) == (pytest.approx(ours.r2), pytest.approx(ours.nlpd))
    assert other.coverage90 == ours.coverage90


def test_honest_predictions_cover_nine_truths_in_ten(rng: np.random.Generator) -> None:
    mean, std = rng.normal(size=20_000), rng.uniform(0.1, 2, size=20_000)
    truth = mean + std * rng.normal(size=20_000)
    assert fit_quality(truth, mean, std, 1.0).coverage90 == pytest.approx(0.9, abs=0.01)
    assert fit_quality(truth, mean, std / 3, 1.0).coverage90 < 0.5


@pytest.mark.parametrize(("truth", "scale"), [([2.0, 2.0, 2.0], 0.0), ([2.0], 1.0)])
def test_a_truth_that_does_not_vary_has_no_r2_and_is_no_division_by_zero(truth: list[float], scale: float) -> None:
    fit = fit_quality(np.array(truth), np.array(truth), np.zeros(len(truth)), scale)
    assert np.isnan(fit.r2)
    assert np.isfinite(fit.nlpd)
    assert fit.coverage90 == 1


def test_without_held_out_measurements_there_is_nothing_to_judge() -> None:
    fit = fit_quality(np.array([]), np.array([]), np.array([]), 1.0)
    assert np.isnan([fit.r2, fit.nlpd, fit.coverage90]).all()


@pytest.mark.parametrize(("goal", "top"), list(zip(GOALS, TOP, strict=True)), ids=str)
def test_the_top_sites_are_the_best_share_for_the_goal(goal: Goal, top: range) -> None:
    assert np.flatnonzero(top_sites(np.arange(100.0), goal)).tolist() == list(top)


@pytest.mark.parametrize("goal", GOALS, ids=str)
def test_sites_without_a_truth_are_never_at_the_top_and_do_not_count(goal: Goal, rng: np.random.Generator) -> None:
    known = rng.permutation(100).astype(float)
    truth = np.concatenate([known, np.full(300, np.nan)])
    np.testing.assert_array_equal(top_sites(truth, goal, 0.1)[:100], top_sites(known, goal, 0.1))
    assert not top_sites(truth, goal, 0.1)[100:].any()


def test_without_any_truth_no_site_is_at_the_top() -> None:
    assert not top_sites(np.full(4, np.nan), Goal()).any()


@pytest.mark.parametrize(("goal", "regret"), list(zip(GOALS, [13.0, 1.0, 11.0], strict=True)), ids=str)
def test_regret_is_the_distance_to_the_best_there_is(goal: Goal, regret: float) -> None:
    truth = np.array([1.0, 2.0, np.nan, 18.0, 31.0])
    assert simple_regret(truth, np.array([2.0, np.nan, 18.0]), goal) == regret


@pytest.mark.parametrize("goal", GOALS, ids=str)
def test_who_found_the_best_regrets_nothing_and_who_found_nothing_cannot_say(goal: Goal) -> None:
    truth = np.arange(10.0)
    assert simple_regret(truth, truth, goal) == 0
    assert np.isnan(simple_regret(truth, np.array([np.nan]), goal))
