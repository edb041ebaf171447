"""How many components an image needs: as many as hang together, and one for what is everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dkl_core.discovery.components import structure
from dkl_core.discovery.decompose import decompose
from dkl_core.patches import Sites

_MOST = 6
_HANGS_TOGETHER = 0.1


def component_count(rows: NDArray[np.floating], sites: Sites, reach: int = 1) -> int:
    """One more than the number of leading principal components whose maps are no noise, 2 to 7.

    Factors beyond that number have nothing of their own to take up; they share a phase among themselves, each start
    otherwise. A map counts where neighbours that share no pixel are alike: noise gives Moran's I of 0, give or take
    0.05 in some thousand windows.

    Args:
        rows: descriptors (n, d).
        sites: where they come from, on a grid.
        reach: distance of windows that share no pixel, in steps of the grid.
    """
    first = decompose(rows, "pca", min(_MOST, *rows.shape))
    alike = [structure(sites.to_map(weights), reach) > _HANGS_TOGETHER for weights in first.transform(rows).T]
    return 1 + max(1, sum(alike))
