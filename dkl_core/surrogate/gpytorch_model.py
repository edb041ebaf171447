"""A fitted surrogate's Gaussian processes as GPyTorch models, for GPyTorch's and BoTorch's tools."""

from __future__ import annotations

from dataclasses import dataclass

import gpytorch
import torch
from gpytorch.constraints import Positive
from gpytorch.distributions import MultivariateNormal
from gpytorch.kernels import AdditiveKernel, Kernel, RBFKernel, ScaleKernel
from gpytorch.likelihoods import FixedNoiseGaussianLikelihood, GaussianLikelihood, Likelihood
from torch import Tensor

from dkl_core.errors import InputError
from dkl_core.surrogate.model import Surrogate
from dkl_core.surrogate.objective import JITTER
from dkl_core.surrogate.posterior import SitePosterior
from dkl_core.surrogate.prediction import Scale

_NO_NOISE_OF_ITS_OWN = 1e-12


class SurrogateGP(gpytorch.models.ExactGP):  # type: ignore[misc]
    """Mean zero, and a sum of scaled squared-exponential kernels on blocks of the input's columns.

    Args:
        inputs: measured sites (n, D).
        target: standardised scalars (n,).
        likelihood: noise.
        kernel: covariance of the noise-free scalar.
    """

    def __init__(self, inputs: Tensor, target: Tensor, likelihood: Likelihood, kernel: Kernel) -> None:
        super().__init__(inputs, target, likelihood)
        self.mean_module = gpytorch.means.ZeroMean()
        self.covar_module = kernel

    def forward(self, x: Tensor) -> MultivariateNormal:
        """Prior of sites (..., n, D)."""
        return MultivariateNormal(self.mean_module(x), self.covar_module(x))


@dataclass(frozen=True)
class GPyTorchExpert:
    """One Gaussian process of a surrogate, in float64 and in evaluation mode.

    `model(inputs[sites])` predicts the noise-free standardised scalar, `likelihood(model(inputs[sites]))` a new
    measurement of it; `scale.offset + scale.factor * mean` is in the scalar's units.

    Attributes:
        model: the Gaussian process with its training data.
        likelihood: its noise, that of each measurement included.
        inputs: all sites (M, D): position, structure features and embedding, in the order of `terms`.
        terms: what the summands of `model.covar_module` look at, in order.
        weight: share of this Gaussian process in the surrogate's mixture.
        scale: from standardised units to those of the scalar.
    """

    model: SurrogateGP
    likelihood: Likelihood
    inputs: Tensor
    terms: tuple[str, ...]
    weight: float
    scale: Scale


def to_gpytorch(surrogate: Surrogate, expert: int = 0, model_class: type[SurrogateGP] = SurrogateGP) -> GPyTorchExpert:
    """One Gaussian process of a fitted surrogate as a GPyTorch model; a network's embedding becomes a fixed input.

    Args:
        surrogate: a fitted surrogate.
        expert: which of `surrogate.posteriors`.
        model_class: for BoTorch, `class Model(GPyTorchModel, SurrogateGP): _num_outputs = 1` with GPyTorchModel of
            `botorch.models.gpytorch`.

    Returns:
        The model, which shares no memory with the surrogate: training it changes only the copy.

    Raises:
        InputError: nothing fitted yet, or no such expert.
    """
    posteriors = surrogate.posteriors
    if not 0 <= expert < len(posteriors):
        raise InputError(f"expert {expert} does not exist; the surrogate has {len(posteriors)} after its last fit")
    weight, posterior = posteriors[expert]
    kernel = posterior.kernel
    inputs = torch.cat(kernel.coordinates, dim=1)
    likelihood = _likelihood(posterior)
    model = model_class(inputs[posterior.indices], posterior.target, likelihood, _kernel(posterior))
    model = model.to(inputs).eval()
    return GPyTorchExpert(model, likelihood.eval(), inputs, kernel.names, weight, surrogate.scale)


def _kernel(posterior: SitePosterior) -> Kernel:
    terms, start = [], 0
    kernel = posterior.kernel
    for scale, amplitude in zip(kernel.lengthscales, kernel.amplitudes, strict=True):
        columns = tuple(range(start, start + len(scale)))
        start += len(scale)
        term = ScaleKernel(RBFKernel(ard_num_dims=len(columns), active_dims=columns)).to(scale)
        term.base_kernel.lengthscale = scale
        term.outputscale = amplitude
        terms.append(term)
    return AdditiveKernel(*terms)


def _likelihood(posterior: SitePosterior) -> Likelihood:
    """Homoscedastic where it can be, as GPyTorch knows the noise of new sites then without being told."""
    common = posterior.target.new_tensor(posterior.noise + posterior.jitter)
    own = posterior.noise_variance - common
    if bool((own < _NO_NOISE_OF_ITS_OWN).all()):
        likelihood = GaussianLikelihood(noise_constraint=Positive()).to(common)
        likelihood.noise = common
        return likelihood
    # GPyTorch allows no fixed noise below 1e-6, which is JITTER: so that part of the common noise stays there.
    likelihood = FixedNoiseGaussianLikelihood(
        own.clamp(min=0.0) + JITTER, learn_additional_noise=True, noise_constraint=Positive()
    ).to(common)
    likelihood.second_noise = (common - JITTER).clamp(min=_NO_NOISE_OF_ITS_OWN)
    return likelihood
