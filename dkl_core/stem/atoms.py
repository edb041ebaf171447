"""Atoms of a sample, and the structure that changes while it is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InputError
from dkl_core.stem.optics import FloatArray

IntArray = NDArray[np.intp]
CELL_NM = 0.5
REMOVED = 0


@dataclass(frozen=True, eq=False)
class Atoms:
    """Positions and elements; the origin is the centre of the field.

    Attributes:
        positions_nm: (y, x, z) of each atom (n, 3), nm; the beam travels towards larger z.
        numbers: atomic numbers (n,).
    """

    positions_nm: FloatArray
    numbers: IntArray

    def __post_init__(self) -> None:
        positions = np.array(self.positions_nm, dtype=float).reshape(-1, 3)
        numbers = np.array(self.numbers, dtype=np.intp).reshape(-1)
        if len(positions) != len(numbers):
            raise InputError(
                f"there are {len(positions)} positions and {len(numbers)} atomic numbers; give one of each per atom"
            )
        if not np.isfinite(positions).all():
            raise InputError("positions_nm holds values that are not finite; give every atom a position (y, x, z)")
        object.__setattr__(self, "positions_nm", positions)
        object.__setattr__(self, "numbers", numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def joined(cls, *parts: Atoms) -> Atoms:
        """Several sets of atoms as one, in that order."""
        return cls(
            np.concatenate([part.positions_nm for part in parts]), np.concatenate([part.numbers for part in parts])
        )

    def chosen(self, which: ArrayLike) -> Atoms:
        """Some of the atoms, by mask or index."""
        picked = np.asarray(which)
        return Atoms(self.positions_nm[picked], self.numbers[picked])


class CellIndex:
    """Finds the points inside a box: the points sorted into square cells.

    Args:
        points: (y, x) of each point (n, 2), nm.
    """

    def __init__(self, points: FloatArray) -> None:
        self._low = points.min(axis=0) if len(points) else np.zeros(2)
        cells = np.floor((points - self._low) / CELL_NM).astype(np.intp)
        self._shape = cells.max(axis=0) + 1 if len(points) else np.zeros(2, dtype=np.intp)
        flat = cells[:, 0] * self._shape[1] + cells[:, 1]
        self._order = np.argsort(flat, kind="stable")
        self._starts = np.searchsorted(flat[self._order], np.arange(int(np.prod(self._shape)) + 1))

    def cells_of(self, low: FloatArray, high: FloatArray) -> IntArray:
        """Indices of the points in all cells that a box (y, x) from low to high touches."""
        first = np.maximum(np.floor((low - self._low) / CELL_NM).astype(int), 0)
        last = np.minimum(np.floor((high - self._low) / CELL_NM).astype(int), self._shape - 1)
        if (last < first).any():
            return np.zeros(0, dtype=np.intp)
        rows = np.arange(first[0], last[0] + 1) * self._shape[1]
        parts = [self._order[self._starts[row + first[1]] : self._starts[row + last[1] + 1]] for row in rows]
        return np.concatenate(parts)


class Structure:
    """Atoms that may be removed, replaced, moved and added; an atom keeps its index for life.

    Args:
        atoms: what to start from.
        slices: number of the slice that each atom belongs to (n,).
    """

    def __init__(self, atoms: Atoms, slices: IntArray) -> None:
        self.positions_nm = atoms.positions_nm.copy()
        self.numbers = atoms.numbers.copy()
        self.slices = slices.copy()
        self._index = CellIndex(self.positions_nm[:, :2])
        self._strayed: set[int] = set()

    def atoms(self) -> Atoms:
        """The atoms that are there now, without those removed."""
        return Atoms(self.positions_nm, self.numbers).chosen(self.numbers != REMOVED)

    def within(self, low: FloatArray, high: FloatArray) -> IntArray:
        """Indices of the atoms inside a box (y, x) from low to high, nm, in ascending order."""
        found = np.sort(self._index.cells_of(low, high))
        if self._strayed:
            found = np.union1d(found, np.fromiter(self._strayed, np.intp))
        places = self.positions_nm[found, :2]
        inside = (places >= low).all(axis=1) & (places <= high).all(axis=1) & (self.numbers[found] != REMOVED)
        kept: IntArray = found[inside]
        return kept

    def near(self, y_nm: float, x_nm: float, radius_nm: float) -> IntArray:
        """Indices of the atoms within a distance of a place, nearest first."""
        place = np.array([y_nm, x_nm])
        found = self.within(place - radius_nm, place + radius_nm)
        distance = np.linalg.norm(self.positions_nm[found, :2] - place, axis=1)
        nearest = np.argsort(distance, kind="stable")
        kept: IntArray = found[nearest][distance[nearest] <= radius_nm]
        return kept

    def require(self, atom: int) -> None:
        """Check that an atom exists.

        Raises:
            InputError: no such atom, or it was removed.
        """
        if not 0 <= atom < len(self.numbers) or self.numbers[atom] == REMOVED:
            raise InputError(
                f"there is no atom {atom}; it was removed or its number is outside 0 to {len(self.numbers)}"
            )

    def put(self, atom: int, position_nm: FloatArray, number: int) -> None:
        """Set position (y, x, z) and element of an atom; element 0 removes it."""
        self.positions_nm[atom], self.numbers[atom] = position_nm, number
        self._strayed.add(atom)

    def append(self, position_nm: FloatArray, number: int, in_slice: int) -> int:
        """A new atom's index."""
        self.positions_nm = np.vstack([self.positions_nm, position_nm])
        self.numbers = np.append(self.numbers, number)
        self.slices = np.append(self.slices, in_slice)
        self._strayed.add(len(self.numbers) - 1)
        return len(self.numbers) - 1
