"""The 4D camera: what Swift's Camera panel lists, plays and records, and what a synchronized scan reads."""

# ruff: noqa: ARG002, N803 - names and arguments are Swift's

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nion.data import Calibration
from nion.device_kit.CameraDevice import CameraSettings
from nion.instrumentation import camera_base
from nion.instrumentation.camera_base import CameraFrameParameters, PartialData

from nionswift_plugin.dkl_simulator.controls import CAMERA_SCALE
from nionswift_plugin.dkl_simulator.faulty import DeviceFaultError
from nionswift_plugin.dkl_simulator.geometry import lines
from nionswift_plugin.dkl_simulator.instrument import PRIORITY, SimulatedInstrument
from nionswift_plugin.dkl_simulator.live import LiveView
from nionswift_plugin.dkl_simulator.sensor import BINNINGS, SHORTEST_S, Area, Request, Sensor, Shot
from nionswift_plugin.dkl_simulator.sequences import FrameTask
from nionswift_plugin.dkl_simulator.trigger import DrivenFrame, Trigger

CAMERA_ID = "dkl_camera"
CAMERA_NAME = "Simulated 4D Camera"
BASE_EXPOSURE_S = 0.02
# Swift starts the scan first; longer than this it does not take.
TRIGGER_S = 10.0
CLOSING_S = 5.0


class SimulatedCamera(camera_base.CameraDevice3):
    """The camera of the simulated microscope.

    Args:
        instrument: whose beam falls on it.
        trigger: where it finds the scans that it drives.
        shape: rows and columns.
        counts_per_electron: its gain.
    """

    def __init__(
        self, instrument: SimulatedInstrument, trigger: Trigger, shape: tuple[int, int], counts_per_electron: float
    ) -> None:
        self.camera_id = CAMERA_ID
        self.camera_type = "ronchigram"
        self.camera_name = CAMERA_NAME
        self.signal_type = "ronchigram"
        self._instrument = instrument
        self._trigger = trigger
        self._gain = counts_per_electron
        self._sensor = Sensor(instrument, shape)
        self._live = LiveView(self._sensor)
        self._task: FrameTask | None = None

    def close(self) -> None:
        """Stop and end the threads."""
        self._live.close()
        if self._task is not None:
            self._task.cancel()
            self._task.join(CLOSING_S)

    # --- what it is

    @property
    def sensor_dimensions(self) -> tuple[int, int]:
        """Rows and columns without binning."""
        return self._sensor.shape

    @property
    def readout_area(self) -> Area:
        """The part that is read out: (top, left, bottom, right), unbinned."""
        return self._sensor.area

    @readout_area.setter
    def readout_area(self, readout_area_TLBR: Area) -> None:
        self._sensor.area = readout_area_TLBR

    @property
    def flip(self) -> bool:
        """Whether frames are mirrored left to right."""
        return self._sensor.flip

    @flip.setter
    def flip(self, do_flip: bool) -> None:
        self._sensor.flip = do_flip

    @property
    def binning_values(self) -> list[int]:
        """Possible binnings."""
        return list(BINNINGS)

    def get_expected_dimensions(self, binning: int) -> tuple[int, int]:
        """Rows and columns of a frame."""
        return self._sensor.size(binning)

    def get_expected_dimensions_for_frame_parameters(self, frame_parameters: CameraFrameParameters) -> tuple[int, int]:
        """Rows and columns of a frame with these parameters."""
        return self._sensor.size(self._sensor.request(frame_parameters).binning)

    def validate_frame_parameters(self, frame_parameters: CameraFrameParameters) -> CameraFrameParameters:
        """The nearest parameters that it can do."""
        valid = copy.deepcopy(frame_parameters)
        valid.exposure_ms = max(1000 * SHORTEST_S, valid.exposure_ms)
        valid.binning = min(BINNINGS, key=lambda binning: abs(binning - valid.binning))
        return valid

    def set_frame_parameters(self, frame_parameters: CameraFrameParameters) -> None:
        """Set how the live view is taken."""
        self._live.request = self._sensor.request(frame_parameters)

    @property
    def calibration_controls(self) -> Mapping[str, str | int | float]:
        """Which of the instrument's controls calibrate a frame, in rad."""
        return {
            "x_scale_control": CAMERA_SCALE,
            "x_units_value": "rad",
            "x_origin_override": "center",
            "y_scale_control": CAMERA_SCALE,
            "y_units_value": "rad",
            "y_origin_override": "center",
            "intensity_units_value": "counts",
            "counts_per_electron_value": self._gain,
        }

    def get_camera_calibrator(
        self, *, instrument_controller: camera_base.InstrumentController, **kwargs: Any
    ) -> camera_base.CameraCalibrator:
        """What calibrates a frame, its readout area included."""
        return SensorCalibrator(instrument_controller, self)

    # --- live view

    def start_live(self) -> None:
        """Expose one frame after the other."""
        self._live.start()

    def stop_live(self) -> None:
        """End the live view; the running exposure is given up."""
        self._live.stop()

    def acquire_image(self) -> dict[str, Any]:
        """The next frame of the live view; it may have begun before the call."""
        shot = self._live.next()
        properties = {"frame_number": shot.number, "integration_count": 1}
        return {"version": 1, "data": shot.data.copy(), "timestamp": shot.stamp, "properties": properties}

    # --- sequences; a record is one of a single frame

    def acquire_sequence_begin(
        self, camera_frame_parameters: CameraFrameParameters, count: int, **kwargs: Any
    ) -> PartialData:
        """Begin to take frames one after the other; the first exposure begins after this call."""
        request = self._sensor.request(camera_frame_parameters)

        def shots(cancelled: threading.Event) -> Iterator[Shot]:
            for _ in range(count):
                shot = self._sensor.take(request, cancelled)
                if shot is None:
                    return
                yield shot

        return self._begin(FrameTask(self._sensor.empty((count,), request), 1, shots))

    def acquire_sequence_continue(self, *, update_period: float = 1.0, **kwargs: Any) -> PartialData:
        """How far it is; waits for the end, at most that long (s)."""
        return self._running.partial(update_period)

    def acquire_sequence_end(self, **kwargs: Any) -> None:
        """Nothing to clean up: Swift keeps the array."""

    def acquire_sequence_cancel(self) -> None:
        """Give up, from any thread."""
        if self._task is not None:
            self._task.cancel()

    # --- synchronized: the camera drives the scan, a frame for each of its pixels

    def acquire_synchronized_begin(
        self, camera_frame_parameters: CameraFrameParameters, collection_shape: tuple[int, ...], **kwargs: Any
    ) -> PartialData:
        """Begin to take a frame at each pixel of the scan that waits for it, or will in a moment."""
        request = self._sensor.request(camera_frame_parameters)
        collection = tuple(int(count) for count in collection_shape)

        def shots(cancelled: threading.Event) -> Iterator[Shot]:
            driven = self._trigger.take(cancelled, TRIGGER_S)
            if driven is None and not cancelled.is_set():
                raise DeviceFaultError("no scan waited for the camera; begin both as one synchronized acquisition")
            if driven is not None:
                with self._sensor.in_use():
                    yield from self._driving(driven, collection, request, cancelled)

        return self._begin(FrameTask(self._sensor.empty(collection, request), len(collection), shots))

    def acquire_synchronized_continue(self, *, update_period: float = 1.0, **kwargs: Any) -> PartialData:
        """How far it is; waits for the end, at most that long (s)."""
        return self._running.partial(min(update_period, 0.1))

    def acquire_synchronized_end(self, **kwargs: Any) -> None:
        """Nothing to clean up: Swift keeps the array."""

    def acquire_synchronized_cancel(self) -> None:
        """Give up, from any thread."""
        self.acquire_sequence_cancel()

    def _driving(
        self, driven: DrivenFrame, collection: tuple[int, ...], request: Request, cancelled: threading.Event
    ) -> Iterator[Shot]:
        if driven.frame.size != collection:
            raise DeviceFaultError(f"the scan has {driven.frame.size} pixels and the camera was to take {collection}")
        microscope = self._instrument.ready()
        rows, columns = collection
        for row in range(rows):
            line = lines(driven.timed(request.exposure_s), row, row + 1)
            begin = microscope.clock()
            microscope.begin_scan(line, begin)
            for column in range(columns):
                since, until = (begin + (column + step) * request.exposure_s for step in (0, 1))
                if cancelled.wait(max(0.0, until - microscope.clock())) or driven.stopped.is_set():
                    microscope.stop_scan()
                    return
                yield self._sensor.read(request, since, until)
            driven.deliver(microscope.scan(line, begin)[0])

    @property
    def _running(self) -> FrameTask:
        if self._task is None:
            raise DeviceFaultError("no frames were begun; begin a sequence first")
        return self._task

    def _begin(self, task: FrameTask) -> PartialData:
        previous, self._task = self._task, task
        if previous is not None:
            previous.cancel()
        return task.partial()


class SensorCalibrator(camera_base.CalibrationControlsCalibrator):
    """Scale in rad and an origin on the sensor's centre, also when only a part of it is read out."""

    def __init__(self, instrument_controller: camera_base.InstrumentController, camera: SimulatedCamera) -> None:
        super().__init__(instrument_controller, camera)
        self._camera = camera

    def get_signal_calibrations(
        self, frame_parameters: CameraFrameParameters, data_shape: Sequence[int], **kwargs: Any
    ) -> Sequence[Calibration.Calibration]:
        """Calibrations of the frame's axes."""
        scale = self.get_pixel_angle() or 1.0
        binning = frame_parameters.binning
        starts = self._camera.readout_area[:2]
        both = [
            Calibration.Calibration(scale * (start - size / 2), scale * binning, "rad")
            for start, size in zip(starts, self._camera.sensor_dimensions, strict=True)
        ]
        return both if len(data_shape) == 2 else both[1:]


class SimulatedCameraModule:
    """What Swift makes a camera source of.

    Args:
        camera: the camera.
        stem_controller_id: the instrument that it belongs to.
    """

    hardware_source: camera_base.CameraHardwareSource

    def __init__(self, camera: SimulatedCamera, stem_controller_id: str) -> None:
        self.stem_controller_id = stem_controller_id
        self.camera_device = camera
        self.camera_settings = CameraSettings(CAMERA_ID, BASE_EXPOSURE_S)
        self.priority = PRIORITY
        for index in range(len(self.camera_settings.modes)):
            parameters = self.camera_settings.get_frame_parameters(index)
            parameters.binning = 1
            self.camera_settings.set_frame_parameters(index, parameters)
