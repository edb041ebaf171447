"""The STEM controller: Swift's controls, the probe and the blanker of the simulated microscope."""

# ruff: noqa: ARG002, N802 - names and arguments are Swift's

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from nion.instrumentation.stem_controller import PMTType, ScanContext, STEMController
from nion.utils import Geometry

from dkl_core.errors import InputError
from dkl_core.stem.faults import FaultPlan
from dkl_core.stem.microscope import VirtualMicroscope
from dkl_core.stem.optics import Optics
from nionswift_plugin.dkl_simulator import controls
from nionswift_plugin.dkl_simulator.faulty import FaultInjector, FaultRecord
from nionswift_plugin.dkl_simulator.geometry import Pair, probe_nm

INSTRUMENT_ID = "dkl_stem_controller"
# Nion's own simulator has 20, hardware 50: a real instrument always wins.
PRIORITY = 30
# Where the beam waits when nobody positions it: outside of the upper left corner of the frame.
PARKED = Geometry.FloatPoint(y=-0.05, x=-0.05)
_logger = logging.getLogger(__name__)


class SimulatedInstrument(STEMController):
    """The instrument that Swift lists.

    Args:
        make_microscope: makes the microscope, which takes seconds; called once, when it is first needed.
        optics: beam and lenses to begin with.
        faults: what goes wrong on purpose, None for nothing.
        clock: the microscope's time, s.
    """

    is_simulator = True

    def __init__(
        self,
        make_microscope: Callable[[], VirtualMicroscope],
        optics: Optics,
        faults: FaultPlan | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.instrument_id = INSTRUMENT_ID
        self.priority = PRIORITY
        self.faults = FaultInjector(faults, clock)
        self._make_microscope = make_microscope
        self._microscope: VirtualMicroscope | None = None
        self._clock = clock
        self._optics = optics
        self._building = threading.RLock()
        self._stuck_until = -float("inf")
        self._probe: tuple[ScanContext, Geometry.FloatPoint | None] = self.scan_context, None
        # Swift tells the scan device of moves only; the fraction it gave means another place in another frame.
        self._context_listener = self.scan_context_changed_event.listen(self._context_changed)

    def close(self) -> None:
        """Let go of Swift."""
        self._context_listener.close()
        super().close()

    @property
    def microscope(self) -> VirtualMicroscope:
        """The microscope; waits until it is built."""
        with self._building:
            if self._microscope is None:
                self._microscope = self._make_microscope()
                self._microscope.place_probe(*self._place())
            return self._microscope

    def ready(self) -> VirtualMicroscope:
        """The microscope with the lenses as they are set; waits while the physics follows them."""
        with self._building:
            microscope = self.microscope
            if microscope.optics != self._optics:
                microscope.optics = self._optics
            return microscope

    @property
    def fault_log(self) -> tuple[FaultRecord, ...]:
        """The faults that happened, in order."""
        return self.faults.log

    def place_probe(self, context: ScanContext, position: Geometry.FloatPoint | None) -> None:
        """Put the probe at a fraction of a scan frame, or park it."""
        self._probe = context, position
        if self._microscope is not None:
            self._microscope.place_probe(*self._place())

    # --- Swift's controls

    def TryGetVal(self, s: str) -> tuple[bool, float | None]:
        """Whether there is such a control, and its value."""
        if s in controls.OPTICS:
            return True, controls.OPTICS[s].read(self._optics)
        if s in controls.MICROSCOPE:
            return True, controls.MICROSCOPE[s].read(self.microscope)
        return False, None

    def GetVal(self, s: str, default_value: float | None = None) -> float:
        """The value of a control, or the default where there is none of that name."""
        found, value = self.TryGetVal(s)
        if found and value is not None:
            return value
        if default_value is None:
            raise InputError(f"the simulated microscope has no control {s!r}; see the list in its documentation")
        return default_value

    def SetVal(self, s: str, val: float) -> bool:
        """Set a control; False if there is none of that name or it cannot have that value."""
        if not controls.is_usable(val):
            return False
        try:
            done = self._set_optics(s, val) if s in controls.OPTICS else self._set_microscope(s, val)
        except InputError as error:
            _logger.warning("%s was not set: %s", s, error)
            return False
        if done:
            self.notify_property_changed(s)
        return done

    def SetValWait(self, s: str, val: float, timeout_ms: int) -> bool:
        """Set a control; there is nothing to wait for."""
        return self.SetVal(s, val)

    def SetValAndConfirm(self, s: str, val: float, tolfactor: float, timeout_ms: int) -> bool:
        """Set a control and see that it follows; False after the timeout otherwise."""
        done = self.SetVal(s, val)
        if s == controls.BLANKER and not done:
            time.sleep(min(timeout_ms / 1000, max(0.0, self._stuck_until - self._clock())))
        return done

    def SetValDelta(self, s: str, delta: float) -> bool:
        """Change a control by an amount."""
        found, value = self.TryGetVal(s)
        return found and value is not None and self.SetVal(s, value + delta)

    def SetValDeltaAndConfirm(self, s: str, delta: float, tolfactor: float, timeout_ms: int) -> bool:
        """Change a control by an amount and see that it follows."""
        found, value = self.TryGetVal(s)
        return found and value is not None and self.SetValAndConfirm(s, value + delta, tolfactor, timeout_ms)

    def InformControl(self, s: str, val: float) -> bool:
        """Set a control; the simulated ones depend on nothing else."""
        return self.SetVal(s, val)

    def change_stage_position(self, *, dy: float | None = None, dx: float | None = None) -> None:
        """The simulated stage does not move; the scan's centre does."""
        _logger.info("the simulated stage does not move; change the centre of the scan instead")

    def change_pmt_gain(self, pmt_type: PMTType, *, factor: float) -> None:
        """The simulated detectors have a fixed gain."""
        _logger.info("the gain of the simulated detectors cannot be changed")

    def get_autostem_properties(self) -> Mapping[str, Any]:
        """What goes into the metadata of every frame."""
        read = {name: control.read(self._optics) for name, control in controls.OPTICS.items()}
        return {
            "high_tension": read["EHT"],
            "defocus": read["C10"],
            "convergence_angle_rad": read["ConvergenceAngle"],
            "is_simulator": True,
        }

    # --- inside

    def _place(self) -> Pair:
        context, position = self._probe
        return probe_nm(context, PARKED if position is None else position)

    def _context_changed(self) -> None:
        self.place_probe(self.scan_context, self.probe_position)

    def _set_optics(self, name: str, value: float) -> bool:
        # The devices follow at their next frame: rebuilding the physics for each step of a wheel would take minutes.
        self._optics = controls.OPTICS[name].write(self._optics, value)
        return True

    def _set_microscope(self, name: str, value: float) -> bool:
        control = controls.MICROSCOPE.get(name)
        if control is None or control.write is None:
            return False
        if name == controls.BLANKER and self._is_stuck():
            return False
        control.write(self.microscope, value)
        return True

    def _is_stuck(self) -> bool:
        now = self._clock()
        if now < self._stuck_until:
            return True
        stuck_s = self.faults.plan.hang_s
        if self.faults.due("blanker_stuck", f"the blanker does not move for {stuck_s:g} s"):
            self._stuck_until = now + stuck_s
            return True
        return False
