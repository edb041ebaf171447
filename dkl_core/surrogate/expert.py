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
from dkl_core.surrogate.extractors import (
    Extractor,
    Takes,
    extractor_of,
    get_weights,
    pretrained_extractor,
    set_weights,
    weight_prior,
)
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
_PICTURE_CHUNK = 2048


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


@dataclass(frozen=True)
class HeldOut:
    """Predictions of measurements that were not learned from.

    Attributes:
        mean: predicted means (k,), standardised units.
        log_density: log predictive densities of what was measured (k,), nats.
    """

    mean: FloatArray
    log_density: FloatArray

    @classmethod
    def of(cls, target: Tensor, mean: Tensor, variance: Tensor) -> HeldOut:
        """Judge normal predictions."""
        density = -0.5 * (torch.log(2 * math.pi * variance) + (target - mean) ** 2 / variance)
        return cls(mean.cpu().numpy(), density.cpu().numpy())


class Bench:
    """The features of all sites on the device, and the patches for networks that want pixels."""

    def __init__(self, features: Features, patches: Patches, settings: SurrogateSettings, device: torch.device) -> None:
        self.features = features
        self.patches = patches
        self.settings = settings
        self.device = device
        self.table = torch.as_tensor(features.table, device=device)
        # One contiguous copy per term, shared by all experts: a row of the kernel then reads only what it needs.
        self._blocks = {block.name: self.table[:, block.columns].contiguous() for block in features.blocks}

    def columns(self, block: Block, rows: Tensor | slice = slice(None)) -> Tensor:
        """The features of one kernel term at some sites."""
        return self._blocks[block.name][rows]

    def extractor(self) -> Extractor:
        """What makes the networks."""
        if self.features.pretrained is not None and self.settings.is_finetuned:
            return pretrained_extractor(self.features.pretrained)
        return extractor_of(self.settings.extractor)

    def input_size(self, takes: Takes) -> int:
        """Number of features, or edge of the patches or pictures in px."""
        if takes == "features":
            columns = self.features.network_columns
            return int(columns.stop - columns.start)
        if takes == "pictures":
            assert self.features.pretrained is not None
            return self.features.pretrained.side
        return self.patches.window

    def network_input(self, takes: Takes, rows: Tensor) -> Tensor:
        """What a network takes in at some sites."""
        if takes == "features":
            return self.table[rows, self.features.network_columns]
        if takes == "pictures":
            assert self.features.pretrained is not None
            return self.features.pretrained.inputs(rows.cpu().numpy()).to(self.device)
        patches = self.patches.take(rows.cpu().numpy())[:, None]
        return torch.as_tensor(patches, device=self.device, dtype=torch.float64)

    def embed_all(self, takes: Takes, network: nn.Module) -> Tensor:
        """The embedding of every site, shape (M, d), computed in chunks."""
        with torch.no_grad():
            if takes == "features":
                inputs = self.table[:, self.features.network_columns]
                parts = range(0, len(inputs), _NETWORK_CHUNK)
                return torch.cat([network(inputs[start : start + _NETWORK_CHUNK]) for start in parts])
            if takes == "pictures":
                rows = torch.arange(len(self.patches))
                starts = range(0, len(rows), _PICTURE_CHUNK)
                return torch.cat([network(self.network_input(takes, rows[at : at + _PICTURE_CHUNK])) for at in starts])
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
        self.takes: Takes = "features"
        weights = spread = mean = np.empty(0)
        if network_seed is not None:
            extractor = bench.extractor()
            self.takes = extractor.takes
            self.network = extractor.network(bench.input_size(extractor.takes), network_seed, bench.device)
            weights = get_weights(self.network)
            mean, spread = weight_prior(self.network)
        self.layout = Layout(blocks, len(weights))
        self.prior: GaussianPrior = prior_of(self.layout, bench.settings.priors, mean, spread)
        self.vector = start_vector(self.layout, self.prior, weights)

    def train(self, data: Observations, iterations: int) -> None:
        """Move the hyper-parameters uphill from where they are.

        Args:
            data: what to learn from.
            iterations: optimiser steps at most.
        """
        self.vector = self._optimised(data, iterations, None)

    def train_until_worse(self, data: Observations, iterations: int, judge: Observations) -> HeldOut:
        """Train, but keep the solution that predicts held-out measurements best, and stop when none is better.

        Args:
            data: what to learn from.
            iterations: optimiser steps at most.
            judge: held-out measurements.

        Returns:
            Predictions of the held-out measurements, each by the solution that was best for the others' sake: those of
            one half are made by the solution that predicts the other half best, so that choosing the solution does not
            flatter it.
        """
        watch = _EarlyStopping(lambda vector: self.predict_held_out(vector, data, judge), judge.target)
        watch.look(self.vector)
        self._optimised(data, iterations, watch)
        self.vector = watch.best_vector
        return watch.honest()

    def _optimised(self, data: Observations, iterations: int, watch: _EarlyStopping | None) -> FloatArray:
        objective = LogPosterior(self.layout, self.prior, self._training_set(data), self.network)
        point = torch.as_tensor(self.vector).clone()

        def closure() -> float:
            value, gradient = objective(point.numpy())
            point.grad = torch.as_tensor(gradient)
            return value

        stride = iterations if watch is None else min(_CHECK_EVERY, iterations)
        optimiser = torch.optim.LBFGS(
            [point],
            max_iter=stride,
            max_eval=3 * stride,
            history_size=10,
            tolerance_grad=1e-4,
            tolerance_change=1e-6,
            line_search_fn="strong_wolfe",
        )
        for _ in range(0, iterations, stride):
            optimiser.step(closure)  # type: ignore[no-untyped-call]
            if watch is not None and not watch.look(point.numpy()):
                break
        solution: FloatArray = point.numpy()
        return solution

    def predict_held_out(self, vector: FloatArray, data: Observations, judge: Observations) -> HeldOut:
        """Predictions of held-out measurements, without touching the other sites."""
        rows = torch.cat([data.indices, judge.indices])
        kernel = self.kernel(vector, rows)
        noise = self.layout.noise_variance(vector) + JITTER
        posterior = SitePosterior(kernel, noise)
        posterior.condition(torch.arange(len(data.indices), device=rows.device), data.target, data.extra_noise)
        mean, variance = posterior.mean[len(data.indices) :], posterior.variance[len(data.indices) :]
        return HeldOut.of(judge.target, mean, variance + noise + judge.extra_noise)

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
        scales = [torch.as_tensor(scale, device=device) for scale in self.layout.lengthscales(vector)]
        coordinates = [self.bench.columns(block, chosen) for block in self.layout.blocks]
        structural = [block.structural for block in self.layout.blocks]
        names = [block.name for block in self.layout.blocks]
        if self.network is not None:
            set_weights(self.network, self.layout.network_weights(vector))
            coordinates.append(self._embedding(rows))
            scales.append(torch.ones_like(coordinates[-1][0]))
            structural.append(True)
            names.append("network")
        amplitudes = torch.as_tensor(self.layout.amplitudes(vector), device=device)
        return AdditiveKernel(tuple(coordinates), amplitudes, tuple(structural), tuple(names), tuple(scales))

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


class _EarlyStopping:
    """Looks at held-out measurements every few steps; stops when they are no longer predicted better."""

    def __init__(self, predict: Callable[[FloatArray], HeldOut], target: Tensor) -> None:
        self._predict = predict
        self._half = np.arange(len(target)) % 2 == 0
        self._worse = 0
        self._seen: list[HeldOut] = []
        self._scores: list[float] = []
        self.best_vector: FloatArray = np.empty(0)

    def look(self, vector: FloatArray) -> bool:
        """Judge a solution; whether it is worth going on."""
        seen = self._predict(vector)
        score = float(seen.log_density.mean())
        better = not self._scores or score > max(self._scores)
        self._worse = 0 if better else self._worse + 1
        if better:
            self.best_vector = vector.copy()
        self._seen.append(seen)
        self._scores.append(score)
        return self._worse < _PATIENCE

    def honest(self) -> HeldOut:
        """Each half as predicted by the solution that is best for the other half."""
        mean, density = np.empty(len(self._half)), np.empty(len(self._half))
        for half in (self._half, ~self._half):
            scores = [float(seen.log_density[~half].mean()) for seen in self._seen]
            chosen = self._seen[int(np.argmax(scores))]
            mean[half], density[half] = chosen.mean[half], chosen.log_density[half]
        return HeldOut(mean, density)
