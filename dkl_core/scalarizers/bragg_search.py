"""Where the diffraction discs round the central beam are: a search that knows nothing of the lattice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dkl_core.scalarizers.bragg_disc import RING, WINDOW, Disc, FloatArray, centroid
from dkl_core.scalarizers.bragg_filling import Tilt, tilt_of
from dkl_core.scalarizers.bright_disc import find_disc, no_beam
from dkl_core.scalarizers.pattern import Pattern

# first-order discs of one lattice differ this much in distance; the second order is 1.41 (square) or 1.73 times as far
FIRST_ORDER = 1.2
# discs nearer than this, in radii of the disc, overlap the central beam
NEAREST = 2.1
_RADIUS_PX = 5.0
_LEAST_RADIUS_PX = 2.0
_SIGNIFICANT = 4.0
_RELATIVE = 0.1
# the search sees a disc between pixels less clearly than it is
_HALF = 0.5
# second orders are not measured once a first order is clear
_REACH = 1.35
_MOST = 24
_CENTRE_HIDDEN = 1.4
_RADIUS_STEPS = 8


@dataclass(frozen=True)
class Discs:
    """The central beam and the discs round it.

    Attributes:
        centre: the central beam, None where there is none.
        first: the first-order discs.
        tilts: how unevenly they are filled; empty where the noise is not known.
        radius_px: of the discs.
        mrad_per_px: of the pixels in which the positions are: those of the pattern, or several of them summed.
        reason: why there are no discs; empty if there are.
    """

    centre: Disc | None = None
    first: tuple[Disc, ...] = ()
    tilts: tuple[Tilt, ...] = ()
    radius_px: float = 0.0
    mrad_per_px: float = 1.0
    reason: str = ""


def find_discs(pattern: Pattern, *, semiangle_mrad: float | None = None, min_intensity: float = 7e-5) -> Discs:
    """The central beam and the first-order discs of a nanobeam pattern.

    Pixels much finer than a disc are summed first. The pattern is searched with a disc less the ring round it; what
    stands out is measured by its centroid.

    Args:
        pattern: the pattern.
        semiangle_mrad: radius of the discs, mrad; None where it is to be measured.
        min_intensity: the least sum of a disc as a fraction of the pattern's; fainter ones are no discs.
    """
    reason = no_beam(pattern)
    bright = None if reason else find_disc(pattern)
    if bright is None:
        return Discs(reason=reason or "the pattern shows no central disc")
    whole = bright.radius if semiangle_mrad is None else semiangle_mrad / pattern.mrad_per_px
    if whole < _LEAST_RADIUS_PX:
        return Discs(reason=f"discs of {whole:.1f} pixels radius are too small; use a longer camera length")
    factor = max(1, int(whole / _RADIUS_PX))
    values, radius = _binned(pattern.values, factor), whole / factor
    start = ((bright.row + 0.5) / factor - 0.5, (bright.col + 0.5) / factor - 0.5)
    centre = centroid(values, start, radius, pattern.counts_per_electron)
    if centre is None:
        return Discs(reason="the central disc is cut by the edge of the camera")
    gain = pattern.counts_per_electron
    first, reason = _round(centre, values, radius, min_intensity, gain)
    found = () if gain is None else [tilt_of(values, disc, radius, gain) for disc in first]
    tilts = tuple(tilt for tilt in found if tilt is not None)
    return Discs(centre, first, tilts, radius, pattern.mrad_per_px * factor, reason)


def _round(
    centre: Disc, values: FloatArray, radius: float, least: float, gain: float | None
) -> tuple[tuple[Disc, ...], str]:
    beam = float(values.sum())
    near: list[Disc | None] = []
    reach = math.inf
    for start in _candidates(values, centre, radius, _HALF * least * beam):
        if math.dist(start, (centre.row, centre.col)) > reach:
            break
        near.append(centroid(values, start, radius, gain))
        disc = near[-1]
        if disc and _clear(disc, least * beam):
            reach = min(reach, _REACH * disc.distance_px(centre))
    kept = _distinct([disc for disc in near if disc and disc.distance_px(centre) >= NEAREST * radius], radius)
    discs = [disc for disc in kept if _clear(disc, least * beam)]
    return (_first_order(discs, centre), "") if discs else ((), _nothing(kept, beam, least))


def _clear(disc: Disc, least: float) -> bool:
    return disc.intensity >= least and disc.significance >= _SIGNIFICANT


def _first_order(discs: list[Disc], centre: Disc) -> tuple[Disc, ...]:
    strongest = max(disc.intensity for disc in discs)
    clear = [disc for disc in discs if disc.intensity >= _RELATIVE * strongest]
    nearest = min(disc.distance_px(centre) for disc in clear)
    return tuple(disc for disc in clear if disc.distance_px(centre) <= FIRST_ORDER * nearest)


def _distinct(discs: list[Disc], radius: float) -> list[Disc]:
    kept: list[Disc] = []
    for disc in sorted(discs, key=lambda each: -each.intensity):
        if all(disc.distance_px(other) > radius for other in kept):
            kept.append(disc)
    return kept


def _nothing(discs: list[Disc], beam: float, least: float) -> str:
    brightest = max((disc.intensity for disc in discs), default=0.0) / beam
    if brightest < least:
        return f"no disc: the brightest holds {brightest:.1e} of the beam, less than {least:.1e}"
    return f"no disc: the brightest holds {brightest:.1e} of the beam, but too few electrons to tell it from noise"


def _candidates(values: FloatArray, centre: Disc, radius: float, least: float) -> list[tuple[float, float]]:
    """Local maxima of the search: those of the least sum, nearest first, or else the brightest."""
    # SciPy is imported where it is used: who imports the scalarizers need not wait for it.
    from scipy import ndimage

    rows, cols = np.ogrid[: values.shape[0], : values.shape[1]]
    distance = np.hypot(rows - centre.row, cols - centre.col)
    response = _response(_without_centre(values, distance, radius), radius)
    allowed = (distance >= NEAREST * radius) & _complete(values.shape, radius)
    response = np.where(allowed, response, 0.0)
    peaks = np.argwhere((response == ndimage.maximum_filter(response, 2 * int(radius) + 1)) & (response > 0))
    sums = response[tuple(peaks.T)] * math.pi * radius**2
    kept = peaks[(sums >= least) | (sums == sums.max(initial=0.0))]
    away = distance[tuple(kept.T)]
    return [(float(row), float(col)) for row, col in kept[np.argsort(away)][:_MOST]]


def _binned(values: FloatArray, factor: int) -> FloatArray:
    if factor == 1:
        return np.asarray(values, dtype=np.float64)
    rows, cols = (size // factor for size in values.shape)
    blocks = values[: rows * factor, : cols * factor].reshape(rows, factor, cols, factor)
    coarse: FloatArray = blocks.sum(axis=(1, 3), dtype=np.float64)
    return coarse


def _without_centre(coarse: FloatArray, distance: FloatArray, radius: float) -> FloatArray:
    hidden = distance < _CENTRE_HIDDEN * radius + 1
    rim = coarse[~hidden & (distance < _CENTRE_HIDDEN * radius + 2.5)]
    return np.where(hidden, np.median(rim) if rim.size else 0.0, coarse)


def _complete(shape: tuple[int, ...], radius: float) -> NDArray[np.bool_]:
    margin = WINDOW * radius - 0.5
    rows, cols = (np.minimum(np.arange(size), size - 1 - np.arange(size)) >= margin for size in shape)
    return rows[:, None] & cols[None, :]


def _response(coarse: FloatArray, radius: float) -> FloatArray:
    from scipy import fft

    kernel, padded = _kernel((coarse.shape[0], coarse.shape[1]), round(radius * _RADIUS_STEPS))
    spectrum = fft.rfft2(coarse, padded) * kernel
    response: FloatArray = fft.irfft2(spectrum, padded)[: coarse.shape[0], : coarse.shape[1]]
    return response


@lru_cache(maxsize=16)
def _kernel(shape: tuple[int, int], eighths: int) -> tuple[NDArray[np.complex128], tuple[int, int]]:
    from scipy import fft

    radius = eighths / _RADIUS_STEPS
    reach = math.ceil(RING * radius) + 1
    padded = tuple(fft.next_fast_len(size + reach, real=True) for size in shape)
    dy, dx = (np.minimum(np.arange(size), size - np.arange(size)) for size in padded)
    distance = np.hypot(dy[:, None], dx[None, :])
    disc = np.clip(radius + 0.5 - distance, 0.0, 1.0)
    ring = np.clip(RING * radius + 0.5 - distance, 0.0, 1.0) - np.clip(WINDOW * radius + 0.5 - distance, 0.0, 1.0)
    return fft.rfft2(disc / disc.sum() - ring / ring.sum()), (padded[0], padded[1])
