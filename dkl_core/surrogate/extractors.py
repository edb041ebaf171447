"""Networks that embed a site: on its structure features or on its raw patch; the user's own module."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from dkl_core.errors import InputError
from dkl_core.representation.pretrained import Pretrained
from dkl_core.survey import FloatArray

ModuleFactory = Callable[[int], nn.Module]
Takes = Literal["features", "patches", "pictures"]
_HIDDEN = (64, 64)
_EMBEDDING = 2
# How far pre-trained weights may move, as a share of their own size; in few trials little hung on it.
_HELD = 0.4


class ScaledLinear(nn.Module):
    """Linear map whose weights have unit variance; the scale 1 / sqrt(inputs) stands outside.

    All weights of a network then share one prior (neural tangent parametrisation, Jacot et al. 2018).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs))
        self.bias = nn.Parameter(torch.randn(outputs))
        self.scale = 1 / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs) to (n, outputs)."""
        return x @ self.weight * self.scale + 0.3 * self.bias


class Scale(nn.Module):
    """Multiply by a constant, so that activations keep unit variance from layer to layer."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Scaled input, same shape."""
        return x * self.factor


def mlp(inputs: int, activation: type[nn.Module] = nn.Tanh, gain: float = 1.3) -> nn.Module:
    """The perceptron 64-64-2 on a vector of features."""
    layers: list[nn.Module] = [nn.Flatten()]
    for width in _HIDDEN:
        layers += [ScaledLinear(inputs, width), activation(), Scale(gain)]
        inputs = width
    return nn.Sequential(*layers, ScaledLinear(inputs, _EMBEDDING))


def patch_mlp(window: int) -> nn.Module:
    """The published network: 64-64-2 with ReLU on the raw patch (Narasimha et al. 2024)."""
    return mlp(window * window, nn.ReLU, math.sqrt(2))


def conv(window: int) -> nn.Module:
    """Two convolutions with pooling, averaged to 32 numbers, then 64-2."""
    size = min(window, 8)
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(size) if window > 24 else nn.Identity(),
        nn.Conv2d(1, 8, 3, padding=1),
        nn.Tanh(),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(min(window, 4)),
        nn.Flatten(),
        nn.LazyLinear(64),
        nn.Tanh(),
        nn.Linear(64, _EMBEDDING),
    )


@dataclass(frozen=True)
class Extractor:
    """Makes networks and says what they take in.

    Attributes:
        name: as the user gave it.
        takes: `features` (n, D), `patches` (n, 1, window, window), or `pictures` (n, 1, side, side) as a pre-trained
            encoder does.
        build: network for an input width (features) or a window (patches).
    """

    name: str
    takes: Takes
    build: ModuleFactory

    def network(self, size: int, seed: int, device: torch.device) -> nn.Module:
        """A freshly seeded network in float64.

        It works in evaluation mode, so that the embedding of a site depends on this site alone: batch normalisation
        keeps the statistics it comes with, and dropout does nothing.

        Raises:
            InputError: the user's module does not turn patches into embeddings (n, d), or has nothing to train.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = self._built(size)
            probe = torch.randn((2, size) if self.takes == "features" else (2, 1, size, size))
            # In float32 first, so that layers which find their size from the input get the usual initial weights.
            self._embedded(module, probe)
            module = module.double()
            self._check(module, self._embedded(module, probe.double()), probe)
        return module.to(device)

    def _built(self, size: int) -> nn.Module:
        try:
            module = self.build(size)
        except Exception as error:  # a user's factory may raise anything
            raise InputError(f"extractor {self.name!r} failed to make a network for {size}: {error!r}") from error
        if not isinstance(module, nn.Module):
            raise InputError(
                f"extractor {self.name!r} made a {type(module).__name__}; it must return a torch.nn.Module"
            )
        return module.eval()

    def _embedded(self, module: nn.Module, probe: Tensor) -> object:
        try:
            embedded: object = module(probe)
        except Exception as error:  # so may a user's module
            shape = tuple(probe.shape)
            raise InputError(
                f"extractor {self.name!r} failed on patches {shape} of {probe.dtype}: {error!r}; "
                "it must take (n, 1, window, window)"
            ) from error
        return embedded

    def _check(self, module: nn.Module, embedded: object, probe: Tensor) -> None:
        if not isinstance(embedded, Tensor) or embedded.ndim != 2 or len(embedded) != len(probe):
            made = tuple(embedded.shape) if isinstance(embedded, Tensor) else type(embedded).__name__
            raise InputError(
                f"extractor {self.name!r} turned patches {tuple(probe.shape)} into {made}; return embeddings (n, d)"
            )
        if embedded.dtype != torch.float64:
            raise InputError(
                f"extractor {self.name!r} turned float64 patches into {embedded.dtype}; keep the input's type"
            )
        if not (trainable(module) and embedded.requires_grad):
            raise InputError(f"extractor {self.name!r} has no parameter to train; leave requires_grad on for some")


def extractor_of(name: str) -> Extractor:
    """An extractor by name or as `package.module:factory`, where factory(window) returns a `torch.nn.Module`.

    Raises:
        InputError: unknown name, or a factory that cannot be imported.
    """
    match name:
        case "mlp":
            return Extractor(name, "features", mlp)
        case "patch-mlp":
            return Extractor(name, "patches", patch_mlp)
        case "conv":
            return Extractor(name, "patches", conv)
    module_name, _, attribute = name.partition(":")
    if not (module_name and attribute):
        raise InputError(f"unknown extractor {name!r}; choose mlp, patch-mlp, conv or package.module:factory")
    try:
        factory = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # a user's module may raise anything when it is imported
        raise InputError(f"extractor {name!r} cannot be imported: {error!r}") from error
    if not callable(factory):
        raise InputError(f"extractor {name!r} is a {type(factory).__name__}; give a function of the window")
    return Extractor(name, "patches", factory)


class Finetuned(nn.Module):
    """A pre-trained encoder and the perceptron 64-64-2 on its codes.

    Args:
        encoder: pictures to codes (n, codes).
        codes: their number.
    """

    def __init__(self, encoder: nn.Module, codes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = mlp(codes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Embedding (n, 2) of pictures (n, 1, side, side)."""
        embedded: Tensor = self.head(self.encoder(pictures))
        return embedded


def pretrained_extractor(pretrained: Pretrained) -> Extractor:
    """The networks that begin as a pre-trained encoder."""

    def build(_: int) -> nn.Module:
        return Finetuned(pretrained.network(), pretrained.width)

    return Extractor(f"pre-trained {pretrained.kind}", "pictures", build)


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """The parameters that may change; a user's module may hold frozen ones."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def get_weights(module: nn.Module) -> FloatArray:
    """The network's trainable parameters as one vector."""
    vector: FloatArray = parameters_to_vector(trainable(module)).detach().cpu().numpy().astype(np.float64)
    return vector


def set_weights(module: nn.Module, weights: FloatArray) -> None:
    """Put a vector of parameters back into the network."""
    parameters = trainable(module)
    first = parameters[0]
    vector_to_parameters(torch.as_tensor(weights, dtype=first.dtype, device=first.device), parameters)


def weight_prior(module: nn.Module) -> tuple[FloatArray, FloatArray]:
    """Prior mean and spread of each parameter; the spread follows the scale at which its tensor was initialised.

    The mean is zero, but for what was pre-trained: that is held to the weights it was trained to.
    """
    held = {id(parameter) for parameter in module.encoder.parameters()} if isinstance(module, Finetuned) else set()
    means, spreads = [], []
    for parameter in trainable(module):
        values = parameter.detach().double()
        scale = max(float(values.square().mean().sqrt()), 1e-3)
        is_held = id(parameter) in held
        means.append(values.cpu().numpy().reshape(-1) if is_held else np.zeros(values.numel()))
        spreads.append(np.full(values.numel(), scale * _HELD if is_held else scale))
    return np.concatenate(means), np.concatenate(spreads)
