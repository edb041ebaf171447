"""Perfect crystals of two-dimensional materials, cut to a square."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dkl_core.stem.atoms import Atoms, IntArray
from dkl_core.stem.optics import FloatArray

GRAPHENE_NM = 0.246
BOND_NM = GRAPHENE_NM / np.sqrt(3)
LAYER_SPACING_NM = 0.335
MOS2_NM = 0.316
MOS2_HALF_NM = 0.159
MNPS3_SPACING_NM = 0.649
Moved = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Crystal:
    """A two-dimensional crystal.

    Attributes:
        vectors_nm: the two lattice vectors as rows (2, 2), each (y, x), nm.
        basis: fractional in-plane coordinates of the atoms of a cell (b, 2).
        heights_nm: their z (b,), nm.
        numbers: their atomic numbers (b,).
    """

    vectors_nm: FloatArray
    basis: FloatArray
    heights_nm: FloatArray
    numbers: IntArray

    def turned(self, angle_deg: float) -> Crystal:
        """The crystal rotated by an angle from +x towards +y, degrees."""
        c, s = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
        return Crystal(self.vectors_nm @ np.array([[c, -s], [s, c]]), self.basis, self.heights_nm, self.numbers)

    def scaled(self, factor: float) -> Crystal:
        """The crystal with its in-plane lattice constants times a factor."""
        return Crystal(factor * self.vectors_nm, self.basis, self.heights_nm, self.numbers)

    def first_order_per_nm(self) -> FloatArray:
        """The six shortest reciprocal lattice vectors of a hexagonal crystal (6, 2) as (y, x), 1/nm."""
        b1, b2 = np.linalg.inv(self.vectors_nm).T
        candidates = np.array([h * b1 + k * b2 for h in (-1, 0, 1) for k in (-1, 0, 1) if h or k])
        shortest: FloatArray = candidates[np.argsort(np.linalg.norm(candidates, axis=1), kind="stable")[:6]]
        return shortest

    def filling(self, half_nm: float, z_nm: float = 0.0, moved: Moved | None = None, room: float = 1.0) -> Atoms:
        """All atoms in the square of that half width round the origin.

        Args:
            half_nm: half the width, nm.
            z_nm: depth of the crystal's z = 0, nm.
            moved: takes positions (n, 2) of the perfect crystal to where the atoms are.
            room: the perfect crystal is made larger by this factor, for what moves in.
        """
        corners = room * half_nm * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
        cells = corners @ np.linalg.inv(self.vectors_nm)
        first, last = np.floor(cells.min(axis=0)).astype(int) - 1, np.ceil(cells.max(axis=0)).astype(int) + 1
        index = np.mgrid[first[0] : last[0] + 1, first[1] : last[1] + 1].reshape(2, -1).T
        points = ((index[:, None] + self.basis) @ self.vectors_nm).reshape(-1, 2)
        heights, numbers = np.tile(self.heights_nm + z_nm, len(index)), np.tile(self.numbers, len(index))
        near = (np.abs(points) < room * half_nm).all(axis=1)
        points, heights, numbers = points[near], heights[near], numbers[near]
        points = points if moved is None else moved(points)
        inside = (np.abs(points) < half_nm).all(axis=1)
        return Atoms(np.column_stack([points, heights])[inside], numbers[inside])


def _hexagonal(constant_nm: float) -> FloatArray:
    return constant_nm * np.array([[0.0, 1.0], [np.sqrt(3) / 2, 0.5]])


def graphene() -> Crystal:
    """One layer of graphene."""
    return Crystal(_hexagonal(GRAPHENE_NM), np.array([[0, 0], [1 / 3, 1 / 3]]), np.zeros(2), np.array([6, 6]))


def mos2() -> Crystal:
    """One layer of MoS₂, 2H: molybdenum between two planes of sulphur."""
    basis = np.array([[0, 0], [1 / 3, 1 / 3], [1 / 3, 1 / 3]])
    return Crystal(_hexagonal(MOS2_NM), basis, MOS2_HALF_NM * np.array([0.0, -1.0, 1.0]), np.array([42, 16, 16]))


def mnps3() -> Crystal:
    """One layer of MnPS₃ (C2/m; Ouvrard, Brec and Rouxel, Mater. Res. Bull. 20 (1985) 1181), seen along c*."""
    a, b, c, beta = 0.6077, 1.0524, 0.6796, np.deg2rad(107.35)
    sites = ((25, 0.0, 0.3326, 0.0), (15, 0.0566, 0.0, 0.1692), (16, 0.7593, 0.0, 0.2470), (16, 0.2448, 0.1612, 0.2512))
    found: dict[tuple[int, float, float, float], None] = {}
    for number, x, y, z in sites:
        for u, v, w in ((x, y, z), (-x, -y, -z), (x, -y, z), (-x, y, -z)):
            for shift in (0.0, 0.5):
                # c leans back over a, so a site's height moves it along x.
                across = u + shift + w * c * np.cos(beta) / a
                found[number, _fraction(across), _fraction(v + shift), round(w * c * np.sin(beta), 6)] = None
    cell = np.array(list(found))
    vectors = np.array([[0.0, a], [b, 0.0]])
    return Crystal(vectors, cell[:, 1:3], cell[:, 3], cell[:, 0].astype(np.intp))


def _fraction(value: float) -> float:
    return round(round(value, 6) % 1.0, 6) % 1.0
