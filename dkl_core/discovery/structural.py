"""A Gaussian process over what the image looks like round a site, and over its position: the core's own surrogate.

Position alone cannot lead to what is rare and alone, as a foreign atom. With the structure round it, which the image
shows everywhere, one such site tells of all others: deep-kernel learning's step from image to target.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dkl_core.discovery.pathfinder import IntArray
from dkl_core.discovery.process import Hyper
from dkl_core.patches import Patches
from dkl_core.surrogate import MODELS, Surrogate, SurrogateSettings
from dkl_core.surrogate.posterior import SitePosterior
from dkl_core.survey import FloatArray


class StructureModel:
    """Position, principal components of the windows and rotation invariants of the image, each a term of the kernel.

    Args:
        patches: the windows of all sites.
        seed: of the windows that the components are learned from.
    """

    def __init__(self, patches: Patches, seed: int = 0) -> None:
        self._patches = patches
        self._surrogate = Surrogate(patches, structure_settings(seed))

    @property
    def hyper(self) -> Hyper:
        """Length over the position in steps of the sites, variance of all terms, and noise."""
        posterior = self.posterior()
        kernel, sites = posterior.kernel, self._patches.sites
        half_px = max(sites.shape) / 2
        length = float(kernel.lengthscales[kernel.names.index("position")].mean()) * half_px / sites.stride
        return Hyper(length, float(kernel.diagonal), posterior.noise)

    def learn(self, visited: IntArray, target: FloatArray) -> None:
        """Learn how fast the target varies with each feature from sites (n,) and what was found there (n,)."""
        self._surrogate.fit(visited, target)

    def posterior(self) -> SitePosterior:
        """The process before it knows any measurement."""
        if not self._surrogate.is_fitted:
            # One point says nothing, and one step leaves the priors where they are.
            self._surrogate.fit(np.zeros(1, dtype=np.int64), np.zeros(1), iterations=1)
        ((_, fitted),) = self._surrogate.posteriors
        return SitePosterior(fitted.kernel, fitted.noise)


def structure_settings(seed: int) -> SurrogateSettings:
    """The surrogate without networks and without the direction that structure points in: rare sites are too few."""
    return replace(MODELS["linear"], gradients=False, folds=0, seed=seed)
