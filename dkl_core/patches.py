"""Sites of a survey image and their patches, cut when needed and never all at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InputError
from dkl_core.measurement import Site
from dkl_core.survey import FloatArray, Levelling, Normalisation, SurveyImage, levelled, normalised

Edge = Literal["inside", "reflect", "nearest"]
NanPolicy = Literal["exclude", "fill"]
IntArray = NDArray[np.int64]
AnyNumber = TypeVar("AnyNumber", bound=np.generic)


@dataclass(frozen=True)
class PatchSettings:
    """How sites are laid and patches cut.

    Attributes:
        window: edge of the square patch in pixels; that of row r begins at r - window // 2.
        stride: distance of neighbouring sites in pixels; 1 puts a site at every pixel.
        edge: `inside` keeps only sites whose whole patch lies in the image; `reflect` and `nearest` keep all sites and
            continue the image beyond its border.
        levelling: background removed from the image first, see `survey.levelled`.
        normalisation: common scale of the image, see `survey.normalised`.
        nan: `exclude` drops sites whose patch holds a pixel without data; `fill` gives such pixels their nearest
            neighbour's value.
    """

    window: int = 30
    stride: int = 10
    edge: Edge = "inside"
    levelling: Levelling = "none"
    normalisation: Normalisation = "standard"
    nan: NanPolicy = "exclude"

    def __post_init__(self) -> None:
        if self.window < 1:
            raise InputError(f"window is {self.window}; give the edge of the patch in pixels, 1 or more")
        if self.stride < 1:
            raise InputError(f"stride is {self.stride}; give the distance between sites in pixels, 1 or more")
        if self.edge not in get_args(Edge):
            raise InputError(f"unknown edge policy {self.edge!r}; choose one of {', '.join(get_args(Edge))}")
        if self.nan not in get_args(NanPolicy):
            raise InputError(f"unknown NaN policy {self.nan!r}; choose one of {', '.join(get_args(NanPolicy))}")


@dataclass(frozen=True, eq=False)
class Sites:
    """Candidate positions of a survey image.

    Attributes:
        positions: (row, column) in pixels, shape (M, 2).
        shape: shape of the survey image.
        stride: distance of neighbouring sites in pixels.
    """

    positions: IntArray
    shape: tuple[int, int]
    stride: int = 1

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int) -> Site:
        row, col = self.positions[index]
        return Site(int(index), int(row), int(col))

    def nearest(self, row: float, col: float) -> Site:
        """The site closest to a point of the survey image in pixels."""
        return self[int(np.argmin(((self.positions - np.array([row, col])) ** 2).sum(axis=1)))]

    def to_map(self, values: ArrayLike) -> FloatArray:
        """Values (M,) as a map with one cell per site, NaN where there is no site; shape (site rows, site columns)."""
        rows, row_index = np.unique(self.positions[:, 0], return_inverse=True)
        cols, col_index = np.unique(self.positions[:, 1], return_inverse=True)
        grid = np.full((len(rows), len(cols)), np.nan)
        grid[row_index, col_index] = values
        return grid


class Patches:
    """The windows of a prepared image round its sites.

    Only the padded image is held; a patch exists while it is looked at. 512 x 512 sites of 30 x 30 pixels would
    otherwise take 0.94 GB.

    Attributes:
        image: the prepared (levelled, normalised, filled) image, shape (rows, columns).
        sites: the sites that have a patch.
        window: edge of a patch in pixels.
    """

    def __init__(self, image: FloatArray, sites: Sites, window: int, edge: Edge = "inside") -> None:
        self.image = image
        self.sites = sites
        self.window = window
        self._padded = _padded(image, window, edge).astype(np.float32)
        self._corners = _corners(sites, window)

    def __len__(self) -> int:
        return len(self.sites)

    def take(self, indices: ArrayLike) -> NDArray[np.float32]:
        """The patches of some sites, shape (n, window, window)."""
        windows = np.lib.stride_tricks.sliding_window_view(self._padded, (self.window, self.window))
        corners = self._corners[np.asarray(indices)]
        cut: NDArray[np.float32] = windows[corners[:, 0], corners[:, 1]]
        return cut

    def chunks(self, size: int = 4096) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """All patches, at most `size` at a time, each with the slice of sites it belongs to."""
        for start in range(0, len(self), size):
            part = slice(start, min(start + size, len(self)))
            yield part, self.take(np.arange(part.start, part.stop))


def grid_sites(shape: tuple[int, int], settings: PatchSettings) -> Sites:
    """Sites at the multiples of the stride whose patches the edge policy allows.

    A 512 x 512 image with window 30 and stride 10 gives 20, 30, … 490 in both directions: the 48 x 48 sites of the
    published STM experiments.

    Raises:
        InputError: the window is larger than the image and may not reach beyond it.
    """
    rows, cols = (_grid_axis(length, settings) for length in shape)
    if len(rows) == 0 or len(cols) == 0:
        raise InputError(
            f"no site: a window of {settings.window} px does not fit into the image of {shape[0]} x {shape[1]} px "
            f"at multiples of the stride {settings.stride} px; choose a smaller window or stride, or edge='reflect'"
        )
    grid = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1).reshape(-1, 2)
    return Sites(grid.astype(np.int64), shape, settings.stride)


def make_patches(
    survey: SurveyImage,
    settings: PatchSettings,
    *,
    mask: NDArray[np.bool_] | None = None,
    positions: ArrayLike | None = None,
) -> Patches:
    """Lay sites over a survey image and prepare their patches.

    Args:
        survey: the survey image; NaN pixels are treated as `settings.nan` says.
        settings: window, stride and image preparation.
        mask: pixels where a site is allowed, same shape as the image; None allows all.
        positions: the user's own sites (M, 2) as (row, column) instead of a grid.

    Raises:
        InputError: nothing but NaN, an image that is constant or becomes so by levelling, a mask of another shape, a
            window that does not fit, sites outside the image, or no site left.
    """
    _check_survey(survey)
    if positions is None:
        sites = grid_sites(survey.shape, settings)
    else:
        sites = _own_sites(np.asarray(positions), survey.shape, settings)
    keep = np.ones(len(sites), dtype=bool)
    if mask is not None:
        keep &= _allowed(mask, sites)
    holes = ~np.isfinite(survey.values)
    if holes.any() and settings.nan == "exclude":
        keep &= ~_touches(holes, sites, settings)
    if not keep.any():
        raise InputError(
            f"no site is left of {len(sites)}: mask and pixels without data exclude every one; "
            "allow a larger area, a smaller window, or nan='fill'"
        )
    image = _filled(_prepared(replace(survey, values=np.where(holes, np.nan, survey.values)), settings), holes)
    return Patches(image, replace(sites, positions=sites.positions[keep]), settings.window, settings.edge)


def _padded(image: NDArray[AnyNumber], window: int, edge: Edge) -> NDArray[AnyNumber]:
    """The image continued by a window's edge on every side."""
    return np.pad(image, window, mode="edge" if edge == "nearest" else "reflect")


def _corners(sites: Sites, window: int) -> IntArray:
    """The first pixel of each site's patch in the padded image."""
    return sites.positions + (window - window // 2)


def _grid_axis(length: int, settings: PatchSettings) -> IntArray:
    multiples = np.arange(0, length, settings.stride)
    if settings.edge != "inside":
        return multiples
    first = multiples - settings.window // 2
    return multiples[(first >= 0) & (first + settings.window <= length)]


def _own_sites(positions: NDArray[np.generic], shape: tuple[int, int], settings: PatchSettings) -> Sites:
    if positions.ndim != 2 or positions.shape[1] != 2 or len(positions) == 0:
        raise InputError(f"positions have shape {positions.shape}; give (row, column) pairs, shape (M, 2)")
    places = np.rint(positions.astype(float))
    reach = 1 if settings.edge != "inside" else settings.window
    first = places - reach // 2
    # Written so that NaN is outside, too.
    outside = ~((first >= 0) & (first + reach <= np.asarray(shape))).all(axis=1)
    if outside.any():
        row, col = places[outside][0]
        lack = f"have no whole window of {settings.window} px inside" if reach > 1 else "lie outside"
        advice = "choose a smaller window or edge='reflect'" if reach > 1 else "leave them out"
        raise InputError(
            f"{int(outside.sum())} of {len(places)} positions, the first at row {row:g}, column {col:g}, {lack} "
            f"the image of {shape[0]} x {shape[1]} px; {advice}"
        )
    return Sites(places.astype(np.int64), shape, settings.stride)


def _check_survey(survey: SurveyImage) -> None:
    good = survey.values[np.isfinite(survey.values)]
    if good.size == 0:
        raise InputError("the survey image holds no finite value; check the file or the detector")
    if good.min() == good.max():
        raise InputError(
            f"the survey image has the one value {good[0]:g} everywhere, so it shows no structure to learn from; "
            "check the detector or take another channel"
        )


def _prepared(survey: SurveyImage, settings: PatchSettings) -> FloatArray:
    flat = levelled(survey, settings.levelling)
    contrast = np.nanmax(flat.values) - np.nanmin(flat.values)
    if flat is not survey and contrast <= 1e-12 * np.nanmax(np.abs(survey.values)):
        raise InputError(
            f"levelling {settings.levelling!r} leaves nothing of the survey image; "
            "choose another levelling, or take another channel"
        )
    return normalised(flat, settings.normalisation).values


def _allowed(mask: NDArray[np.bool_], sites: Sites) -> NDArray[np.bool_]:
    if mask.shape != sites.shape:
        raise InputError(f"the mask has shape {mask.shape}; give one of the image's shape {sites.shape}")
    allowed: NDArray[np.bool_] = mask.astype(bool)[sites.positions[:, 0], sites.positions[:, 1]]
    return allowed


def _touches(holes: NDArray[np.bool_], sites: Sites, settings: PatchSettings) -> NDArray[np.bool_]:
    """Whether a site's window holds a hole, from the summed-area table of the holes."""
    padded = _padded(holes, settings.window, settings.edge)
    table = np.pad(padded.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32), ((1, 0), (1, 0)))
    top, left = _corners(sites, settings.window).T
    bottom, right = top + settings.window, left + settings.window
    count = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
    touched: NDArray[np.bool_] = count > 0
    return touched


def _filled(values: FloatArray, holes: NDArray[np.bool_]) -> FloatArray:
    if not holes.any():
        return values
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(holes, return_distances=False, return_indices=True)
    filled: FloatArray = values[tuple(nearest)]
    return filled
