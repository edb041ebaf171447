"""The choice of the next, smaller frame from the predicted scalar of the present one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.frame import Frame
from dkl_core.survey import FloatArray
from dkl_core.zoom.sizes import ZoomRules, ZoomSize
from dkl_core.zoom.windows import SiteTable, Windows

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class ZoomDecision:
    """The next frame, or why there is none.

    Attributes:
        frame: the next frame, a child of the present one; None when no window qualifies.
        reason: why this frame, or why none: one line.
        n_sites: sites with a prediction that count in it.
        total: their summed score.
        excess: their summed score above the average of all sites; the number that was maximised.
    """

    frame: Frame | None
    reason: str
    n_sites: int = 0
    total: float = 0.0
    excess: float = 0.0


def next_frame(
    frame: Frame,
    sites: ArrayLike,
    score: ArrayLike,
    size: ZoomSize,
    *,
    std: ArrayLike | None = None,
    visited: Sequence[Frame] = (),
    rules: ZoomRules | None = None,
    shape: tuple[int, int] | None = None,
) -> ZoomDecision:
    r"""Choose the next, smaller frame: the window with the largest sum of the predicted scalar.

    The quantity maximised over all windows W that lie wholly within the frame (corners on edges of pixels) is

        E(W) = sum over i in W of (s_i - s̄),    s̄ = mean of s over all sites with a prediction.

    Among windows that hold equally many sites this is the published largest sum, as it differs from it by a
    constant. It differs only where counts differ (sites are missing at the edges, excluded or NaN): there a plain sum
    would follow the count rather than the scalar as soon as the scalar carries an offset, as published ones do
    (5 + 1000 r); E does not change when a constant is added to s.

    A window qualifies only if E(W) > sigmas * sum of the sites' standard deviations. The sum of deviations is the
    largest that the deviation of the sum can be, reached when all errors are the same, and errors of neighbours are
    nearly so. Without `std` a window must exceed the average at all, so a flat prediction gives no frame.

    Of windows with the same E the one first in row-major order counts. Where it can be shifted without gaining or
    losing a site (sites are further apart than pixels), it is centred on the sites it holds.

    Args:
        frame: the present frame; its `shape` is that of the image that the sites lie in.
        sites: (M, 2), whole (row, column) pixels of that image.
        score: (M,), the predicted scalar, made so that larger is better (negated to minimise, the negative distance
            to a target, ...). NaN marks sites without a prediction; they are ignored.
        size: the size of the next frame.
        std: (M,), standard deviation of `score`; sites where it is NaN are ignored.
        visited: frames not to return to. Those that the present frame is nested in do not count.
        rules: what a window must fulfil.
        shape: pixels of the next frame's image, by default as many as now.

    Returns:
        The next frame, or the reason why there is none.

    Raises:
        InputError: arrays that do not match, sites outside the frame, or a size that does not fit into it.
    """
    rules = rules or ZoomRules()
    size_nm = size.of(frame)
    table = SiteTable.of(frame, sites, score, std)
    if not table.count.any():
        return ZoomDecision(None, "no site has a finite prediction; measure or train more before zooming")
    windows = Windows.of(frame, size_nm, rules.margin_nm)
    scores = _Scores.of(table, windows, rules)
    allowed, reason = _qualifying(scores, _overlap(frame, windows, visited), rules)
    if reason:
        return ZoomDecision(None, reason)
    row, col = _centred(table, windows, allowed, _first_best(scores.excess, allowed, table.rounding))
    corner = frame.to_nm((windows.starts[0][row] - 0.5, windows.starts[1][col] - 0.5))
    child = Frame((float(corner[0]), float(corner[1])), size_nm, shape or frame.shape, frame)
    count, excess = int(scores.count[row, col]), float(scores.excess[row, col])
    gain = excess / count
    return ZoomDecision(
        child,
        f"{count} sites lie {gain:.4g} above the average of {table.mean:.4g}",
        n_sites=count,
        total=excess + count * table.mean,
        excess=excess,
    )


@dataclass(frozen=True)
class _Scores:
    """What each window has to offer, and what it must exceed."""

    excess: FloatArray
    count: NDArray[np.int64]
    threshold: FloatArray

    @classmethod
    def of(cls, table: SiteTable, windows: Windows, rules: ZoomRules) -> _Scores:
        count = np.rint(windows.sums(table.count)).astype(np.int64)
        threshold = rules.sigmas * windows.sums(table.spread) + count * table.flat + table.rounding
        return cls(windows.sums(table.excess), count, threshold)


def _qualifying(scores: _Scores, overlap: FloatArray, rules: ZoomRules) -> tuple[BoolArray, str]:
    """Which windows qualify; if none, the first rule that left none."""
    allowed = scores.count >= rules.min_sites
    if not allowed.any():
        return allowed, (
            f"no window holds {rules.min_sites} sites with a prediction, at most {scores.count.max()}; "
            "choose a larger size or sites closer together"
        )
    allowed &= overlap <= rules.max_overlap + 1e-9
    if not allowed.any():
        return allowed, "every window overlaps a frame visited before; go back a level or allow more overlap"
    allowed &= scores.excess > scores.threshold
    if not allowed.any():
        return allowed, "no window is better than the average by more than its uncertainty; measure more here"
    return allowed, ""


def _first_best(excess: FloatArray, allowed: BoolArray, rounding: float) -> tuple[int, int]:
    best = float(excess[allowed].max())
    row, col = np.argwhere(allowed & (excess >= best - rounding))[0]
    return int(row), int(col)


def _centred(table: SiteTable, windows: Windows, allowed: BoolArray, best: tuple[int, int]) -> tuple[int, int]:
    """The window with the same sites as the best one that is nearest to being centred on them."""
    spans = []
    for axis in (0, 1):
        used = np.flatnonzero(table.count.any(axis=1 - axis))
        spans.append(_same_sites(used, windows.starts[axis], windows.inner[axis], best[axis]))
    (rows, row_distance), (cols, col_distance) = spans
    distance = row_distance[:, None] ** 2 + col_distance[None, :] ** 2
    distance = np.where(allowed[np.ix_(rows, cols)], distance, np.inf)
    row, col = np.unravel_index(int(np.argmin(distance)), distance.shape)
    return int(rows[row]), int(cols[col])


def _same_sites(
    used: NDArray[np.int64], starts: NDArray[np.int64], inner: tuple[int, int], best: int
) -> tuple[NDArray[np.int64], FloatArray]:
    """Numbers of the windows that hold the same lines of sites along an axis, and how far they are off centre, px."""
    first = np.searchsorted(used, starts + inner[0])
    end = np.searchsorted(used, starts + inner[1])
    same = np.flatnonzero((first == first[best]) & (end == end[best]))
    middle = (used[first[best]] + used[end[best] - 1]) / 2
    return same, np.abs(starts[same] + (inner[0] + inner[1] - 1) / 2 - middle)


def _overlap(frame: Frame, windows: Windows, visited: Sequence[Frame]) -> FloatArray:
    """The largest part of each window's area that lies in one of the frames visited, shape of the windows."""
    rows, cols = windows.starts
    largest = np.zeros((len(rows), len(cols)))
    ancestors = tuple(frame.lineage())
    for other in visited:
        if other in ancestors:
            continue
        low, high = (frame.to_pixels(np.add(other.corner_nm, part)) for part in ((0.0, 0.0), other.size_nm))
        sides = [
            _shared(windows.starts[axis].astype(np.float64) - 0.5, windows.size_px[axis], low[axis], high[axis])
            for axis in (0, 1)
        ]
        largest = np.maximum(largest, sides[0][:, None] * sides[1][None, :])
    return largest


def _shared(edges: FloatArray, size: float, low: float, high: float) -> FloatArray:
    """The part of each interval [edge, edge + size] that lies between low and high."""
    shared: FloatArray = np.clip(np.minimum(edges + size, high) - np.maximum(edges, low), 0.0, None) / size
    return shared
