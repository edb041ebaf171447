"""The camera's chip: frames of what the beam did during an exposure, and the faults of taking them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from nion.instrumentation.camera_base import CameraFrameParameters
from nion.utils import DateTime
from numpy.typing import NDArray

from nionswift_plugin.dkl_simulator.faulty import DeviceFaultError
from nionswift_plugin.dkl_simulator.instrument import SimulatedInstrument
from nionswift_plugin.dkl_simulator.user import disturb

Area = tuple[int, int, int, int]
Frame = NDArray[Any]
BINNINGS = (1, 2, 4)
SHORTEST_S = 1e-4


@dataclass(frozen=True, eq=False)
class Request:
    """How a frame is taken.

    Attributes:
        exposure_s: exposure, s.
        binning: pixels per binned pixel along each axis.
        count: exposures that are added.
        processing: "sum_project" adds the rows, "sum_masked" the pixels in each mask, None keeps the frame.
        masks: weights (masks, rows, columns) for "sum_masked".
    """

    exposure_s: float
    binning: int = 1
    count: int = 1
    processing: str | None = None
    masks: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Shot:
    """A frame with its number and the time at which its exposure ended."""

    data: Frame
    number: int
    stamp: datetime


class Sensor:
    """Takes frames one after the other, whoever asks.

    Args:
        instrument: whose beam falls on it.
        shape: rows and columns.
    """

    def __init__(self, instrument: SimulatedInstrument, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.flip = False
        self._instrument = instrument
        self._area: Area = (0, 0, *shape)
        self._in_use = threading.Lock()
        self._number = 0
        self._previous: Shot | None = None

    @property
    def area(self) -> Area:
        """The part that is read out: (top, left, bottom, right), unbinned."""
        return self._area

    @area.setter
    def area(self, area: Area) -> None:
        step = max(BINNINGS)
        top, left = (
            min(max(0, start // step * step), size - step) for start, size in zip(area, self.shape, strict=False)
        )
        ends = (-(-end // step) * step for end in area[2:])
        bottom, right = (
            min(max(end, start + step), size) for end, start, size in zip(ends, (top, left), self.shape, strict=True)
        )
        self._area = (top, left, bottom, right)

    def size(self, binning: int) -> tuple[int, int]:
        """Rows and columns of a frame."""
        top, left, bottom, right = self._area
        return (bottom - top) // binning, (right - left) // binning

    def request(self, parameters: CameraFrameParameters) -> Request:
        """What Swift's parameters ask for."""
        binning = parameters.binning if parameters.binning in BINNINGS else 1
        masks = [mask.get_mask_array(self.size(binning)) for mask in parameters.active_masks]
        return Request(
            exposure_s=max(SHORTEST_S, parameters.exposure_ms / 1000),
            binning=binning,
            count=max(1, parameters.integration_count or 1),
            processing=parameters.processing,
            masks=np.asarray(masks, dtype=np.float64) if masks else None,
        )

    def empty(self, collection: tuple[int, ...], request: Request) -> Frame:
        """Room for a collection of frames."""
        return np.zeros(collection + self._frame_shape(request), dtype=self._kind(request))

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Nobody else takes frames within the block."""
        with self._in_use:
            yield

    def read(self, request: Request, begin: float, end: float) -> Shot:
        """The frame of an exposure that is over; times in s on the microscope's clock."""
        counts = self._instrument.microscope.expose(end - begin, begin, end)
        self._number += 1
        return Shot(self._processed(counts, request), self._number, DateTime.utcnow())

    def take(self, request: Request, cancelled: threading.Event) -> Shot | None:
        """Expose a frame from now on, with the faults that are due; None if cancelled.

        Raises:
            DeviceFaultError: the camera fails on purpose.
        """
        with self._in_use:
            if cancelled.is_set():
                return None
            disturb(self._instrument, request.exposure_s)
            self._fail(request, cancelled)
            shot = self._exposed(request, cancelled)
            return None if shot is None else self._delivered(shot, cancelled)

    def _exposed(self, request: Request, cancelled: threading.Event) -> Shot | None:
        microscope = self._instrument.ready()
        total: Shot | None = None
        for _ in range(request.count):
            begin = microscope.clock()
            if cancelled.wait(request.exposure_s):
                return None
            shot = self.read(request, begin, begin + request.exposure_s)
            total = shot if total is None else Shot(total.data + shot.data, shot.number, shot.stamp)
        return total

    def _fail(self, request: Request, cancelled: threading.Event) -> None:
        faults = self._instrument.faults
        if faults.due("camera_hang", f"the camera hangs for {faults.plan.hang_s:g} s unless it is told to stop"):
            cancelled.wait(faults.plan.hang_s)
        if faults.due("device_error", "the camera raises in the middle of an exposure"):
            cancelled.wait(request.exposure_s / 2)
            raise DeviceFaultError("the camera lost its connection")

    def _delivered(self, shot: Shot, cancelled: threading.Event) -> Shot | None:
        faults, previous = self._instrument.faults, self._previous
        self._previous = shot
        if faults.due("late_frame", f"the frame comes {faults.plan.delay_s:g} s late"):
            cancelled.wait(faults.plan.delay_s)
        if faults.due("dropped_frame", "the frame is lost, its pixels read 0"):
            return Shot(np.zeros_like(shot.data), shot.number, shot.stamp)
        usable = previous is not None and previous.data.shape == shot.data.shape
        if (
            faults.due("stale_frame", f"the frame before is given again{'' if usable else ': there is none'}")
            and usable
        ):
            self._previous = previous
            return previous
        return shot

    def _frame_shape(self, request: Request) -> tuple[int, ...]:
        size = self.size(request.binning)
        match request.processing:
            case "sum_project":
                return size[1:]
            case "sum_masked":
                return (1 if request.masks is None else len(request.masks),)
        return size

    def _kind(self, request: Request) -> np.dtype[Any]:
        if not self._instrument.microscope.realism.camera.on or request.processing is not None:
            return np.dtype(np.float32)
        # Sums of pixels and of exposures do not fit into what a pixel holds.
        return np.dtype(np.uint16 if request.binning == 1 and request.count == 1 else np.uint32)

    def _processed(self, counts: Frame, request: Request) -> Frame:
        top, left, bottom, right = self._area
        frame = counts[top:bottom, left:right]
        frame = frame[:, ::-1] if self.flip else frame
        rows, columns = self.size(request.binning)
        kind = self._kind(request)
        if request.binning > 1:
            blocks = frame[: rows * request.binning, : columns * request.binning]
            frame = blocks.reshape(rows, request.binning, columns, request.binning).sum(axis=(1, 3), dtype=kind)
        match request.processing:
            case "sum_project":
                frame = frame.sum(axis=0, dtype=np.float64)
            case "sum_masked":
                masks = np.ones((1, rows, columns)) if request.masks is None else request.masks
                frame = np.tensordot(masks, frame, axes=2)
        return np.ascontiguousarray(frame, dtype=kind)
