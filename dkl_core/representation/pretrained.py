"""What can be learned of a survey image's patches before anything is measured: an encoder and its codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dkl_core.errors import InputError
from dkl_core.patches import Patches
from dkl_core.representation.autoencoder import AutoencoderSettings, trained_autoencoder
from dkl_core.representation.rvae import (
    LATENT,
    SIDE,
    InvariantAutoencoder,
    InvariantSettings,
    as_pictures,
    disc,
    moved,
    scale_of,
    trained,
)
from dkl_core.survey import FloatArray

Kind = Literal["pca", "autoencoder", "invariant"]
Progress = Callable[[float], None]

_SAMPLE = {"pca": 4000, "autoencoder": 4000, "invariant": 1500}
_EPOCHS = 15
_CHUNK = 2048
_ORDERS = (1, 2, 3, 4, 6)
_TELLING = 0.6
_ENCODING = 0.3
"""Share of the time of an invariant autoencoder that goes into encoding all sites rather than training."""


@dataclass(frozen=True, eq=False)
class Pretrained:
    """An encoder that was trained on patches alone, and what it makes of every site.

    Attributes:
        kind: how it was trained.
        patches: the sites and their patches.
        encoder: takes pictures (n, 1, side, side), gives codes (n, L) that are white over the patches it learned from;
            float64.
        scale: mean and standard deviation of the pictures' pixels before they were brought to 0 and 1.
        turns: by how much each site's picture is turned before it is encoded, radians (M,); None if it is not.
        symmetry: order m under which the turns of neighbouring sites agree; 0 if under none.
    """

    kind: Kind
    patches: Patches
    encoder: nn.Sequential
    scale: tuple[float, float]
    turns: FloatArray | None = None
    symmetry: int = 0

    @property
    def side(self) -> int:
        """Edge of the pictures in px."""
        return min(self.patches.window, SIDE)

    @property
    def width(self) -> int:
        """Number of codes that the encoder gives, L."""
        last = self.encoder[-1]
        assert isinstance(last, nn.Linear)
        return last.out_features

    def inputs(self, rows: NDArray[np.int64]) -> Tensor:
        """What the encoder takes in at some sites, (n, 1, side, side), float64."""
        pictures = as_pictures(self.patches.take(rows), self.scale)
        if self.turns is not None:
            upright = moved(pictures, -torch.as_tensor(self.turns[rows], dtype=torch.float32))
            pictures = upright * disc(self.side)
        return pictures.double()[:, None]

    def codes(self) -> FloatArray:
        """Codes of all sites, (M, L).

        Where it means something, that is, where neighbouring sites agree about it, cosine and sine of each picture's
        turn (times the symmetry) stand behind them.
        """
        with torch.no_grad():
            encoded = [self.encoder(self.inputs(rows)).numpy() for rows in _chunks(len(self.patches))]
        columns = [np.concatenate(encoded)]
        if self.turns is not None and self.symmetry:
            columns += [np.cos(self.symmetry * self.turns)[:, None], np.sin(self.symmetry * self.turns)[:, None]]
        return np.concatenate(columns, axis=1)

    def network(self) -> nn.Sequential:
        """A copy of the encoder in float32, to be trained further."""
        return deepcopy(self.encoder).float()


def pretrained(kind: Kind, patches: Patches, codes: int, seed: int, progress: Progress | None = None) -> Pretrained:
    """Learn an encoder from a random sample of the patches, without a measurement.

    The result is the same for the same patches and seed on the same machine, as long as torch works on one thread.

    Args:
        kind: `pca`, `autoencoder` or `invariant` (two codes beside angle and shift).
        patches: the sites and their patches.
        codes: how many numbers describe a patch, at most; of no meaning for `invariant`.
        seed: of the sample and of the training.
        progress: called with the share that is done; what it raises ends the training.

    Raises:
        InputError: an unknown kind.
    """
    if kind not in _SAMPLE:
        raise InputError(f"unknown pre-training {kind!r}; choose one of {', '.join(_SAMPLE)}")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(patches))[: _SAMPLE[kind]])
    bare = as_pictures(patches.take(chosen), (0.0, 1.0))
    scale = scale_of(bare) if len(bare) > 1 else (float(bare.mean()), 1.0)
    pictures = (bare - scale[0]) / scale[1]
    match kind:
        case "pca":
            return Pretrained(kind, patches, _principal(pictures, codes), scale)
        case "autoencoder":
            settings = AutoencoderSettings(codes=codes, seed=seed)
            model = trained_autoencoder(pictures, settings, progress)
            return Pretrained(kind, patches, _whitened(model.encoder, pictures[:, None]), scale)
    return _invariant(patches, pictures, scale, seed, progress)


def _principal(pictures: Tensor, codes: int) -> nn.Sequential:
    """Whitened principal components as a linear network."""
    flat = pictures.double().flatten(1)
    _, _, axes = torch.linalg.svd(flat - flat.mean(0), full_matrices=False)
    axes = axes[:codes]
    # The sign that a decomposition gives an axis is arbitrary.
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
    linear = _linear(axes * torch.where(largest < 0, -1.0, 1.0), torch.zeros(len(axes)))
    return _whitened(nn.Sequential(nn.Flatten(), linear), pictures[:, None])


def _invariant(
    patches: Patches, pictures: Tensor, scale: tuple[float, float], seed: int, progress: Progress | None
) -> Pretrained:
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress((1 - _ENCODING) * done / _EPOCHS)

    model = trained(pictures, InvariantSettings(epochs=_EPOCHS, starts=1, seed=seed), seed, one_more)
    turns = np.empty(len(patches))
    for rows in _chunks(len(patches)):
        encoded = model.encode(as_pictures(patches.take(rows), scale))
        turns[rows] = encoded.angle
        if progress is not None:
            progress(1 - _ENCODING + _ENCODING * float(rows[-1] + 1) / len(patches))
    encoder = _latent_of(model)
    start = Pretrained("invariant", patches, encoder, scale, turns, _symmetry(patches, turns))
    sample = np.sort(np.random.default_rng(seed).permutation(len(patches))[: _SAMPLE["invariant"]])
    return Pretrained("invariant", patches, _whitened(encoder, start.inputs(sample)), scale, turns, start.symmetry)


def _latent_of(model: InvariantAutoencoder) -> nn.Sequential:
    """The encoder of an invariant autoencoder without what it says of spread, turn and shift."""
    *layers, last = list(deepcopy(model.encoder).children())
    assert isinstance(last, nn.Linear)
    return nn.Sequential(*layers, _linear(last.weight[:LATENT], last.bias[:LATENT]))


def _whitened(encoder: nn.Sequential, inputs: Tensor) -> nn.Sequential:
    """The encoder in float64 with its last layer changed so that its codes of the inputs are white."""
    encoder = deepcopy(encoder).double()
    last = encoder[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        codes = encoder(inputs.double())
        mean = codes.mean(0)
        variance, axes = torch.linalg.eigh((codes - mean).T @ (codes - mean) / len(codes))
        # The strongest first; at least one stays, so that there is something to take in where all windows look alike.
        kept = variance.flip(0) > max(1e-9 * float(variance[-1]), 1e-20)
        kept[0] = True
        turned = axes.flip(1)[:, kept] / variance.flip(0)[kept].clamp(min=1e-20).sqrt().where(variance[-1] > 1e-20, 1.0)
        white = _linear(turned.T @ last.weight, turned.T @ (last.bias - mean))
    return nn.Sequential(*list(encoder.children())[:-1], white).double().eval()


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A layer of given weights; one that draws its own would disturb other threads' random numbers."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], device="meta", dtype=weight.dtype).to_empty(device="cpu")
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer


def _symmetry(patches: Patches, turns: FloatArray) -> int:
    """The lowest order under which the turns of sites and their nearest neighbours agree; 0 if under none."""
    from scipy.spatial import cKDTree

    places = patches.sites.positions
    if len(places) < 2:
        return 0
    _, nearest = cKDTree(places).query(places, k=2)
    difference = turns - turns[nearest[:, 1]]
    agreement = {order: abs(np.exp(1j * order * difference).mean()) for order in _ORDERS}
    return next((order for order in _ORDERS if agreement[order] >= _TELLING), 0)


def _chunks(count: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, count, _CHUNK):
        yield np.arange(start, min(start + _CHUNK, count))
