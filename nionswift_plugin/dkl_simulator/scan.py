"""The scan device: what Swift's Scan panel lists, plays and records."""

# ruff: noqa: ARG002 - names and arguments are Swift's

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from typing import Any

from nion.instrumentation import scan_base
from nion.instrumentation.scan_base import ScanFrameParameters
from nion.instrumentation.stem_controller import ScanContext
from nion.utils import Geometry

from nionswift_plugin.dkl_simulator.geometry import scan_frame
from nionswift_plugin.dkl_simulator.instrument import PRIORITY, SimulatedInstrument
from nionswift_plugin.dkl_simulator.trigger import DrivenFrame, FreeFrame, Progress, Trigger

SCAN_ID = "dkl_scan"
SCAN_NAME = "Simulated STEM Scan"
CHANNELS = ("HAADF",)
LARGEST_FOV_NM = 1000.0
# The parameter by which Swift's devices know that the camera drives the scan.
DRIVEN = "external_clock_mode"
SLOW_LINES = 4.0
PATIENCE_S = 10.0
Partial = tuple[Sequence[dict[str, Any]], bool, bool, tuple[tuple[int, int], tuple[int, int]], int | None, int]
StateChanged = Callable[[Sequence[ScanFrameParameters], Sequence[tuple[str, bool]]], None]


class SimulatedScan(scan_base.ScanDevice):
    """The scan of the simulated microscope, with one channel: the annular detector.

    Args:
        instrument: what scans.
        trigger: where the camera finds the scans that it drives.
    """

    # Another instrument takes any scan that is not secondary for its own.
    scan_device_is_secondary = True

    def __init__(self, instrument: SimulatedInstrument, trigger: Trigger) -> None:
        self.scan_device_id = SCAN_ID
        self.scan_device_name = SCAN_NAME
        self.stem_controller = instrument
        self.on_device_state_changed: StateChanged | None = None
        self._instrument = instrument
        self._trigger = trigger
        self._parameters = ScanFrameParameters()
        self._enabled = [True] * len(CHANNELS)
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._number = 0
        self._active: tuple[ScanFrameParameters, Progress] | None = None

    def close(self) -> None:
        """Stop."""
        self.cancel()

    # --- what there is

    @property
    def channel_count(self) -> int:
        """Number of channels."""
        return len(CHANNELS)

    @property
    def channels_enabled(self) -> tuple[bool, ...]:
        """Which channels are recorded."""
        return tuple(self._enabled)

    def get_channel_name(self, channel_index: int) -> str:
        """What a channel is called."""
        return CHANNELS[channel_index]

    def set_channel_enabled(self, channel_index: int, enabled: bool) -> bool:
        """Record a channel or not."""
        self._enabled[channel_index] = enabled
        if not any(self._enabled):
            self.cancel()
        return True

    def calculate_flyback_pixels(self, frame_parameters: ScanFrameParameters) -> int:
        """Camera frames that are lost between lines of a synchronized scan: none, the camera waits."""
        return 0

    def calculate_max_field_of_view(self, frame_parameters: ScanFrameParameters) -> float:
        """Largest field of view, nm."""
        return LARGEST_FOV_NM

    # --- frames

    @property
    def current_frame_parameters(self) -> ScanFrameParameters:
        """What the next frame will be."""
        return self._parameters

    def set_frame_parameters(self, frame_parameters: ScanFrameParameters) -> None:
        """Set what the next frame will be."""
        self._parameters = copy.copy(frame_parameters)

    def save_frame_parameters(self) -> None:
        """Swift keeps them."""

    @property
    def is_scanning(self) -> bool:
        """Whether a frame is under way."""
        return self._active is not None

    def start_frame(self, is_continuous: bool) -> int:
        """Begin a frame unless one is under way; returns its number."""
        self._instrument.ready()
        with self._lock:
            if self._active is None:
                self._begin()
            return self._number

    def read_partial(self, frame_number: int | None, pixels_to_skip: int) -> Partial:
        """Wait for more of the frame, beginning one if none is under way.

        Returns:
            One element for each channel, whether the frame is complete, whether it is bad, its new part as
            ((top, left), (rows, columns)), its number, and the pixels to skip next time.
        """
        # not under the lock: while the physics is rebuilt, cancelling must not wait
        self._instrument.ready()
        with self._lock:
            active = self._active or self._begin_unless_cancelled()
        if active is None:
            return [], True, True, ((0, 0), (0, 0)), self._number, 0
        parameters, progress = active
        progress.advance(self._cancelled)
        rows, columns = progress.frame.size
        complete = progress.done == rows or self._cancelled.is_set()
        elements = self._elements(parameters, progress)
        if complete:
            self._end(active)
            return elements, True, False, ((0, 0), (rows, columns)), self._number, 0
        top, done = pixels_to_skip // columns, progress.done
        return elements, False, False, ((top, 0), (done - top, columns)), self._number, done * columns

    def cancel(self) -> None:
        """Break the frame off, from any thread."""
        with self._lock:
            self._cancelled.set()
            active, self._active = self._active, None
            self._trigger.withdraw()
        if active is not None:
            active[1].stop()

    def stop(self) -> None:
        """Begin no further frame; Swift begins each by itself."""

    def get_buffer_data(self, start: int, count: int) -> list[list[dict[str, Any]]]:
        """No frames are kept."""
        return []

    # --- the probe

    def set_scan_context_probe_position(
        self, scan_context: ScanContext, probe_position: Geometry.FloatPoint | None
    ) -> None:
        """Move the probe, or park it where nobody positions it."""
        self._instrument.place_probe(scan_context, probe_position)

    def set_idle_position_by_percentage(self, x: float, y: float) -> None:
        """Move the probe to a fraction of the frame; negative ones park it."""
        position = Geometry.FloatPoint(y=y, x=x) if x >= 0 and y >= 0 else None
        self._instrument.place_probe(self._instrument.scan_context, position)

    # --- synchronized with a camera

    def prepare_synchronized_scan(
        self, scan_frame_parameters: ScanFrameParameters, *, camera_exposure_ms: float, **kwargs: Any
    ) -> None:
        """Make parameters those of a scan that the camera drives."""
        scan_frame_parameters.set_parameter("pixel_time_us", camera_exposure_ms * 1000)
        scan_frame_parameters.set_parameter(DRIVEN, 1)

    def calculate_synchronized_scan_partial_timeout(
        self, scan_frame_parameters: ScanFrameParameters, *, camera_exposure_ms: float, **kwargs: Any
    ) -> float:
        """How long Swift may wait for more lines, s."""
        line_s = scan_frame_parameters.scan_size.width * camera_exposure_ms / 1000
        return SLOW_LINES * line_s + PATIENCE_S

    # --- inside

    def _begin(self) -> tuple[ScanFrameParameters, Progress]:
        self._cancelled.clear()
        parameters = copy.copy(self._parameters)
        frame = scan_frame(parameters)
        self._number += 1
        progress: Progress
        if parameters.get_parameter(DRIVEN, 0):
            progress = DrivenFrame(frame)
            self._trigger.offer(progress)
        else:
            progress = FreeFrame(self._instrument.ready(), frame)
        self._active = parameters, progress
        return self._active

    def _begin_unless_cancelled(self) -> tuple[ScanFrameParameters, Progress] | None:
        return None if self._cancelled.is_set() else self._begin()

    def _end(self, active: tuple[ScanFrameParameters, Progress]) -> None:
        with self._lock:
            if self._active is active:
                self._active = None

    def _elements(self, parameters: ScanFrameParameters, progress: Progress) -> list[dict[str, Any]]:
        common = parameters.as_dict() | {"line_time_us": progress.frame.line_s * 1e6}
        return [
            {"data": progress.data.copy(), "properties": common | {"channel_id": channel}}
            for channel, enabled in enumerate(self._enabled)
            if enabled
        ]


class SimulatedScanModule(scan_base.ScanModule):
    """What Swift makes a scan source of.

    Args:
        device: the scan.
        fov_nm: field of view to begin with, nm.
    """

    hardware_source: scan_base.ScanHardwareSource

    def __init__(self, device: SimulatedScan, fov_nm: float) -> None:
        self.stem_controller_id = device.stem_controller.instrument_id
        self.device = device
        self.priority = PRIORITY
        modes = [
            scan_base.ScanSettingsMode(name, name.lower(), _mode(fov_nm, size, pixel_time_us))
            for name, size, pixel_time_us in (("Fast", 128, 16.0), ("Slow", 256, 16.0), ("Record", 256, 32.0))
        ]
        self.settings = scan_base.ScanSettings(SCAN_ID, modes, ScanFrameParameters, 0, 2)


def _mode(fov_nm: float, size: int, pixel_time_us: float) -> ScanFrameParameters:
    return ScanFrameParameters(pixel_size=(size, size), pixel_time_us=pixel_time_us, fov_nm=fov_nm)
