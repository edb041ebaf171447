"""Negative log posterior of the hyper-parameters, with its gradient in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from dkl_core.surrogate.extractors import set_weights, trainable
from dkl_core.surrogate.hyper import GaussianPrior, Layout
from dkl_core.surrogate.kernel import coordinate_gradient, lengthscale_gradient, scaled_rbf, sum_of
from dkl_core.survey import FloatArray

JITTER = 1e-6
"""Added to the diagonal of every covariance matrix, in units of the target's variance."""


@dataclass(frozen=True)
class TrainingSet:
    """What a model learns from.

    Attributes:
        blocks: unscaled features of each kernel term, each (n, d_q).
        network_input: what the network takes in, (n, …); None without a network.
        target: standardised scalars (n,).
        extra_noise: known noise variance of each measurement in standardised units (n,).
    """

    blocks: list[Tensor]
    network_input: Tensor | None
    target: Tensor
    extra_noise: Tensor


class LogPosterior:
    """Minus (log marginal likelihood + log prior) of a training set; Rasmussen and Williams (2006), eq. 5.8 and 5.9."""

    def __init__(self, layout: Layout, prior: GaussianPrior, data: TrainingSet, network: nn.Module | None) -> None:
        self._layout = layout
        self._prior = prior
        self._data = data
        self._network = network

    def __call__(self, vector: FloatArray) -> tuple[float, FloatArray]:
        """Value and gradient; infinite where the covariance matrix cannot be factorised."""
        penalty, slope = self._prior.penalty(vector)
        value, gradient = self._likelihood(vector)
        if not math.isfinite(value):
            return 1e10, np.zeros_like(vector)
        return value + penalty, gradient + slope

    def _likelihood(self, vector: FloatArray) -> tuple[float, FloatArray]:
        layout, data = self._layout, self._data
        coordinates = [
            block / torch.as_tensor(scale, device=block.device)
            for block, scale in zip(data.blocks, layout.lengthscales(vector), strict=True)
        ]
        embedded = self._embed(layout.network_weights(vector))
        if embedded is not None:
            coordinates.append(embedded.detach())
        amplitudes = torch.as_tensor(layout.amplitudes(vector), device=data.target.device)
        terms = [scaled_rbf(u, u, a) for u, a in zip(coordinates, amplitudes, strict=True)]
        covariance = sum_of(terms)
        noise = layout.noise_variance(vector)
        covariance.diagonal().add_(data.extra_noise + (noise + JITTER))
        factor, failed = torch.linalg.cholesky_ex(covariance)
        if int(failed):
            return math.inf, np.zeros_like(vector)
        inverse = torch.cholesky_inverse(factor)
        alpha = inverse @ data.target
        value = 0.5 * data.target @ alpha + factor.diagonal().log().sum()
        value = value + 0.5 * len(alpha) * math.log(2 * math.pi)
        slope = 0.5 * (inverse - torch.outer(alpha, alpha))
        return float(value), self._gradient(slope, terms, coordinates, noise, embedded)

    def _gradient(
        self, slope: Tensor, terms: list[Tensor], coordinates: list[Tensor], noise: float, embedded: Tensor | None
    ) -> FloatArray:
        weighted = [slope * term for term in terms]
        fixed = len(self._data.blocks)
        scales = [lengthscale_gradient(w, u) for w, u in zip(weighted[:fixed], coordinates[:fixed], strict=True)]
        amplitudes = torch.stack([w.sum() for w in weighted])
        parts = [*scales, amplitudes, (slope.diagonal().sum() * noise)[None]]
        if embedded is not None:
            parts.append(self._weight_gradient(embedded, coordinate_gradient(weighted[-1], coordinates[-1])))
        gradient: FloatArray = torch.cat(parts).cpu().numpy()
        return gradient

    def _embed(self, weights: FloatArray) -> Tensor | None:
        if self._network is None:
            return None
        set_weights(self._network, weights)
        embedded: Tensor = self._network(self._data.network_input)
        return embedded

    def _weight_gradient(self, embedded: Tensor, upstream: Tensor) -> Tensor:
        assert self._network is not None
        gradients = torch.autograd.grad(
            embedded, trainable(self._network), grad_outputs=upstream, allow_unused=True, materialize_grads=True
        )
        return torch.cat([gradient.reshape(-1) for gradient in gradients])
