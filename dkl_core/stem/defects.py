"""Defects of a graphene layer: substituted silicon, trimers, and holes with silicon at the edge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.stem.atoms import Atoms, IntArray
from dkl_core.stem.lattices import BOND_NM
from dkl_core.stem.optics import FloatArray
from dkl_core.stem.relax import SILICON, relaxed

DopantKind = Literal["threefold", "fourfold", "trimer", "edge"]
NEIGHBOUR_NM = 1.2 * BOND_NM
RELAXED_NM = 0.9
# Silicon in place of one carbon sticks out of the plane.
SILICON_RISE_NM = 0.05
NOT_A_DOPANT = -1


@dataclass(frozen=True)
class Outline:
    """A wavy closed curve.

    Attributes:
        centre_nm: (y, x), nm.
        radius_nm: mean radius, nm.
        phases: of the waves with two and three crests, rad.
        waviness: amplitude of each relative to the radius.
    """

    centre_nm: tuple[float, float]
    radius_nm: float
    phases: tuple[float, float] = (0.0, 0.0)
    waviness: float = 0.15

    def contains(self, points: FloatArray, grown_nm: float = 0.0) -> NDArray[np.bool_]:
        """Whether points (n, 2) lie inside the curve, or the curve grown by a distance."""
        apart = points - np.asarray(self.centre_nm)
        angle = np.arctan2(apart[:, 0], apart[:, 1])
        waves = np.cos(2 * angle + self.phases[0]) + np.cos(3 * angle + self.phases[1])
        inside: NDArray[np.bool_] = np.hypot(*apart.T) < self.radius_nm * (1 + self.waviness * waves) + grown_nm
        return inside

    @property
    def largest_nm(self) -> float:
        """A radius that no part of the curve exceeds, nm."""
        return self.radius_nm * (1 + 2 * self.waviness)


@dataclass(frozen=True, eq=False)
class Sheet:
    """A layer of graphene while it is being made.

    Attributes:
        atoms: its atoms.
        tags: number of the dopant that each atom belongs to (n,), −1 for none.
        free: the atoms that may relax (n,).
    """

    atoms: Atoms
    tags: IntArray
    free: NDArray[np.bool_]

    @classmethod
    def of(cls, atoms: Atoms) -> Sheet:
        """A perfect layer."""
        return cls(atoms, np.full(len(atoms), NOT_A_DOPANT, dtype=np.intp), np.zeros(len(atoms), dtype=bool))

    @property
    def points(self) -> FloatArray:
        """(y, x) of the atoms (n, 2), nm."""
        return self.atoms.positions_nm[:, :2]

    def kept(self, which: NDArray[np.bool_]) -> Sheet:
        """The sheet with some of its atoms (n,)."""
        return Sheet(self.atoms.chosen(which), self.tags[which], self.free[which])

    def cut(self, outline: Outline) -> Sheet:
        """The sheet with a hole, without atoms left dangling at its edge; the edge may relax."""
        sheet = self.kept(~outline.contains(self.points))
        for _ in range(3):
            near = outline.contains(sheet.points, grown_nm=0.6)
            sheet = sheet.kept(~near | (sheet.bonds(near) > 1))
        return replace(sheet, free=sheet.free | outline.contains(sheet.points, grown_nm=0.8))

    def edge_doped(self, outline: Outline, count: int, first_tag: int, rng: np.random.Generator) -> Sheet:
        """Silicon in place of so many of the two-bonded atoms at the edge of a hole, far from one another."""
        near = outline.contains(self.points, grown_nm=0.45)
        edge = np.flatnonzero(near & (self.bonds(near) == 2) & (self.tags == NOT_A_DOPANT))
        numbers, tags = self.atoms.numbers.copy(), self.tags.copy()
        for number in range(min(count, len(edge))):
            taken = self.points[tags >= first_tag]
            apart = np.linalg.norm(self.points[edge][:, None] - taken, axis=2).min(axis=1, initial=np.inf)
            far = edge[apart >= 0.5]
            if not len(far):
                break
            chosen = rng.choice(far)
            numbers[chosen], tags[chosen] = SILICON, first_tag + number
        return replace(self, atoms=Atoms(self.atoms.positions_nm, numbers), tags=tags)

    def doped(self, kinds: Sequence[DopantKind], places_nm: FloatArray, first_tag: int) -> Sheet:
        """The sheet with dopants near places (n, 2), a bond or more apart; their surroundings may relax."""
        from scipy.spatial import KDTree

        if not len(kinds):
            return self
        tree = KDTree(self.points)
        centres = self.points[tree.query(places_nm)[1]]
        change = _Change(self)
        for number, (kind, nearest) in enumerate(zip(kinds, tree.query(centres, k=4)[1], strict=True)):
            _DOPING[kind](change, nearest, first_tag + number)
        sheet = change.applied()
        near = KDTree(centres).query(sheet.points, distance_upper_bound=RELAXED_NM)[0] < np.inf
        return replace(sheet, free=sheet.free | near)

    def relaxed(self) -> Sheet:
        """The sheet after its free atoms have moved to where their bonds want them."""
        points = relaxed(self.points, self.atoms.numbers, self.free)
        positions = np.column_stack([points, self.atoms.positions_nm[:, 2]])
        return replace(self, atoms=Atoms(positions, self.atoms.numbers))

    def bonds(self, which: NDArray[np.bool_]) -> IntArray:
        """Number of neighbours of each of some atoms (n,), 0 for the others."""
        from scipy.spatial import KDTree

        bonds = np.zeros(len(self.points), dtype=np.intp)
        found = KDTree(self.points).query_ball_point(self.points[which], NEIGHBOUR_NM, return_length=True)
        bonds[which] = found - 1
        return bonds


class _Change:
    """Atoms of a sheet being replaced, removed and added."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self.positions = sheet.atoms.positions_nm.copy()
        self.numbers, self.tags = sheet.atoms.numbers.copy(), sheet.tags.copy()
        self.kept = np.ones(len(self.tags), dtype=bool)
        self.added: list[tuple[FloatArray, int]] = []

    def silicon(self, which: IntArray, tag: int) -> None:
        self.positions[which, 2] += SILICON_RISE_NM
        self.numbers[which], self.tags[which] = SILICON, tag

    def applied(self) -> Sheet:
        added = np.array([position for position, _ in self.added]).reshape(-1, 3)
        new = Sheet.of(Atoms(added, np.full(len(added), SILICON)))
        rest = Sheet(Atoms(self.positions, self.numbers), self.tags, self._sheet.free).kept(self.kept)
        tags = np.append(rest.tags, [tag for _, tag in self.added]).astype(np.intp)
        return Sheet(Atoms.joined(rest.atoms, new.atoms), tags, np.append(rest.free, new.free))


def _threefold(change: _Change, nearest: IntArray, tag: int) -> None:
    change.silicon(nearest[:1], tag)


def _fourfold(change: _Change, nearest: IntArray, tag: int) -> None:
    change.kept[nearest[:2]] = False
    change.added.append((change.positions[nearest[:2]].mean(axis=0), tag))


def _trimer(change: _Change, nearest: IntArray, tag: int) -> None:
    change.kept[nearest[0]] = False
    change.silicon(nearest[1:4], tag)


_DOPING: dict[DopantKind, Callable[[_Change, IntArray, int], None]] = {
    "threefold": _threefold,
    "fourfold": _fourfold,
    "trimer": _trimer,
}


def scattered(
    rng: np.random.Generator,
    count: int,
    half_nm: float,
    spacing_nm: float,
    avoided: tuple[Outline, ...] = (),
    tries: int = 400,
) -> FloatArray:
    """Random places in a square, apart from one another and from outlines.

    Args:
        rng: where they are drawn from.
        count: how many.
        half_nm: half the width of the square, nm.
        spacing_nm: smallest distance between places and from the outlines, nm.
        avoided: outlines to stay out of.
        tries: draws per place.

    Returns:
        (y, x) of each (count, 2), nm.

    Raises:
        InputError: there is no room for so many.
    """
    places = np.zeros((0, 2))
    for _ in range(tries * count):
        if len(places) == count:
            break
        drawn = rng.uniform(-half_nm, half_nm, (1, 2))
        apart = np.linalg.norm(places - drawn, axis=1).min(initial=np.inf) >= spacing_nm
        if apart and not any(outline.contains(drawn, grown_nm=spacing_nm)[0] for outline in avoided):
            places = np.vstack([places, drawn])
    if len(places) < count:
        raise InputError(
            f"there is room for {len(places)} of {count} places {spacing_nm:g} nm apart in {2 * half_nm:g} nm; "
            "ask for fewer, closer ones, or a larger field"
        )
    return places
