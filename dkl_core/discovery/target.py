"""What is looked for: how much of a structural component a site has beyond what is usual in the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.discovery.components import Choice, choose_component
from dkl_core.discovery.decompose import Decomposition, decompose
from dkl_core.discovery.descriptors import Descriptor, Rows
from dkl_core.discovery.pathfinder import IntArray
from dkl_core.discovery.settings import DiscoverySettings
from dkl_core.errors import InputError
from dkl_core.patches import Patches, Sites
from dkl_core.survey import FloatArray

if TYPE_CHECKING:
    from dkl_core.discovery.invariant import InvariantDecomposition

Progress = Callable[[float], None]
_USUAL_SPREADS = 3.0
_MAD_TO_STD = 1.4826
_LEAST_UNUSUAL, _USUAL_SHARE = 0.01, 0.8


@dataclass(frozen=True, eq=False)
class StructuralTarget:
    """A component of an image's structure as a number for each window; a scalarizer of images, for any host.

    The number is max(0, s w - (m + 3 d)), w the component's weight, s its sign, m the median and d the spread (from
    the median absolute deviation) of the weights in the image: 0 for what is usual, however it is textured. Where
    less than 1 % of the windows reach so far, the highest fifth counts as unusual.

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
        """Learn the components from windows on a grid over the image, and choose one.

        Args:
            patches: the windows of the image.
            settings: what to learn.
            progress: called with the share of a long training that is done; what it raises ends it.

        Raises:
            InputError: too few windows for the components, or windows that are all the same.
        """
        indices, factor = _coarse(patches.sites, settings.sample)
        descriptor = Descriptor.of(settings.descriptor, patches)
        rows = descriptor.at(patches, indices)
        decomposition = _decomposed(rows, descriptor, settings, progress)
        weights = decomposition.transform(rows)
        sample = replace(patches.sites, positions=patches.sites.positions[indices])
        reach = -(-patches.window // (patches.sites.stride * factor))
        choice = choose_component(
            weights, sample, reach, settings.component, signed=settings.decomposition in ("pca", None)
        )
        return cls(descriptor, decomposition, choice, _usual(choice, weights), sample, weights)

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


def _decomposed(
    rows: Rows, descriptor: Descriptor, settings: DiscoverySettings, progress: Progress | None
) -> Decomposition | InvariantDecomposition:
    if settings.decomposition is not None:
        return decompose(rows, settings.decomposition, settings.components, starts=settings.starts, seed=settings.seed)
    from dkl_core.discovery.invariant import InvariantDecomposition, invariant_settings

    return InvariantDecomposition.learn(rows, descriptor, invariant_settings(settings.starts, settings.seed), progress)


def _usual(choice: Choice, weights: FloatArray) -> float:
    turned = choice.sign * weights[:, choice.component]
    middle = float(np.median(turned))
    spread = _MAD_TO_STD * float(np.median(np.abs(turned - middle)))
    level = middle + _USUAL_SPREADS * spread
    # Where hardly anything is so far from usual, a search would see zeros only.
    return level if (turned > level).mean() >= _LEAST_UNUSUAL else float(np.quantile(turned, _USUAL_SHARE))


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
