"""What the surrogate is made of, and the priors that hold it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from dkl_core.errors import InputError

Depth = Literal["auto", "always", "never"]
Pretrain = Literal["none", "pca", "autoencoder", "invariant"]
Pretrained = Literal["frozen", "finetuned"]
_MOST_CODES = 64


@dataclass(frozen=True)
class Priors:
    """Normal priors on the logarithms of the hyper-parameters; targets are standardised, features have unit variance.

    Without them a kernel with dozens of length scales fits the noise of a hundred measurements and promises a
    precision it does not have.

    Attributes:
        position_lengthscale: median correlation length over the frame (frame's longer half edge = 1).
        lengthscale_per_root_dim: median length scale of a feature, times the root of half the number of features.
        lengthscale_spread: standard deviation of the log length scales.
        amplitude: median variance of one kernel term.
        amplitude_spread: standard deviation of the log variance.
        noise: median noise variance.
        noise_spread: standard deviation of the log noise variance.
        weight_spread: standard deviation of the network's weights, in units of their initial spread.
    """

    position_lengthscale: float = 0.5
    lengthscale_per_root_dim: float = 2.0
    lengthscale_spread: float = 0.5
    amplitude: float = 0.3
    amplitude_spread: float = 1.5
    noise: float = 0.1
    noise_spread: float = 1.5
    weight_spread: float = 0.7


@dataclass(frozen=True)
class SurrogateSettings:
    """The terms of the kernel and how much depth is allowed.

    Attributes:
        position: whether a kernel on the position is part of the model.
        components: principal components of the patches in the structure kernel; 0 for none.
        invariants: rotation-invariant differential structure of the image at several scales.
        gradients: the oriented derivatives of the image at several scales.
        depth: `auto` lets a network depart from the structure kernel as far as held-out predictions get better;
            `always` uses networks only, `never` none.
        extractor: `mlp` (64-64-2 on the structure features), `patch-mlp` (64-64-2 on raw patches, as published), `conv`
            (convolutional, on raw patches), or `package.module:factory` returning a `torch.nn.Module` that takes
            patches (n, 1, window, window) and gives embeddings (n, d).
        members: networks in the ensemble; each is stopped early by measurements that it does not see.
        folds: share 1 / folds of the measurements is kept from each network; 0 trains on everything (as published).
        iterations: optimiser steps of a first fit.
        warm_iterations: optimiser steps of a refit that starts from the last solution.
        device: `cpu`, `cuda` or `auto`.
        seed: seed of the networks' initial weights and of the subsamples taken.
        priors: see `Priors`.
        fit_limit: most measurements that hyper-parameters and networks are learned from, a random part of them beyond;
            the posterior always knows all.
        pretrain: what is learned from all patches before anything is measured. `none`: nothing beyond the principal
            components among the fixed features; `pca`: principal components as the first layer of a network;
            `autoencoder`: a dense autoencoder; `invariant`: an autoencoder that sets aside turn and shift, with two
            codes, and the turn beside them where neighbouring sites agree about it.
        pretrained: `frozen` makes the codes a term of the kernel and lets the `mlp` see them; `finetuned` puts the
            encoder in the network's place and trains it further, held to its pre-trained weights by their prior.
        codes: numbers that describe a patch after pre-training with `pca` or `autoencoder`.
    """

    position: bool = True
    components: int = 8
    invariants: bool = True
    gradients: bool = True
    depth: Depth = "auto"
    extractor: str = "mlp"
    members: int = 2
    folds: int = 3
    iterations: int = 60
    warm_iterations: int = 3
    device: str = "cpu"
    seed: int = 0
    priors: Priors = Priors()
    fit_limit: int = 600
    pretrain: Pretrain = "none"
    pretrained: Pretrained = "frozen"
    codes: int = 8

    def __post_init__(self) -> None:
        if self.depth not in get_args(Depth):
            raise InputError(f"unknown depth {self.depth!r}; choose one of {', '.join(get_args(Depth))}")
        self._check_pretraining()
        if self.components < 0:
            raise InputError(f"components is {self.components}; give 0 (none) or more principal components")
        if self.members < 1:
            raise InputError(f"members is {self.members}; an ensemble has 1 network or more")
        if self.folds < 0 or self.folds == 1 or (self.folds and self.members > self.folds):
            raise InputError(
                f"folds is {self.folds} with {self.members} members; give 0 (train on everything) or at least 2 and "
                "no fewer than the members, so that each network is judged on measurements it did not see"
            )
        if self.depth == "auto" and self.folds == 0:
            raise InputError("depth 'auto' judges networks on held-out measurements; give folds of 2 or more")
        if self.fit_limit < 1:
            raise InputError(f"fit_limit is {self.fit_limit}; give the number of measurements to learn from, 1 or more")
        if min(self.iterations, self.warm_iterations) < 1:
            raise InputError("iterations and warm_iterations must be 1 or more")
        if self.depth != "always" and not (self.position or self.has_structure):
            raise InputError("the model has no term: switch on position, components, invariants or gradients")

    def _check_pretraining(self) -> None:
        for name, value, known in (
            ("pre-training", self.pretrain, get_args(Pretrain)),
            ("use of what was pre-trained", self.pretrained, get_args(Pretrained)),
        ):
            if value not in known:
                raise InputError(f"unknown {name} {value!r}; choose one of {', '.join(known)}")
        if not 1 <= self.codes <= _MOST_CODES:
            raise InputError(f"codes is {self.codes}; give 1 to {_MOST_CODES} numbers that describe a patch")
        if self.pretrain == "pca" and self.pretrained == "frozen":
            raise InputError(
                "pretrain 'pca' is 'frozen': frozen principal components are part of every model already, as many as "
                "`components` says; choose pretrained 'finetuned'"
            )
        if self.pretrained != "finetuned":
            return
        if self.pretrain == "none":
            raise InputError(
                "pretrained is 'finetuned' with nothing pre-trained; choose pretrain 'pca', 'autoencoder' or "
                "'invariant', or pretrained 'frozen'"
            )
        if self.depth == "never":
            raise InputError("a model of depth 'never' has no network to fine-tune; choose pretrained 'frozen'")
        if self.extractor != "mlp":
            raise InputError(
                f"the pre-trained encoder and the extractor {self.extractor!r} cannot both be the network; "
                "leave extractor at 'mlp', or choose pretrained 'frozen'"
            )

    @property
    def has_codes(self) -> bool:
        """Whether frozen codes of a pre-trained encoder are part of the kernel."""
        return self.pretrain != "none" and self.pretrained == "frozen"

    @property
    def is_finetuned(self) -> bool:
        """Whether the network is a pre-trained encoder."""
        return self.pretrain != "none" and self.pretrained == "finetuned"

    @property
    def has_structure(self) -> bool:
        """Whether any fixed structure feature is part of the kernel."""
        return bool(self.components) or self.invariants or self.gradients or self.has_codes


MODELS: dict[str, SurrogateSettings] = {
    "dkl": SurrogateSettings(),
    "position": SurrogateSettings(components=0, invariants=False, gradients=False, depth="never"),
    "pca": SurrogateSettings(position=False, invariants=False, gradients=False, depth="never"),
    "linear": SurrogateSettings(depth="never"),
    "published": SurrogateSettings(
        position=False,
        components=0,
        invariants=False,
        gradients=False,
        depth="always",
        extractor="patch-mlp",
        members=1,
        folds=0,
        iterations=200,
        priors=replace(Priors(), weight_spread=1.0),
    ),
    "dkl-pca-finetuned": SurrogateSettings(pretrain="pca", pretrained="finetuned"),
    "dkl-autoencoder": SurrogateSettings(pretrain="autoencoder"),
    "dkl-autoencoder-finetuned": SurrogateSettings(pretrain="autoencoder", pretrained="finetuned"),
    "dkl-invariant": SurrogateSettings(pretrain="invariant"),
    "dkl-invariant-finetuned": SurrogateSettings(pretrain="invariant", pretrained="finetuned"),
}
"""Models by name: the product's default, the two baselines of a replay, the default without networks, the published,
and the default with each pre-training."""


def model_settings(name: str) -> SurrogateSettings:
    """The settings of a model by name.

    Raises:
        InputError: unknown name.
    """
    if name not in MODELS:
        raise InputError(f"unknown model {name!r}; choose one of {', '.join(MODELS)}")
    return MODELS[name]
