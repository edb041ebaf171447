"""Scans in progress: a free one that runs by the clock, and one that the camera drives pixel by pixel."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Protocol

import numpy as np

from dkl_core.stem.microscope import VirtualMicroscope
from dkl_core.stem.scan import ImageArray, ScanFrame
from nionswift_plugin.dkl_simulator.geometry import lines

# A frame is shown in pieces that take about this long.
PIECE_S = 0.2
LONGEST_WAIT_S = 0.05


class Progress(Protocol):
    """A frame that fills line by line.

    Attributes:
        frame: what is scanned.
        data: the frame so far, counts.
        done: number of finished lines.
    """

    frame: ScanFrame
    data: ImageArray
    done: int

    def advance(self, cancelled: threading.Event) -> None:
        """Wait for a moment, or until there are more lines."""
        ...

    def stop(self) -> None:
        """Break it off."""
        ...


class FreeFrame(Progress):
    """A frame that is scanned by the clock, begun now.

    Args:
        microscope: what scans.
        frame: what is scanned.
    """

    def __init__(self, microscope: VirtualMicroscope, frame: ScanFrame) -> None:
        self.frame = frame
        self.data = np.zeros(frame.size, dtype=np.float32)
        self.done = 0
        self._microscope = microscope
        self._begin = microscope.clock()
        self._lock = threading.Lock()
        # Entered whole, so that no exposure sees the parked beam between two pieces.
        microscope.begin_scan(frame, self._begin)
        self._piece = self._next_piece()

    def advance(self, cancelled: threading.Event) -> None:
        """Wait for the next piece."""
        last = self.done + self._piece.size[0]
        if cancelled.wait(max(0.0, self._time_of(last) - self._microscope.clock())):
            return
        with self._lock:
            if self.done == last or cancelled.is_set():
                return
            self.data[self.done : last] = self._microscope.scan(self._piece, self._time_of(self.done))
            self.done = last
            if self.done < self.frame.size[0]:
                self._piece = self._next_piece()

    def stop(self) -> None:
        """Break it off: the beam goes back to where it is parked."""
        with self._lock:
            if self.done < self.frame.size[0]:
                self._microscope.stop_scan()

    def _time_of(self, line: int) -> float:
        return self._begin + line * self.frame.line_s

    def _next_piece(self) -> ScanFrame:
        rows = self.frame.size[0]
        last = min(rows, self.done + max(1, int(PIECE_S / self.frame.line_s)))
        return lines(self.frame, self.done, last)


class DrivenFrame(Progress):
    """A frame whose lines the camera delivers: one camera frame for each pixel.

    Args:
        frame: what is scanned.
    """

    def __init__(self, frame: ScanFrame) -> None:
        self.frame = frame
        self.data = np.zeros(frame.size, dtype=np.float32)
        self.done = 0
        self.stopped = threading.Event()
        self._more = threading.Event()

    def advance(self, cancelled: threading.Event) -> None:
        """Wait for lines."""
        if not cancelled.is_set():
            self._more.wait(LONGEST_WAIT_S)
            self._more.clear()

    def stop(self) -> None:
        """Tell the camera that nobody wants the rest."""
        self.stopped.set()

    def timed(self, pixel_time_s: float) -> ScanFrame:
        """The frame as the camera drives it, s per pixel."""
        return replace(self.frame, pixel_time_s=pixel_time_s, line_flyback_s=0.0)

    def deliver(self, line: ImageArray) -> None:
        """The camera has exposed all pixels of a line (columns)."""
        self.data[self.done] = line
        self.done += 1
        self._more.set()


class Trigger:
    """The cable between scan and camera: a synchronized scan waits here for the camera, or the camera for it."""

    def __init__(self) -> None:
        self._waiting: DrivenFrame | None = None
        self._changed = threading.Condition()

    def offer(self, frame: DrivenFrame) -> None:
        """The scan is ready to be driven."""
        with self._changed:
            self._waiting = frame
            self._changed.notify_all()

    def withdraw(self) -> None:
        """The scan was broken off."""
        with self._changed:
            self._waiting = None

    def take(self, cancelled: threading.Event, timeout_s: float) -> DrivenFrame | None:
        """The scan to drive; None if cancelled or if there is none in time."""
        waited = 0.0
        with self._changed:
            while self._waiting is None and waited < timeout_s and not cancelled.is_set():
                self._changed.wait(LONGEST_WAIT_S)
                waited += LONGEST_WAIT_S
            taken, self._waiting = self._waiting, None
            return None if cancelled.is_set() else taken
