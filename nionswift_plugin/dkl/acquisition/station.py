"""The instrument while an experiment has it: made ready, and given back as it was."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from nion.instrumentation.scan_base import ScanFrameParameters
from numpy.typing import NDArray

from dkl_core.errors import DKLError, InstrumentError
from dkl_core.scalarizers.detector_care import DetectorCare
from nionswift_plugin.dkl.acquisition.beam import Beam
from nionswift_plugin.dkl.acquisition.calibration import PatternCalibration, camera_parameters
from nionswift_plugin.dkl.acquisition.channels import ChannelItems
from nionswift_plugin.dkl.acquisition.context import PinnedContext, survey_parameters
from nionswift_plugin.dkl.acquisition.devices import Devices
from nionswift_plugin.dkl.acquisition.dose import DoseAccount
from nionswift_plugin.dkl.acquisition.lastscan import image_of, last_scan, parameters_of
from nionswift_plugin.dkl.acquisition.main_loop import MainLoop, MainLoopClosedError, catch_up, on_main
from nionswift_plugin.dkl.acquisition.position import FrameGeometry
from nionswift_plugin.dkl.acquisition.preparing import Readiness, ask_consent, beam_current_pa, stop_views
from nionswift_plugin.dkl.acquisition.recording import CameraRecorder, ScanRecorder
from nionswift_plugin.dkl.acquisition.restoring import SavedState
from nionswift_plugin.dkl.acquisition.safety import ExitGuard
from nionswift_plugin.dkl.acquisition.settings import HookSettings
from nionswift_plugin.dkl.acquisition.taking import Bench, PatternTaker, ScanTaker
from nionswift_plugin.dkl.acquisition.waiting import Cancellation, waited_until

if TYPE_CHECKING:
    from nion.data.DataAndMetadata import DataAndMetadata
    from nion.swift.model.DocumentModel import DocumentModel

# What Swift calls the channel of a scan of a part of the frame.
SUBSCAN = "subscan"
# After a cancellation a device gets so long to come to rest before it is left to itself, s.
_REST_S = 2.0
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Ready:
    """An instrument that is ready for an experiment.

    Attributes:
        bench: devices, frame, beam.
        patterns: takes patterns.
        scans: takes images.
        account: the dose so far.
        care: corrects patterns.
        calibration: what the numbers of a pattern mean.
        last_image: the survey image where it was not to be recorded, None otherwise.
    """

    bench: Bench
    patterns: PatternTaker
    scans: ScanTaker
    account: DoseAccount
    care: DetectorCare
    calibration: PatternCalibration
    last_image: NDArray[np.float64] | None = None


class Station:
    """Takes the instrument over and gives it back.

    Args:
        devices: instrument, scan and camera.
        settings: how to acquire.
        main: Swift's main thread.
        document_model: the project whose channel items are kept in memory meanwhile; None leaves them alone.
        cancellation: ends any wait.
        tell: told of what was noticed and put right.
    """

    def __init__(
        self,
        devices: Devices,
        settings: HookSettings,
        main: MainLoop,
        document_model: DocumentModel | None,
        cancellation: Cancellation,
        tell: Callable[[str], object],
    ) -> None:
        self._tell = tell
        self._devices, self._settings, self._main = devices, settings, main
        self._document_model, self._cancellation = document_model, cancellation
        self._items = None if document_model is None else ChannelItems(document_model)
        self._last: DataAndMetadata | None = None
        self._beam: Beam | None = None
        self._guard: ExitGuard | None = None
        self._saved: SavedState | None = None
        self._camera: CameraRecorder | None = None
        self._scan: ScanRecorder | None = None

    def take_over(self, care: DetectorCare | None) -> Ready:
        """Make the instrument ready; whatever fails, it is given back.

        Args:
            care: corrects patterns; None for dark frames as the settings say.

        Raises:
            InstrumentError: no consent, or the instrument does not do what it should.
            InputError: the camera or the scan cannot do what the settings ask for.
        """
        ask_consent(self._devices, self._settings)
        try:
            return self._taken_over(care)
        except BaseException:
            for problem in self.give_back():
                _logger.warning("%s", problem)
            raise

    def give_back(self) -> list[str]:
        """Take the beam off the sample for good and put back what was changed; may be called again.

        Returns:
            What could not be done, the beam's trouble first.
        """
        problems = [self._shut()]
        problems += self._stop_devices()
        saved, self._saved = self._saved, None
        beam = self._beam
        if saved is not None and beam is not None:
            keep_off = self._settings.beam.leave_blanked
            is_safe = not problems[0] and (beam.has_blanker or not keep_off)
            mode = self._settings.pattern.mode
            problems += saved.restore(self._main, mode, is_safe=is_safe, keep_off=keep_off)
        self._let_go()
        guard, self._guard = self._guard, None
        if guard is not None and problems[0] and beam is not None:
            beam.keep_trying(then=guard.disarm)
        elif guard is not None:
            guard.disarm()
        return [problem for problem in problems if problem]

    def hold_items(self) -> None:
        """Keep the channel items of scan and camera in memory, as far as they exist by now."""
        items, devices = self._items, self._devices
        if items is None:
            return
        scan_channel = devices.scan.get_channel_id(self._settings.survey.channel)

        def hold() -> None:
            items.hold(devices.camera, None)
            items.hold(devices.scan, scan_channel)
            items.hold(devices.scan, f"{scan_channel}_{SUBSCAN}")

        # the item is made on the main thread, after the frame
        catch_up(self._main, self._cancellation)
        on_main(self._main, self._cancellation, hold)

    def release_items(self) -> None:
        """Let Swift write the channel items; on the main thread, may be called again."""
        if self._items is not None:
            self._items.release()

    def _taken_over(self, care: DetectorCare | None) -> Ready:
        devices, settings, cancellation = self._devices, self._settings, self._cancellation
        parameters = camera_parameters(devices.camera, settings.pattern)
        self._saved = SavedState(devices, settings.beam.blanker)
        beam = self._beam = Beam(devices.stem, settings.beam, tell=self._tell)
        self._guard = ExitGuard(beam.shut)
        self._guard.arm()
        beam.close()
        stop_views(devices, cancellation)
        context = PinnedContext(devices, self._survey_parameters())
        # a parking position refers to the frame
        beam.close()
        self._scan = ScanRecorder(devices.scan, cancellation)
        camera = self._camera = CameraRecorder(devices.camera, parameters, settings.pattern, cancellation)
        camera.prepare()
        bench = Bench(devices, context, beam, self._main, cancellation, self._tell)
        return self._ready(bench, camera, self._scan, care)

    def _survey_parameters(self) -> ScanFrameParameters:
        survey, scan, model = self._settings.survey, self._devices.scan, self._document_model
        present = scan.get_current_frame_parameters()
        if survey.source == "scan":
            return survey_parameters(present, survey)
        if model is None:
            raise InstrumentError("the last scan can only be taken from a project; give one, or record the survey")
        self._last = on_main(self._main, self._cancellation, lambda: last_scan(model, scan, survey.channel))
        return parameters_of(self._last, present)

    def _ready(self, bench: Bench, camera: CameraRecorder, scan: ScanRecorder, given: DetectorCare | None) -> Ready:
        settings = self._settings
        current_pa = beam_current_pa(self._devices, settings.beam)
        readiness = Readiness(camera, settings.pattern, is_dark=bench.beam.has_blanker, tell=self._tell)
        calibration = readiness.calibration()
        care = readiness.care(given)
        check = readiness.check(calibration, current_pa, care)
        self.hold_items()
        patterns = PatternTaker(bench, camera, check, settings.pattern)
        scans = ScanTaker(bench, scan, settings.pattern.tries)
        geometry: FrameGeometry = bench.context.geometry
        account = DoseAccount(geometry, current_pa, settings.beam.probe_nm, settings.beam.max_electrons)
        return Ready(
            bench, patterns, scans, account, care, calibration, None if self._last is None else image_of(self._last)
        )

    def _shut(self) -> str:
        beam = self._beam
        if beam is None:
            return ""
        problem = beam.shut()
        if not beam.has_blanker:
            # Swift's probe graphic may bring the last position back; see main_loop.catch_up
            with suppress(DKLError):
                catch_up(self._main, Cancellation())
            problem = beam.shut()
        return problem

    def _stop_devices(self) -> list[str]:
        problems = []
        if self._camera is not None and not self._camera.is_at_rest_within(0.0):
            self._camera.stop()
            if not self._camera.is_at_rest_within(_REST_S):
                problems.append(f"{self._devices.camera.display_name} is still busy; it does not stop when told to")
        if self._settings.pattern.mode == "live" and self._camera is not None and self._devices.camera.is_playing:
            # a view of our own; the user's is started again afterwards
            self._camera.stop()
            waited_until(lambda: not self._devices.camera.is_playing, _REST_S)
        if self._scan is not None and self._devices.scan.is_recording:
            self._scan.stop()
        return problems

    def _let_go(self) -> None:
        # where the window is gone, its owner calls release_items on the main thread
        with suppress(MainLoopClosedError):
            self._main.call(self.release_items)
