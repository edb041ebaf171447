from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.replay import Evaluation, ReplayProblem, evaluate_model, fit_quality
from dkl_core.surrogate import Surrogate, SurrogateSettings

QUICK = SurrogateSettings(components=4, depth="never", iterations=15)


def evaluated(problem: ReplayProblem, repeat: int = 0, train: int | float = 60) -> Evaluation:
    return evaluate_model(problem, "quick", QUICK, repeat, seed=7, train=train)


@pytest.mark.parametrize("repeat", [0, 3])
def test_the_split_is_that_of_numpys_generator_and_its_first_part_trains(
    problem: ReplayProblem, repeat: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[np.ndarray] = []
    fit = Surrogate.fit

    def seen(self: Surrogate, indices: np.ndarray, values: np.ndarray) -> None:
        learned.append(np.stack([indices, values]))
        fit(self, indices, values)

    monkeypatch.setattr(Surrogate, "fit", seen)
    result = evaluated(problem, repeat)
    order = np.random.default_rng(7 + repeat).permutation(len(problem.truth))
    assert np.array_equal(learned[0], [order[:60], problem.truth[order[:60]]])
    assert np.array_equal(result.truth, problem.truth[order[60:]])


def test_what_is_predicted_was_not_learned_from(problem: ReplayProblem) -> None:
    order = np.random.default_rng(7).permutation(len(problem.truth))
    other = problem.truth.copy()
    other[order[60:]] += 100.0
    first, second = evaluated(problem), evaluated(replace(problem, truth=other))
    assert np.array_equal(first.mean, second.mean)
    assert np.array_equal(first.std, second.std)


def test_the_quality_is_that_of_the_predictions(problem: ReplayProblem) -> None:
    result = evaluated(problem)
    order = np.random.default_rng(7).permutation(len(problem.truth))
    scale = float(problem.truth[order[:60]].std())
    assert result.fit == fit_quality(result.truth, result.mean, result.std, scale)
    assert result.fit.r2 > 0.5
    assert 0.5 < result.fit.coverage90 <= 1


def test_the_predicted_spread_is_that_of_a_measurement(problem: ReplayProblem) -> None:
    noisy = replace(problem, truth=problem.truth + np.random.default_rng(0).normal(size=len(problem.truth)))
    result = evaluated(noisy, train=150)
    assert result.std.min() > 0.5
    assert result.fit.coverage90 == pytest.approx(0.9, abs=0.12)


@pytest.mark.parametrize(("train", "trained"), [(50, 50), (0.25, 49), (0.5, 98)])
def test_the_training_part_is_a_number_or_a_share(problem: ReplayProblem, train: int | float, trained: int) -> None:
    result = evaluated(problem, train=train)
    assert (result.trained, result.tested) == (trained, 195 - trained)
    assert len(result.truth) == len(result.mean) == len(result.std) == result.tested


@pytest.mark.parametrize("train", [0, 0.0, 195, 1.0, 300, -4])
def test_a_split_that_leaves_nothing_to_learn_or_to_predict_is_refused(
    problem: ReplayProblem, train: int | float
) -> None:
    with pytest.raises(InputError, match="of 195 known scalars cannot be the training part"):
        evaluated(problem, train=train)


def test_unknown_scalars_are_neither_learned_nor_predicted(problem: ReplayProblem) -> None:
    truth = problem.truth.copy()
    truth[::3] = np.nan
    result = evaluated(replace(problem, truth=truth))
    assert result.trained + result.tested == 130
    assert np.isfinite(result.truth).all()


def test_an_evaluation_is_repeatable_and_its_repeats_differ(problem: ReplayProblem) -> None:
    first, again, other = evaluated(problem, 1), evaluated(problem, 1), evaluated(problem, 2)
    assert np.array_equal(first.mean, again.mean)
    assert not np.array_equal(first.truth, other.truth)
    assert (first.model, first.repeat, other.repeat) == ("quick", 1, 2)


def test_structure_explains_what_follows_from_the_image(problem: ReplayProblem) -> None:
    assert evaluated(problem, train=120).structure_share > 0.3
