"""Atoms of an image: candidates by the network or a filter, then refined and tested together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
from scipy import ndimage
from threadpoolctl import threadpool_limits

from dkl_core.discovery.atoms.classical import round_at, spots
from dkl_core.discovery.atoms.found import FoundAtoms, Method, spacing_of
from dkl_core.discovery.atoms.prepare import Prepared, prepared
from dkl_core.discovery.atoms.refine import SURE_SIGNIFICANCE, Refined, refined, width_of
from dkl_core.discovery.atoms.weights import load_network
from dkl_core.discovery.atoms.width import NARROWEST_PX, Spot, spot_of
from dkl_core.errors import DataFileError, InputError
from dkl_core.survey import FloatArray

Told = Callable[[float], None]
# Positions of candidates in an image of a spot; what is told is the share done.
Finder = Callable[[FloatArray, Spot, Told | None], FloatArray]
# The part of the image in which the width is fitted, in widths; and how often candidates are looked for anew there.
_FITTED_WIDTHS, _FITS = 130, 2
# Share of atoms that must stand out for themselves, and that must be round.
_SURE_SHARE, _ROUND_SHARE = 0.2, 0.55
# In standard deviations: what at least one atom must reach, since noise alone makes a few that reach less.
_BEYOND_NOISE = 8.0
_DOUBTFUL = "the network found no atoms; the classical method was used instead: look whether its spots are atoms"


def find_atoms(
    image: FloatArray,
    *,
    method: Method = "network",
    weights: Path | None = None,
    width_px: float | None = None,
    progress: Told | None = None,
) -> FoundAtoms:
    """Find the atoms of an image in which atoms are bright.

    Args:
        image: (rows, columns), NaN where there are no data.
        method: `network`, or `classical` for a filter.
        weights: a file of the network's weights; those of the package if None.
        width_px: standard deviation of an atom's spot, px; measured in the image if None.
        progress: is told the share done, 0 to 1.

    Raises:
        InputError: unknown method, or an image that is blank, too small, with too many pixels without data, or
            without atoms.
        DataFileError: the weights that were given cannot be read.
    """
    if method not in get_args(Method):
        raise InputError(f"unknown method {method!r} of finding atoms; choose one of {', '.join(get_args(Method))}")
    if width_px is not None and not (math.isfinite(width_px) and width_px >= NARROWEST_PX):
        raise InputError(f"width_px is {width_px}; give the standard deviation of a spot, {NARROWEST_PX} px or more")
    ready = prepared(image)
    spot = spot_of(ready.values)
    if spot is None:
        raise _none()
    notices = list(ready.notices)
    finder = _network(weights, notices) if method == "network" else None
    for used, look in (("network", finder), ("classical", _classical)):
        if look is not None:
            # Threads over matrices as small as these wait for each other longer than they work.
            with threadpool_limits(1, user_api="blas"):
                atoms = _refined(ready.values, spot, width_px, look, progress)
            if _convincing(ready.values, atoms):
                return _found(atoms, used, ready, notices)  # type: ignore[arg-type]
            notices.append(_DOUBTFUL)
    raise _none()


def _classical(image: FloatArray, spot: Spot, _told: Told | None) -> FloatArray:
    return spots(image, spot)


def _network(weights: Path | None, notices: list[str]) -> Finder | None:
    from dkl_core.discovery.atoms.candidates import candidates

    try:
        network = load_network(weights)
    except DataFileError as error:
        if weights is not None:
            raise
        notices.append(f"{error}; the classical method was used instead")
        return None
    return lambda image, spot, told: candidates(network, image, spot.width_px, told)


def _refined(image: FloatArray, spot: Spot, given: float | None, look: Finder, progress: Told | None) -> Refined:
    told = progress or (lambda _: None)
    width = _width(image, spot, look) if given is None else given
    told(0.1)
    seen = look(image, replace(spot, width_px=width), lambda share: told(0.1 + 0.5 * share))
    told(0.6)
    atoms = refined(image, seen, width, spot.noise)
    told(1.0)
    return atoms


def _width(image: FloatArray, spot: Spot, look: Finder) -> float:
    """Width of a spot, fitted in the part of the image that is fullest of them."""
    edge = tuple(min(n, max(64, round(_FITTED_WIDTHS * spot.width_px))) for n in image.shape)
    response = np.maximum(-ndimage.gaussian_laplace(image, spot.width_px), 0)
    # A single bright atom must not outweigh many ordinary ones.
    fullness = np.minimum(response, 3 * response.mean())
    rows, cols = (np.arange(0, n - e + 1, max(e // 2, 1)) for n, e in zip(image.shape, edge, strict=True))
    sums = [(fullness[r : r + edge[0], c : c + edge[1]].sum(), r, c) for r in rows for c in cols]
    _, row, col = max(sums)
    part = image[row : row + edge[0], col : col + edge[1]]
    width = spot.width_px
    for _ in range(_FITS):
        seen = look(part, replace(spot, width_px=width), None)
        width = width_of(part, seen, width, spot.noise) if len(seen) else width
    return width


def _convincing(image: FloatArray, atoms: Refined) -> bool:
    """Whether enough of the spots stand out from noise, and are spots instead of pieces of an edge or a line."""
    sure = atoms.significance > SURE_SIGNIFICANCE
    if not len(sure) or sure.mean() < _SURE_SHARE or atoms.significance.max() < _BEYOND_NOISE:
        return False
    pixels = np.clip(np.rint(atoms.spots.positions).astype(int), 0, np.array(image.shape) - 1)
    return bool(round_at(image, pixels, atoms.spots.width).mean() > _ROUND_SHARE)


def _found(atoms: Refined, method: Method, ready: Prepared, notices: list[str]) -> FoundAtoms:
    model = atoms.spots
    if ready.missing is not None:
        at = np.clip(np.rint(model.positions).astype(int), 0, np.array(ready.values.shape) - 1)
        model = model.chosen(~ready.missing[tuple(at.T)])
    if not len(model.heights):
        raise _none()
    order = np.lexsort(np.round(model.positions, 3).T[::-1])
    positions, heights = model.positions[order], model.heights[order]
    return FoundAtoms(positions, heights, model.width, spacing_of(positions), method, tuple(notices))


def _none() -> InputError:
    return InputError(
        "no atoms were found: nothing in the image stands out from noise as spots of one size; take an image of a "
        "longer exposure or with 1 to 3 px per standard deviation of a spot, or one in which atoms are bright"
    )
