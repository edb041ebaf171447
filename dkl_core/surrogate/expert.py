"""One Gaussian process of the mixture: how it is trained and what it becomes over all sites."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dkl_core.patches import Patches
from dkl_core.surrogate.extractors import extractor_of, get_weights, set_weights, weight_prior
from dkl_core.surrogate.features import Block, Features, patch_batches
from dkl_core.surrogate.hyper import GaussianPrior, Layout, prior_of, start_vector
from dkl_core.surrogate.kernel import AdditiveKernel
from dkl_core.surrogate.objective import JITTER, LogPosterior, TrainingSet
from dkl_core.surrogate.posterior import SitePosterior
from dkl_core.surrogate.settings import SurrogateSettings
from dkl_core.survey import FloatArray

_CHECK_EVERY = 3
_PATIENCE = 3
_NETWORK_CHUNK = 16384


@dataclass(frozen=True)
class Observations:
    """Measured sites and their standardised scalars.

    Attributes:
        indices: sites (n,).
        target: standardised scalars (n,).
        extra_noise: known noise variances in standardised units (n,).
    """

    indices: Tensor
    target: Tensor
    extra_noise: Tensor

    def part(self, keep: NDArray[np.bool_]) -> Observations:
        """Only some of them."""
        chosen = torch.as_tensor(np.flatnonzero(keep), device=self.indices.device)
        return Observations(self.indices[chosen], self.target[chosen], self.extra_noise[chosen])


class Bench:
    """The features of all sites on the device, and the patches for networks that want pixels."""

    def __init__(self, features: Features, patches: Patches, settings: SurrogateSettings, device: torch.device) -> None:
        self.features = features
        self.patches = patches
        self.settings = settings
        self.device = device
        self.table = torch.as_tensor(features.table, device=device)

    def columns(self, block: Block, rows: Tensor | slice = slice(None)) -> Tensor:
        """The features of one kernel term at some sites."""
        return self.table[rows, block.columns]

    def network_input(self, takes: str, rows: Tensor) -> Tensor:
        """What a network takes in at some sites."""
        if takes == "features":
            return self.table[rows, self.features.network_columns]
        patches = self.patches.take(rows.cpu().numpy())[:, None]
        return torch.as_tensor(patches, device=self.device, dtype=torch.float64)

    def embed_all(self, takes: str, network: nn.Module) -> Tensor:
        """The embedding of every site, shape (M, d), computed in chunks."""
        with torch.no_grad():
            if takes == "features":
                inputs = self.table[:, self.features.network_columns]
                parts = range(0, len(inputs), _NETWORK_CHUNK)
                return torch.cat([network(inputs[start : start + _NETWORK_CHUNK]) for start in parts])
            return torch.cat(
                [
                    network(torch.as_tensor(chunk, device=self.device, dtype=torch.float64))
                    for _, chunk in patch_batches(self.patches, 2048)
                ]
            )


class Expert:
    """A Gaussian process with an additive kernel, with or without a network as its last term.

    Args:
        bench: features of all sites.
        blocks: terms on fixed features.
        network_seed: seed of the network's initial weights; None for no network.
    """

    def __init__(self, bench: Bench, blocks: tuple[Block, ...], network_seed: int | None = None) -> None:
        self.bench = bench
        self.network: nn.Module | None = None
        self.takes = "features"
        weights = spread = mean = np.empty(0)
        if network_seed is not None:
            extractor = extractor_of(bench.settings.extractor)
            self.takes = extractor.takes
            columns = bench.features.network_columns
            size = columns.stop - columns.start if extractor.takes == "features" else bench.patches.window
            self.network = extractor.network(size, network_seed, bench.device)
            weights = get_weights(self.network)
            mean, spread = weight_prior(self.network)
        self.layout = Layout(blocks, len(weights))
        self.prior: GaussianPrior = prior_of(self.layout, bench.settings.priors, mean, spread)
        self.vector = start_vector(self.layout, self.prior, weights)

    def train(self, data: Observations, iterations: int, judge: Observations | None = None) -> None:
        """Move the hyper-parameters uphill from where they are.

        Args:
            data: what to learn from.
            iterations: optimiser steps at most.
            judge: held-out measurements; the solution that predicts them best is kept and training stops when they
                are no longer predicted better. None trains to the end.
        """
        from scipy.optimize import minimize

        objective = LogPosterior(self.layout, self.prior, self._training_set(data), self.network)
        watch = None if judge is None else _EarlyStopping(lambda v: self.score(v, data, judge), self.vector)
        result = minimize(
            objective,
            self.vector,
            jac=True,
            method="L-BFGS-B",
            callback=watch,
            options={"maxiter": iterations, "ftol": 1e-6, "maxcor": 10},
        )
        self.vector = result.x if watch is None else watch.best_vector

    def score(self, vector: FloatArray, data: Observations, judge: Observations) -> float:
        """Mean log predictive density of held-out measurements, nats per measurement."""
        mean, variance = self.predict_held_out(vector, data, judge)
        return float(log_density(judge.target, mean, variance).mean())

    def predict_held_out(self, vector: FloatArray, data: Observations, judge: Observations) -> tuple[Tensor, Tensor]:
        """Mean and variance (noise included) of held-out measurements, without touching the other sites."""
        rows = torch.cat([data.indices, judge.indices])
        kernel = self.kernel(vector, rows)
        noise = self.layout.noise_variance(vector) + JITTER
        posterior = SitePosterior(kernel, noise)
        posterior.condition(torch.arange(len(data.indices), device=rows.device), data.target, data.extra_noise)
        mean, variance = posterior.mean[len(data.indices) :], posterior.variance[len(data.indices) :]
        return mean, variance + noise + judge.extra_noise

    def posterior(self, data: Observations) -> SitePosterior:
        """The posterior over all sites for the present hyper-parameters."""
        posterior = SitePosterior(self.kernel(self.vector), self.noise + JITTER)
        posterior.condition(data.indices, data.target, data.extra_noise)
        return posterior

    @property
    def noise(self) -> float:
        """Noise variance in standardised units."""
        return self.layout.noise_variance(self.vector)

    def kernel(self, vector: FloatArray, rows: Tensor | None = None) -> AdditiveKernel:
        """The kernel over all sites, or over some."""
        device = self.bench.device
        chosen: Tensor | slice = slice(None) if rows is None else rows
        coordinates = [
            self.bench.columns(block, chosen) / torch.as_tensor(scale, device=device)
            for block, scale in zip(self.layout.blocks, self.layout.lengthscales(vector), strict=True)
        ]
        structural = [block.structural for block in self.layout.blocks]
        if self.network is not None:
            set_weights(self.network, self.layout.network_weights(vector))
            coordinates.append(self._embedding(rows))
            structural.append(True)
        amplitudes = torch.as_tensor(self.layout.amplitudes(vector), device=device)
        return AdditiveKernel(tuple(coordinates), amplitudes, tuple(structural))

    def _embedding(self, rows: Tensor | None) -> Tensor:
        assert self.network is not None
        if rows is None:
            return self.bench.embed_all(self.takes, self.network)
        with torch.no_grad():
            embedded: Tensor = self.network(self.bench.network_input(self.takes, rows))
        return embedded

    def _training_set(self, data: Observations) -> TrainingSet:
        blocks = [self.bench.columns(block, data.indices) for block in self.layout.blocks]
        inputs = self.bench.network_input(self.takes, data.indices) if self.network is not None else None
        return TrainingSet(blocks, inputs, data.target, data.extra_noise)


def log_density(target: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Log density of normal predictions, nats, shape of the target."""
    return -0.5 * (torch.log(2 * math.pi * variance) + (target - mean) ** 2 / variance)


class _EarlyStopping:
    """Remembers the solution that predicts held-out measurements best; stops when it gets no better."""

    def __init__(self, score: Callable[[FloatArray], float], start: FloatArray) -> None:
        self._score = score
        self._steps = 0
        self._worse = 0
        self.best_vector = start.copy()
        self.best_score = score(start)

    def __call__(self, vector: FloatArray) -> None:
        self._steps += 1
        if self._steps % _CHECK_EVERY:
            return
        score = self._score(vector)
        if score > self.best_score:
            self.best_score, self.best_vector, self._worse = score, vector.copy(), 0
            return
        self._worse += 1
        if self._worse >= _PATIENCE:
            raise StopIteration
