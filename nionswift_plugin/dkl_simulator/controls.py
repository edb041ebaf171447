"""The microscope's settings as Swift's controls: names, units and what they stand for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from types import MappingProxyType

from dkl_core.stem.microscope import VirtualMicroscope
from dkl_core.stem.optics import Optics
from dkl_core.stem.realism import Realism

BLANKER = "C_Blank"
CAMERA_SCALE = "dkl_camera_scale"
NM, MM, PA, MRAD = 1e-9, 1e-3, 1e-12, 1e-3


@dataclass(frozen=True)
class OpticsControl:
    """A control of the lenses: SI units outside, those of `Optics` inside."""

    read: Callable[[Optics], float]
    write: Callable[[Optics, float], Optics]


@dataclass(frozen=True)
class MicroscopeControl:
    """A control of the microscope itself; without `write` it can only be read."""

    read: Callable[[VirtualMicroscope], float]
    write: Callable[[VirtualMicroscope, float], None] | None = None


# Nion counts overfocus positive, `Optics` underfocus.
OPTICS: Mapping[str, OpticsControl] = MappingProxyType(
    {
        "EHT": OpticsControl(lambda optics: optics.energy_ev, lambda optics, volt: replace(optics, energy_ev=volt)),
        "ConvergenceAngle": OpticsControl(
            lambda optics: optics.semiangle_mrad * MRAD,
            lambda optics, rad: replace(optics, semiangle_mrad=rad / MRAD),
        ),
        "C10": OpticsControl(
            lambda optics: -optics.defocus_nm * NM, lambda optics, metre: replace(optics, defocus_nm=-metre / NM)
        ),
        "C12.a": OpticsControl(
            lambda optics: optics.c12_nm[0] * NM,
            lambda optics, metre: replace(optics, c12_nm=(metre / NM, optics.c12_nm[1])),
        ),
        "C12.b": OpticsControl(
            lambda optics: optics.c12_nm[1] * NM,
            lambda optics, metre: replace(optics, c12_nm=(optics.c12_nm[0], metre / NM)),
        ),
        "C30": OpticsControl(lambda optics: optics.c3_mm * MM, lambda optics, metre: replace(optics, c3_mm=metre / MM)),
    }
)


def _switch(part: str) -> MicroscopeControl:
    def read(microscope: VirtualMicroscope) -> float:
        return float(getattr(microscope.realism, part).on)

    def write(microscope: VirtualMicroscope, value: float) -> None:
        realism = microscope.realism
        changed = replace(getattr(realism, part), on=bool(value))
        microscope.realism = replace(realism, **{part: changed})

    return MicroscopeControl(read, write)


def _set_current(microscope: VirtualMicroscope, ampere: float) -> None:
    microscope.current_pa = ampere / PA


def _set_blanked(microscope: VirtualMicroscope, value: float) -> None:
    microscope.blanked = value >= 0.5


def _dose(microscope: VirtualMicroscope) -> float:
    return microscope.electrons


REALISM_PARTS = tuple(item.name for item in fields(Realism) if is_dataclass(getattr(Realism(), item.name)))
MICROSCOPE: Mapping[str, MicroscopeControl] = MappingProxyType(
    {
        BLANKER: MicroscopeControl(lambda microscope: float(microscope.blanked), _set_blanked),
        "BeamCurrent": MicroscopeControl(lambda microscope: microscope.current_pa * PA, _set_current),
        CAMERA_SCALE: MicroscopeControl(lambda microscope: microscope.mrad_per_px * MRAD),
        "dkl_counts_per_electron": MicroscopeControl(lambda microscope: microscope.counts_per_electron),
        "dkl_electrons": MicroscopeControl(_dose),
        "dkl_drift_y": MicroscopeControl(lambda microscope: microscope.drift_nm()[0] * NM),
        "dkl_drift_x": MicroscopeControl(lambda microscope: microscope.drift_nm()[1] * NM),
        **{f"dkl_{part}": _switch(part) for part in REALISM_PARTS},
    }
)


def is_usable(value: float) -> bool:
    """Whether a control can be set to a value at all."""
    return math.isfinite(value)
