"""An autoencoder that sets aside how a window is turned and shifted, and keeps two numbers for what is in it.

A variational autoencoder with a spatial transformer between decoder and picture, as spatial-VAE (Bepler et al. 2019)
and the rVAE of Ziatdinov et al. (2021). Those infer the angle by a network and often get stuck in a wrong one. Here the
angle is searched: every window is tried turned by each of some angles, and the encoder only refines the best (as
classes are averaged in cryo-electron microscopy; compare Nasiri and Bepler 2022).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from dkl_core.errors import InputError
from dkl_core.survey import FloatArray

LATENT = 2
SIDE = 20
"""Pictures are brought to this edge at most, px."""

_HIDDEN = 96
_CHUNK = 256
_ENCODED = 2 * LATENT + 3


@dataclass(frozen=True)
class InvariantSettings:
    """How the autoencoder is trained.

    Attributes:
        epochs: passes over the windows.
        angles: how many turns are tried for each window.
        shift: largest shift that is set aside, as a share of the window's edge.
        batch: windows in a step.
        rate: step size of Adam.
        starts: how often it begins anew.
        seed: of the first start.
    """

    epochs: int = 25
    angles: int = 16
    shift: float = 0.1
    batch: int = 64
    rate: float = 2e-3
    starts: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.angles, self.batch, self.starts) < 1:
            raise InputError("epochs, angles, batch and starts must be 1 or more")
        if not 0 <= self.shift < 0.5:
            raise InputError(f"shift is {self.shift}; give a share of the window's edge, 0 to below 0.5")


@dataclass(frozen=True, eq=False)
class Encoded:
    """What the autoencoder makes of windows.

    Attributes:
        latent: the two numbers (n, 2).
        angle: how the window is turned against the decoder's picture, radians, -π to π (n,).
        loss: negative evidence bound of each window, nats, up to a constant (n,).
        residual: mean squared difference of window and reconstruction (n,).
    """

    latent: FloatArray
    angle: FloatArray
    loss: FloatArray
    residual: FloatArray


class InvariantAutoencoder(nn.Module):
    """The network of one start.

    Args:
        side: edge of the pictures in px.
        settings: how it is trained.
    """

    variance: Tensor
    mask: Tensor
    turns: Tensor

    def __init__(self, side: int, settings: InvariantSettings) -> None:
        super().__init__()
        self.side, self.settings = side, settings
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(side**2, _HIDDEN), nn.Tanh(), nn.Linear(_HIDDEN, _HIDDEN), nn.Tanh(),
            nn.Linear(_HIDDEN, _ENCODED),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, _HIDDEN), nn.Tanh(), nn.Linear(_HIDDEN, _HIDDEN), nn.Tanh(), nn.Linear(_HIDDEN, side**2)
        )
        self.register_buffer("variance", torch.ones(()))
        self.register_buffer("mask", disc(side))
        self.register_buffer("turns", torch.arange(settings.angles) * (2 * math.pi / settings.angles))

    def bound(self, pictures: Tensor, draw: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Loss (n,), latent means (n, 2), small turns (n,) and residuals (n,) of pictures (n, side, side).

        Args:
            pictures: what is explained.
            draw: draws the latent values from their distributions; without it they are their means.
        """
        encoded = self.encoder(pictures * self.mask)
        mean, log_variance = encoded[:, :LATENT], encoded[:, LATENT : 2 * LATENT].clamp(-8, 4)
        small = torch.tanh(encoded[:, -3]) * (1.2 * math.pi / self.settings.angles)
        shift = torch.tanh(encoded[:, -2:]) * (2 * self.settings.shift)
        latent = mean
        if draw is not None:
            latent = mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=draw)
        canonical = self.decoder(latent).view(-1, self.side, self.side)
        square = (moved(canonical, small, shift) - pictures) ** 2 * self.mask
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)
        loss = 0.5 * square.sum(dim=(1, 2)) / self.variance + divergence
        return loss, mean, small, square.sum(dim=(1, 2)) / self.mask.sum()

    def best_turns(self, pictures: Tensor) -> Tensor:
        """Which of the turns explains each picture (n, side, side) best, (n,)."""
        with torch.no_grad():
            turned = moved(pictures.repeat(len(self.turns), 1, 1), -self.turns.repeat_interleave(len(pictures)))
            losses = self.bound(turned)[0]
        return losses.view(len(self.turns), -1).argmin(dim=0)

    def encode(self, pictures: Tensor) -> Encoded:
        """Turn, latent and loss of pictures (n, side, side)."""
        parts = []
        with torch.no_grad():
            for chunk in parts_of(pictures, _CHUNK):
                turn = self.turns[self.best_turns(chunk)]
                loss, latent, small, residual = self.bound(moved(chunk, -turn))
                angle = torch.remainder(turn + small + math.pi, 2 * math.pi) - math.pi
                parts.append([latent, angle, loss, residual])
        columns = [torch.cat(column).double().numpy() for column in zip(*parts, strict=True)]
        return Encoded(*columns)

    def decode(self, latent: FloatArray) -> FloatArray:
        """The pictures (n, side, side) of latent values (n, 2), neither turned nor shifted."""
        with torch.no_grad():
            pictures = self.decoder(torch.as_tensor(latent, dtype=torch.float32)).view(-1, self.side, self.side)
        decoded: FloatArray = (pictures * self.mask).double().numpy()
        return decoded


def trained(
    pictures: Tensor, settings: InvariantSettings, seed: int, progress: Callable[[], None] | None = None
) -> InvariantAutoencoder:
    """One start.

    Args:
        pictures: (n, side, side), of mean 0 and variance 1.
        settings: how to train.
        seed: of the start.
        progress: called after each epoch; what it raises ends the training.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = InvariantAutoencoder(pictures.shape[-1], settings)
        # A generator of its own from here on: other threads may draw from torch's while this runs.
        draw = torch.Generator()
        draw.set_state(torch.get_rng_state())
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.rate)
    for epoch in range(settings.epochs):
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * 0.5 * (1 + math.cos(math.pi * epoch / settings.epochs)) + 1e-5
        _epoch(model, optimiser, pictures, draw)
        if progress is not None:
            progress()
    return model


def moved(pictures: Tensor, angle: Tensor, shift: Tensor | None = None) -> Tensor:
    """Pictures (n, s, s) turned by angles (n,) in radians from rows towards columns' negative, then shifted.

    Args:
        pictures: what is turned, zero beyond the edge.
        angle: positive turns counter-clockwise as displayed with row 0 at the top.
        shift: (n, 2) as (columns, rows) in half edges.
    """
    cosine, sine = torch.cos(angle), torch.sin(angle)
    offset = torch.zeros(len(pictures), 2) if shift is None else shift
    # The grid says where each pixel of the result is taken from: the inverse of the turn.
    matrix = torch.stack([cosine, -sine, -offset[:, 0], sine, cosine, -offset[:, 1]], dim=1).view(-1, 2, 3)
    grid = functional.affine_grid(matrix, [len(pictures), 1, *pictures.shape[1:]], align_corners=False)
    return functional.grid_sample(pictures[:, None], grid, align_corners=False)[:, 0]


def as_pictures(windows: NDArray[np.floating], scale: tuple[float, float] | None = None) -> Tensor:
    """Windows (n, w, w) brought to the edge of the network and to mean 0 and variance 1, (n, side, side)."""
    pictures = torch.as_tensor(np.asarray(windows, dtype=np.float32))
    if pictures.shape[-1] > SIDE:
        pictures = functional.interpolate(pictures[:, None], size=(SIDE, SIDE), mode="area")[:, 0]
    mean, spread = scale_of(pictures) if scale is None else scale
    return (pictures - mean) / spread


def scale_of(pictures: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of all pixels."""
    return float(pictures.mean()), float(pictures.std()) or 1.0


def angle_agreement(one: FloatArray, other: FloatArray) -> float:
    """How well two sets of angles (n,) agree up to a turn common to all, and up to a symmetry of order 1, 2, 3, 4 or 6.

    The length of the mean of exp(i m (a - b)), the largest over m, and over b as it is or mirrored: 1 where they agree.
    """
    return max(
        float(np.abs(np.exp(1j * order * (one - sign * other)).mean())) for order in (1, 2, 3, 4, 6) for sign in (1, -1)
    )


def _epoch(
    model: InvariantAutoencoder, optimiser: torch.optim.Optimizer, pictures: Tensor, draw: torch.Generator
) -> None:
    residuals = []
    for batch in parts_of(torch.randperm(len(pictures), generator=draw), model.settings.batch):
        chosen = pictures[batch]
        upright = moved(chosen, -model.turns[model.best_turns(chosen)])
        loss, _, _, residual = model.bound(upright, draw)
        optimiser.zero_grad()
        loss.mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        residuals.append(residual.detach())
    # The noise that best explains what is left; all of it at first, so that the angles are settled before details.
    model.variance.copy_(torch.cat(residuals).mean().clamp(min=1e-3))


def parts_of(whole: Tensor, size: int) -> list[Tensor]:
    """A tensor (n, …) cut into pieces of at most `size` rows."""
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def disc(side: int) -> Tensor:
    """The pixels that stay inside when a picture is turned: 1 there, 0 elsewhere, (side, side)."""
    axis = (torch.arange(side) - (side - 1) / 2) / (side / 2)
    return ((axis[:, None] ** 2 + axis**2) <= 1.0).float()
