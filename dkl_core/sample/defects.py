"""Point defects: where they are, which points they reach, and what they look like in a topograph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dkl_core.sample.settings import Pair
from dkl_core.survey import FloatArray

if TYPE_CHECKING:
    from scipy.spatial import KDTree

IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Reach:
    """The pairs of a point and a defect that are near one another.

    Attributes:
        point: index of the point (p,).
        defect: index of the defect (p,).
        offset: vector from the defect to the point (p, 2), nm.
        distance: its length (p,), nm.
        points: number of points asked for.
    """

    point: IntArray
    defect: IntArray
    offset: FloatArray
    distance: FloatArray
    points: int

    def summed(self, values: FloatArray) -> FloatArray:
        """Per-pair values (p,) added up for each point (points,)."""
        total: FloatArray = np.bincount(self.point, weights=values, minlength=self.points).astype(float)
        return total


@dataclass(frozen=True)
class Defects:
    """Point defects of one kind.

    Attributes:
        positions: (row, column) of each (n, 2), nm.
        strength: size of each one's effect relative to the kind's (n,).
        angle: orientation of each (n,), rad.
    """

    positions: FloatArray
    strength: FloatArray
    angle: FloatArray

    @classmethod
    def drawn(cls, rng: np.random.Generator, extent_nm: Pair, per_nm2: float, margin_nm: float) -> Defects:
        """Defects scattered at random over a sample and a margin round it."""
        low, high = -margin_nm, np.asarray(extent_nm) + margin_nm
        count = int(rng.poisson(per_nm2 * float(np.prod(high - low))))
        return cls(rng.uniform(low, high, (count, 2)), rng.uniform(0.7, 1.3, count), rng.uniform(0, 2 * np.pi, count))

    def __len__(self) -> int:
        return len(self.positions)

    def moved(self, positions: FloatArray) -> Defects:
        """The same defects at other positions (n, 2)."""
        return Defects(positions, self.strength, self.angle)

    @cached_property
    def _tree(self) -> KDTree:
        from scipy.spatial import KDTree

        return KDTree(self.positions)

    def reach(self, points: FloatArray, radius_nm: float) -> Reach:
        """Pairs of points (n, 2) and defects not further apart than a radius."""
        if not len(self):
            nothing = np.zeros(0, dtype=np.intp)
            return Reach(nothing, nothing, np.zeros((0, 2)), np.zeros(0), len(points))
        from scipy.spatial import KDTree

        pairs = KDTree(points).sparse_distance_matrix(self._tree, radius_nm, output_type="ndarray")
        point, defect = pairs["i"].astype(np.intp), pairs["j"].astype(np.intp)
        return Reach(point, defect, points[point] - self.positions[defect], pairs["v"], len(points))

    def influence(self, points: FloatArray, decay_nm: float) -> FloatArray:
        """Strength of the defects felt at points (n, 2): flat on the defect, exponential further off."""
        reach = self.reach(points, 8 * decay_nm)
        core = 0.5 * decay_nm
        tail = np.exp(-(np.hypot(reach.distance, core) - core) / decay_nm)
        return reach.summed(self.strength[reach.defect] * tail)


def adsorbate_heights(defects: Defects, points: FloatArray) -> FloatArray:
    """Bumps: two or three overlapping blobs each, as a molecule or a cluster looks to a blunt tip."""
    reach = defects.reach(points, 4.5)
    strength, angle = defects.strength[reach.defect], defects.angle[reach.defect]
    total = np.zeros(len(reach.point))
    for turn, apart, height in ((0.0, 0.40, 0.19), (2.2, 0.50, 0.13), (4.1, 0.55, 0.06)):
        centre = apart * strength[:, None] * np.stack([np.sin(angle + turn), np.cos(angle + turn)], axis=1)
        squared = ((reach.offset - centre) ** 2).sum(axis=1)
        total += height * np.exp(-squared / (2 * (0.55 * strength) ** 2))
    return reach.summed(strength * total)


def vacancy_heights(defects: Defects, points: FloatArray) -> FloatArray:
    """Dark spots one atom wide, with a faint bright rim."""
    reach = defects.reach(points, 2.5)
    squared = reach.distance**2
    shape = -0.15 * np.exp(-squared / (2 * 0.34**2)) + 0.015 * np.exp(-squared / (2 * 0.6**2))
    return reach.summed(defects.strength[reach.defect] * shape)


def substitution_envelope(defects: Defects, points: FloatArray) -> FloatArray:
    """Triangles, all pointing the same way, within which the atoms stand out; 1 at the centre."""
    reach = defects.reach(points, 4.0)
    angle = np.arctan2(reach.offset[:, 0], reach.offset[:, 1])
    radius = reach.distance * (1 + 0.25 * np.cos(3 * angle)) / 1.1
    return reach.summed(defects.strength[reach.defect] * np.exp(-(radius**2)))
