"""Getting the instrument ready for an experiment: consent, still views, pinned frame, test and dark frames."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from nion.data.DataAndMetadata import DataAndMetadata
from nion.instrumentation.HardwareSource import HardwareSource
from numpy.typing import NDArray

from dkl_core.errors import InputError, InstrumentError
from dkl_core.scalarizers.detector_care import DetectorCare
from nionswift_plugin.dkl.acquisition.calibration import PatternCalibration, calibration_of
from nionswift_plugin.dkl.acquisition.devices import Devices, control
from nionswift_plugin.dkl.acquisition.dose import ELEMENTARY_CHARGE_C
from nionswift_plugin.dkl.acquisition.frames import DarkLevel, FrameCheck
from nionswift_plugin.dkl.acquisition.recording import CameraRecorder, Frame, FrameLostError, SpoiltError, frame_of
from nionswift_plugin.dkl.acquisition.settings import BeamSettings, HookSettings, PatternSettings
from nionswift_plugin.dkl.acquisition.waiting import Cancellation

STOP_S = 10.0
PA_PER_A = 1e12
Taken = TypeVar("Taken")


def ask_consent(devices: Devices, settings: HookSettings) -> None:
    """Let nothing happen on hardware that may be real unless the user agreed.

    Raises:
        InstrumentError: the user did not.
    """
    if not devices.is_simulated and not settings.consent:
        raise InstrumentError(
            f"{devices.name} is not known to be a simulator, so it counts as a real microscope: its probe would be "
            "moved and its beam switched. Set consent to true in the acquisition settings to allow it"
        )


def stop_views(devices: Devices, cancellation: Cancellation) -> None:
    """End the live views of scan and camera.

    Raises:
        InstrumentError: one does not stop.
        CancelledError: somebody asked to stop the experiment.
    """
    for source in (devices.scan, devices.camera):
        _stop_view(source, cancellation)


def _stop_view(source: HardwareSource, cancellation: Cancellation) -> None:
    if source.is_playing:
        source.abort_playing()
    if not cancellation.wait_until(lambda: not source.is_playing, STOP_S):
        raise InstrumentError(f"{source.display_name} does not stop playing; stop it by hand, then start again")


def beam_current_pa(devices: Devices, settings: BeamSettings) -> float | None:
    """The beam current in pA: the user's figure, else what the instrument reads, else None."""
    if settings.current_pa is not None:
        return settings.current_pa
    measured = control(devices.stem, settings.current_control)
    return measured * PA_PER_A if measured is not None and measured > 0 else None


def expected_counts(
    settings: PatternSettings, current_pa: float | None, calibration: PatternCalibration
) -> float | None:
    """Counts of a pattern when all of the beam reaches the camera, None if current or gain are unknown."""
    if current_pa is None or calibration.counts_per_electron is None:
        return None
    electrons = current_pa / PA_PER_A * settings.exposure_ms / 1000 / ELEMENTARY_CHARGE_C
    return electrons * calibration.counts_per_electron


class Readiness:
    """The camera before the first pattern: calibration, dark frames and what to expect of a frame.

    Args:
        camera: records; the beam is off the sample all the while.
        settings: of the patterns.
        is_dark: whether the beam is blanked, not merely parked.
        tell: told of what was noticed and put right.
    """

    def __init__(
        self, camera: CameraRecorder, settings: PatternSettings, *, is_dark: bool, tell: Callable[[str], object]
    ) -> None:
        self._camera, self._settings, self._is_dark, self._tell = camera, settings, is_dark, tell
        self._has_noise = False
        self._stamps: set[float] = set()

    def calibration(self) -> PatternCalibration:
        """Take a test frame, which also gives the camera its data item in Swift.

        Raises:
            InstrumentError: the camera gives nothing usable.
        """
        return calibration_of(self._repeated(self._test_frame), self._settings)

    def check(self, calibration: PatternCalibration, current_pa: float | None, care: DetectorCare) -> FrameCheck:
        """What judges the frames, after one frame that is known to be new.

        Raises:
            InputError: the care is for another camera, binning or read-out.
        """
        begun_s = time.time()
        frame = self._repeated(self._new_frame)
        care.corrected(frame.data, calibration.mrad_per_px, calibration.counts_per_electron)
        dark = DarkLevel.of(frame.data) if self._is_dark else DarkLevel(_offset(care, calibration.shape))
        expected = expected_counts(self._settings, current_pa, calibration)
        check = FrameCheck(calibration.shape, self._settings.sum_tolerance, dark, expected)
        check.learn_clock(frame, begun_s, time.time())
        return check

    def care(self, given: DetectorCare | None) -> DetectorCare:
        """What corrects the patterns: given, or found from dark frames, or nothing.

        Raises:
            InstrumentError: dark frames are asked for but the beam cannot be blanked, or they are not dark.
        """
        count = self._settings.dark_frames
        if given is not None:
            return given
        if count == 0:
            return DetectorCare(saturation_level=self._saturation_level(self._repeated(self._new_frame).data))
        if not self._is_dark:
            raise InstrumentError("dark frames need a blanker, and there is none; set dark_frames to 0 or give them")
        frames = [self._repeated(self._new_frame).data for _ in range(count)]
        try:
            return DetectorCare.from_dark(np.stack(frames), saturation_level=self._saturation_level(frames[0]))
        except InputError as error:
            raise InstrumentError(
                f"the dark frames cannot be used: {error}. Look whether the blanker keeps the beam off the camera, "
                "then start again; with dark_frames at 0 none are taken"
            ) from error

    def _new_frame(self) -> Frame:
        frame = self._camera.frame()
        self._require_new(frame)
        return frame

    def _test_frame(self) -> DataAndMetadata:
        xdata = self._camera.record()
        if len(xdata.data_shape) == 2:
            self._require_new(frame_of(xdata))
        return xdata

    def _require_new(self, frame: Frame) -> None:
        """Refuse a frame that is dropped or an earlier one, as far as the frames before it tell."""
        if frame.data.min() != frame.data.max():
            self._has_noise = True
        elif self._has_noise:
            # what is seen twice is true: a camera without noise
            self._has_noise = False
            raise FrameLostError(f"the frame was dropped: each of its pixels reads {frame.data.flat[0]}")
        if frame.time_stamp_s in self._stamps:
            raise FrameLostError("the camera gave the previous frame again: it has the same time stamp")
        self._stamps.add(frame.time_stamp_s)

    def _saturation_level(self, data: NDArray[np.generic]) -> float | None:
        if self._settings.saturation_level is not None:
            return self._settings.saturation_level
        return {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}.get(data.dtype)

    def _repeated(self, take: Callable[[], Taken]) -> Taken:
        problems = []
        for _ in range(self._settings.tries):
            try:
                return take()
            except SpoiltError as error:
                problems.append(str(error))
                self._tell(f"a test frame is taken again: {error}")
                self._camera.rest()
        raise InstrumentError(f"the camera gave no test frame: {'; '.join(dict.fromkeys(problems))}")


def _offset(care: DetectorCare, shape: tuple[int, int]) -> float:
    return float(np.broadcast_to(care.dark, shape).sum(dtype=np.float64))
