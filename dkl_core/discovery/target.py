"""What is looked for: how much of a structural component a site has beyond what is usual in the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.discovery.atompatches import AtomPatches, chosen_sites
from dkl_core.discovery.components import Choice, choose_component, choose_rare, usual_spread
from dkl_core.discovery.decompose import Decomposition, decompose
from dkl_core.discovery.descriptors import Descriptor, Rows
from dkl_core.discovery.pathfinder import IntArray
from dkl_core.discovery.rank import component_count
from dkl_core.discovery.settings import DiscoverySettings
from dkl_core.errors import InputError
from dkl_core.patches import Patches, Sites
from dkl_core.survey import FloatArray

if TYPE_CHECKING:
    from dkl_core.discovery.invariant import InvariantDecomposition

Progress = Callable[[float], None]
_USUAL_SPREADS = 3.0
_LEAST_UNUSUAL, _USUAL_SHARE = 0.01, 0.8
_RARE_SPREADS = 6.0
_USUAL_COUNT = 4
_EXTREME_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class StructuralTarget:
    """A component of an image's structure as a number for each window; a scalarizer of images, for any host.

    The number is max(0, s w - (m + 3 d)), w the component's weight, s its sign, m the median and d the spread (from
    the median absolute deviation) of the weights in the image: 0 for what is usual, however it is textured. Where
    less than 1 % of the windows reach so far, the highest fifth counts as unusual; round atoms only where none reaches
    m + 6 d, as one in a thousand may well be what is looked for.

    Attributes:
        descriptor: describes a window.
        decomposition: makes component weights of descriptors.
        choice: which component.
        usual: m + 3 d, or what four fifths of the windows stay below.
        sample: the sites that the components were learned from.
        weights: of all components at those sites, (n, p).
    """

    descriptor: Descriptor
    decomposition: Decomposition | InvariantDecomposition
    choice: Choice
    usual: float
    sample: Sites
    weights: FloatArray

    @classmethod
    def learn(cls, patches: Patches, settings: DiscoverySettings, progress: Progress | None = None) -> StructuralTarget:
        """Learn the components from windows on a grid over the image, or from some of the atoms, and choose one.

        Args:
            patches: the windows of the image.
            settings: what to learn.
            progress: called with the share of a long training that is done; what it raises ends it.

        Raises:
            InputError: too few windows for the components, or windows that are all the same.
        """
        indices, reach = _sampled(patches, settings)
        descriptor = Descriptor.of(settings.descriptor, patches)
        rows = descriptor.at(patches, indices)
        sample = chosen_sites(patches.sites, indices)
        count = _count(settings, rows, sample, reach) if settings.components is None else settings.components
        decomposition = _decomposed(rows, descriptor, settings, count, progress)
        weights = decomposition.transform(rows)
        signed = settings.decomposition in ("pca", None)
        if settings.on_atoms:
            choice = choose_rare(weights, settings.component, signed=signed)
        else:
            choice = choose_component(weights, sample, reach, settings.component, signed=signed)
        usual = _usual(choice, weights, rare=settings.on_atoms)
        return cls(descriptor, decomposition, choice, usual, sample, weights)

    def seen_in(self, patches: Patches, settings: DiscoverySettings) -> StructuralTarget:
        """The same target, its sample and weights those of another image: what the figures of that image show."""
        indices, reach = _sampled(patches, settings)
        weights = self.decomposition.transform(self.descriptor.at(patches, indices))
        sample, wanted = chosen_sites(patches.sites, indices), self.choice.component
        # Turned so that what is looked for is high: its score is then that of this direction.
        turned = self.choice.sign * weights
        here = choose_rare(turned, wanted) if settings.on_atoms else choose_component(turned, sample, reach, wanted)
        choice = replace(self.choice, scores=here.scores, clear=here.clear)
        return replace(self, choice=choice, sample=sample, weights=weights)

    @property
    def margin(self) -> float:
        """How far a weight has to be from the median before the target rises above 0."""
        return self.usual - float(np.median(self.choice.sign * self.weights[:, self.choice.component]))

    def picture(self, component: int) -> FloatArray:
        """What a component looks like, two-dimensional."""
        drawn = self.decomposition.components[component]
        return drawn if drawn.ndim == 2 else np.asarray(self.descriptor.picture(drawn), dtype=np.float64)

    def of(self, windows: NDArray[np.floating]) -> FloatArray:
        """The target of windows (n, window, window), prepared as the image was; shape (n,)."""
        return self._excess(self.decomposition.transform(self.descriptor.describe(windows)))

    def at(self, patches: Patches, indices: ArrayLike) -> FloatArray:
        """The target of some sites, described now, shape (n,)."""
        return self._excess(self.decomposition.transform(self.descriptor.at(patches, indices)))

    def everywhere(self, patches: Patches) -> FloatArray:
        """The target of all sites (M,), in chunks: the map that a search is judged by."""
        parts = [self._excess(self.decomposition.transform(rows)) for _, rows in self.descriptor.chunks(patches)]
        return np.concatenate(parts)

    def _excess(self, weights: FloatArray) -> FloatArray:
        excess: FloatArray = np.maximum(self.choice.sign * weights[:, self.choice.component] - self.usual, 0.0)
        return excess


def _count(settings: DiscoverySettings, rows: Rows, sample: Sites, reach: int) -> int:
    if settings.on_atoms or settings.decomposition in ("pca", None):
        return _USUAL_COUNT
    return component_count(rows, sample, reach)


def _decomposed(
    rows: Rows, descriptor: Descriptor, settings: DiscoverySettings, count: int, progress: Progress | None
) -> Decomposition | InvariantDecomposition:
    if settings.decomposition is not None:
        return decompose(rows, settings.decomposition, count, starts=settings.starts, seed=settings.seed)
    from dkl_core.discovery.invariant import InvariantDecomposition, invariant_settings

    chosen = invariant_settings(settings.starts, settings.seed)
    return InvariantDecomposition.learn(rows, descriptor, chosen, progress, rare=settings.on_atoms)


def _usual(choice: Choice, weights: FloatArray, *, rare: bool = False) -> float:
    turned = choice.sign * weights[:, choice.component]
    middle, spread = usual_spread(turned)
    level = middle + _USUAL_SPREADS * spread
    # Where hardly anything is so far from usual, a search would see zeros only.
    enough = (turned > level).mean() >= _LEAST_UNUSUAL
    if rare:
        enough = enough or bool((turned > middle + _RARE_SPREADS * spread).any())
    return level if enough else float(np.quantile(turned, _USUAL_SHARE))


def _sampled(patches: Patches, settings: DiscoverySettings) -> tuple[IntArray, int]:
    """The sites that components are learned from, and the distance of windows without common pixels in their steps."""
    if isinstance(patches, AtomPatches):
        return _some_atoms(patches, settings), 1
    indices, factor = _coarse(patches.sites, settings.sample)
    return indices, -(-patches.window // (patches.sites.stride * factor))


def _some_atoms(patches: AtomPatches, settings: DiscoverySettings) -> IntArray:
    """All atoms, or as many as allowed: the brightest and the faintest, which cost nothing to know, and others."""
    count, most = len(patches), settings.sample
    if count <= most:
        return np.arange(count)
    by_height = np.argsort(patches.intensities, kind="stable")
    ends = max(1, round(most * _EXTREME_SHARE / 2))
    middle = np.random.default_rng(settings.seed).choice(by_height[ends:-ends], most - 2 * ends, replace=False)
    return np.sort(np.concatenate([by_height[:ends], by_height[-ends:], middle]))


def _coarse(sites: Sites, most: int) -> tuple[IntArray, int]:
    """Sites on every n-th row and column, as many as allowed, and n."""
    cells = (sites.positions - sites.positions.min(axis=0)) // sites.stride
    factor = 1
    while True:
        chosen = np.flatnonzero((cells % factor == 0).all(axis=1))
        if len(chosen) == 0:
            raise InputError("no window is left to learn components from; allow a larger area")
        if len(chosen) <= most:
            return chosen, factor
        factor += 1
