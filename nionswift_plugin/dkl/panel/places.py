"""Which microscope the panel uses: the devices that Swift lists, or recorded data that stand for one."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from typing import TYPE_CHECKING

from dkl_core.errors import DKLError, InputError
from nionswift_plugin.dkl.acquisition.devices import Devices, instrument_id
from nionswift_plugin.dkl.acquisition.main_loop import MainLoop
from nionswift_plugin.dkl.panel.choices import Choice, camera_choices, chosen_devices, instrument_choices
from nionswift_plugin.dkl.panel.model import PanelSettings
from nionswift_plugin.dkl.panel.runs import Place, SwiftPlace
from nionswift_plugin.dkl.replaying.library import Library
from nionswift_plugin.dkl.replaying.place import RecordedPlace
from nionswift_plugin.dkl.replaying.sets import RecordedSet, is_recorded
from nionswift_plugin.dkl.training.simulation import simulation_of

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController

_ = gettext.gettext


class Places:
    """Knows what the settings' microscope means at present; for the main thread.

    Args:
        main: Swift's main thread.
        document_controller: the window.
        changed: called when something is new.
        complain: gets what went wrong.

    Attributes:
        library: the recorded sets.
    """

    def __init__(
        self,
        main: MainLoop,
        document_controller: DocumentController,
        changed: Callable[[], object],
        complain: Callable[[Exception], object],
    ) -> None:
        self._main, self._document_controller = main, document_controller
        self._consents: set[str] = set()
        self.library = Library(main, document_controller, changed, complain)

    @property
    def instruments(self) -> tuple[Choice, ...]:
        """Instruments to choose from, and recorded sets."""
        return (*instrument_choices(), *self.library.choices)

    def cameras(self, settings: PanelSettings) -> tuple[Choice, ...]:
        """Cameras of the chosen instrument; recorded data have none."""
        if self.is_replay(settings):
            return (Choice("", _("not needed")),)
        known = [choice.key for choice in instrument_choices()]
        wanted = settings.instrument
        return camera_choices(wanted if wanted in known else (known[0] if known else None))

    def is_replay(self, settings: PanelSettings) -> bool:
        """Whether recorded data are chosen, open or not yet; without the data, a microscope takes their place."""
        return self.library.is_known(settings.instrument)

    def recorded(self, settings: PanelSettings) -> RecordedSet | None:
        """The recorded data that are chosen, None where none are, or they are not open yet."""
        return self.library.get(settings.instrument) if self.is_replay(settings) else None

    def devices(self, settings: PanelSettings) -> Devices | None:
        """The chosen devices, None where there are none."""
        if self.is_replay(settings):
            return None
        try:
            return chosen_devices(settings.instrument, settings.camera)
        except DKLError:
            return None

    def is_there(self, settings: PanelSettings) -> bool:
        """Whether there is something that can measure."""
        return self.recorded(settings) is not None or self.devices(settings) is not None

    def needs_consent(self, settings: PanelSettings) -> bool:
        """Whether the instrument may be real and the user has not agreed to its use."""
        devices = self.devices(settings)
        return devices is not None and not devices.is_simulated and instrument_id(devices.stem) not in self._consents

    def consent(self, settings: PanelSettings) -> None:
        """The user agrees to the use of the chosen instrument."""
        devices = self.devices(settings)
        if devices is not None:
            self._consents.add(instrument_id(devices.stem))

    def place(self, settings: PanelSettings) -> Place:
        """Where a session runs.

        Raises:
            DKLError: there are no such devices, or the recorded data are not open.
        """
        if self.is_replay(settings):
            recorded = self.recorded(settings)
            if recorded is None:
                raise InputError(_("the recorded data are still being opened; wait until their image is shown"))
            recorded.require(settings.measured)
            return RecordedPlace(recorded)
        devices = chosen_devices(settings.instrument, settings.camera)
        return SwiftPlace(
            devices,
            self._main,
            self._document_controller.document_model,
            # what is simulated needs none
            not devices.is_simulated,
            simulation_of(devices.stem),
        )

    def meant(self, settings: PanelSettings) -> str | None:
        """The microscope or the recorded data that the settings mean at present."""
        devices = self.devices(settings)
        return settings.instrument if devices is None else instrument_id(devices.stem)

    def open(self, settings: PanelSettings, then: Callable[[RecordedSet], object]) -> None:
        """Open the recorded data that are chosen, if any are and they are not open.

        Raises:
            InputError: they are gone.
        """
        key = settings.instrument
        if key is not None and is_recorded(key) and self.library.get(key) is None and self.library.is_known(key):
            self.library.open(key, then)

    def close(self, timeout_s: float) -> None:
        """Let go of recorded data."""
        self.library.close(timeout_s)
