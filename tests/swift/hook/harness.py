"""A headless Swift with a camera whose frames say where the probe was, and that can be made to fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from nion.instrumentation.camera_base import PartialData
from nion.utils import Geometry
from scipy import ndimage

from dkl_core.measurement import Measurement, Site
from dkl_core.scalarizers.registry import as_scalarizer
from nionswift_plugin.dkl.acquisition.devices import Devices, find_devices
from nionswift_plugin.dkl.acquisition.hook import SwiftMicroscope
from nionswift_plugin.dkl.acquisition.main_loop import EventLoopMain
from nionswift_plugin.dkl.acquisition.settings import BeamSettings, HookSettings, PatternSettings, SurveySettings

Result = TypeVar("Result")
Action = Callable[[], object]
EXPOSURE_MS = 20.0
SIZE_PX = 64
# Small against the counts of a frame, and large against the distance of two sites.
ONE = 400
CURRENT_PA = 0.1


def settings_for_tests(**parts: Any) -> HookSettings:
    """Short exposures on a small frame."""
    survey = {"size_px": SIZE_PX, "fov_nm": 10.0, "pixel_time_us": 1.0}
    pattern = {"exposure_ms": EXPOSURE_MS, "settle_ms": 0.0, "late_ms": 1000.0}
    return HookSettings(
        survey=SurveySettings(**(survey | parts.pop("survey", {}))),
        pattern=PatternSettings(**(pattern | parts.pop("pattern", {}))),
        beam=BeamSettings(**({"blanker_timeout_ms": 200} | parts.pop("beam", {}))),
        **parts,
    )


class StampedCamera:
    """Wraps a camera device: each exposure records where the probe was when it began and ended.

    Attributes:
        during: what happens during the exposure of that number (counted from 0), on the device's thread.
        spoil: what is done to the data of the exposure of that number.
        hangs: from this exposure on nothing comes until it is cancelled; None never.
        deaf: whether a hanging camera ignores a cancellation too.
    """

    def __init__(self, device: Any, stem: Any) -> None:
        self._device, self._stem = device, stem
        self._begin, self._continue = device.acquire_sequence_begin, device.acquire_sequence_continue
        self._cancel = device.acquire_sequence_cancel
        self._cancelled = threading.Event()
        self._start = np.zeros(3)
        self.count = -1
        self.during: dict[int, Action] = {}
        self.spoil: dict[int, Callable[[np.ndarray], object]] = {}
        self.hangs: int | None = None
        self.deaf = False
        device.acquire_sequence_begin = self.begin
        device.acquire_sequence_continue = self.proceed
        device.acquire_sequence_cancel = self.cancel

    def begin(self, parameters: Any, count: int, **arguments: Any) -> PartialData:
        self.count += 1
        self._cancelled.clear()
        self._start = self._now()
        partial = self._begin(parameters, count, **arguments)
        if action := self.during.get(self.count):
            action()
        # a short exposure may be over by now
        return self._stamped(partial)

    def proceed(self, *, update_period: float = 1.0, **arguments: Any) -> PartialData:
        partial = self._continue(update_period=update_period, **arguments)
        if self.hangs is not None and self.count >= self.hangs:
            cancelled = self._cancelled.wait(0.005) and not self.deaf
            return PartialData(partial.xdata, False, cancelled, None, 0)
        return self._stamped(partial)

    def _stamped(self, partial: PartialData) -> PartialData:
        if partial.is_complete and not partial.is_canceled:
            data = partial.xdata.data
            data[..., 1, :3] = self._start * ONE
            data[..., 1, 3:6] = self._now() * ONE
            if spoil := self.spoil.get(self.count):
                spoil(data)
        return partial

    def cancel(self) -> None:
        self._cancelled.set()
        self._cancel()

    def unwrap(self) -> None:
        device = self._device
        del device.acquire_sequence_begin, device.acquire_sequence_continue, device.acquire_sequence_cancel

    def _now(self) -> np.ndarray:
        position = self._stem.probe_position or Geometry.FloatPoint(y=-1, x=-1)
        return np.maximum((position.y, position.x, self._stem.GetVal("C_Blank", 0.0)), 0)


class MovingSample:
    """Wraps a scan device: it shows a sample that can be moved.

    Attributes:
        moved_nm: how far it has moved since the beginning, (y, x).
    """

    def __init__(self, device: Any) -> None:
        self._device, self._read = device, device.read_partial
        self._sample = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(256, 256)), 2.0)
        self.moved_nm = (0.0, 0.0)
        device.read_partial = self.read

    def read(self, *arguments: Any) -> Any:
        elements, *rest = self._read(*arguments)
        for element in elements:
            shown = self._shown(self._device.current_frame_parameters)
            if shown.shape == element["data"].shape:
                element["data"] = shown.astype(element["data"].dtype)
        return elements, *rest

    def _shown(self, parameters: Any) -> np.ndarray:
        size = parameters.subscan_pixel_size or parameters.pixel_size
        part = parameters.subscan_fractional_size or Geometry.FloatSize(1.0, 1.0)
        middle = parameters.subscan_fractional_center or Geometry.FloatPoint(0.5, 0.5)
        axes = [
            (((np.arange(count) + 0.5) / count - 0.5) * share + at - 0.5) * parameters.fov_nm - moved
            for count, share, at, moved in zip(size, part, middle, self.moved_nm, strict=True)
        ]
        # ten pixels of the sample per nanometre
        grid = np.meshgrid(*(10 * axis + 127.5 for axis in axes), indexing="ij")
        return 1000 * (1 + np.asarray(ndimage.map_coordinates(self._sample, grid, order=1, mode="wrap")))


class SwiftBench:
    """A headless Swift, its devices, and a worker to run an experiment on."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.controller = context.document_controller
        self.main = EventLoopMain(self.controller.event_loop)
        self.devices: Devices = find_devices()
        self.stem: Any = self.devices.stem
        self.scan: Any = self.devices.scan
        self.stem.SetVal("BeamCurrent", CURRENT_PA * 1e-12)
        self.sample = MovingSample(self.scan.scan_device)
        self.camera = StampedCamera(self.devices.camera.camera, self.stem)

    def microscope(self, settings: HookSettings | None = None, scalarizer: Any = None) -> SwiftMicroscope:
        return SwiftMicroscope(
            self.devices,
            settings or settings_for_tests(),
            scalarizer or as_scalarizer(lambda pattern: float(np.asarray(pattern).std()), name="spread"),
            main=self.main,
            document_model=self.controller.document_model,
        )

    def run(self, function: Callable[[], Result], timeout_s: float = 20.0) -> Result:
        """What a function returns that runs on a worker while the main thread does its work."""
        results, errors = list[Result](), list[BaseException]()

        def work() -> None:
            try:
                results.append(function())
            except BaseException as error:  # noqa: BLE001 - raised again on the main thread
                errors.append(error)

        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        self.pump(lambda: not worker.is_alive(), timeout_s)
        if errors:
            raise errors[0]
        return results[0]

    def pump(self, until: Callable[[], bool], timeout_s: float = 10.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not until():
            self.controller.periodic()
            time.sleep(0.001)
            assert time.monotonic() < deadline, "it did not happen in time"
        self.controller.periodic()

    def reset(self) -> None:
        """Leave Swift as it was found."""
        camera = self.devices.camera
        self.camera.hangs = None
        for source in (self.scan, camera):
            source.abort_recording()
            source.abort_playing()
        self.pump(lambda: not any(source.is_recording or source.is_playing for source in (self.scan, camera)))
        self.camera.unwrap()
        del self.scan.scan_device.read_partial
        self.scan.subscan_enabled = self.scan.line_scan_enabled = False
        self.stem.set_probe_position(None)
        self.stem.SetVal("C_Blank", 0.0)
        self.stem.__dict__.pop("is_simulator", None)
        self.controller.periodic()

    @property
    def is_blanked(self) -> bool:
        return bool(self.stem.GetVal("C_Blank") == 1.0)

    def user_changes_fov(self) -> None:
        parameters = self.scan.get_current_frame_parameters()
        parameters.fov_nm = 17.0
        self.scan.set_current_frame_parameters(parameters)


def site(number: int) -> Site:
    """A site somewhere."""
    return Site(number, (13 * number + 7) % SIZE_PX, (29 * number + 5) % SIZE_PX)


def is_intact(measurement: Measurement, where: Site) -> bool:
    """Whether a pattern was exposed at a site from beginning to end, with the beam on."""
    assert measurement.raw is not None
    stamp = np.asarray(measurement.raw, dtype=float)[1, :6] / ONE
    y, x = (where.row + 0.5) / SIZE_PX, (where.col + 0.5) / SIZE_PX
    return bool(np.allclose(stamp, (y, x, 0, y, x, 0), atol=1.5 / ONE))
