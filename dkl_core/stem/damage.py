"""The structure changing under the beam: knock-on events drawn from the dose that each atom received."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from dkl_core.stem.cross_sections import DamageSettings
from dkl_core.stem.scan import ScanFrame
from dkl_core.survey import FloatArray

CARBON = 6
BARN_NM2 = 1e-10
MOST_BONDS = 8
# Covalent radii in nm (Cordero et al., Dalton Trans. 2008, 2832); two atoms are bonded within 1.25 times their sum.
RADII_NM = {5: 0.084, 6: 0.076, 7: 0.071, 14: 0.111, 15: 0.107, 16: 0.105, 25: 0.139, 34: 0.120, 42: 0.154, 74: 0.162}
OTHER_RADIUS_NM = 0.14
BOND_REACH = 1.25


@dataclass(frozen=True)
class DamageEvent:
    """One atom changed.

    Attributes:
        time: when, s.
        kind: the atom was removed, or exchanged with a neighbour.
        atom: number of the atom.
        partner: number of the neighbour; None when the atom was removed.
        position_nm: (y, x) on the sample.
        element: atomic number of the atom before.
        bonds: its bonds before.
    """

    time: float
    kind: Literal["remove", "swap"]
    atom: int
    partner: int | None
    position_nm: tuple[float, float]
    element: int
    bonds: int


class CrossSections:
    """Cross-sections in nm^2 by element and number of bonds, ready for whole arrays."""

    def __init__(self, settings: DamageSettings) -> None:
        self._tables = {kind: self._table(settings, kind) for kind in ("remove", "swap")}

    def of(self, kind: str, elements: NDArray[np.int64], bonds: NDArray[np.int64]) -> FloatArray:
        """Cross-section of one kind of event for atoms (n,), nm^2."""
        found: FloatArray = self._tables[kind][np.minimum(elements, 118), np.clip(bonds, 0, MOST_BONDS)]
        return found

    def _table(self, settings: DamageSettings, kind: str) -> FloatArray:
        table = np.zeros((119, MOST_BONDS + 1))
        rows = [row for row in settings.table if row.event == kind]
        # The row with the fewest bonds that still covers the atom is written last.
        for row in sorted(rows, key=lambda row: -(MOST_BONDS if row.neighbours is None else row.neighbours)):
            upto = MOST_BONDS if row.neighbours is None else row.neighbours
            table[row.element, : upto + 1] = row.barn * settings.scale * BARN_NM2
        return table


class BondedAtoms:
    """Which atoms there are now, and who is bonded to whom.

    Args:
        positions_nm: (N, 3) as (y, x, z).
        elements: (N,) atomic numbers.
    """

    def __init__(self, positions_nm: FloatArray, elements: NDArray[Any]) -> None:
        self.positions_nm = np.asarray(positions_nm, dtype=np.float64)
        self.elements = np.array(elements, dtype=np.int64)
        self.alive = np.ones(len(self.elements), dtype=bool)
        self.tree = cKDTree(self.positions_nm[:, :2])
        self._bonded = _bonded(self.positions_nm, self.elements)
        self.bonds = np.asarray(self._bonded @ np.ones(len(self.elements), dtype=np.int64)).astype(np.int64)

    def neighbours(self, atom: int) -> list[int]:
        """The atoms that are bonded to an atom now."""
        found = self._bonded.indices[self._bonded.indptr[atom] : self._bonded.indptr[atom + 1]]
        return [int(other) for other in found if self.alive[other]]

    def remove(self, atom: int) -> None:
        """Take an atom away."""
        self.bonds[self.neighbours(atom)] -= 1
        self.alive[atom] = False

    def swap(self, atom: int, partner: int) -> None:
        """Exchange the elements of two atoms."""
        self.elements[[atom, partner]] = self.elements[[partner, atom]]


class Damage:
    """Draws events from the dose and carries them out.

    Args:
        settings: cross-sections.
        structure: the atoms, changed by the events.
        apply: called with each event, for the scatterer to follow.
        rng: where chance comes from.
    """

    def __init__(
        self,
        settings: DamageSettings,
        structure: BondedAtoms,
        apply: Callable[[DamageEvent], None],
        rng: np.random.Generator,
    ) -> None:
        self.events: list[DamageEvent] = []
        self._sections = CrossSections(settings)
        self._structure = structure
        self._apply = apply
        self._rng = rng

    def set_table(self, settings: DamageSettings) -> None:
        """Go on with other cross-sections."""
        self._sections = CrossSections(settings)

    def spot(self, y_nm: float, x_nm: float, sigma_nm: float, electrons: float, time: float) -> None:
        """Electrons hit round a place of the sample, spread by a Gaussian."""
        near = np.asarray(self._structure.tree.query_ball_point((y_nm, x_nm), 4 * sigma_nm), dtype=np.int64)
        near.sort()
        away = ((self._structure.positions_nm[near, :2] - (y_nm, x_nm)) ** 2).sum(axis=1)
        fluence = electrons / (2 * math.pi * sigma_nm**2) * np.exp(-away / (2 * sigma_nm**2))
        self._hit(near, fluence, time)

    def lines(
        self,
        frame: ScanFrame,
        moved_nm: FloatArray,
        span: tuple[float, float],
        sigma_nm: float,
        electrons_per_px: float,
        time: float,
    ) -> None:
        """The lines `span` of a frame were scanned, with the sample moved by (y, x)."""
        positions = self._structure.positions_nm
        row, col = frame.from_scan_nm(positions[:, 0] + moved_nm[0], positions[:, 1] + moved_nm[1])
        inside = (row >= span[0] - 0.5) & (row < span[1] - 0.5) & (col >= -0.5) & (col < frame.size[1] - 0.5)
        atoms = np.flatnonzero(inside)
        width = sigma_nm / frame.pixel_nm
        density = electrons_per_px / frame.pixel_nm**2
        self._hit(atoms, density * _comb(row[atoms], width) * _comb(col[atoms], width), time)

    def _hit(self, atoms: NDArray[np.int64], fluence: FloatArray, time: float) -> None:
        """Draw the events of atoms (n,) that received a fluence (n,) in electrons per nm^2."""
        alive = self._structure.alive[atoms]
        atoms, fluence = atoms[alive], fluence[alive]
        rates = self._rates(atoms) * fluence
        if not rates.any():
            return
        hit = np.flatnonzero(rates)
        moments = self._rng.standard_exponential(len(hit)) / rates[hit]
        soon = hit[moments < 1]
        queue = [(float(moment), int(atoms[at])) for moment, at in zip(moments[moments < 1], soon, strict=True)]
        heapq.heapify(queue)
        if queue:
            self._run(queue, dict(zip(atoms.tolist(), fluence.tolist(), strict=True)), time)

    def _run(self, queue: list[tuple[float, int]], fluence: dict[int, float], time: float) -> None:
        """Carry out events in order; an event changes what its neighbours have before them."""
        due = {atom: moment for moment, atom in queue}
        while queue:
            moment, atom = heapq.heappop(queue)
            if due.get(atom) != moment:
                continue
            due.pop(atom)
            for changed in self._happen(atom, time):
                rate = float(self._rates(np.array([changed]))[0]) * fluence.get(changed, 0.0)
                due.pop(changed, None)
                again = moment + self._rng.standard_exponential() / rate if rate else 1.0
                if again < 1:
                    due[changed] = again
                    heapq.heappush(queue, (again, changed))

    def _rates(self, atoms: NDArray[np.int64]) -> FloatArray:
        elements, bonds = self._structure.elements[atoms], self._structure.bonds[atoms]
        return self._sections.of("remove", elements, bonds) + self._sections.of("swap", elements, bonds)

    def _happen(self, atom: int, time: float) -> list[int]:
        """One event at an atom; returns the atoms whose surroundings changed."""
        structure = self._structure
        kind = self._kind(atom)
        carbons = [other for other in structure.neighbours(atom) if structure.elements[other] == CARBON]
        if kind == "swap" and not carbons:
            return []
        partner = int(self._rng.choice(carbons)) if kind == "swap" else None
        y, x = structure.positions_nm[atom, :2]
        event = DamageEvent(
            time, kind, atom, partner, (float(y), float(x)), int(structure.elements[atom]), int(structure.bonds[atom])
        )
        around = structure.neighbours(atom)
        if partner is None:
            structure.remove(atom)
        else:
            structure.swap(atom, partner)
            around = [atom, partner]
        self.events.append(event)
        self._apply(event)
        return around

    def _kind(self, atom: int) -> Literal["remove", "swap"]:
        one = np.array([atom])
        elements, bonds = self._structure.elements[one], self._structure.bonds[one]
        remove, swap = (float(self._sections.of(kind, elements, bonds)[0]) for kind in ("remove", "swap"))
        return "remove" if self._rng.random() * (remove + swap) < remove else "swap"


def _bonded(positions_nm: FloatArray, elements: NDArray[np.int64]) -> scipy.sparse.csr_array:
    radii = np.array([RADII_NM.get(int(element), OTHER_RADIUS_NM) for element in range(119)])[elements]
    count = len(elements)
    if count == 0:
        return scipy.sparse.csr_array((0, 0), dtype=np.int8)
    pairs = cKDTree(positions_nm).query_pairs(2 * BOND_REACH * float(radii.max()), output_type="ndarray")
    apart = np.linalg.norm(positions_nm[pairs[:, 0]] - positions_nm[pairs[:, 1]], axis=1)
    pairs = pairs[apart < BOND_REACH * (radii[pairs[:, 0]] + radii[pairs[:, 1]])]
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return scipy.sparse.csr_array((np.ones(len(both), dtype=np.int8), (both[:, 0], both[:, 1])), shape=(count, count))


def _comb(index: FloatArray, width: float) -> FloatArray:
    """Dose at an index among lines one pixel apart that each are a Gaussian of this width, 1 on average."""
    if width > 0.6:
        return np.ones(len(index))
    away = index - np.rint(index)
    near = np.exp(-((away[:, None] - np.arange(-3, 4)) ** 2) / (2 * width**2)).sum(axis=1)
    comb: FloatArray = near / (math.sqrt(2 * math.pi) * width)
    return comb
