"""Networks as a user might write them, good and bad; the tests name them by their dotted path."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def good(window: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(window * window, 3))


def with_batch_statistics(window: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(window * window, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2))


def partly_frozen(window: int) -> nn.Module:
    module = good(window)
    module = nn.Sequential(module, nn.Linear(3, 2))
    module[0].requires_grad_(False)
    return module


class Unused(nn.Module):
    def __init__(self, window: int) -> None:
        super().__init__()
        self.used = good(window)
        self.unused = nn.Linear(2, 2)

    def forward(self, patches: Tensor) -> Tensor:
        return self.used(patches)


def frozen(window: int) -> nn.Module:
    return good(window).requires_grad_(False)


def without_parameters(window: int) -> nn.Module:
    return nn.Flatten()


def no_module(window: int) -> object:
    return "a network"


def image_to_image(window: int) -> nn.Module:
    return nn.Conv2d(1, 1, 3, padding=1)


def mixes_patches(window: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(0), nn.Linear(2 * window * window, 4), nn.Unflatten(0, (1, 4)))


class ManyOutputs(nn.Module):
    def __init__(self, window: int) -> None:
        super().__init__()
        self.inner = good(window)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        return self.inner(patches), patches


class SinglePrecision(nn.Module):
    def __init__(self, window: int) -> None:
        super().__init__()
        self.inner = good(window)

    def forward(self, patches: Tensor) -> Tensor:
        return self.inner(patches).to(torch.float32)


def wrong_size(window: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(5, 2))


def raising(window: int) -> nn.Module:
    raise LookupError("no weights at home")


def without_window() -> nn.Module:
    return nn.Flatten()


not_callable = 3
