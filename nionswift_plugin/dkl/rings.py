"""Which dopants of a simulated sample an experiment has found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dkl_core.survey import FloatArray

if TYPE_CHECKING:
    from dkl_core.stem.samples import Sample

IntArray = NDArray[np.int64]
# |CoM| is zero on an atom and largest on a ring round it, half a probe's width away.
REACH_NM = 0.2
SHARE = 0.5
FEWEST_SITES = 4


@dataclass(frozen=True, eq=False)
class Ring:
    """The sites round a dopant where |CoM| is high.

    Attributes:
        position_nm: (y, x) of the dopant.
        sites: their indices.
    """

    position_nm: tuple[float, float]
    sites: IntArray

    def found_after(self, visited: IntArray) -> int | None:
        """How many measurements it took until one lay on the ring; None if none does."""
        (hits,) = np.nonzero(np.isin(visited, self.sites))
        return int(hits[0]) + 1 if hits.size else None


def rings_of(sample: Sample, sites_nm: FloatArray, truth: FloatArray) -> tuple[Ring, ...]:
    """The rings of all dopants that the sites cover.

    A site is on the ring of a dopant if it is within 0.2 nm of one of its silicon atoms and its true |CoM| is at least
    half of the largest there.

    Args:
        sample: with its dopants.
        sites_nm: (y, x) of the sites (M, 2).
        truth: true |CoM| at the sites (M,).
    """
    rings = []
    for dopant in sample.dopants:
        atoms = sample.atoms.positions_nm[list(dopant.atoms), :2]
        distance = np.hypot(*(sites_nm[:, None, :] - atoms[None]).transpose(2, 0, 1)).min(axis=1)
        (near,) = np.nonzero(distance < REACH_NM)
        if near.size >= FEWEST_SITES:
            rings.append(Ring(dopant.position_nm, near[truth[near] >= SHARE * truth[near].max()]))
    return tuple(rings)


def found_curve(rings: Sequence[Ring], visited: IntArray) -> IntArray:
    """How many dopants were found after each measurement (n,)."""
    after = [ring.found_after(visited) for ring in rings]
    order = np.arange(1, len(visited) + 1)
    return np.array([sum(one is not None and one <= count for one in after) for count in order], dtype=np.int64)
