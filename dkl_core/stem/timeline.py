"""What the beam did when: probe, blanker and scans, so that an exposure can ask for its own interval."""

from __future__ import annotations

import math
import threading
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dkl_core.stem.scan import ScanFrame
from dkl_core.survey import FloatArray

Pair = tuple[float, float]
Value = TypeVar("Value")
# What lies further back is asked for by nobody: an exposure is read within minutes.
KEPT_ENTRIES = 20_000
SAME_NM = 1e-6


@dataclass(frozen=True)
class Sweep:
    """A scan that runs from `begin` to `end`, s."""

    frame: ScanFrame
    begin: float
    end: float

    def continues_with(self, frame: ScanFrame, begin: float) -> bool:
        """Whether a frame that begins at a time is a part of this scan."""
        last = begin + frame.seconds
        if not (self.begin <= begin < self.end and frame.pixel_time_s == self.frame.pixel_time_s):
            return False
        part, half = Sweep(frame, begin, last), frame.pixel_time_s / 2
        moments = begin + half, last - frame.line_flyback_s - half
        return all(math.dist(self.place_at(moment), part.place_at(moment)) < SAME_NM for moment in moments)

    def place_at(self, time: float) -> Pair:
        """The scanned pixel at a time, as (y, x) in scan coordinates."""
        row, col = self.frame.pixel_at(time - self.begin)
        y, x = self.frame.to_scan_nm(*self.frame.local_nm(np.asarray(float(row)), np.asarray(float(col))))
        return float(y), float(x)


@dataclass(frozen=True)
class Stay:
    """A stretch of time in which the beam was on the sample: at one place, or scanning.

    Attributes:
        begin: first moment, s.
        end: last moment, s.
        place_nm: (y, x) in scan coordinates where the probe was parked; None while it scanned.
        sweep: the scan that ran; None while the probe was parked.
    """

    begin: float
    end: float
    place_nm: Pair | None
    sweep: Sweep | None = None

    @property
    def seconds(self) -> float:
        """Length of the stretch, s."""
        return self.end - self.begin


class Timeline:
    """The history of the beam. Entries come in the order of time; an earlier stamp counts as the latest one.

    Safe to use from several threads, none of which it holds up: blanking must never wait.

    Args:
        begin: when the history begins, s.
        place_nm: where the probe is parked then, (y, x) in scan coordinates.
        blanked: whether the beam is blanked then.
    """

    def __init__(self, begin: float, place_nm: Pair = (0.0, 0.0), blanked: bool = False) -> None:
        self.begin = begin
        self._places: list[tuple[float, Pair]] = [(begin, place_nm)]
        self._blanks: list[tuple[float, bool]] = [(begin, blanked)]
        self._sweeps: list[Sweep] = []
        self._lock = threading.RLock()

    @property
    def place_nm(self) -> Pair:
        """Where the probe is parked now."""
        return self._places[-1][1]

    @property
    def blanked(self) -> bool:
        """Whether the beam is blanked now."""
        return self._blanks[-1][1]

    def place(self, time: float, place_nm: Pair) -> None:
        """The probe is put somewhere."""
        with self._lock:
            _enter(self._places, time, place_nm)

    def blank(self, time: float, blanked: bool) -> None:
        """The beam is blanked or let through."""
        with self._lock:
            _enter(self._blanks, time, blanked)

    def begin_scan(self, frame: ScanFrame, begin: float) -> Sweep:
        """A scan begins, or began; a scan that still runs ends. The same scan, or a part of it, is entered once."""
        with self._lock:
            last = self._sweeps[-1] if self._sweeps else None
            if last is not None and last.begin == begin and last.frame == frame:
                return last
            end = begin + frame.seconds
            if last is not None and last.continues_with(frame, begin):
                return Sweep(frame, begin, min(end, last.end))
            self.end_scan(begin)
            self._sweeps.append(Sweep(frame, begin, end))
            del self._sweeps[: -KEPT_ENTRIES // 2 if len(self._sweeps) > KEPT_ENTRIES else 0]
            return self._sweeps[-1]

    def end_scan(self, time: float) -> None:
        """The running scan is broken off."""
        with self._lock:
            if self._sweeps and self._sweeps[-1].end > time:
                last = self._sweeps.pop()
                if last.begin < time:
                    self._sweeps.append(Sweep(last.frame, last.begin, time))

    def scanning(self, time: float) -> bool:
        """Whether a scan runs at this time."""
        with self._lock:
            return any(sweep.begin <= time < sweep.end for sweep in reversed(self._sweeps[-8:]))

    def blanked_at(self, time: float) -> bool:
        """Whether the beam is blanked at this time."""
        with self._lock:
            return _at(self._blanks, time)

    def lit_at(self, times: FloatArray) -> NDArray[np.bool_]:
        """Whether the beam is let through at times (n,) that rise."""
        with self._lock:
            first = max(0, bisect_right(self._blanks, times[0], key=_time) - 1)
            moments, blanked = zip(*self._blanks[first:], strict=True)
        last = np.searchsorted(np.array(moments), times, side="right") - 1
        lit: NDArray[np.bool_] = ~np.array(blanked)[np.maximum(last, 0)]
        return lit

    def stays(self, begin: float, end: float) -> list[Stay]:
        """What the beam did on the sample between two times, in order; blanked stretches are left out."""
        with self._lock:
            ordered = sorted({begin, end, *self._changes(begin, end)})
            stays = [self._stay(*pair) for pair in pairwise(ordered)]
        return [stay for stay in stays if stay is not None]

    def _changes(self, begin: float, end: float) -> list[float]:
        changes = [*_between(self._places, begin, end), *_between(self._blanks, begin, end)]
        for sweep in reversed(self._sweeps):
            if sweep.end < begin:
                break
            changes += [time for time in (sweep.begin, sweep.end) if begin < time < end]
        return changes

    def _stay(self, begin: float, end: float) -> Stay | None:
        middle = (begin + end) / 2
        if self.blanked_at(middle):
            return None
        for sweep in reversed(self._sweeps):
            if sweep.begin <= middle < sweep.end:
                return Stay(begin, end, None, sweep)
            if sweep.end < middle:
                break
        return Stay(begin, end, _at(self._places, middle))


def _time(entry: tuple[float, Value]) -> float:
    return entry[0]


def _enter(entries: list[tuple[float, Value]], time: float, value: Value) -> None:
    entries.append((max(time, entries[-1][0]), value))
    del entries[: -KEPT_ENTRIES // 2 if len(entries) > KEPT_ENTRIES else 0]


def _between(entries: list[tuple[float, Value]], begin: float, end: float) -> list[float]:
    first = bisect_right(entries, begin, key=_time)
    last = bisect_right(entries, end, key=_time)
    return [time for time, _ in entries[first:last] if time < end]


def _at(entries: list[tuple[float, Value]], time: float) -> Value:
    return entries[max(0, bisect_right(entries, time, key=_time) - 1)][1]
