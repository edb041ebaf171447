"""The instrument, its scan and its camera: found among what is registered in Swift, simulated or real."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from nion.instrumentation.camera_base import CameraHardwareSource
from nion.instrumentation.scan_base import ScanHardwareSource
from nion.instrumentation.stem_controller import STEMController
from nion.utils import Registry

from dkl_core.errors import InstrumentError

_SIMULATOR_MODULES = ("nion.usim_device", "nion.device_kit")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Devices:
    """What an experiment runs on.

    Attributes:
        stem: the STEM controller.
        scan: its scan.
        camera: the camera that takes the diffraction patterns.
    """

    stem: STEMController
    scan: ScanHardwareSource
    camera: CameraHardwareSource

    @property
    def is_simulated(self) -> bool:
        """Whether the instrument is known to be a simulator; anything unknown counts as real."""
        return is_simulated(self.stem)

    @property
    def name(self) -> str:
        """How to call it in messages."""
        return f"{instrument_id(self.stem)}: {self.scan.display_name}, {self.camera.display_name}"


def instruments() -> list[STEMController]:
    """The STEM controllers in Swift, the one with the highest priority (real hardware) first."""
    found: set[STEMController] = Registry.get_components_by_type("stem_controller")
    return sorted(found, key=lambda stem: (-_priority(stem), instrument_id(stem)))


def scan_of(stem: STEMController) -> ScanHardwareSource | None:
    """The scan that belongs to an instrument, None if it has none.

    `stem.scan_controller` is no answer: with two instruments in Swift it gives the scan of either.
    """
    found: set[ScanHardwareSource] = Registry.get_components_by_type("scan_hardware_source")
    own = [scan for scan in found if scan.stem_controller is stem]
    own.sort(key=lambda scan: (bool(getattr(scan.scan_device, "scan_device_is_secondary", False)), scan.display_name))
    return own[0] if own else None


def cameras_of(stem: STEMController) -> list[CameraHardwareSource]:
    """The cameras that take diffraction patterns (no spectrometers, none of others), the instrument's own one first."""
    found: set[CameraHardwareSource] = Registry.get_components_by_type("camera_hardware_source")
    usable = [camera for camera in found if not camera.features.get("is_eels_camera") and _may_serve(camera, stem)]
    own = stem.ronchigram_camera
    return sorted(usable, key=lambda camera: (camera is not own, -_priority(camera), camera.display_name))


def _may_serve(camera: CameraHardwareSource, stem: STEMController) -> bool:
    # with two instruments in Swift, `ronchigram_camera` of either may be any camera; the camera's module knows better
    for module in Registry.get_components_by_type("camera_module"):
        if getattr(module, "hardware_source", None) is camera:
            owner = getattr(module, "instrument_controller_id", None) or getattr(module, "stem_controller_id", None)
            return owner in (None, instrument_id(stem))
    return True


def find_devices(wanted: str | None = None, camera_id: str | None = None) -> Devices:
    """The instrument to use with its scan and camera.

    Args:
        wanted: which instrument, None for the one with the highest priority (a real one wins).
        camera_id: hardware source of the camera, None for the instrument's own.

    Raises:
        InstrumentError: there is none, or none of that name.
    """
    stems = [stem for stem in instruments() if wanted in (None, instrument_id(stem))]
    if not stems:
        known = ", ".join(instrument_id(stem) for stem in instruments()) or "none"
        raise InstrumentError(f"Swift has no instrument {wanted or ''}; it has {known}. Load one, e.g. a simulator")
    stem = stems[0]
    scan = scan_of(stem)
    if scan is None:
        raise InstrumentError(f"the instrument {instrument_id(stem)} has no scan; load its scan device")
    cameras = [camera for camera in cameras_of(stem) if camera_id in (None, camera.hardware_source_id)]
    if not cameras:
        known = ", ".join(camera.hardware_source_id for camera in cameras_of(stem)) or "none"
        raise InstrumentError(f"Swift has no camera {camera_id or 'for diffraction patterns'}; it has {known}")
    return Devices(stem, scan, cameras[0])


def instrument_id(stem: STEMController) -> str:
    """The name that an instrument is registered under."""
    return str(getattr(stem, "instrument_id", "an instrument without a name"))


def is_simulated(stem: STEMController) -> bool:
    """Whether an instrument is known to be a simulator: it says so, or it is one of Nion's."""
    stated = getattr(stem, "is_simulator", None)
    return bool(stated) if stated is not None else type(stem).__module__.startswith(_SIMULATOR_MODULES)


def control(stem: STEMController, name: str) -> float | None:
    """The value of an instrument's control, None where there is no such control or it cannot be read."""
    try:
        found, value = stem.TryGetVal(name)
    except Exception:  # a driver may raise anything, and a control that cannot be read is no reason to lose the run
        _logger.exception("the control %s cannot be read", name)
        return None
    return float(value) if found and value is not None and math.isfinite(value) else None


def _priority(component: object) -> float:
    # hardware that does not say has the priority of a real instrument
    return float(getattr(component, "priority", 50) or 0)
