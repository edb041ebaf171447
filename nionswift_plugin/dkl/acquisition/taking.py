"""One undisturbed diffraction pattern, one undisturbed scan: what goes wrong is noticed and done again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from nion.instrumentation.scan_base import ScanFrameParameters
from nion.utils import Geometry
from numpy.typing import NDArray

from dkl_core.errors import MeasurementError
from nionswift_plugin.dkl.acquisition.beam import Beam
from nionswift_plugin.dkl.acquisition.context import DisturbedError, PinnedContext, Watch
from nionswift_plugin.dkl.acquisition.devices import Devices
from nionswift_plugin.dkl.acquisition.frames import FrameCheck, RepeatedFrameError
from nionswift_plugin.dkl.acquisition.main_loop import MainLoop, catch_up
from nionswift_plugin.dkl.acquisition.position import as_point
from nionswift_plugin.dkl.acquisition.recording import CameraRecorder, Frame, FrameLostError, ScanRecorder, SpoiltError
from nionswift_plugin.dkl.acquisition.settings import PatternSettings
from nionswift_plugin.dkl.acquisition.waiting import Cancellation

FloatArray = NDArray[np.float64]
Permission = Callable[[], None]
Charging = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Bench:
    """What the acquisition works with while an experiment runs.

    Attributes:
        devices: instrument, scan, camera.
        context: the pinned scan frame.
        beam: the blanker.
        main: Swift's main thread.
        cancellation: ends any wait.
        tell: told of what was noticed and put right.
    """

    devices: Devices
    context: PinnedContext
    beam: Beam
    main: MainLoop
    cancellation: Cancellation
    tell: Callable[[str], object]

    def take_back(self) -> None:
        """Put right what somebody did since the last exposure, and tell."""
        for what in self.context.take_back(self.cancellation):
            self.tell(what)


@dataclass(frozen=True, eq=False)
class TakenPattern:
    """A pattern that nothing disturbed.

    Attributes:
        data: counts, (rows, cols).
        problems: what spoilt the tries before it.
    """

    data: NDArray[np.generic]
    problems: tuple[str, ...]


class PatternTaker:
    """Takes patterns at places of the scan frame.

    Args:
        bench: what it works with.
        camera: records.
        check: judges what was recorded.
        settings: settling, tries.
    """

    def __init__(self, bench: Bench, camera: CameraRecorder, check: FrameCheck, settings: PatternSettings) -> None:
        self._bench, self._camera, self._check, self._settings = bench, camera, check, settings

    def take(self, fraction: FloatArray, permit: Permission, charge: Charging) -> TakenPattern:
        """A pattern at a place.

        Args:
            fraction: (y, x) of the scan frame.
            permit: called before each try; raises when the electrons are used up.
            charge: told for how long the beam was on the sample, s, after each try.

        Raises:
            MeasurementError: each try was spoilt; the message says how.
            InstrumentError: the instrument cannot go on, or somebody asked to stop.
        """
        problems: list[str] = []
        while len(problems) < self._settings.tries:
            permit()
            try:
                return TakenPattern(self._try(as_point(fraction), charge).data, tuple(problems))
            except SpoiltError as error:
                problems.append(str(error))
                self._recover(error)
                if len(problems) < self._settings.tries:
                    self._bench.tell(f"a pattern is taken again: {error}")
        raise MeasurementError(f"no usable pattern in {len(problems)} tries: {_told(problems)}")

    def _try(self, point: Geometry.FloatPoint, charge: Charging) -> Frame:
        bench = self._bench
        # what somebody did since the last pattern costs no try
        bench.take_back()
        catch_up(bench.main, bench.cancellation)
        if bench.beam.has_blanker:
            if not bench.beam.is_closed:
                bench.beam.close()
            self._move(point)
        with bench.beam.on_sample(charge):
            if not bench.beam.has_blanker:
                self._move(point)
            frame, begun_s = self._expose(point)
        self._check.check(frame, begun_s)
        return frame

    def _move(self, point: Geometry.FloatPoint) -> None:
        bench = self._bench
        bench.devices.stem.set_probe_position(point)
        bench.cancellation.sleep(self._settings.settle_ms / 1000)
        Watch(bench.devices, bench.context, point).check()

    def _expose(self, point: Geometry.FloatPoint) -> tuple[Frame, float]:
        bench = self._bench
        with Watch(bench.devices, bench.context, point) as watch:
            begun_s = time.time()
            frame = self._camera.frame()
            try:
                watch.check()
                if not bench.beam.is_open:
                    raise DisturbedError("the beam was blanked by somebody")
            except DisturbedError:
                # it must not come again as the next one
                self._check.remember(frame)
                raise
        return frame, begun_s

    def _recover(self, error: SpoiltError) -> None:
        """Undo what somebody did, with the beam off the sample."""
        bench = self._bench
        bench.context.take_back(bench.cancellation)
        self._camera.rest()
        if isinstance(error, RepeatedFrameError):
            try:
                self._check.remember(self._camera.frame())
            except SpoiltError:
                return


class ScanTaker:
    """Takes images with the scan.

    Args:
        bench: what it works with.
        scan: records.
        tries: how often a spoilt scan is repeated.
    """

    def __init__(self, bench: Bench, scan: ScanRecorder, tries: int) -> None:
        self._bench, self._scan, self._tries = bench, scan, tries

    def take(self, parameters: ScanFrameParameters, permit: Permission, charge: Charging) -> FloatArray:
        """An image (rows, cols).

        Args:
            parameters: what to scan.
            permit: called before each try; raises when the electrons are used up.
            charge: told for how long the beam was on the sample, s, after each try.

        Raises:
            MeasurementError: each try was spoilt; the message says how.
            InstrumentError: the instrument cannot go on, or somebody asked to stop.
        """
        problems: list[str] = []
        while len(problems) < self._tries:
            permit()
            try:
                return self._try(parameters, charge)
            except SpoiltError as error:
                problems.append(str(error))
                if len(problems) < self._tries:
                    self._bench.tell(f"a scan is taken again: {error}")
        raise MeasurementError(f"no usable scan in {len(problems)} tries: {_told(problems)}")

    def _try(self, parameters: ScanFrameParameters, charge: Charging) -> FloatArray:
        bench = self._bench
        bench.take_back()
        self._scan.rest()
        with bench.beam.on_sample(charge):
            xdata = self._scan.record(parameters)
            is_open = bench.beam.is_open
        size = parameters.scan_size
        image = np.array(xdata.data, dtype=np.float64)
        if problem := bench.context.problem:
            raise DisturbedError(problem)
        if not is_open:
            raise DisturbedError("the beam was blanked by somebody")
        if image.shape != (size.height, size.width):
            raise FrameLostError(f"the scan has {image.shape} pixels where {(size.height, size.width)} were asked for")
        if not np.isfinite(image).all() or image.min() == image.max():
            raise FrameLostError(f"the scan was dropped: each of its pixels reads {image.flat[0]:g}")
        return image


def _told(problems: list[str]) -> str:
    return "; ".join(dict.fromkeys(problems))
