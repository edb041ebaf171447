"""One frame of a camera or a scan: begun after the call, cancelled at any moment, never waited for without end."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import numpy as np
from nion.data.DataAndMetadata import DataAndMetadata
from nion.instrumentation.camera_base import CameraFrameParameters, CameraHardwareSource
from nion.instrumentation.HardwareSource import HardwareSource
from nion.instrumentation.scan_base import ScanFrameParameters, ScanHardwareSource
from numpy.typing import NDArray

from dkl_core.errors import InstrumentError, MeasurementError
from nionswift_plugin.dkl.acquisition.settings import PatternSettings
from nionswift_plugin.dkl.acquisition.waiting import Cancellation, CancelledError, waited_until

# A device that does not come to rest within this time after it was told to stop counts as hanging.
HANGING_S = 5.0
SCAN_LATE_S = 5.0
_logger = logging.getLogger(__name__)


class SpoiltError(MeasurementError):
    """An exposure is of no use; it may be repeated."""


class FrameLostError(SpoiltError):
    """No usable frame came."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame as the camera gave it.

    Attributes:
        data: counts, (rows, cols).
        time_stamp_s: when the device says that it was taken, seconds since 1970.
    """

    data: NDArray[np.generic]
    time_stamp_s: float


class ScanRecorder:
    """Records frames of a scan.

    Args:
        scan: the scan.
        cancellation: ends any wait.
    """

    def __init__(self, scan: ScanHardwareSource, cancellation: Cancellation) -> None:
        self._scan, self._cancellation = scan, cancellation

    def record(self, parameters: ScanFrameParameters) -> DataAndMetadata:
        """One frame.

        Raises:
            FrameLostError: it failed or took too long.
            CancelledError: somebody asked to stop.
        """
        seconds = float(self._scan.calculate_frame_time(parameters))
        return _recorded(self._scan, parameters, 1.5 * seconds + SCAN_LATE_S, self.stop, self._cancellation)

    def stop(self) -> None:
        """Give up what is being recorded."""
        _attempt(self._scan.abort_recording)

    def rest(self) -> None:
        """Return when nothing is recorded any more.

        Raises:
            InstrumentError: the scan does not come to rest.
            CancelledError: somebody asked to stop.
        """
        _rest(self._scan, self.stop, self._cancellation)


class CameraRecorder:
    """Takes diffraction patterns; each begins after the call.

    Args:
        camera: the camera.
        parameters: exposure and binning, checked.
        settings: mode and times.
        cancellation: ends any wait.
    """

    def __init__(
        self,
        camera: CameraHardwareSource,
        parameters: CameraFrameParameters,
        settings: PatternSettings,
        cancellation: Cancellation,
    ) -> None:
        self._camera, self._parameters = camera, parameters
        self._settings, self._cancellation = settings, cancellation
        self._late_s = settings.late_ms / 1000
        self._exposure_s = settings.exposure_ms / 1000
        self._thread: threading.Thread | None = None

    def prepare(self) -> None:
        """Make the camera's current parameters ours where the mode uses them."""
        if self._settings.mode != "record":
            self._camera.set_current_frame_parameters(copy.deepcopy(self._parameters))

    def frame(self) -> Frame:
        """One pattern.

        Raises:
            FrameLostError: it failed or came too late.
            CancelledError: somebody asked to stop.
        """
        match self._settings.mode:
            case "record":
                return frame_of(self.record())
            case "sequence":
                return self._in_thread(self._sequence, self._exposure_s + self._late_s)
            case "live":
                # two whole frames, after the one that is running
                return self._in_thread(self._live, 3 * self._exposure_s + self._late_s)

    def record(self) -> DataAndMetadata:
        """One pattern with its metadata, by Swift's record whatever the mode.

        Raises:
            FrameLostError: it failed or came too late.
            CancelledError: somebody asked to stop.
        """
        return _recorded(self._camera, self._parameters, self._exposure_s + self._late_s, self.stop, self._cancellation)

    def stop(self) -> None:
        """Give up what is being exposed, from any thread; the exposure itself may go on for a moment."""
        _attempt(self._camera.abort_recording)
        # aborting only marks the task; this tells the device to give up the exposure
        _attempt(self._camera.acquire_sequence_cancel)
        if self._settings.mode == "live":
            _attempt(self._camera.abort_playing)

    def rest(self) -> None:
        """Return when nothing is exposed any more.

        Raises:
            InstrumentError: the camera does not come to rest.
            CancelledError: somebody asked to stop.
        """
        thread = self._thread
        if thread is not None and thread.is_alive():
            _comes_to_rest(self._camera, lambda: not thread.is_alive(), self.stop, self._cancellation)
        _rest(self._camera, self.stop, self._cancellation)

    def is_at_rest_within(self, seconds: float) -> bool:
        """Whether nothing is exposed any more after at most so many seconds."""

        def at_rest() -> bool:
            return not self._camera.is_recording and (self._thread is None or not self._thread.is_alive())

        return waited_until(at_rest, seconds)

    def _in_thread(self, take: Callable[[], Frame], timeout_s: float) -> Frame:
        """What `take` returns; a driver that blocks must not block us."""
        self.rest()
        results, errors = list[Frame](), list[Exception]()

        def run() -> None:
            try:
                results.append(take())
            except Exception as error:
                _logger.exception("the camera failed")
                errors.append(error)

        thread = self._thread = threading.Thread(target=run, name="dkl-camera", daemon=True)
        thread.start()
        try:
            in_time = self._cancellation.wait_until(lambda: not thread.is_alive(), timeout_s)
        except CancelledError:
            self.stop()
            raise
        if not in_time:
            self.stop()
            raise FrameLostError(f"{self._camera.display_name}: no frame within {timeout_s:.3g} s")
        if errors:
            raise FrameLostError(f"{self._camera.display_name}: {errors[0]}") from errors[0]
        return results[0]

    def _sequence(self) -> Frame:
        camera = self._camera
        if camera.is_playing:
            camera.abort_playing(sync_timeout=HANGING_S)
        camera.acquire_sequence_prepare(1)
        partial = camera.acquire_sequence_begin(copy.deepcopy(self._parameters), 1)
        while not partial.is_complete and not partial.is_canceled:
            partial = camera.acquire_sequence_continue(update_period=min(self._exposure_s, 0.1))
        # copied before the device may use its memory for the next frame
        frame = frame_of(partial.xdata, first=True)
        camera.acquire_sequence_end()
        if partial.is_canceled:
            raise FrameLostError("the exposure was cancelled")
        return frame

    def _live(self) -> Frame:
        camera, timeout_s = self._camera, 4 * self._exposure_s + self._late_s
        if not camera.is_playing:
            camera.start_playing()
        # the frame that is running may have begun before the move; so may one that waits in a readout pipeline
        _first(camera.grab_next_to_start(timeout=timeout_s), camera.display_name)
        return frame_of(_first(camera.grab_next_to_finish(timeout=timeout_s), camera.display_name))


def _recorded(
    source: HardwareSource,
    parameters: Any,
    timeout_s: float,
    stop: Callable[[], None],
    cancellation: Cancellation,
) -> DataAndMetadata:
    _rest(source, stop, cancellation)
    try:
        task = source.start_recording(frame_parameters=copy.deepcopy(parameters))
    except AssertionError as error:
        raise FrameLostError(f"{source.display_name} was started by somebody else at the same moment") from error
    try:
        in_time = cancellation.wait_until(lambda: task.is_finished, timeout_s)
        # a cancelled frame may look like any other
        cancellation.check()
    except CancelledError:
        stop()
        raise
    if not in_time:
        stop()
        raise FrameLostError(f"{source.display_name}: no frame within {timeout_s:.3g} s")
    if task.is_error:
        raise FrameLostError(f"{source.display_name} reported an error; Swift's notifications tell more")
    if source.is_aborted:
        raise FrameLostError(f"{source.display_name} was stopped by somebody")
    return _first(task.grab_xdatas(timeout=1.0), source.display_name)


def _rest(source: HardwareSource, stop: Callable[[], None], cancellation: Cancellation) -> None:
    if source.is_recording:
        _comes_to_rest(source, lambda: not source.is_recording, stop, cancellation)


def _comes_to_rest(
    source: HardwareSource, at_rest: Callable[[], bool], stop: Callable[[], None], cancellation: Cancellation
) -> None:
    # somebody else's recording, or one of ours that was given up
    if cancellation.wait_until(at_rest, HANGING_S / 2):
        return
    stop()
    if not cancellation.wait_until(at_rest, HANGING_S / 2):
        raise InstrumentError(f"{source.display_name} hangs: it does not stop when told to. Restart the device")


def _first(xdatas: Sequence[DataAndMetadata | None], name: str) -> DataAndMetadata:
    # a copy: Swift fills the list it returned again later
    found = list(xdatas)
    if not found or found[0] is None:
        raise FrameLostError(f"{name} returned no data")
    return found[0]


def frame_of(xdata: DataAndMetadata, *, first: bool = False) -> Frame:
    """What Swift gave as a frame; `first` of a sequence."""
    data = np.asarray(xdata.data)
    # Swift keeps universal time without saying so
    seconds = xdata.timestamp.replace(tzinfo=UTC).timestamp()
    return Frame(np.array(data[0] if first else data), seconds)


def _attempt(action: Callable[[], object]) -> None:
    try:
        action()
    except Exception:  # whatever a driver raises when told to stop, there is nothing better to do than to go on
        _logger.exception("a device did not stop")
