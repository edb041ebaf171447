from dataclasses import dataclass

import gpytorch
import numpy as np
import pytest
import torch
from torch import Tensor

from dkl_core.surrogate import Priors
from dkl_core.surrogate.extractors import get_weights, mlp, set_weights
from dkl_core.surrogate.features import Block
from dkl_core.surrogate.hyper import GaussianPrior, Layout, prior_of, start_vector
from dkl_core.surrogate.objective import JITTER, LogPosterior, TrainingSet
from dkl_core.survey import FloatArray

BLOCKS = (Block("position", slice(0, 2), structural=False), Block("components", slice(2, 5), structural=True))
SITES = 25


@dataclass(frozen=True)
class Case:
    layout: Layout
    prior: GaussianPrior
    data: TrainingSet
    network: torch.nn.Module | None
    vector: FloatArray

    @property
    def objective(self) -> LogPosterior:
        return LogPosterior(self.layout, self.prior, self.data, self.network)

    @property
    def likelihood_only(self) -> LogPosterior:
        endless = GaussianPrior(self.prior.mean, np.full_like(self.prior.mean, 1e100))
        return LogPosterior(self.layout, endless, self.data, self.network)


def case_of(*, network: bool, seed: int = 0) -> Case:
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    embedding = mlp(3).double() if network else None
    weights = np.empty(0) if embedding is None else get_weights(embedding)
    layout = Layout(BLOCKS, len(weights))
    prior = prior_of(layout, Priors(), np.zeros_like(weights), np.ones_like(weights))
    vector = start_vector(layout, prior, weights)
    vector[: layout.noise + 1] += 0.4 * rng.standard_normal(layout.noise + 1)
    table = torch.as_tensor(rng.standard_normal((SITES, 5)))
    target = torch.as_tensor(rng.standard_normal(SITES))
    extra = torch.as_tensor(rng.uniform(0, 0.3, SITES))
    data = TrainingSet([table[:, :2], table[:, 2:]], table[:, 2:] if network else None, target, extra)
    return Case(layout, prior, data, embedding, vector)


class Reference(gpytorch.models.ExactGP):
    """The same model, written with GPyTorch's own parts."""

    def __init__(self, case: Case) -> None:
        noise = gpytorch.likelihoods.FixedNoiseGaussianLikelihood(
            case.data.extra_noise + JITTER,
            learn_additional_noise=True,
            noise_constraint=gpytorch.constraints.Positive(),
        )
        super().__init__(torch.cat(case.data.blocks, dim=1), case.data.target, noise.double())
        self.mean_module = gpytorch.means.ZeroMean()
        rbf = gpytorch.kernels.RBFKernel
        kernels = [rbf(ard_num_dims=2, active_dims=(0, 1)), rbf(ard_num_dims=3, active_dims=(2, 3, 4))]
        if case.network is not None:
            kernels.append(rbf(active_dims=(5, 6)))
        self.kernels = torch.nn.ModuleList([gpytorch.kernels.ScaleKernel(kernel) for kernel in kernels])
        self.double()
        self.network = case.network
        for kernel, amplitude in zip(self.kernels, case.layout.amplitudes(case.vector), strict=True):
            kernel.outputscale = torch.tensor(amplitude)
            kernel.base_kernel.lengthscale = 1.0
        for kernel, scale in zip(self.kernels, case.layout.lengthscales(case.vector), strict=False):
            kernel.base_kernel.lengthscale = torch.as_tensor(scale)
        self.likelihood.second_noise = torch.tensor(case.layout.noise_variance(case.vector), dtype=torch.float64)

    def forward(self, x: Tensor) -> gpytorch.distributions.MultivariateNormal:
        if self.network is not None:
            x = torch.cat([x, self.network(x[:, 2:5])], dim=1)
        covariance = sum(kernel(x).to_dense() for kernel in self.kernels)
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), covariance)

    def negative_log_likelihood(self) -> Tensor:
        self.train()
        inputs = self.train_inputs[0]
        exact = gpytorch.mlls.ExactMarginalLogLikelihood(self.likelihood, self)
        with gpytorch.settings.fast_computations(log_prob=False):
            return -exact(self(inputs), self.train_targets) * SITES

    def gradient(self) -> FloatArray:
        """With respect to the vector of logarithms: GPyTorch's own parameters are inverse softplus of the values."""
        self.negative_log_likelihood().backward()
        scales = [kernel.base_kernel.raw_lengthscale for kernel in self.kernels[: len(BLOCKS)]]
        amplitudes = [kernel.raw_outputscale for kernel in self.kernels]
        raw = [*scales, *amplitudes, self.likelihood.second_noise_covar.raw_noise]
        softplus = torch.nn.functional.softplus
        parts = [(p.grad * softplus(p) / torch.sigmoid(p)).detach().reshape(-1) for p in raw]
        if self.network is not None:
            parts += [p.grad.reshape(-1) for p in self.network.parameters()]
        return torch.cat(parts).numpy()


@pytest.mark.parametrize("network", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_log_marginal_likelihood_is_that_of_gpytorch(network: bool, seed: int) -> None:
    case = case_of(network=network, seed=seed)
    value, _ = case.likelihood_only(case.vector)
    with torch.no_grad():
        assert value == pytest.approx(float(Reference(case).negative_log_likelihood()), rel=1e-10, abs=1e-8)


@pytest.mark.parametrize("network", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_its_gradient_is_that_of_gpytorch(network: bool, seed: int) -> None:
    case = case_of(network=network, seed=seed)
    _, gradient = case.likelihood_only(case.vector)
    assert len(gradient) == case.layout.size
    assert gradient == pytest.approx(Reference(case).gradient(), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("network", [False, True])
def test_the_gradient_with_priors_is_the_slope_of_the_value(network: bool) -> None:
    case = case_of(network=network)
    direction = np.random.default_rng(1).standard_normal(case.layout.size)
    direction /= np.linalg.norm(direction)
    _, gradient = case.objective(case.vector)
    step = 1e-5 * direction
    slope = (case.objective(case.vector + step)[0] - case.objective(case.vector - step)[0]) / 2e-5
    assert slope == pytest.approx(float(gradient @ direction), rel=1e-6)


def test_the_prior_adds_a_normal_log_density() -> None:
    case = case_of(network=True)
    other = case.vector + 0.1
    normal = torch.distributions.Normal(torch.as_tensor(case.prior.mean), torch.as_tensor(case.prior.spread))

    def prior_part(vector: FloatArray) -> float:
        return case.objective(vector)[0] - case.likelihood_only(vector)[0]

    expected = normal.log_prob(torch.as_tensor(case.vector)).sum() - normal.log_prob(torch.as_tensor(other)).sum()
    assert prior_part(other) - prior_part(case.vector) == pytest.approx(float(expected), rel=1e-9)


def test_a_covariance_that_cannot_be_factorised_is_a_wall_and_no_crash() -> None:
    case = case_of(network=False)
    vector = case.vector.copy()
    vector[: case.layout.scales] = 50.0
    vector[case.layout.scales] = 600.0
    value, gradient = case.objective(vector)
    assert value == 1e10
    assert np.array_equal(gradient, np.zeros_like(vector))


def test_weights_of_a_network_go_out_and_come_back_unchanged() -> None:
    network = mlp(3).double()
    weights = np.random.default_rng(0).standard_normal(get_weights(network).shape)
    set_weights(network, weights)
    assert np.array_equal(get_weights(network), weights)


def test_the_layout_finds_every_hyper_parameter() -> None:
    layout = Layout(BLOCKS, weights=4)
    vector = np.log(np.arange(1.0, layout.size + 1))
    assert [list(np.round(scale)) for scale in layout.lengthscales(vector)] == [[1, 2], [3, 4, 5]]
    assert list(np.round(layout.amplitudes(vector))) == [6, 7, 8]
    assert layout.noise_variance(vector) == pytest.approx(9)
    assert np.array_equal(layout.network_weights(vector), vector[9:])


def test_without_a_network_there_are_no_weights() -> None:
    assert Layout(BLOCKS).size == 5 + 2 + 1
    assert len(Layout(BLOCKS).network_weights(np.zeros(8))) == 0
