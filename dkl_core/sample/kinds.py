"""Which positions of the simulated surface stand on a defect of one kind: the truth a search is judged by."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InputError
from dkl_core.sample.defects import Defects
from dkl_core.sample.surface import SimulatedSurface
from dkl_core.survey import FloatArray

DefectKind = Literal["adsorbate", "substitution", "vacancy"]


def defects_of(surface: SimulatedSurface, kind: DefectKind) -> Defects:
    """The defects of one kind, those just outside the sample among them.

    Args:
        surface: the surface.
        kind: `adsorbate`, `substitution` or `vacancy`.

    Raises:
        InputError: another kind.
    """
    structure = surface.structure
    found = {
        "adsorbate": structure.adsorbates,
        "substitution": structure.substitutions,
        "vacancy": structure.vacancies,
    }
    if kind not in found:
        raise InputError(f"{kind!r} is no kind of defect; choose from {', '.join(get_args(DefectKind))}")
    return found[kind]


def defects_at(
    surface: SimulatedSurface, kind: DefectKind, positions_nm: ArrayLike, within_nm: float
) -> NDArray[np.intp]:
    """The defect of a kind on which each position stands.

    Args:
        surface: the surface.
        kind: see `defects_of`.
        positions_nm: (row, column) positions (…, 2), nm.
        within_nm: largest distance from a defect's centre, nm.

    Returns:
        Number of the nearest defect in `defects_of` (…), -1 where none is near.

    Raises:
        InputError: another kind, or positions of another shape.
    """
    positions: FloatArray = np.asarray(positions_nm, dtype=float)
    if positions.ndim == 0 or positions.shape[-1] != 2:
        raise InputError(f"the positions have shape {positions.shape}, expected (…, 2); give (row, column) in nm")
    points = positions.reshape(-1, 2)
    reach = defects_of(surface, kind).reach(points, within_nm)
    nearest = np.full(len(points), -1, dtype=np.intp)
    farthest_first = np.argsort(-reach.distance, kind="stable")
    nearest[reach.point[farthest_first]] = reach.defect[farthest_first]
    return nearest.reshape(positions.shape[:-1])
