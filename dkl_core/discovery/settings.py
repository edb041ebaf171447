"""What a structural discovery is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from dkl_core.discovery.decompose import DecompositionName
from dkl_core.discovery.descriptors import DescriptorName
from dkl_core.discovery.process import ModelName
from dkl_core.discovery.search import SearchSettings
from dkl_core.errors import InputError
from dkl_core.survey import Levelling

if TYPE_CHECKING:
    from dkl_core.discovery.atoms import Method

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
        window: edge of the window in px; None takes an eighth of the image's shorter edge, 8 to 32, and round atoms
            2.75 times their distance.
        stride: distance of the sites in px; None takes what gives about 100 sites along the longer edge. Of no use
            where atoms are the sites.
        components: number of components; None takes four principal components, and of the other decompositions as many
            as hang together in the image (four round atoms). `rvae` always has two.
        component: the one to look for, from 0; None chooses, see `components`.
        starts: how often a decomposition that depends on its start begins anew.
        sample: most windows that the components are learned from.
        levelling: background removed from the image first.
        search: the Bayesian optimisation.
        seed: of everything random but the search.
        finder: how atoms are found.
        weights: a file of the finding network's weights; those of the package if None.
    """

    workflow: str = "fft-pca"
    window: int | None = None
    stride: int | None = None
    components: int | None = None
    component: int | None = None
    starts: int = 3
    sample: int = 2500
    levelling: Levelling = "none"
    search: SearchSettings = field(default_factory=SearchSettings)
    seed: int = 0
    finder: Method = "network"
    weights: str | None = None

    def __post_init__(self) -> None:
        if self.workflow not in WORKFLOWS:
            raise InputError(f"unknown workflow {self.workflow!r}; choose one of {', '.join(WORKFLOWS)}")
        if self.sample < 4:
            raise InputError(f"sample is {self.sample}; components are learned from 4 windows or more")

    @property
    def descriptor(self) -> DescriptorName:
        """What describes a window."""
        name = self.workflow.partition("-")[0]
        return next(known for known in get_args(DescriptorName) if known == name)

    @property
    def on_atoms(self) -> bool:
        """Whether the sites are the atoms of the image."""
        return self.descriptor == "atoms"

    @property
    def model(self) -> ModelName:
        """The process of the search: as asked for; else `structure` on atoms, where what is rare is alone."""
        return self.search.model or ("structure" if self.on_atoms else "position")

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
