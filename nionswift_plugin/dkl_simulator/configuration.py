"""The simulated instrument as a whole: made from a microscope, registered in Swift and taken out again."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from nion.instrumentation.HardwareSource import HardwareSource
from nion.instrumentation.scan_base import ScanFrameParameters
from nion.utils import Registry

from dkl_core.stem.detectors import DetectorSettings
from dkl_core.stem.faults import FaultPlan
from dkl_core.stem.microscope import VirtualMicroscope
from dkl_core.stem.optics import Optics
from dkl_core.stem.realism import Realism
from dkl_core.stem.samples import Sample
from dkl_core.stem.settings import SampleSettings
from nionswift_plugin.dkl_simulator.camera import CAMERA_ID, SimulatedCamera, SimulatedCameraModule
from nionswift_plugin.dkl_simulator.instrument import INSTRUMENT_ID, SimulatedInstrument
from nionswift_plugin.dkl_simulator.scan import SCAN_ID, SimulatedScan, SimulatedScanModule
from nionswift_plugin.dkl_simulator.trigger import Trigger

STEM = {"instrument_controller", "stem_controller"}


class Configuration:
    """A STEM controller, a scan and a 4D camera over one microscope.

    Args:
        microscope: the microscope, or the sample that is put into one, or the settings to build that from.
        realism: what the microscope adds to the physics; of a microscope that exists, its own.
        faults: what goes wrong on purpose, None for nothing.
        seed: what all randomness is drawn from.
        optics: beam and lenses to begin with.
        detector: the camera.
    """

    def __init__(
        self,
        microscope: VirtualMicroscope | Sample | SampleSettings | None = None,
        realism: Realism | None = None,
        faults: FaultPlan | None = None,
        seed: int = 0,
        *,
        optics: Optics | None = None,
        detector: DetectorSettings | None = None,
    ) -> None:
        source = SampleSettings() if microscope is None else microscope
        detector = source.detector if isinstance(source, VirtualMicroscope) else detector or DetectorSettings()
        optics = source.optics if isinstance(source, VirtualMicroscope) else optics or Optics()

        def make() -> VirtualMicroscope:
            if isinstance(source, VirtualMicroscope):
                return source
            return VirtualMicroscope(source, optics=optics, detector=detector, realism=realism, seed=seed)

        clock = source.clock if isinstance(source, VirtualMicroscope) else time.monotonic
        trigger = Trigger()
        self.instrument_id = INSTRUMENT_ID
        self.configuration_location: Path | None = None
        self.instrument = SimulatedInstrument(make, optics, faults, clock)
        self.scan_module = SimulatedScanModule(SimulatedScan(self.instrument, trigger), _field_nm(source))
        camera = SimulatedCamera(self.instrument, trigger, detector.shape, detector.counts_per_electron)
        self.camera_module = SimulatedCameraModule(camera, INSTRUMENT_ID)
        self.ronchigram_camera_device_id = self.eels_camera_device_id = CAMERA_ID
        self.ronchigram_camera_device = self.eels_camera_device = camera
        self.ronchigram_camera_settings = self.eels_camera_settings = self.camera_module.camera_settings

    def run(self) -> None:
        """Register everything; Swift then lists the devices."""
        instrument = self.instrument
        # Swift asks a new instrument for its scan at once, which it can only have after the instrument is known.
        instrument.set_scan_controller(_scan_to_come(self.scan_module))
        Registry.register_component(instrument, STEM)
        Registry.register_component(self.camera_module, {"camera_module"})
        Registry.register_component(self.scan_module, {"scan_module"})
        # Without these, Swift gives an instrument any scan and camera that it finds.
        instrument.set_scan_controller(self.scan_module.hardware_source)
        instrument.set_ronchigram_camera(self.camera_module.hardware_source)

    def warm_up(self) -> None:
        """Build the microscope in the background, for the first frame to come at once."""
        threading.Thread(target=self.instrument.ready, name="dkl-simulated-build", daemon=True).start()

    def stop(self) -> None:
        """Take everything out of Swift again."""
        Registry.unregister_component(self.camera_module, {"camera_module"})
        Registry.unregister_component(self.scan_module, {"scan_module"})
        Registry.unregister_component(self.instrument, STEM)
        self.instrument.set_scan_controller(None)
        self.instrument.set_ronchigram_camera(None)
        self.instrument.close()


class _ScanToCome:
    """Stands for the scan source until Swift has made it."""

    hardware_source_id = SCAN_ID

    def __init__(self, module: SimulatedScanModule) -> None:
        self._module = module

    def get_current_frame_parameters(self) -> ScanFrameParameters:
        """The parameters that the scan source begins with."""
        return self._module.settings.get_current_frame_parameters()


def _scan_to_come(module: SimulatedScanModule) -> HardwareSource:
    stand_in: Any = _ScanToCome(module)
    source: HardwareSource = stand_in
    return source


def _field_nm(source: VirtualMicroscope | Sample | SampleSettings) -> float:
    sample = source.sample if isinstance(source, VirtualMicroscope) else source
    return float(sample.field_nm)
