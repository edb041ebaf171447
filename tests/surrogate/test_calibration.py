from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dkl_core.surrogate import MODELS, Priors, Surrogate, SurrogateSettings

MEASURED = 100
NO_PRIORS = Priors(lengthscale_spread=10, amplitude_spread=10, noise_spread=10, weight_spread=100)
PUBLISHED = replace(MODELS["published"], iterations=60)
Problems = list[Any]


def posed_by(posed: Callable[..., Any], signal: float, noise: float) -> Problems:
    problems = []
    for seed in range(3):
        image = gaussian_filter(np.random.default_rng(seed).standard_normal((96, 96)), 1.5)
        image /= image.std()
        problem = posed(image, np.tanh(image), noise=0.0, window=8)
        draw = np.random.default_rng(100 + seed).standard_normal(len(problem.truth))
        problems.append(replace(problem, truth=signal * problem.truth + noise * draw))
    return problems


@pytest.fixture(scope="module")
def pure_noise(posed: Callable[..., Any]) -> Problems:
    """Three images whose scalar has nothing to do with them."""
    return posed_by(posed, signal=0, noise=1)


@pytest.fixture(scope="module")
def clear_signal(posed: Callable[..., Any]) -> Problems:
    """Three images whose scalar follows from them, with a tenth of noise."""
    return posed_by(posed, signal=1, noise=0.1)


def held_out(problems: Problems, settings: SurrogateSettings) -> tuple[float, float]:
    """Share of the new measurements inside the 90 % interval, and R^2, over all problems."""
    inside, residual, total = [], 0.0, 0.0
    for problem in problems:
        surrogate = Surrogate(problem.patches, settings)
        surrogate.fit(*problem.measured(MEASURED))
        rest = problem.order[MEASURED:]
        believed = surrogate.predict()
        error = problem.truth[rest] - believed.mean[rest]
        inside.append(np.abs(error) < 1.645 * believed.measurement_std[rest])
        residual += float((error**2).sum())
        total += float(((problem.truth[rest] - problem.truth[rest].mean()) ** 2).sum())
    return float(np.concatenate(inside).mean()), 1 - residual / total


@pytest.mark.parametrize("model", ["dkl", "linear", "pca", "position"])
def test_priors_keep_the_intervals_honest_on_pure_noise(pure_noise: Problems, model: str) -> None:
    coverage, r2 = held_out(pure_noise, MODELS[model])
    assert 0.85 < coverage < 0.97
    assert r2 > -0.2


def test_so_they_do_for_the_published_network(pure_noise: Problems) -> None:
    coverage, r2 = held_out(pure_noise, PUBLISHED)
    assert 0.85 < coverage < 0.97
    assert r2 > -0.2


def test_without_priors_the_published_network_fits_the_noise_and_is_sure_of_it(pure_noise: Problems) -> None:
    coverage, r2 = held_out(pure_noise, replace(PUBLISHED, priors=NO_PRIORS))
    assert coverage < 0.5
    assert r2 < -0.5


@pytest.mark.parametrize("model", ["dkl", "linear", "pca"])
def test_intervals_are_honest_where_there_is_a_signal_to_find(clear_signal: Problems, model: str) -> None:
    coverage, r2 = held_out(clear_signal, MODELS[model])
    assert 0.8 < coverage < 0.97
    assert r2 > 0.8


def test_the_noise_is_told_from_the_signal(clear_signal: Problems, pure_noise: Problems) -> None:
    for problems, expected in ((clear_signal, 0.1), (pure_noise, 1.0)):
        surrogate = Surrogate(problems[0].patches, MODELS["linear"])
        surrogate.fit(*problems[0].measured(MEASURED))
        assert surrogate.predict().noise_std == pytest.approx(expected, rel=0.5)
