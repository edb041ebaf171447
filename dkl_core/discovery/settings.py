"""What a structural discovery is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from dkl_core.discovery.decompose import DecompositionName
from dkl_core.discovery.descriptors import DescriptorName
from dkl_core.discovery.search import SearchSettings
from dkl_core.errors import InputError
from dkl_core.survey import Levelling

WORKFLOWS = tuple(
    f"{left}-{right}" for left in get_args(DescriptorName) for right in (*get_args(DecompositionName), "rvae")
)
"""Descriptor and decomposition of every workflow, as `fft-nmf`."""

_MANY_SITES = 100


@dataclass(frozen=True)
class DiscoverySettings:
    """How structure is described, what is looked for, and how.

    Attributes:
        workflow: one of `WORKFLOWS`.
        window: edge of the sliding window in px; None takes an eighth of the image's shorter edge, 8 to 32.
        stride: distance of the sites in px; None takes what gives about 100 sites along the longer edge.
        components: number of components; `rvae` always has two.
        component: the one to look for, from 0; None chooses by spatial structure and sparsity.
        starts: how often a decomposition that depends on its start begins anew.
        sample: most windows that the components are learned from, on a grid over the image.
        levelling: background removed from the image first.
        search: the Bayesian optimisation.
        seed: of everything random but the search.
    """

    workflow: str = "fft-pca"
    window: int | None = None
    stride: int | None = None
    components: int = 4
    component: int | None = None
    starts: int = 3
    sample: int = 2500
    levelling: Levelling = "none"
    search: SearchSettings = field(default_factory=SearchSettings)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.workflow not in WORKFLOWS:
            raise InputError(f"unknown workflow {self.workflow!r}; choose one of {', '.join(WORKFLOWS)}")
        if self.sample < 4:
            raise InputError(f"sample is {self.sample}; components are learned from 4 windows or more")

    @property
    def descriptor(self) -> DescriptorName:
        """What describes a window."""
        return "fft" if self.workflow.startswith("fft") else "patch"

    @property
    def decomposition(self) -> DecompositionName | None:
        """What makes components of descriptors; None for the invariant autoencoder."""
        name = self.workflow.partition("-")[2]
        return next((known for known in get_args(DecompositionName) if known == name), None)

    def window_for(self, shape: tuple[int, int]) -> int:
        """The window in px for an image of that shape."""
        return self.window if self.window is not None else min(max(min(shape) // 8, 8), 32)

    def stride_for(self, shape: tuple[int, int]) -> int:
        """The distance of the sites in px for an image of that shape."""
        room = max(shape) - self.window_for(shape)
        return self.stride if self.stride is not None else max(1, -(-room // _MANY_SITES))
