"""What finding atoms returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from dkl_core.survey import FloatArray

Method = Literal["network", "classical"]


@dataclass(frozen=True, eq=False)
class FoundAtoms:
    """Atoms of an image.

    Attributes:
        positions: (n, 2) as (row, column), px of the image; the centre of a pixel is a whole number.
        intensities: (n,) height of each atom's peak over its local background, units of the image.
        width_px: standard deviation of an atom's spot, px.
        spacing_px: median distance to the nearest neighbour, px; NaN for a single atom.
        method: what found them.
        notices: what the user should know.
    """

    positions: FloatArray
    intensities: FloatArray
    width_px: float
    spacing_px: float
    method: Method
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.positions)


def spacing_of(positions: FloatArray) -> float:
    """Median distance of positions (n, 2) to their nearest neighbour; NaN for fewer than two."""
    from scipy.spatial import KDTree

    if len(positions) < 2:
        return float("nan")
    return float(np.median(KDTree(positions).query(positions, k=2)[0][:, 1]))
