"""The bright-field disc of a convergent-beam pattern: where it is, how large it is, and whether there is one at all."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from dkl_core.scalarizers.outliers import without_outliers
from dkl_core.scalarizers.pattern import BoolArray, FloatArray, Pattern

# Between these shares of the disc's level a pixel of its edge counts in part, so that the edge is found within pixels;
# in the first look the disc must be told from weaker ones beside it.
_EDGE, _FIRST_EDGE = (0.2, 0.8), (0.4, 0.6)
# Finer patterns are summed to about so many pixels first: the edge is no less sharp for it, the noise is.
_COARSE_PX, _COARSEST_PX = 64, 16
# Discs of fewer pixels have no inside to speak of; of larger ones so many pixels of radius are enough. Where electrons
# are few, pixels are summed until one of the disc stands above its noise by so much, but not to fewer than the last.
_LEAST_RADIUS_PX, _FINE_RADIUS_PX, _CLEAR, _COARSE_RADIUS_PX = 2.5, 24.0, 3.0, 6.0
# Within so much of the radius all is disc, beyond that nothing is; the edge has at least so many pixels on either side.
_INSIDE, _OUTSIDE, _EDGE_PX = 0.85, 1.3, 2.0
# A disc stands out from the ring round it by so many standard errors, and has so many times its level.
_SIGNIFICANT, _TIMES = 5.0, 1.5
_LEAST_OUTSIDE_PX = 8
# of a normal distribution, in standard deviations
_QUARTILES = 1.349
# Fewer electrons show no disc.
LEAST_ELECTRONS = 50.0
_LEAST_FRACTION = 1e-3


@dataclass(frozen=True)
class BrightDisc:
    """The bright disc of a pattern.

    Attributes:
        row: its middle, px of the pattern.
        col: its middle, px.
        radius: px.
    """

    row: float
    col: float
    radius: float


@dataclass(frozen=True, eq=False)
class Beam:
    """A pattern that has a beam.

    Attributes:
        pattern: the pattern without the single pixels that no beam can have lit, and with the read noise that its
            border shows where that was not known.
        disc: its bright disc.
    """

    pattern: Pattern
    disc: BrightDisc


def beam_of(pattern: Pattern) -> Beam | str:
    """The pattern and its bright disc, ready to be measured, or why it cannot be."""
    if pattern.saturated_px:
        return f"{pattern.saturated_px} pixels are saturated; shorten the exposure or lower the current"
    problem = no_beam(pattern)
    if problem:
        return problem
    cleaned = without_outliers(pattern)
    # what a cosmic ray left in the dark is no beam
    problem = no_beam(cleaned) if cleaned is not pattern else ""
    if problem:
        return problem
    noise = _noise_counts(cleaned)
    disc = _found(cleaned, noise)
    if disc is None:
        return "no beam: no bright disc stands out in the pattern; was it blanked?"
    return Beam(replace(cleaned, read_noise_counts=noise), disc)


def no_beam(pattern: Pattern) -> str:
    """Why a pattern's sum tells that there is no beam; nothing if it does not. Only a disc tells that there is one."""
    total = float(pattern.values.sum())
    if not math.isfinite(total):
        return "the pattern has values that are not finite"
    if pattern.counts_per_electron is None:
        return "" if total > _LEAST_FRACTION else f"no beam: the pattern sums up to {total:.3g} of the beam"
    electrons = total / pattern.counts_per_electron
    return "" if electrons > LEAST_ELECTRONS else f"no beam: {electrons:.0f} electrons in the pattern; was it blanked?"


def find_disc(pattern: Pattern) -> BrightDisc | None:
    """The bright disc of a pattern, None where none stands out from what is round it.

    Its level is the intensity that the average electron finds round it; what has about half of that or more is disc.
    Weaker discs beside it, those of Bragg reflections in nanobeam diffraction, stay below. Fields of atoms make one
    side of the disc brighter, which would pull an edge at a fixed level after it: the final edge is at half the level
    of a plane fitted to the inside, and hardly follows them.
    """
    cleaned = without_outliers(pattern)
    return _found(cleaned, _noise_counts(cleaned))


def _found(pattern: Pattern, noise: float) -> BrightDisc | None:
    found = _first(pattern, noise)
    if found is None:
        return None
    if found.radius >= _LEAST_RADIUS_PX:
        found = _refined(pattern, found, noise)
    return found if _stands_out(pattern.values, found) else None


def _first(pattern: Pattern, noise: float) -> BrightDisc | None:
    factor = _coarse_factor(pattern, noise)
    coarse = np.maximum(_binned(pattern.values, factor), 0)
    total = float(coarse.sum())
    if not total > 0:
        return None
    found = _weighed(_edge_share(coarse, float(np.vdot(coarse, coarse)) / total, _FIRST_EDGE))
    return None if found is None else _scaled(found, factor)


def _coarse_factor(pattern: Pattern, noise: float) -> int:
    """Pixels to sum along each side: more where a sixth of the frame, filled by the disc, would drown in noise."""
    size, pixels = min(pattern.shape), 64
    per_px = 6 * float(pattern.values.sum()) / pattern.values.size
    while pixels > _COARSEST_PX and not _clearness(pattern, per_px, noise, size / pixels) > _CLEAR:
        pixels //= 2
    return max(1, size // pixels)


def _clearness(pattern: Pattern, level: float, noise: float, factor: float) -> float:
    """Level over noise of a sum of pixels; infinite without noise."""
    variance = (pattern.counts_per_electron or 0.0) * max(level, 0.0) + noise**2
    return math.inf if variance == 0 else max(level, 0.0) * factor / math.sqrt(variance)


def _edge_share(values: FloatArray, level: FloatArray | float, edge: tuple[float, float] = _EDGE) -> FloatArray:
    low, high = edge
    share: FloatArray = np.clip((values / level - low) / (high - low), 0, 1)
    return share


def _weighed(share: FloatArray) -> BrightDisc | None:
    area = float(share.sum())
    if area < 1 or area > 0.95 * share.size:
        return None
    row = float(share.sum(axis=1) @ np.arange(share.shape[0])) / area
    col = float(share.sum(axis=0) @ np.arange(share.shape[1])) / area
    return BrightDisc(row, col, math.sqrt(area / math.pi))


def _scaled(disc: BrightDisc, factor: int, top: int = 0, left: int = 0) -> BrightDisc:
    """A disc of a binned cut-out as a disc of the whole pattern."""
    middle = (factor - 1) / 2
    return BrightDisc(disc.row * factor + middle + top, disc.col * factor + middle + left, disc.radius * factor)


def _refined(pattern: Pattern, disc: BrightDisc, noise: float) -> BrightDisc:
    reach = max(_OUTSIDE * disc.radius, disc.radius + _EDGE_PX)
    top, left = (max(0, math.floor(middle - reach)) for middle in (disc.row, disc.col))
    factor = _fine_factor(pattern, disc.radius, noise)
    bottom, right = (math.ceil(middle + reach) + factor for middle in (disc.row, disc.col))
    cut = np.maximum(_smoothed(_binned(pattern.values[top:bottom, left:right], factor)), 0)
    middle = (factor - 1) / 2
    y = _in_radii(cut.shape[0], factor, middle + top - disc.row, disc.radius)[:, None]
    x = _in_radii(cut.shape[1], factor, middle + left - disc.col, disc.radius)
    square = y**2 + x**2
    inside = square < min(_INSIDE, 1 - _EDGE_PX / 2 / disc.radius) ** 2
    plane = _plane(cut, y, x, inside)
    if plane is None:
        return disc
    share = np.where(inside, 1.0, np.where(square < (reach / disc.radius) ** 2, _edge_share(cut, plane), 0.0))
    found = _weighed(share)
    return disc if found is None else _scaled(found, factor, top, left)


def _in_radii(count: int, factor: int, first: float, radius: float) -> FloatArray:
    line: FloatArray = (np.arange(count, dtype=np.float64) * factor + first) / radius
    return line


def _fine_factor(pattern: Pattern, radius: float, noise: float) -> int:
    level = float(pattern.values.sum()) / (math.pi * radius**2)
    clear = _clearness(pattern, level, noise, 1.0)
    needed = 0.0 if math.isinf(clear) else _CLEAR / max(clear, 1e-9)
    return max(1, round(radius / _FINE_RADIUS_PX), min(math.ceil(needed), int(radius / _COARSE_RADIUS_PX)))


def _plane(values: FloatArray, y: FloatArray, x: FloatArray, inside: BoolArray) -> FloatArray | None:
    """The least-squares plane through the values inside, kept above what would count as outside; None if they are 0."""
    within = inside.astype(np.float64)
    lines = _sums(within * values, y[:, 0], x)
    counts, squares = _sums(within, y[:, 0], x), _sums(within, y[:, 0] ** 2, x**2)
    cross = float(y[:, 0] @ (within @ x))
    normal = np.array(
        [
            [counts[0], counts[1], counts[2]],
            [counts[1], squares[1], cross],
            [counts[2], cross, squares[2]],
        ]
    )
    if not (lines[0] > 0 and abs(np.linalg.det(normal)) > 0):
        return None
    level, down, right = np.linalg.solve(normal, lines)
    plane: FloatArray = np.maximum(level + down * y + right * x, _EDGE[0] * level)
    return plane if level > 0 else None


def _sums(values: FloatArray, y: FloatArray, x: FloatArray) -> FloatArray:
    """Sum of the values, and of the values times a function of the row and of the column."""
    rows, cols = values.sum(axis=1), values.sum(axis=0)
    return np.array([rows.sum(), rows @ y, cols @ x])


def _stands_out(values: FloatArray, disc: BrightDisc) -> bool:
    """Whether the mean inside is clearly above that of the ring round it, by the scatter that both have themselves."""
    reach = 1.8 * disc.radius + 2
    (top, bottom), (left, right) = (
        (max(0, math.floor(at - reach)), min(size, math.ceil(at + reach) + 1))
        for at, size in zip((disc.row, disc.col), values.shape, strict=True)
    )
    # large discs have pixels enough in every second or third row and column
    step = max(1, int(disc.radius / _FINE_RADIUS_PX))
    cut = values[top:bottom:step, left:right:step]
    rows, cols = np.arange(top, bottom, step) - disc.row, np.arange(left, right, step) - disc.col
    square = (rows**2)[:, None] + cols**2
    inside, outside = cut[square < max(_INSIDE * disc.radius, 0.75) ** 2], cut[square > (1.15 * disc.radius + 1) ** 2]
    if inside.size == 0 or outside.size < _LEAST_OUTSIDE_PX:
        return False
    level, around = float(inside.mean()), float(outside.mean())
    error = math.sqrt(float(inside.var()) / inside.size + float(outside.var()) / outside.size)
    return level > 0 and level - around > _SIGNIFICANT * error and level > _TIMES * around


def _binned(values: FloatArray, factor: int) -> FloatArray:
    if factor == 1:
        return values
    rows, cols = (size // factor * factor for size in values.shape)
    # adding slices is several times faster than summing over a short axis
    fewer = values[0:rows:factor].copy()
    for first in range(1, factor):
        fewer += values[first:rows:factor]
    binned: FloatArray = fewer[:, 0:cols:factor].copy()
    for first in range(1, factor):
        binned += fewer[:, first:cols:factor]
    return binned


def _smoothed(values: FloatArray) -> FloatArray:
    """The values blurred by a pixel: a hard edge between pixels would be seen nearer to one than it is."""
    for axis in (0, 1):
        values = values if axis == 0 else values.T
        sums = 2 * values
        sums[1:] += values[:-1]
        sums[:-1] += values[1:]
        # beyond the frame it goes on as at its edge
        sums[0] += values[0]
        sums[-1] += values[-1]
        values = sums / 4
    return values.T


def _noise_counts(pattern: Pattern) -> float:
    """Noise beside that of the electrons, rms per pixel: as known, else from the frame's border, where few arrive."""
    if pattern.read_noise_counts or pattern.counts_per_electron is None:
        return pattern.read_noise_counts
    values = pattern.values
    border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    border.sort()
    low, level, high = (float(border[part * border.size // 4]) for part in (1, 2, 3))
    scatter = (high - low) / _QUARTILES
    return math.sqrt(max(0.0, scatter**2 - pattern.counts_per_electron * max(level, 0.0)))
