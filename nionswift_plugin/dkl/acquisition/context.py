"""The scan frame that positions refer to, held in place; and whoever disturbs an exposure, noticed."""

from __future__ import annotations

import copy
import math
import threading
from types import TracebackType

from nion.instrumentation.scan_base import ScanFrameParameters
from nion.utils import Geometry

from dkl_core.errors import InstrumentError
from nionswift_plugin.dkl.acquisition.devices import Devices
from nionswift_plugin.dkl.acquisition.position import FrameGeometry
from nionswift_plugin.dkl.acquisition.recording import SpoiltError
from nionswift_plugin.dkl.acquisition.settings import SurveySettings
from nionswift_plugin.dkl.acquisition.waiting import Cancellation

_STOP_S = 10.0


class DisturbedError(SpoiltError):
    """Somebody or something interfered with an exposure."""


class PinnedContext:
    """The scan frame of an experiment.

    A probe position is a fraction of the *current* scan frame, whatever frame an image was recorded with. So the
    frame is set once, compared after each exposure and set again when somebody changed it.

    Args:
        devices: instrument and scan.
        parameters: the frame's; its subscan is dropped.
    """

    def __init__(self, devices: Devices, parameters: ScanFrameParameters) -> None:
        self._stem, self._scan = devices.stem, devices.scan
        self._parameters = without_subscan(parameters)
        self.pin()
        self._context = copy.deepcopy(self._stem.scan_context)
        self.geometry = FrameGeometry.of_context(self._context)

    @property
    def parameters(self) -> ScanFrameParameters:
        """A copy of the frame's parameters."""
        return copy.copy(self._parameters)

    @property
    def problem(self) -> str:
        """What is not as it was set; empty when all is."""
        if self._stem.scan_context != self._context:
            return f"the scan frame was changed to {self._stem.scan_context} from {self._context}"
        return ""

    def pin(self) -> None:
        """Set the frame."""
        if self._scan.subscan_enabled:
            self._scan.subscan_enabled = False
        if self._scan.line_scan_enabled:
            self._scan.line_scan_enabled = False
        self._scan.set_current_frame_parameters(self.parameters)

    def take_back(self, cancellation: Cancellation) -> tuple[str, ...]:
        """End what somebody started and set the frame again.

        Returns:
            What was put right.

        Raises:
            InstrumentError: the scan does not stop.
            CancelledError: somebody asked to stop the experiment.
        """
        scan, found = self._scan, list[str]()
        if scan.is_playing:
            found.append(f"{scan.display_name} was started by somebody; it was stopped")
            scan.abort_playing()
        at_rest = cancellation.wait_until(lambda: not scan.is_playing and self._stem.probe_state == "parked", _STOP_S)
        if not at_rest:
            raise InstrumentError(f"{scan.display_name} does not stop scanning; stop it by hand, then start again")
        if self.problem or scan.subscan_enabled or scan.line_scan_enabled:
            found.append("the scan frame was changed by somebody; it was set again")
            self.pin()
        return tuple(found)


class Watch:
    """Notices what happens to the probe and the scan frame during an exposure.

    Args:
        devices: instrument and scan.
        context: the frame as it must stay.
        position: the probe as it must stay; set before the watch begins.
    """

    def __init__(self, devices: Devices, context: PinnedContext, position: Geometry.FloatPoint) -> None:
        self._stem, self._context, self._position = devices.stem, context, position
        self._lock = threading.Lock()
        self._happened: list[str] = []

    def __enter__(self) -> Watch:
        stem = self._stem
        self._listeners = [
            stem.probe_state_changed_event.listen(self._probe_changed),
            stem.scan_context_changed_event.listen(self._context_changed),
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()

    def check(self) -> None:
        """Go on only if nothing happened so far.

        Raises:
            DisturbedError: something did; the message says what.
        """
        with self._lock:
            happened = list(self._happened)
        stem = self._stem
        if stem.probe_state != "parked":
            happened.append("a scan was started")
        if stem.probe_position != self._position:
            happened.append("the probe was moved")
        if problem := self._context.problem:
            happened.append(problem)
        if happened:
            raise DisturbedError("; ".join(dict.fromkeys(happened)))

    def _probe_changed(self, state: str, _position: Geometry.FloatPoint | None) -> None:
        with self._lock:
            self._happened.append("a scan was started" if state != "parked" else "the probe was moved")

    def _context_changed(self) -> None:
        with self._lock:
            self._happened.append("the scan frame was changed")


def survey_parameters(present: ScanFrameParameters, settings: SurveySettings) -> ScanFrameParameters:
    """The parameters of the survey frame: those of the present one with what the settings change.

    The class may be a device's own, so it is copied, never built.
    """
    parameters = without_subscan(present)
    if settings.size_px is not None:
        parameters.pixel_size = Geometry.IntSize(settings.size_px, settings.size_px)
    if settings.fov_nm is not None:
        parameters.fov_nm = settings.fov_nm
    if settings.pixel_time_us is not None:
        parameters.pixel_time_us = settings.pixel_time_us
    if settings.rotation_deg is not None:
        parameters.rotation_rad = math.radians(settings.rotation_deg)
    parameters.enabled_channel_indexes = [settings.channel]
    return parameters


def without_subscan(parameters: ScanFrameParameters) -> ScanFrameParameters:
    """A copy that scans the whole frame."""
    whole = copy.copy(parameters)
    whole.subscan_pixel_size = None
    whole.subscan_fractional_size = None
    whole.subscan_fractional_center = None
    whole.subscan_rotation = 0.0
    return whole
