"""Where dI/dV leaves the gap: the straight-line fit behind band gap, valence and conduction edge."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dkl_core.scalarizers.spectrum import FloatArray

_MIN_RUN = 3
_NOT_RISING = -4.0


@dataclass(frozen=True)
class EdgeRule:
    """How an edge is found.

    Attributes:
        threshold: largest dI/dV, as a fraction of its span on this side, of the samples that the line is fitted to.
        window_v: length of the fitted piece in V.
        min_slope_per_v: smallest slope, in fractions of the span per V, of a line that counts as rising.
    """

    threshold: float
    window_v: float
    min_slope_per_v: float


@dataclass(frozen=True)
class Edge:
    """Where the fitted line meets zero.

    Attributes:
        magnitude_v: the edge's distance from zero bias in V; 0 if dI/dV rises at once, -4 if no line rises (both
            as in the published definition), NaN if it cannot be computed.
        problem: why it is not an edge; empty if it is one.
    """

    magnitude_v: float
    problem: str = ""


def trailing_mean(values: FloatArray, samples: int) -> FloatArray:
    """Mean of each value and the `samples` - 1 values before it, of fewer at the start."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, (samples - 1, 0)), samples)
    mean: FloatArray = windows.sum(axis=1) / np.minimum(np.arange(1, values.size + 1), samples)
    return mean


def find_edge(distance_v: FloatArray, didv: FloatArray, rule: EdgeRule) -> Edge:
    """The edge on one side of zero bias.

    dI/dV, negative values set to zero, is scaled to 0…1; of its leading run at or below the threshold each piece of
    int(window / step) samples but the last is fitted by a straight line; of the lines that rise, the one with the
    largest R² (the last of equals) is extrapolated to zero.

    Args:
        distance_v: |bias| in V, ascending from zero, shape (S,).
        didv: smoothed dI/dV, shape (S,).
        rule: threshold, window and slope.

    Returns:
        The edge; its number is that of the published definition wherever that one gives a number.

    Source:
        Narasimha et al. 2024, slope fit of the published STM runs.
    """
    if distance_v.size < _MIN_RUN:
        return Edge(
            math.nan, f"only {distance_v.size} samples on this side of zero bias; at least {_MIN_RUN} are needed"
        )
    if not np.isfinite(didv).all():
        return Edge(math.nan, "dI/dV holds NaN on this side of zero bias")
    positive = np.maximum(didv, 0.0)
    if not np.ptp(positive) > 0:
        return Edge(math.nan, "no edge: dI/dV does not rise from zero on this side of zero bias")
    scaled = (positive - positive.min()) / np.ptp(positive)
    run = int(np.argmax(scaled > rule.threshold))
    if run < _MIN_RUN:
        return Edge(0.0, f"no edge: dI/dV exceeds {rule.threshold:g} of its span from {distance_v[run]:.3g} V on")
    return _extrapolated(distance_v[:run], scaled[:run], rule)


def _extrapolated(distance_v: FloatArray, scaled: FloatArray, rule: EdgeRule) -> Edge:
    length = min(int(rule.window_v / (distance_v[1] - distance_v[0])), distance_v.size)
    if length < 2:
        return Edge(math.nan, f"the window of {rule.window_v:g} V holds fewer than 2 samples; widen it")
    slope, zero, r2 = _line_fits(distance_v, scaled, length)
    rising = slope > rule.min_slope_per_v
    if not rising.any():
        value = float(zero[0]) if slope[0] > 0 else _NOT_RISING
        return Edge(value, "no edge in range: no straight line rises out of the gap")
    best = float(zero[_last_largest(np.where(rising, r2, -np.inf))])
    if best <= 0.0:
        return Edge(best, f"no gap: the fitted line meets zero at {best:.3g} V, on the other side of zero bias")
    return Edge(best, "" if length > 2 else f"the window of {rule.window_v:g} V holds only 2 samples; widen it")


def _line_fits(x: FloatArray, y: FloatArray, length: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    # the published slide stops one piece short of the end
    pieces = max(1, x.size - length)
    xs, ys = (np.lib.stride_tricks.sliding_window_view(values, length)[:pieces] for values in (x, y))
    mean_x, mean_y = xs.mean(axis=1), ys.mean(axis=1)
    dx, dy = xs - mean_x[:, None], ys - mean_y[:, None]
    slope = (dx * dy).sum(axis=1) / (dx**2).sum(axis=1)
    spread = (dy**2).sum(axis=1)
    misfit = ((dy - slope[:, None] * dx) ** 2).sum(axis=1)
    zero = mean_x - np.divide(mean_y, slope, out=np.full_like(slope, np.inf), where=slope != 0)
    return slope, zero, 1.0 - np.divide(misfit, spread, out=np.ones_like(spread), where=spread > 0)


def _last_largest(values: FloatArray) -> int:
    return int(values.size - 1 - np.argmax(values[::-1]))
