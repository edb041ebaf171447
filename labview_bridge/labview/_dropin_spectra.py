"""Spectrum to scalar in plain Python: the published definitions, for a worker that does not answer costs no scalar.

Source: Narasimha et al. 2024, scalars stored with the published STM runs.
"""

import math
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence

_ROWS = {"bias": 0, "current": 1, "didv": 2, "lockin_y": 3}
_NOT_RISING = -4.0
_MIN_SAMPLES = 3
Numbers = List[float]


class Result(NamedTuple):
    """What became of a spectrum.

    Attributes:
        value: the number; NaN when there is none.
        problem: why it should not be trusted; empty when nothing speaks against it.
    """

    value: float
    problem: str = ""


class SpectrumError(Exception):
    """The array that came is no spectrum, or the options do not fit it."""


NAMES: Dict[str, Dict[str, Any]] = {
    "published": {"channel": "didv", "low_v": 0.0, "gap_v": 0.5, "high_v": 1.5, "offset": 5.0, "factor": 1000.0},
    "in_gap_ratio": {"channel": "didv", "low_v": 0.0, "gap_v": 0.5, "high_v": 1.5, "offset": 0.0, "factor": 1.0},
    "area": {"channel": "current", "low_v": 0.0, "high_v": 2.4, "offset": 0.0, "factor": 1.0},
    "positive_area": {"channel": "current", "offset": 0.0, "factor": 1.0},
    "band_gap": {
        "channel": "didv",
        "window_v": 0.2,
        "threshold": 0.2,
        "min_slope_per_v": 0.1,
        "smoothing_samples": 4,
        "offset": 0.0,
        "factor": 1.0,
    },
    "valence_edge": {
        "channel": "didv",
        "window_v": 0.2,
        "threshold": 0.2,
        "min_slope_per_v": 0.1,
        "smoothing_samples": 4,
        "offset": 0.0,
        "factor": 1.0,
    },
    "conduction_edge": {
        "channel": "didv",
        "window_v": 0.2,
        "threshold": 0.1,
        "min_slope_per_v": 0.1,
        "smoothing_samples": 4,
        "offset": 0.0,
        "factor": 1.0,
    },
}
"""The scalarizers that need no worker, each with its options and their defaults."""


def as_rows(spectrum: Any) -> List[Numbers]:
    """The array from LabVIEW as lists of float, one per channel, sorted so that the bias ascends.

    Args:
        spectrum: rows are channels (bias V, current A, LIX, LIY, …); nested lists, or a NumPy array.

    Raises:
        SpectrumError: it is not rectangular, holds no number, or its bias is no sweep.
    """
    try:
        rows = [[float(value) for value in row] for row in spectrum]
    except (TypeError, ValueError) as error:
        raise SpectrumError(f"the spectrum is no two-dimensional array of numbers ({error})") from None
    if len(rows) < 2 or len(rows[0]) < 2 or any(len(row) != len(rows[0]) for row in rows):
        shape = f"{len(rows)} rows of {sorted({len(row) for row in rows})} values"
        raise SpectrumError(f"the spectrum has {shape}; bias and channels of the same length are needed")
    bias = rows[0]
    if not all(math.isfinite(value) for value in bias):
        raise SpectrumError("the bias, the spectrum's first row, holds values that are not finite")
    steps = [after - before for before, after in zip(bias, bias[1:])]
    if all(step < 0 for step in steps):
        return [row[::-1] for row in rows]
    if not all(step > 0 for step in steps):
        raise SpectrumError("the bias, the spectrum's first row, is no sweep in one direction")
    return rows


def scalar(name: str, options: Mapping[str, Any], rows: List[Numbers]) -> Result:
    """The scalar of a spectrum: offset + factor * s.

    Args:
        name: one of `NAMES`.
        options: those that differ from the defaults in `NAMES`; `channel` is a name or the number of a row.
        rows: what `as_rows` gave.

    Raises:
        SpectrumError: an unknown name or option, or a channel that is not there.
    """
    if name not in NAMES:
        raise SpectrumError("unknown scalarizer {!r}; choose one of {}".format(name, ", ".join(NAMES)))
    values = checked_options(name, options)
    channel = _channel(rows, values["channel"])
    result = _METHODS[name](rows[0], channel, values)
    number = values["offset"] + values["factor"] * result.value
    if not math.isfinite(number):
        return Result(math.nan, result.problem or "the result is not a finite number")
    return Result(number, result.problem or _saturation(rows[0], channel, values))


def checked_options(name: str, options: Mapping[str, Any]) -> Dict[str, Any]:
    """All options of a scalarizer.

    Raises:
        SpectrumError: one that it does not have, or a value of the wrong kind.
    """
    known = NAMES[name]
    for option, value in options.items():
        if option not in known:
            raise SpectrumError("{} has no option {!r}; it has {}".format(name, option, ", ".join(known)))
        right = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if not right and not (option == "channel" and value in _ROWS):
            raise SpectrumError(f"{option} of {name} is {value!r}; give a number")
    return dict(known, **options)


def area(bias: Sequence[float], values: Sequence[float], low_v: float, high_v: float) -> float:
    """Trapezoids over the samples with low_v ≤ V ≤ high_v; nothing is interpolated at the ends."""
    kept = [(v, y) for v, y in zip(bias, values) if low_v <= v <= high_v]
    return math.fsum((b[0] - a[0]) * (a[1] + b[1]) / 2.0 for a, b in zip(kept, kept[1:]))


def _channel(rows: List[Numbers], channel: Any) -> Numbers:
    at = _ROWS.get(channel, channel) if isinstance(channel, str) else int(channel)
    if not isinstance(at, int) or not 1 <= at < len(rows):
        raise SpectrumError(f"the spectrum has no channel {channel!r}; it has {len(rows)} rows")
    return rows[at]


def _saturation(bias: Numbers, values: Numbers, options: Dict[str, Any]) -> str:
    """A clipped channel repeats its extreme value side by side."""
    low, high = options.get("low_v", bias[0]), options.get("high_v", bias[-1])
    used = [y for v, y in zip(bias, values) if low <= v <= high]
    end = max(used, key=abs)
    hits = sum(1 for y in used if y == end)
    beside = any(a == end and b == end for a, b in zip(used, used[1:]))
    return f"saturated in {hits} of {len(used)} samples" if hits >= 3 and beside and end != 0 else ""


def _in_range(bias: Numbers, values: Numbers, low_v: float, high_v: float) -> str:
    used = [y for v, y in zip(bias, values) if low_v <= v <= high_v]
    if len(used) < _MIN_SAMPLES:
        return f"only {len(used)} samples between {low_v} and {high_v} V"
    if not all(math.isfinite(y) for y in used):
        return f"samples between {low_v} and {high_v} V are not finite"
    if min(used) == max(used):
        return f"the channel is constant ({used[0]:g}) between {low_v} and {high_v} V"
    step = bias[1] - bias[0]
    if bias[0] > low_v + step or bias[-1] < high_v - step:
        return f"the sweep from {bias[0]:g} to {bias[-1]:g} V does not cover {low_v} to {high_v} V"
    return ""


def _ratio(bias: Numbers, values: Numbers, options: Dict[str, Any]) -> Result:
    low, gap, high = options["low_v"], options["gap_v"], options["high_v"]
    whole = area(bias, values, low, high)
    ratio = area(bias, values, low, gap) / whole if whole else math.nan
    problem = _in_range(bias, values, low, high)
    return Result(ratio, problem or ("" if whole > 0 else f"the area from {low} to {high} V is not positive"))


def _area(bias: Numbers, values: Numbers, options: Dict[str, Any]) -> Result:
    low, high = options["low_v"], options["high_v"]
    return Result(area(bias, values, low, high), _in_range(bias, values, low, high))


def _positive_area(bias: Numbers, values: Numbers, _options: Dict[str, Any]) -> Result:
    positive = [v for v in bias if v > 0]
    if len(positive) < 2:
        return Result(math.nan, "fewer than 2 samples at positive bias")
    return Result(area(bias, values, positive[0], bias[-1]), _in_range(bias, values, positive[0], bias[-1]))


def _band_gap(bias: Numbers, values: Numbers, options: Dict[str, Any]) -> Result:
    conduction = _edge(bias, values, options, lambda v: v >= 0, turned=False)
    valence = _edge(bias, values, options, lambda v: v < 0, turned=True)
    return Result(valence.value + conduction.value, conduction.problem or valence.problem)


def _valence_edge(bias: Numbers, values: Numbers, options: Dict[str, Any]) -> Result:
    return _edge(bias, values, options, lambda v: v <= 0, turned=True)


def _conduction_edge(bias: Numbers, values: Numbers, options: Dict[str, Any]) -> Result:
    return _edge(bias, values, options, lambda v: v >= 0, turned=False)


def _edge(bias: Numbers, values: Numbers, options: Dict[str, Any], side: Any, turned: bool) -> Result:
    """Where the straight line fitted to the onset on one side of zero bias meets zero, as |V|."""
    name = "E_V" if turned else "E_C"
    smooth = _trailing_mean(values, int(options["smoothing_samples"]))
    pairs = [(abs(v), max(y, 0.0)) for v, y in zip(bias, smooth) if side(v)]
    if turned:
        pairs.reverse()
    if len(pairs) < _MIN_SAMPLES or not all(math.isfinite(y) for _, y in pairs):
        return Result(math.nan, f"{name}: too few samples, or some that are not finite")
    low, high = min(y for _, y in pairs), max(y for _, y in pairs)
    if not high > low:
        return Result(math.nan, f"{name}: dI/dV does not rise")
    run: List[Any] = []
    for v, y in pairs:
        scaled = (y - low) / (high - low)
        if scaled > options["threshold"]:
            break
        run.append((v, scaled))
    if len(run) < _MIN_SAMPLES:
        return Result(0.0, f"{name}: no edge, dI/dV rises at once")
    length = min(int(options["window_v"] / (run[1][0] - run[0][0])), len(run))
    if length < 2:
        return Result(math.nan, "{}: the window of {} V holds fewer than 2 samples".format(name, options["window_v"]))
    return _best_line(name, run, length, options["min_slope_per_v"])


def _best_line(name: str, run: List[Any], length: int, min_slope: float) -> Result:
    fits = [_line(run[at : at + length]) for at in range(max(1, len(run) - length))]
    rising = [fit for fit in fits if fit[0] > min_slope]
    if not rising:
        slope, zero, _ = fits[0]
        return Result(zero if slope > 0 else _NOT_RISING, f"{name}: no line rises out of the gap")
    best = rising[0]
    for fit in rising[1:]:
        if fit[2] >= best[2]:
            best = fit
    return Result(best[1], "" if best[1] > 0 else f"{name}: the line meets zero on the other side")


def _line(points: List[Any]) -> Any:
    """Slope, zero and R² of the least-squares line."""
    count = len(points)
    mean_x = math.fsum(x for x, _ in points) / count
    mean_y = math.fsum(y for _, y in points) / count
    square = math.fsum((x - mean_x) ** 2 for x, _ in points)
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / square
    spread = math.fsum((y - mean_y) ** 2 for _, y in points)
    misfit = math.fsum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in points)
    zero = mean_x - mean_y / slope if slope else math.inf
    return slope, zero, 1.0 - misfit / spread if spread > 0 else 0.0


def _trailing_mean(values: Numbers, samples: int) -> Numbers:
    if samples < 1:
        raise SpectrumError(f"smoothing_samples is {samples}; give 1 (none) or more")
    parts = (values[max(0, at - samples + 1) : at + 1] for at in range(len(values)))
    return [math.fsum(part) / len(part) for part in parts]


_METHODS = {
    "published": _ratio,
    "in_gap_ratio": _ratio,
    "area": _area,
    "positive_area": _positive_area,
    "band_gap": _band_gap,
    "valence_edge": _valence_edge,
    "conduction_edge": _conduction_edge,
}
