"""Hyper-parameters of an additive kernel: packing, priors, start values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dkl_core.surrogate.features import Block
from dkl_core.surrogate.settings import Priors
from dkl_core.survey import FloatArray


@dataclass(frozen=True)
class Layout:
    """Where each hyper-parameter stands in the optimiser's vector.

    The order is: log length scales of every block, log amplitudes of every term (the network's last), log noise
    variance, the network's weights.

    Attributes:
        blocks: kernel terms on fixed features.
        weights: number of network weights; 0 without a network.
    """

    blocks: tuple[Block, ...]
    weights: int = 0

    @property
    def terms(self) -> int:
        """Number of kernel terms, the network's included."""
        return len(self.blocks) + (self.weights > 0)

    @property
    def scales(self) -> int:
        """Number of length scales."""
        return sum(block.width for block in self.blocks)

    @property
    def noise(self) -> int:
        """Position of the log noise variance."""
        return self.scales + self.terms

    @property
    def size(self) -> int:
        """Length of the vector."""
        return self.noise + 1 + self.weights

    def lengthscales(self, vector: FloatArray) -> list[FloatArray]:
        """Length scales of each block."""
        edges = np.cumsum([block.width for block in self.blocks])[:-1]
        return [np.exp(part) for part in np.split(vector[: self.scales], edges)] if self.blocks else []

    def amplitudes(self, vector: FloatArray) -> FloatArray:
        """Variances of the terms, shape (Q,)."""
        return np.exp(vector[self.scales : self.noise])

    def noise_variance(self, vector: FloatArray) -> float:
        """Noise variance in standardised units."""
        return float(np.exp(vector[self.noise]))

    def network_weights(self, vector: FloatArray) -> FloatArray:
        """The network's weights, shape (weights,)."""
        return vector[self.noise + 1 :]


@dataclass(frozen=True)
class GaussianPrior:
    """Independent normal priors on the optimiser's vector."""

    mean: FloatArray
    spread: FloatArray

    def penalty(self, vector: FloatArray) -> tuple[float, FloatArray]:
        """Negative log density up to a constant, and its gradient."""
        scaled = (vector - self.mean) / self.spread
        return 0.5 * float(scaled @ scaled), scaled / self.spread


def prior_of(layout: Layout, priors: Priors, initial: FloatArray, spread: FloatArray) -> GaussianPrior:
    """The priors of `Priors` laid out for one model; a network's weights are held to their initial values' scale.

    Args:
        layout: the model's hyper-parameters.
        priors: medians and spreads.
        initial: prior means of the network's weights, shape (weights,).
        spread: their initial standard deviations, shape (weights,).
    """
    scales = [np.full(block.width, np.log(_median_scale(block, priors))) for block in layout.blocks]
    mean = [*scales, np.full(layout.terms, np.log(priors.amplitude)), np.array([np.log(priors.noise)]), initial]
    width = [
        np.full(layout.scales, priors.lengthscale_spread),
        np.full(layout.terms, priors.amplitude_spread),
        np.array([priors.noise_spread]),
        spread * priors.weight_spread,
    ]
    return GaussianPrior(np.concatenate(mean), np.concatenate(width))


def start_vector(layout: Layout, prior: GaussianPrior, weights: FloatArray) -> FloatArray:
    """A first guess: the prior medians, equal amplitudes that add up to one, a network that hardly counts yet."""
    vector = prior.mean.copy()
    vector[layout.scales : layout.noise] = np.log(1 / layout.terms)
    if layout.weights:
        if layout.terms > 1:
            vector[layout.noise - 1] = np.log(0.1)
        vector[layout.noise + 1 :] = weights
    vector[layout.noise] = np.log(0.2)
    return vector


def _median_scale(block: Block, priors: Priors) -> float:
    if block.structural:
        return float(priors.lengthscale_per_root_dim * np.sqrt(block.width / 2))
    return priors.position_lengthscale
