"""A simulated scanning transmission electron microscope: samples made in code, scattering, and the instrument."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dkl_core.lazy import lazy_names

if TYPE_CHECKING:
    from dkl_core.stem.atoms import Atoms
    from dkl_core.stem.dataset import ScanSettings, write_4d
    from dkl_core.stem.detectors import DetectorSettings
    from dkl_core.stem.faults import FaultPlan, Faults
    from dkl_core.stem.microscope import VirtualMicroscope
    from dkl_core.stem.optics import Optics
    from dkl_core.stem.realism import Realism
    from dkl_core.stem.samples import Dopant, Sample, build_sample
    from dkl_core.stem.scan import ScanFrame
    from dkl_core.stem.scatterer import Scatterer
    from dkl_core.stem.settings import DopantSettings, HoleSettings, SampleSettings, StrainSettings

_HOMES = {
    "dkl_core.stem.atoms": ("Atoms",),
    "dkl_core.stem.dataset": ("ScanSettings", "write_4d"),
    "dkl_core.stem.detectors": ("DetectorSettings",),
    "dkl_core.stem.faults": ("FaultPlan", "Faults"),
    "dkl_core.stem.microscope": ("VirtualMicroscope",),
    "dkl_core.stem.optics": ("Optics",),
    "dkl_core.stem.realism": ("Realism",),
    "dkl_core.stem.samples": ("Dopant", "Sample", "build_sample"),
    "dkl_core.stem.scan": ("ScanFrame",),
    "dkl_core.stem.scatterer": ("Scatterer",),
    "dkl_core.stem.settings": ("DopantSettings", "HoleSettings", "SampleSettings", "StrainSettings"),
}

__all__ = [
    "Atoms",
    "DetectorSettings",
    "Dopant",
    "DopantSettings",
    "FaultPlan",
    "Faults",
    "HoleSettings",
    "Optics",
    "Realism",
    "Sample",
    "SampleSettings",
    "ScanFrame",
    "ScanSettings",
    "Scatterer",
    "StrainSettings",
    "VirtualMicroscope",
    "build_sample",
    "write_4d",
]

__getattr__ = lazy_names(__name__, _HOMES)
