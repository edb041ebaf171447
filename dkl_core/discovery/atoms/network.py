"""The network: a small U-Net that turns an image into a map of where atoms are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHANNELS = (16, 32, 48, 64)
# Three halvings: rows and columns must be multiples of this.
MULTIPLE = 8


class _Block(nn.Module):
    """Convolution, batch normalisation where it is trained from nothing, and rectification."""

    def __init__(self, inputs: int, outputs: int, *, normalise: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm: nn.Module = nn.BatchNorm2d(outputs) if normalise else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        shown: Tensor = torch.relu(self.norm(self.conv(images)))
        return shown

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the convolution that does the same without normalisation."""
        weight, bias = self.conv.weight.detach(), self.conv.bias
        shift = torch.zeros(len(weight)) if bias is None else bias.detach()
        if not isinstance(self.norm, nn.BatchNorm2d) or self.norm.running_mean is None:
            return weight, shift
        spread = torch.sqrt(torch.as_tensor(self.norm.running_var) + self.norm.eps)
        gain = self.norm.weight.detach() / spread
        return weight * gain[:, None, None, None], (shift - self.norm.running_mean) * gain + self.norm.bias.detach()


class AtomNetwork(nn.Module):
    """A U-Net (Ronneberger, Fischer and Brox, MICCAI 2015) of 0.2 million parameters.

    Args:
        channels: feature maps at each depth; the first at full resolution.
        normalise: with batch normalisation, for training from nothing.
    """

    def __init__(self, channels: tuple[int, ...] = CHANNELS, *, normalise: bool = False) -> None:
        super().__init__()
        pairs = list(zip((1, *channels[:-1]), channels, strict=True))
        self.down = nn.ModuleList(
            nn.Sequential(_Block(a, b, normalise=normalise), _Block(b, b, normalise=normalise)) for a, b in pairs
        )
        backwards = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.narrow = nn.ModuleList(nn.Conv2d(deep, shallow, 1) for deep, shallow in backwards)
        self.up = nn.ModuleList(_Block(2 * shallow, shallow, normalise=normalise) for _, shallow in backwards)
        self.near = _Block(channels[0], channels[0], normalise=normalise)
        self.last = nn.Conv2d(channels[0], 1, 1)
        self.pool = nn.MaxPool2d(2)
        self.grow = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, 1, rows, cols) of images (n, 1, rows, cols), rows and cols multiples of 8."""
        kept = []
        for number, block in enumerate(self.down):
            images = block(images if number == 0 else self.pool(images))
            kept.append(images)
        for narrow, block, skipped in zip(self.narrow, self.up, kept[-2::-1], strict=True):
            images = block(torch.cat([self.grow(narrow(images)), skipped], dim=1))
        logits: Tensor = self.last(self.near(images))
        return logits


def channels_last(network: AtomNetwork) -> AtomNetwork:
    """The network with its weights laid out as processors calculate fastest; changed in place."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def plain(network: AtomNetwork) -> dict[str, Tensor]:
    """Parameters of the network without normalisation that gives the same map."""
    state = {name: value.detach() for name, value in network.state_dict().items() if ".norm." not in name}
    for name, module in network.named_modules():
        if isinstance(module, _Block):
            state[f"{name}.conv.weight"], state[f"{name}.conv.bias"] = module.folded()
    return state
