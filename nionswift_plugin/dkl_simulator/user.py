"""The user who disturbs an exposure: presses Scan, drags the probe, changes the field of view."""

from __future__ import annotations

import threading
from collections.abc import Callable

from nion.utils import Geometry

from dkl_core.stem.faults import FaultKind
from nionswift_plugin.dkl_simulator.instrument import SimulatedInstrument

FOV_CHANGE = 1.25


def disturb(instrument: SimulatedInstrument, exposure_s: float) -> None:
    """Let the user do what is due at a random moment of the exposure that begins now."""
    for kind, (what, act) in ACTS.items():
        record = instrument.faults.due(kind, what)
        if record is not None:
            chance = instrument.faults.chance(record)
            place = Geometry.FloatPoint(y=float(chance.random()), x=float(chance.random()))
            timer = threading.Timer(float(chance.random()) * exposure_s, act, (instrument, place))
            timer.daemon = True
            timer.start()


def _press_scan(instrument: SimulatedInstrument, _place: Geometry.FloatPoint) -> None:
    scan = instrument.scan_controller
    if scan is not None:
        scan.start_playing()


def _drag_probe(instrument: SimulatedInstrument, place: Geometry.FloatPoint) -> None:
    instrument.set_probe_position(place)


def _change_fov(instrument: SimulatedInstrument, _place: Geometry.FloatPoint) -> None:
    scan = instrument.scan_controller
    if scan is not None:
        parameters = scan.get_current_frame_parameters()
        parameters.fov_nm *= FOV_CHANGE
        scan.set_current_frame_parameters(parameters)


ACTS: dict[FaultKind, tuple[str, Callable[[SimulatedInstrument, Geometry.FloatPoint], None]]] = {
    "user_scans": ("the user presses Scan during an exposure", _press_scan),
    "user_drags_probe": ("the user drags the probe during an exposure", _drag_probe),
    "user_changes_fov": ("the user changes the field of view during an exposure", _change_fov),
}
