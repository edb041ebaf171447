"""The next, smaller frame: the window that holds most of what was measured."""

import math
from typing import Any, List, NamedTuple, Tuple

import _dropin_settings
import _dropin_status as status
from _dropin_grid import grid_axis
from _dropin_run import experiment_name
from _dropin_tables import ReadError, Row, parse_compilation, read_patiently

STEP_PX = 10
_MOST_PX = 16384


class Frames(NamedTuple):
    """The old frame, the new one, and the windows to choose from.

    Attributes:
        pixels: pixels per line of the old image.
        width: width of the old frame, in any unit.
        window: width of the new frame in pixels of the old image.
    """

    pixels: int
    width: float
    window: int

    def in_units(self, pixel: float) -> float:
        """A place in pixels as distance from the frame's corner."""
        return float(pixel) / self.pixels * self.width


def next_frame(folder: str, given: Tuple[Any, Any, Any, Any], weighted: bool) -> List[float]:
    """[x, y] of the middle of the best window, in units of the old frame's width from its corner.

    Args:
        folder: where the modules lie.
        given: the four arguments of the published functions.
        weighted: score by the sum of scalars instead of the number of measurements.
    """
    settings = _dropin_settings.load(folder)
    file_name, pixels, frame_old, frame_new = given
    name = experiment_name(file_name, "__compilation.txt") or "unnamed"
    middle = middle_of(frame_old)
    try:
        frames = _frames(pixels, frame_old, frame_new)
        rows = read_patiently(settings.path(str(file_name).strip()), parse_compilation, 0.0)
    except (ReadError, ValueError) as error:
        status.report(settings.base, name, status.ERROR, f"no next frame: {error}; the middle is given")
        return middle
    axis = grid_axis(frames.pixels, STEP_PX, frames.window)
    best, score = _best(frames, axis, rows, weighted)
    if not score > 0:
        near = min(axis, key=lambda place: abs(place - frames.pixels / 2.0))
        best = near, near
    text = "" if score > 0 else "no window scores above zero; the one in the middle is given"
    answer = [frames.in_units(best[0]), frames.in_units(best[1])]
    status.report(settings.base, name, status.OK if score > 0 else status.WARNING, text, next_frame=answer, score=score)
    return answer


def middle_of(frame: Any) -> List[float]:
    """The middle of a frame; zero where its width is no number."""
    try:
        half = float(frame) / 2.0
    except (TypeError, ValueError):
        half = 0.0
    half = half if math.isfinite(half) and half > 0 else 0.0
    return [half, half]


def _frames(pixels: Any, frame_old: Any, frame_new: Any) -> Frames:
    count, old, new = int(float(pixels)), float(frame_old), float(frame_new)
    if not 0 < count <= _MOST_PX or not 0 < new <= old or not math.isfinite(old):
        raise ValueError(f"{pixels!r} pixels, frames of {frame_old!r} and {frame_new!r}")
    frames = Frames(count, old, int(count * new / old))
    if frames.window < 1 or not grid_axis(count, STEP_PX, frames.window):
        raise ValueError(f"no window of {frames.window} px at multiples of {STEP_PX} px fits into {count} px")
    return frames


def _best(frames: Frames, axis: List[int], rows: List[Row], weighted: bool) -> Tuple[Tuple[int, int], float]:
    """The first best window in the published order, and its score."""
    count = len(axis)
    scores = [0.0] * (count * count)
    for row in rows:
        weight = row.scalar if weighted else 1.0
        if not math.isfinite(weight):
            continue
        columns = _covering(frames, axis, row.x)
        for down in _covering(frames, axis, row.y):
            for right in columns:
                scores[down * count + right] += weight
    at = max(range(len(scores)), key=lambda place: (scores[place], -place))
    return (axis[at % count], axis[at // count]), scores[at]


def _covering(frames: Frames, axis: List[int], place: float) -> List[int]:
    half = frames.window / 2.0
    return [number for number, centre in enumerate(axis) if 0 < place - (centre - half) <= frames.window]
