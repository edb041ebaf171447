"""A plain autoencoder: windows squeezed through a few numbers and made anew from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dkl_core.errors import InputError
from dkl_core.representation.rvae import parts_of

_HIDDEN = 64


@dataclass(frozen=True)
class AutoencoderSettings:
    """How the autoencoder is trained.

    Attributes:
        codes: numbers that a window is squeezed through.
        epochs: passes over the windows.
        noise: standard deviation of the noise added to what it sees and not to what it must make, in units of the
            windows' own spread; it keeps the codes of similar windows together (Vincent et al., ICML 2008).
        batch: windows in a step.
        rate: largest step size of Adam; it falls as half a cosine.
        seed: of initial weights, noise and order.
    """

    codes: int = 8
    epochs: int = 40
    noise: float = 0.3
    batch: int = 64
    rate: float = 3e-3
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.codes, self.epochs, self.batch) < 1:
            raise InputError("codes, epochs and batch of an autoencoder must be 1 or more")
        if self.noise < 0:
            raise InputError(f"noise of an autoencoder is {self.noise}; give 0 or a positive share of the spread")


class Autoencoder(nn.Module):
    """A dense encoder and its mirror image.

    Args:
        side: edge of the pictures in px.
        codes: numbers in the middle.
    """

    def __init__(self, side: int, codes: int) -> None:
        super().__init__()
        self.side = side
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(side**2, _HIDDEN), nn.Tanh(), nn.Linear(_HIDDEN, codes))
        self.decoder = nn.Sequential(nn.Linear(codes, _HIDDEN), nn.Tanh(), nn.Linear(_HIDDEN, side**2))

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (n, side, side) made anew from their codes, same shape."""
        made: Tensor = self.decoder(self.encoder(pictures)).view(-1, self.side, self.side)
        return made


def trained_autoencoder(
    pictures: Tensor, settings: AutoencoderSettings, progress: Callable[[float], None] | None = None
) -> Autoencoder:
    """Train on pictures; the same seed gives the same network on the same machine.

    Args:
        pictures: (n, side, side), of mean 0 and variance 1.
        settings: how to train.
        progress: called with the share that is done; what it raises ends the training.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = Autoencoder(pictures.shape[-1], settings.codes)
    # A generator of its own: other threads may draw from torch's while this runs.
    generator = torch.Generator().manual_seed(settings.seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.rate)
    for epoch in range(settings.epochs):
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * 0.5 * (1 + math.cos(math.pi * epoch / settings.epochs)) + 1e-5
        for batch in parts_of(torch.randperm(len(pictures), generator=generator), settings.batch):
            clean = pictures[batch]
            seen = clean + settings.noise * torch.randn(clean.shape, generator=generator)
            optimiser.zero_grad()
            ((model(seen) - clean) ** 2).mean().backward()
            optimiser.step()
        if progress is not None:
            progress((epoch + 1) / settings.epochs)
    return model.eval()
