from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from dkl_core.errors import InputError
from dkl_core.surrogate import MODELS, Surrogate
from dkl_core.surrogate.kernel import AdditiveKernel
from dkl_core.surrogate.posterior import SitePosterior
from dkl_core.surrogate.sampling import pathwise_sample

DRAWS = 1500
SITES = 60


@pytest.fixture(scope="module")
def posterior(kernel: Callable[..., AdditiveKernel]) -> SitePosterior:
    """Twenty measurements, the second half of them with much noise of their own."""
    rng = np.random.default_rng(3)
    extra = np.where(np.arange(20) < 10, 0.0, 2.0)
    posterior = SitePosterior(kernel(SITES), 0.05)
    indices = torch.as_tensor(rng.permutation(SITES)[:20])
    posterior.condition(indices, torch.as_tensor(rng.standard_normal(20)), torch.as_tensor(extra))
    return posterior


@pytest.fixture(scope="module")
def draws(posterior: SitePosterior) -> np.ndarray:
    """Samples at all sites, shape (draws, sites)."""
    rng = np.random.default_rng(0)
    return np.stack([pathwise_sample(posterior, rng).numpy() for _ in range(DRAWS)])


def test_the_mean_of_many_samples_is_the_posterior_mean(posterior: SitePosterior, draws: np.ndarray) -> None:
    deviation = (draws.mean(axis=0) - posterior.mean.numpy()) / np.sqrt(posterior.variance.numpy() / DRAWS)
    assert np.abs(deviation).max() < 4.5
    assert np.sqrt((deviation**2).mean()) < 1.4


def test_the_variance_of_many_samples_is_the_posterior_variance(posterior: SitePosterior, draws: np.ndarray) -> None:
    ratio = draws.var(axis=0) / posterior.variance.numpy()
    assert ratio == pytest.approx(np.ones(SITES), abs=5 * np.sqrt(2 / DRAWS))
    assert ratio.mean() == pytest.approx(1, abs=0.04)


def test_samples_at_two_sites_go_together_as_the_posterior_says(posterior: SitePosterior, draws: np.ndarray) -> None:
    prior = posterior.kernel.between(torch.arange(SITES), slice(None))
    cross = torch.linalg.solve_triangular(posterior.factor, prior[posterior.indices], upper=False)
    covariance = (prior - cross.T @ cross).numpy()
    assert np.abs(np.cov(draws.T) - covariance).max() < 0.12 * covariance.diagonal().max()


def test_the_same_random_state_draws_the_same_sample(posterior: SitePosterior) -> None:
    first, again = (pathwise_sample(posterior, np.random.default_rng(9)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, pathwise_sample(posterior, np.random.default_rng(10)))


def test_a_surrogate_draws_in_the_units_of_the_scalar(fitted: Callable[..., Surrogate]) -> None:
    surrogate = fitted(MODELS["linear"])
    rng = np.random.default_rng(0)
    draws = np.stack([surrogate.sample(rng) for _ in range(150)])
    believed = surrogate.predict()
    deviation = (draws.mean(axis=0) - believed.mean) / (believed.std / np.sqrt(150))
    assert np.sqrt((deviation**2).mean()) < 1.4
    assert (draws.std(axis=0) / believed.std).mean() == pytest.approx(1, abs=0.03)


def test_experts_are_drawn_by_their_weight(fitted: Callable[..., Surrogate]) -> None:
    surrogate = fitted(MODELS["linear"])
    (_, known), *_ = surrogate.posteriors
    unknowing = SitePosterior(known.kernel, known.noise)
    unknowing.condition(known.indices[:1], known.target[:1] + 1e6, torch.zeros(1).double())
    surrogate._posteriors = [(0.75, known), (0.25, unknowing)]
    rng = np.random.default_rng(0)
    far = [np.abs(surrogate.sample(rng)).max() > 1e4 for _ in range(150)]
    assert np.mean(far) == pytest.approx(0.25, abs=0.12)


def test_there_is_nothing_to_draw_from_before_a_fit(problem: Any) -> None:
    with pytest.raises(InputError, match="call fit"):
        Surrogate(problem.patches, MODELS["position"]).sample(np.random.default_rng(0))
