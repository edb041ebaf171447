"""Frames that are taken in the background into one array, while Swift looks at how far they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from nion.data import DataAndMetadata
from nion.instrumentation.camera_base import PartialData
from numpy.typing import NDArray

from nionswift_plugin.dkl_simulator.sensor import Shot

Shots = Callable[[threading.Event], Iterator[Shot]]


class FrameTask:
    """Takes frames on a thread of its own, begun at once.

    Args:
        data: where they go, of shape (*collection, *frame).
        dimensions: number of the collection's dimensions.
        shots: gives the frames until it is told to stop.
    """

    def __init__(self, data: NDArray[Any], dimensions: int, shots: Shots) -> None:
        collection, frame = data.shape[:dimensions], data.shape[dimensions:]
        descriptor = DataAndMetadata.DataDescriptor(False, dimensions, len(frame))
        self._xdata = DataAndMetadata.new_data_and_metadata(data, data_descriptor=descriptor)
        self._flat = data.reshape(-1, *frame)
        self._columns = collection[-1]
        self._shots = shots
        self._valid = 0
        self._error: Exception | None = None
        self._cancelled = threading.Event()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="dkl-simulated-camera", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Stop as soon as possible, from any thread."""
        self._cancelled.set()

    def join(self, timeout_s: float) -> None:
        """Wait until the thread has ended."""
        self._thread.join(timeout_s)

    def partial(self, update_period: float = 0.0) -> PartialData:
        """How far it is; waits for all frames, at most that long (s).

        Raises:
            Exception: what went wrong when the frames were taken.
        """
        with self._news:
            self._news.wait_for(lambda: self._is_over, update_period)
        if self._error is not None:
            raise self._error
        complete = self._valid == len(self._flat)
        cancelled = not complete and self._is_over
        return PartialData(self._xdata, complete, cancelled, self._valid // self._columns, self._valid)

    @property
    def _is_over(self) -> bool:
        return self._valid == len(self._flat) or not self._thread.is_alive() or self._cancelled.is_set()

    def _run(self) -> None:
        try:
            for shot in self._shots(self._cancelled):
                self._flat[self._valid] = shot.data
                # Swift takes it for the time of the frames.
                self._xdata._set_timestamp(shot.stamp)  # noqa: SLF001
                self._step()
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits for the frames
            self._error = error
        with self._news:
            self._news.notify_all()

    def _step(self) -> None:
        with self._news:
            self._valid += 1
            if self._valid == len(self._flat):
                self._news.notify_all()
