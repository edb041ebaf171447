"""The panel's modes beside the microscope: recorded data in its place, training, and what comes after a run."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dkl_core.errors import DKLError, InputError
from nionswift_plugin.dkl.acquisition.main_loop import EventLoopMain
from nionswift_plugin.dkl.display.publish import Stage
from nionswift_plugin.dkl.panel.afterwards import Afterwards
from nionswift_plugin.dkl.panel.choices import chosen_devices
from nionswift_plugin.dkl.panel.model import PanelSettings
from nionswift_plugin.dkl.panel.runs import settings_in
from nionswift_plugin.dkl.replaying.mean_pattern import MeanPattern
from nionswift_plugin.dkl.replaying.sets import RecordedSet, file_key, is_recorded
from nionswift_plugin.dkl.training.coach import Coach

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController

    from nionswift_plugin.dkl.panel.controller import Controller

_ = gettext.gettext
# Fewer sites than this are no grid to explore: patches are then chosen to suit the set.
_FEWEST_SITES = 400


class Modes:
    """Replay, training and the time after a run; for the main thread.

    Args:
        controller: sets up and runs.
        document_controller: the window.
        main: Swift's main thread.
        changed: called when something is new.
        complain: gets what went wrong.

    Attributes:
        afterwards: makes something of a finished run.
        coach: trains the user.
    """

    def __init__(
        self,
        controller: Controller,
        document_controller: DocumentController,
        main: EventLoopMain,
        changed: Callable[[], object],
        complain: Callable[[Exception], object],
    ) -> None:
        self._controller, self._changed, self._complain = controller, changed, complain
        self.afterwards = Afterwards(controller, document_controller, main, changed, complain)
        self._mean = MeanPattern(Stage(document_controller, main), main, complain)
        self.coach = Coach(controller, document_controller, main, changed, complain)

    # ------------------------------------------------------------------ recorded data

    def open_file(self, path: Path) -> None:
        """Take a file as the microscope."""
        self._choose(lambda: file_key(path))

    def use_selected(self) -> None:
        """Take the selected 4D data item as the microscope."""
        self._choose(self._controller.places.library.key_of_selected)

    def open_remembered(self) -> None:
        """Open the recorded data that were in use when Swift was left."""
        settings = self._controller.settings
        if is_recorded(settings.instrument):
            self._open(settings)

    def follow_microscope(self, before: PanelSettings) -> None:
        """Another microscope was chosen, perhaps: what belongs to the one before goes, recorded data are opened."""
        controller, settings = self._controller, self._controller.settings
        if settings.instrument == before.instrument:
            return
        if controller.places.meant(settings) != controller.places.meant(before):
            controller.setup.forget()
        if is_recorded(settings.instrument):
            self._open(settings)

    def use_displayed(self, settings: PanelSettings) -> None:
        """Use the displayed image as the survey.

        Raises:
            InputError: it is no frame of a scan, or recorded data have their own.
        """
        if self._controller.places.is_replay(settings):
            raise InputError(_("recorded data have their own image; press Acquire to see it"))
        self._controller.setup.use_displayed(settings)

    def try_live(self, settings: PanelSettings) -> None:
        """What the live pattern gives; of recorded data, their mean pattern.

        Raises:
            DKLError: there is no pattern.
        """
        places, pattern = self._controller.places, self._controller.setup.pattern
        recorded = places.recorded(settings)
        if recorded is not None:
            self._mean.show(recorded, lambda item: pattern.look_at(item, self._controller.settings))
        elif not places.is_replay(settings):
            pattern.look(chosen_devices(settings.instrument, settings.camera), settings)

    # ------------------------------------------------------------------ after a run

    def repeat(self, path: Path) -> None:
        """Load the settings of a run, to begin another one like it."""
        controller = self._controller

        def load() -> None:
            controller.adopt(settings_in(path))
            controller.message = _("the settings of {name} are loaded: change what you like, then press Start").format(
                name=path.name
            )

        self._attempt(load)

    def close(self, timeout_s: float) -> None:
        """The window closes."""
        self.afterwards.close(timeout_s)
        self.coach.close(timeout_s)
        self._mean.close(timeout_s)

    # ------------------------------------------------------------------ inside

    def _choose(self, key: Callable[[], str]) -> None:
        controller = self._controller

        def choose() -> None:
            if controller.phase != "idle":
                raise InputError(_("the microscope is in use; stop what is going on first"))
            chosen = key()
            if controller.settings.instrument == chosen:
                self._open(controller.settings)
            else:
                controller.change(instrument=chosen)

        self._attempt(choose)

    def _open(self, settings: PanelSettings) -> None:
        key, library = settings.instrument, self._controller.places.library
        assert key is not None

        def opening() -> None:
            library.open(key, self._opened, self._give_way)

        self._attempt(opening)

    def _give_way(self) -> None:
        """What cannot be opened leaves the microscope to its owner."""
        self._controller.change(instrument=None)

    def _opened(self, recorded: RecordedSet) -> None:
        controller = self._controller
        if controller.settings.instrument != recorded.key:
            return
        self._suit(recorded)
        if controller.phase == "idle" and controller.setup.ground is None:
            controller.acquire_survey()

    def _suit(self, recorded: RecordedSet) -> None:
        """Lay patches that the set can have."""
        controller, settings = self._controller, self._controller.settings
        if recorded.patches is not None and recorded.only is not None:
            laid = recorded.patches
            area = {"region": None, "forbidden": (), "skip_percent": 0.0}
            controller.change(patch_px=laid.window, every_px=laid.stride, measured=recorded.only, options={}, **area)
        elif _sites_along(recorded, settings) ** 2 < _FEWEST_SITES:
            from dkl_core.replay import default_patches

            usual = default_patches(recorded.data)
            controller.change(patch_px=usual.window, every_px=usual.stride)

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except DKLError as error:
            self._complain(error)
        self._changed()


def _sites_along(recorded: RecordedSet, settings: PanelSettings) -> int:
    return max(0, (min(recorded.data.survey.shape) - settings.patch_px) // settings.every_px + 1)
