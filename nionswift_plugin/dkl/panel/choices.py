"""Instruments and cameras to choose from, as they come and go in Swift."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from dataclasses import dataclass

from nion.utils import Registry

from dkl_core.errors import InstrumentError
from nionswift_plugin.dkl.acquisition.devices import (
    Devices,
    cameras_of,
    find_devices,
    instrument_id,
    instruments,
    is_simulated,
    scan_of,
)

_ = gettext.gettext
_WATCHED = {"stem_controller", "scan_hardware_source", "camera_hardware_source"}


@dataclass(frozen=True)
class Choice:
    """Something to choose.

    Attributes:
        key: its id.
        title: as the panel lists it.
    """

    key: str
    title: str


def instrument_choices() -> tuple[Choice, ...]:
    """The instruments that have a scan, whether they are simulated said first."""
    found = []
    for stem in instruments():
        scan = scan_of(stem)
        if scan is not None:
            kind = _("Simulated") if is_simulated(stem) else _("Real")
            found.append(Choice(instrument_id(stem), f"{kind}: {scan.display_name}"))
    return tuple(found)


def camera_choices(instrument: str | None) -> tuple[Choice, ...]:
    """The cameras for diffraction patterns, the instrument's own first; those of spectrometers are left out."""
    stems = [stem for stem in instruments() if instrument in (None, instrument_id(stem))]
    if not stems:
        return ()
    return tuple(Choice(camera.hardware_source_id, camera.display_name) for camera in cameras_of(stems[0]))


def chosen_devices(instrument: str | None, camera: str | None) -> Devices:
    """The devices to use; an instrument or camera that was remembered but is gone gives way to the first one.

    Raises:
        InstrumentError: there is no instrument with a scan, or no camera for diffraction patterns.
    """
    known = instrument_choices()
    if not known:
        raise InstrumentError(_("Swift has no microscope with a scan. Switch the simulator on, or load the hardware"))
    if instrument not in {choice.key for choice in known}:
        instrument = known[0].key
    cameras = camera_choices(instrument)
    if not cameras:
        raise InstrumentError(_("Swift has no camera for diffraction patterns. Load one, or switch the simulator on"))
    if camera not in {choice.key for choice in cameras}:
        camera = cameras[0].key
    return find_devices(instrument, camera)


class DeviceWatch:
    """Says when devices come or go.

    Args:
        changed: called on whatever thread registers them.
    """

    def __init__(self, changed: Callable[[], object]) -> None:
        def heard(_component: object, types: set[str] | None) -> None:
            # what goes as a whole goes without its types being said
            if not types or _WATCHED & types:
                changed()

        self._listeners = [
            Registry.listen_component_registered_event(heard),
            Registry.listen_component_unregistered_event(heard),
        ]

    def close(self) -> None:
        """Listen no more."""
        for listener in self._listeners:
            listener.close()
        self._listeners = []
