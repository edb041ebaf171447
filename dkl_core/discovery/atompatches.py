"""Windows centred on atoms, between pixels too, and the atoms they belong to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InputError
from dkl_core.patches import IntArray, Patches, PatchSettings, Sites, make_patches
from dkl_core.survey import FloatArray, Levelling, SurveyImage

if TYPE_CHECKING:
    from dkl_core.discovery.atoms import FoundAtoms

_SPACINGS = 2.75
_WIDTHS = 6.0
_LEAST_WINDOW = 7
_NEIGHBOUR = 3
_LEAST_SEEN = 0.5
_TYPICAL_SAMPLE = 512
_CHUNK_PIXELS = 2**20
SitesOf = TypeVar("SitesOf", bound=Sites)


@dataclass(frozen=True, eq=False)
class AtomSites(Sites):
    """Atoms as sites: positions are rounded to pixels for whoever needs a pixel, and kept exactly beside.

    Attributes:
        exact: (row, column) in px, not rounded, (M, 2).
    """

    exact: FloatArray = field(default_factory=lambda: np.empty((0, 2)))


def places_of(sites: Sites) -> FloatArray:
    """Where sites are, in px (M, 2), as exactly as is known."""
    return sites.exact if isinstance(sites, AtomSites) else sites.positions.astype(np.float64)


def chosen_sites(sites: SitesOf, indices: IntArray) -> SitesOf:
    """Some of the sites, in that order."""
    if isinstance(sites, AtomSites):
        return replace(sites, positions=sites.positions[indices], exact=sites.exact[indices])
    return replace(sites, positions=sites.positions[indices])


class AtomPatches(Patches):
    """The windows of a prepared image round atoms, interpolated when they are looked at.

    What a window holds beyond the border of the image, or where the image has no data, is taken to be as in the typical
    window of the image: what was not seen counts as nothing unusual.

    Attributes:
        intensities: height of each atom's peak over its background, in units of the survey image (M,).
        found: all atoms of the image.
        left_out: how many of them have less than half of their window in the image.

    Args:
        patches: the prepared image; its own sites are not used.
        found: the atoms.
        holes: pixels without data, same shape as the image.
        window: edge of the windows in px.

    Raises:
        InputError: no atom has half of its window in the image.
    """

    def __init__(self, patches: Patches, found: FoundAtoms, holes: NDArray[np.bool_], window: int) -> None:
        from scipy.ndimage import spline_filter

        shape = patches.image.shape
        self.found = found
        self.window = window
        self._spline = spline_filter(patches.image, order=3, output=np.float32)
        self._holes = holes.astype(np.float32)
        self._typical = np.zeros((window, window), dtype=np.float32)
        inside = (found.positions > -0.5) & (found.positions < np.array(shape) - 0.5)
        kept = np.flatnonzero(inside.all(axis=1))
        kept = kept[self._seen(found.positions[kept]) >= _LEAST_SEEN]
        self.left_out = len(found) - len(kept)
        if len(kept) == 0:
            raise InputError(
                f"none of the {len(found)} atoms has half of a window of {window} px in the image of {shape[0]} x "
                f"{shape[1]} px; give a smaller window or a larger image"
            )
        self.intensities = found.intensities[kept]
        exact = found.positions[kept]
        stride = max(1, round(distance_of(found)))
        sites = AtomSites(np.rint(exact).astype(np.int64), (shape[0], shape[1]), stride, exact)
        super().__init__(patches.image, sites, window, "nearest")
        some = np.linspace(0, len(kept) - 1, min(len(kept), _TYPICAL_SAMPLE)).astype(np.int64)
        self._typical = self._typical_of(some)

    def take(self, indices: ArrayLike) -> NDArray[np.float32]:
        """The windows of some atoms, shape (n, window, window); the middle of a window is its atom."""
        chosen = np.atleast_1d(np.asarray(indices, dtype=np.int64))
        size = max(_CHUNK_PIXELS // self.window**2, 1)
        parts = [self._cut(chosen[first : first + size]) for first in range(0, len(chosen), size)]
        if not parts:
            return np.empty((0, self.window, self.window), dtype=np.float32)
        return np.concatenate([np.where(np.isfinite(part), part, self._typical) for part in parts])

    def _typical_of(self, some: IntArray) -> NDArray[np.float32]:
        windows = self._cut(some)
        known = np.isfinite(windows).any(axis=0)
        typical = np.full(known.shape, np.nanmedian(windows), dtype=np.float32)
        typical[known] = np.nanmedian(windows[:, known], axis=0)
        return typical

    def _cut(self, indices: IntArray) -> NDArray[np.float32]:
        """Windows with NaN where nothing was seen."""
        from scipy.ndimage import map_coordinates

        rows, cols = self._coordinates(places_of(self.sites)[indices])
        windows = map_coordinates(self._spline, (rows, cols), order=3, mode="mirror", prefilter=False)
        windows[self._missing(rows, cols)] = np.nan
        cut: NDArray[np.float32] = windows.astype(np.float32, copy=False)
        return cut

    def _seen(self, places: FloatArray) -> FloatArray:
        """Share of the window that was seen, of each place."""
        if len(places) == 0:
            return np.empty(0)
        size = max(_CHUNK_PIXELS // self.window**2, 1)
        parts = []
        for first in range(0, len(places), size):
            missing = self._missing(*self._coordinates(places[first : first + size]))
            parts.append(1 - missing.mean(axis=(1, 2)))
        return np.concatenate(parts)

    def _coordinates(self, places: FloatArray) -> tuple[FloatArray, FloatArray]:
        offsets = np.arange(self.window) - (self.window - 1) / 2
        shape = (len(places), self.window, self.window)
        rows = np.broadcast_to(places[:, 0, None, None] + offsets[:, None], shape)
        cols = np.broadcast_to(places[:, 1, None, None] + offsets, shape)
        return rows, cols

    def _missing(self, rows: FloatArray, cols: FloatArray) -> NDArray[np.bool_]:
        height, width = self._holes.shape
        down, right = np.rint(rows).astype(np.int64), np.rint(cols).astype(np.int64)
        outside = (down < 0) | (down >= height) | (right < 0) | (right >= width)
        missing: NDArray[np.bool_] = outside | (self._holes[down.clip(0, height - 1), right.clip(0, width - 1)] > 0)
        return missing


def atom_patches(
    survey: SurveyImage, found: FoundAtoms, window: int | None = None, levelling: Levelling = "none"
) -> AtomPatches:
    """Windows round found atoms.

    Args:
        survey: the image the atoms were found in.
        found: the atoms.
        window: edge of the windows in px; None takes 2.75 times the atoms' distance (`distance_of`), which holds the
            first neighbours, rounded to an odd number, 7 at least.
        levelling: background removed from the image first.

    Raises:
        InputError: no atoms, a window below 3 px or larger than the image, or no atom with half of its window in it.
    """
    if len(found) == 0:
        raise InputError("there are no atoms to look at; take an image that shows atoms, or the workflow fft-pca")
    edge = window_for(found) if window is None else window
    if edge < 3:
        raise InputError(f"the window is {edge} px; round an atom, give 3 px or more")
    if min(survey.shape) < edge:
        raise InputError(
            f"the image of {survey.shape[0]} x {survey.shape[1]} px is smaller than the window of {edge} px; "
            "give a smaller window or a larger image"
        )
    prepared = make_patches(survey, PatchSettings(1, 1, levelling=levelling, nan="fill"), positions=np.zeros((1, 2)))
    return AtomPatches(prepared, found, ~np.isfinite(survey.values), edge)


def window_for(found: FoundAtoms) -> int:
    """The window that holds an atom and its first neighbours, an odd number of px."""
    edge = max(_SPACINGS * distance_of(found), _WIDTHS * found.width_px, _LEAST_WINDOW)
    return 2 * round((edge - 1) / 2) + 1


def distance_of(found: FoundAtoms) -> float:
    """Median distance of atoms to their third neighbour, px; 0 for fewer than four atoms.

    In a crystal the third is as near as the first. Where layers lie over each other, the first is an atom of the other
    layer, at any distance.
    """
    from scipy.spatial import KDTree

    if len(found) <= _NEIGHBOUR:
        return 0.0
    return float(np.median(KDTree(found.positions).query(found.positions, k=[_NEIGHBOUR + 1])[0]))
