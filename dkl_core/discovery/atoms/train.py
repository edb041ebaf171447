"""Training of the network on simulated images, made while it learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from dkl_core.discovery.atoms.maps import columns_of, drawn, scale_of, shown
from dkl_core.discovery.atoms.network import AtomNetwork, channels_last
from dkl_core.discovery.atoms.scenes import Conditions, Scene, scene
from dkl_core.errors import InputError

# Few pixels are atoms.
_EMPHASIS = 3.0
Told = Callable[[int, float], None]


@dataclass(frozen=True)
class TrainSettings:
    """How the network is trained.

    Attributes:
        steps: number of batches.
        batch: images in each.
        size: edge of an image, px; a multiple of 8.
        rate: largest step of the optimiser.
        conditions: the images.
        seed: what images and first weights are drawn from.
    """

    steps: int = 2400
    batch: int = 8
    size: int = 128
    rate: float = 3e-3
    conditions: Conditions = field(default_factory=Conditions)
    seed: int = 0

    def __post_init__(self) -> None:
        check_course(self.steps, self.seed)


def check_course(steps: int, seed: int) -> None:
    """Whether a training can be run with that many steps and that seed.

    Raises:
        InputError: no step, or a negative seed.
    """
    if steps < 1:
        raise InputError(f"steps is {steps}; give 1 or more")
    if seed < 0:
        raise InputError(f"the seed is {seed}; give 0 or a positive whole number")


def trained(settings: TrainSettings, told: Told | None = None) -> AtomNetwork:
    """A network trained from nothing; `told` gets the number of steps done and the loss."""
    torch.manual_seed(settings.seed)
    network = channels_last(AtomNetwork(normalise=True))
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=1e-4)
    # The first tenth, but never exactly one step, which the schedule divides by.
    rising = min(max(0.1, 1.5 / settings.steps), 0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.rate, total_steps=settings.steps, pct_start=rising, final_div_factor=100
    )
    for step in range(settings.steps):
        rng = np.random.default_rng([settings.seed, step])
        pictures = [scene(rng, settings.size, settings.conditions) for _ in range(settings.batch)]
        loss = learned(network, optimiser, *examples(pictures, rng))
        schedule.step()
        if told is not None:
            told(step + 1, loss)
    return network.eval()


def learned(network: AtomNetwork, optimiser: torch.optim.Optimizer, images: Tensor, maps: Tensor) -> float:
    """The loss of a batch, after one step to lower it."""
    optimiser.zero_grad(set_to_none=True)
    # Half the time on processors that calculate in bfloat16.
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(images)
    loss = loss_of(logits.float(), maps)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def loss_of(logits: Tensor, maps: Tensor) -> Tensor:
    """Cross entropy of each pixel, with more weight where atoms are."""
    return binary_cross_entropy_with_logits(logits, maps, weight=1 + _EMPHASIS * maps)


def examples(scenes: list[Scene], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Images (n, 1, size, size) as the network sees them, brightness varied, and the maps it should draw."""
    images, maps = [], []
    for one in scenes:
        middle, span = scale_of(one.image)
        varied = (middle + span * rng.normal(0, 0.05), span * np.exp(rng.uniform(-0.5, 0.5)))
        images.append(shown(one.image, varied))
        maps.append(drawn(columns_of(one.atoms, one.width_px), one.width_px, len(one.image)))
    stack = torch.from_numpy(np.stack(images))[:, None].to(memory_format=torch.channels_last)
    return stack, torch.from_numpy(np.stack(maps))[:, None]
