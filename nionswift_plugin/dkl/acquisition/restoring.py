"""What the acquisition changes in Swift, remembered, and put back."""

from __future__ import annotations

import logging
from collections.abc import Callable

from nionswift_plugin.dkl.acquisition.devices import Devices
from nionswift_plugin.dkl.acquisition.main_loop import MainLoop
from nionswift_plugin.dkl.acquisition.settings import PatternMode

_logger = logging.getLogger(__name__)


class SavedState:
    """The state of instrument, scan and camera before an experiment.

    Args:
        devices: what is used.
        blanker: name of the blanker's control.
    """

    def __init__(self, devices: Devices, blanker: str) -> None:
        stem, scan, camera = devices.stem, devices.scan, devices.camera
        self._devices, self._blanker = devices, blanker
        self._probe = stem.probe_position
        self._blanked = stem.TryGetVal(blanker)
        self._scan_parameters = scan.get_current_frame_parameters()
        self._camera_parameters = camera.get_current_frame_parameters()
        self._channels = tuple(scan.get_enabled_channel_indexes())
        self._subscan, self._line_scan = scan.subscan_enabled, scan.line_scan_enabled
        self._scan_played, self._camera_played = scan.is_playing, camera.is_playing

    def restore(self, main: MainLoop, mode: PatternMode, *, is_safe: bool, keep_off: bool) -> list[str]:
        """Put everything back.

        Args:
            main: where live views are started again.
            mode: how patterns were taken.
            is_safe: whether the beam is off the sample wherever the probe is; otherwise probe and views stay as they
                are.
            keep_off: leave the beam off the sample.

        Returns:
            What could not be put back.
        """
        actions: list[Callable[[], object]] = [self._restore_scan]
        if mode != "record":
            actions.append(lambda: self._devices.camera.set_current_frame_parameters(self._camera_parameters))
        if is_safe:
            actions.append(lambda: self._devices.stem.set_probe_position(self._probe))
            actions.append(lambda: self._restart_views(main))
        if not keep_off:
            actions.append(self._restore_blanker)
        return [problem for action in actions if (problem := _problem(action))]

    def _restore_scan(self) -> None:
        scan = self._devices.scan
        for index in range(scan.get_channel_count()):
            if scan.get_channel_enabled(index) != (index in self._channels):
                scan.set_channel_enabled(index, index in self._channels)
        if scan.subscan_enabled != self._subscan:
            scan.subscan_enabled = self._subscan
        if scan.line_scan_enabled != self._line_scan:
            scan.line_scan_enabled = self._line_scan
        scan.set_current_frame_parameters(self._scan_parameters)

    def _restart_views(self, main: MainLoop) -> None:
        # without keyword: the view continues with the parameters that were just restored
        devices = self._devices
        if self._camera_played and not devices.camera.is_playing:
            main.post(devices.camera.start_playing)
        if self._scan_played and not devices.scan.is_playing:
            main.post(devices.scan.start_playing)

    def _restore_blanker(self) -> None:
        found, value = self._blanked
        if found and value is not None:
            self._devices.stem.SetValAndConfirm(self._blanker, value, 1.0, 1000)


def _problem(action: Callable[[], object]) -> str:
    try:
        action()
    except Exception as error:  # one thing that cannot be put back must not keep the others from it
        _logger.exception("something could not be put back")
        return str(error)
    return ""
