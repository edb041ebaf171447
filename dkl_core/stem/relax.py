"""Relaxation of the bonds round defects in graphene by springs between neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dkl_core.stem.atoms import IntArray
from dkl_core.stem.lattices import BOND_NM, GRAPHENE_NM
from dkl_core.stem.optics import FloatArray

CARBON, SILICON = 6, 14
SI_C_NM, SI_SI_NM = 0.180, 0.235
STRETCH, BEND = 30.0, 4.0
SIDE_NM = 0.8


@dataclass(frozen=True, eq=False)
class Springs:
    """Pairs of atoms with a length they want.

    Attributes:
        first: index of one atom of each pair (p,).
        second: index of the other (p,).
        length_nm: wanted distance (p,), nm.
        stiffness: (p,).
    """

    first: IntArray
    second: IntArray
    length_nm: FloatArray
    stiffness: FloatArray

    @classmethod
    def between(cls, points: FloatArray, numbers: IntArray) -> Springs:
        """Springs along bonds, and weaker ones between second neighbours of carbon, which keep the angles."""
        from scipy.spatial import KDTree

        pairs = KDTree(points).query_pairs(1.12 * GRAPHENE_NM, output_type="ndarray")
        distance = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
        silicon = (numbers[pairs] == SILICON).sum(axis=1)
        bond = np.choose(silicon, [BOND_NM, SI_C_NM, SI_SI_NM])
        bonded = distance < 1.25 * bond
        second = ~bonded & (silicon == 0) & (np.abs(distance - GRAPHENE_NM) < 0.025)
        kept = bonded | second
        return cls(
            pairs[kept, 0],
            pairs[kept, 1],
            np.where(second, GRAPHENE_NM, bond)[kept],
            np.where(second, BEND, STRETCH)[kept],
        )

    def energy(self, points: FloatArray) -> tuple[float, FloatArray]:
        """Energy of positions (n, 2), and its gradient (n, 2)."""
        apart = points[self.first] - points[self.second]
        distance = np.linalg.norm(apart, axis=1)
        stretched = distance - self.length_nm
        force = (self.stiffness * stretched / distance)[:, None] * apart
        gradient = np.stack([self._gathered(force[:, axis], len(points)) for axis in (0, 1)], axis=1)
        return float(0.5 * (self.stiffness * stretched**2).sum()), gradient

    def _gathered(self, force: FloatArray, atoms: int) -> FloatArray:
        return np.bincount(self.first, force, atoms).astype(float) - np.bincount(self.second, force, atoms)


def relaxed(points: FloatArray, numbers: IntArray, free: NDArray[np.bool_]) -> FloatArray:
    """Positions (n, 2) in nm after the free atoms (n,) have moved to where the springs want them."""
    from scipy.optimize import minimize
    from scipy.spatial import KDTree

    if not free.any():
        return points.copy()
    # Atoms beyond the reach of a spring from any free one have no say.
    near = KDTree(points[free]).query(points, distance_upper_bound=0.5)[0] < np.inf
    local, moving = points[near], free[near]
    springs = Springs.between(local, numbers[near])

    def cost(flat: FloatArray) -> tuple[float, FloatArray]:
        moved = local.copy()
        moved[moving] = flat.reshape(-1, 2)
        energy, gradient = springs.energy(moved)
        return 1e3 * energy, 1e3 * gradient[moving].ravel()

    found = minimize(cost, local[moving].ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 300, "ftol": 1e-9})
    result = points.copy()
    result[free] = found.x.reshape(-1, 2)
    return result
