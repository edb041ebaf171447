from collections.abc import Callable
from typing import Any

import gpytorch
import numpy as np
import pytest
import torch

from dkl_core.errors import InputError
from dkl_core.surrogate import MODELS, GPyTorchExpert, Surrogate, SurrogateGP, SurrogateSettings, to_gpytorch
from dkl_core.surrogate.objective import LogPosterior

Fitted = Callable[..., Surrogate]
DEEP = SurrogateSettings(depth="always", iterations=10)
SETTINGS = [MODELS["linear"], MODELS["pca"], DEEP]


def with_known_noise(surrogate: Surrogate, problem: Any, count: int = 40) -> Surrogate:
    noise = np.random.default_rng(0).uniform(0, 0.5, count)
    noise[::3] = np.nan
    surrogate.fit(*problem.measured(count), noise)
    return surrogate


def predicted(expert: GPyTorchExpert) -> tuple[np.ndarray, np.ndarray]:
    with torch.no_grad():
        believed = expert.model(expert.inputs)
        return believed.mean.numpy(), believed.variance.numpy()


@pytest.mark.parametrize("settings", SETTINGS)
def test_mean_and_variance_at_all_sites_agree(fitted: Fitted, settings: SurrogateSettings) -> None:
    surrogate = fitted(settings)
    for at, (weight, posterior) in enumerate(surrogate.posteriors):
        expert = to_gpytorch(surrogate, at)
        mean, variance = predicted(expert)
        assert expert.weight == weight
        assert np.abs(mean - posterior.mean.numpy()).max() < 1e-8
        assert np.abs(variance - posterior.variance.numpy()).max() < 1e-8


def test_they_agree_after_updates_and_with_known_noise(problem: Any) -> None:
    surrogate = with_known_noise(Surrogate(problem.patches, MODELS["linear"]), problem)
    surrogate.update(3, 1.5, 0.4)
    surrogate.update(4, 1.0)
    mean, variance = predicted(to_gpytorch(surrogate))
    (_, posterior), *_ = surrogate.posteriors
    assert np.abs(mean - posterior.mean.numpy()).max() < 1e-8
    assert np.abs(variance - posterior.variance.numpy()).max() < 1e-8


def test_in_the_units_of_the_scalar_it_is_what_the_surrogate_predicts(fitted: Fitted) -> None:
    surrogate = fitted(MODELS["linear"])
    expert = to_gpytorch(surrogate)
    mean, variance = predicted(expert)
    believed = surrogate.predict()
    assert expert.scale.offset + expert.scale.factor * mean == pytest.approx(believed.mean, abs=1e-8)
    assert expert.scale.factor * np.sqrt(variance) == pytest.approx(believed.std, abs=1e-7)


@pytest.mark.parametrize("known_noise", [False, True])
def test_the_likelihood_adds_the_noise_of_a_new_measurement(problem: Any, known_noise: bool) -> None:
    surrogate = Surrogate(problem.patches, MODELS["linear"])
    surrogate.fit(*problem.measured(40)) if not known_noise else with_known_noise(surrogate, problem)
    expert = to_gpytorch(surrogate)
    with torch.no_grad():
        believed = expert.model(expert.inputs)
        added = (expert.likelihood(believed).variance - believed.variance).numpy()
    assert np.sqrt(added) * expert.scale.factor == pytest.approx(np.full(289, surrogate.predict().noise_std), rel=1e-4)


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_marginal_likelihood_of_the_solution_agrees(fitted: Fitted, problem: Any, settings: Any) -> None:
    surrogate = fitted(settings)
    _, expert = surrogate._mixture.experts[0]
    data = surrogate._observed(*problem.measured(40), np.zeros(40))
    ours = LogPosterior(expert.layout, expert.prior, expert._training_set(data), expert.network)
    value, _ = ours._likelihood(expert.vector)
    exported = to_gpytorch(surrogate)
    exported.model.train()
    exact = gpytorch.mlls.ExactMarginalLogLikelihood(exported.likelihood, exported.model)
    with torch.no_grad(), gpytorch.settings.fast_computations(log_prob=False):
        theirs = -40 * float(exact(exported.model(*exported.model.train_inputs), exported.model.train_targets))
    assert value == pytest.approx(theirs, abs=1e-8)


def test_each_term_has_its_name_its_columns_and_its_length_scales(fitted: Fitted) -> None:
    surrogate = fitted(DEEP)
    expert = to_gpytorch(surrogate)
    assert expert.terms == ("position", "components", "invariants", "gradients", "network")
    kernels = expert.model.covar_module.kernels
    (_, posterior), *_ = surrogate.posteriors
    lengths = [tuple(kernel.base_kernel.lengthscale[0].tolist()) for kernel in kernels]
    assert [len(length) for length in lengths[:2]] == [2, 8]
    assert lengths[-1] == pytest.approx((1, 1))
    for length, scale in zip(lengths, posterior.kernel.lengthscales, strict=True):
        assert length == pytest.approx(tuple(scale.tolist()))
    amplitudes = [kernel.outputscale.item() for kernel in kernels]
    assert amplitudes == pytest.approx(posterior.kernel.amplitudes.tolist())
    columns = torch.cat([kernel.base_kernel.active_dims for kernel in kernels]).tolist()
    assert columns == list(range(expert.inputs.shape[1]))


def test_everything_is_float64(fitted: Fitted) -> None:
    expert = to_gpytorch(fitted(MODELS["linear"]))
    tensors = [expert.inputs, *expert.model.train_inputs, expert.model.train_targets, *expert.model.parameters()]
    assert {tensor.dtype for tensor in tensors} == {torch.float64}


def test_training_the_copy_leaves_the_surrogate_alone(fitted: Fitted) -> None:
    surrogate = fitted(MODELS["linear"])
    before = surrogate.predict()
    expert = to_gpytorch(surrogate)
    with torch.no_grad():
        for tensor in (expert.inputs, *expert.model.train_inputs, expert.model.train_targets):
            tensor.fill_(0.0)
        for parameter in expert.model.parameters():
            parameter.fill_(0.0)
    surrogate._prediction = None
    assert np.array_equal(surrogate.predict().mean, before.mean)
    surrogate.fit(surrogate.posteriors[0][1].indices.numpy(), np.ones(40))
    assert surrogate.predict().mean == pytest.approx(np.ones(289), abs=1e-6)


def test_the_copy_can_be_trained_further(fitted: Fitted) -> None:
    expert = to_gpytorch(fitted(MODELS["pca"]))
    expert.model.train()
    exact = gpytorch.mlls.ExactMarginalLogLikelihood(expert.likelihood, expert.model)
    optimiser = torch.optim.Adam(expert.model.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = -exact(expert.model(*expert.model.train_inputs), expert.model.train_targets)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_botorch_ranks_sites_with_it(fitted: Fitted) -> None:
    botorch = pytest.importorskip("botorch")

    class Model(botorch.models.gpytorch.GPyTorchModel, SurrogateGP):
        _num_outputs = 1

    surrogate = fitted(MODELS["linear"])
    expert = to_gpytorch(surrogate, model_class=Model)
    best = expert.model.train_targets.max()
    improvement = botorch.acquisition.LogExpectedImprovement(expert.model, best_f=best)
    with torch.no_grad():
        theirs = improvement(expert.inputs[:, None]).exp().numpy()
    (_, posterior), *_ = surrogate.posteriors
    std = posterior.variance.sqrt()
    z = (posterior.mean - best) / std
    normal = torch.distributions.Normal(0.0, 1.0)
    ours = std * (normal.log_prob(z).exp() + z * normal.cdf(z))
    assert theirs == pytest.approx(ours.numpy(), abs=1e-8)


@pytest.mark.parametrize("expert", [-1, 1])
def test_an_expert_that_does_not_exist_is_refused(fitted: Fitted, expert: int) -> None:
    with pytest.raises(InputError, match=f"expert {expert} does not exist; the surrogate has 1"):
        to_gpytorch(fitted(MODELS["pca"]), expert)


def test_there_is_nothing_to_export_before_a_fit(problem: Any) -> None:
    with pytest.raises(InputError, match="the surrogate has 0"):
        to_gpytorch(Surrogate(problem.patches, MODELS["pca"]))
