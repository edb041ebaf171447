"""Faults on purpose: asked for at each occasion, done to the devices, and written down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dkl_core.stem.faults import FAULT_KINDS, FaultKind, FaultPlan, Faults


class DeviceFaultError(RuntimeError):
    """A simulated device fails, as a driver would."""


@dataclass(frozen=True)
class FaultRecord:
    """A fault that was done.

    Attributes:
        kind: what was asked for.
        occasion: number of the occasion of this kind, the first is 0.
        time: when, s on the microscope's clock.
        what: what happened, for people.
    """

    kind: FaultKind
    occasion: int
    time: float
    what: str


class FaultInjector:
    """Does the faults of a plan and keeps a log of them. Safe to use from several threads.

    Args:
        plan: which faults happen; None for none.
        clock: the microscope's time, s.
    """

    def __init__(self, plan: FaultPlan | None, clock: Callable[[], float]) -> None:
        self._faults = Faults(plan)
        self._clock = clock
        self._lock = threading.Lock()
        self._log: list[FaultRecord] = []

    @property
    def plan(self) -> FaultPlan:
        """Which faults happen."""
        return self._faults.plan

    @property
    def log(self) -> tuple[FaultRecord, ...]:
        """What happened so far, in order."""
        with self._lock:
            return tuple(self._log)

    def due(self, kind: FaultKind, what: str) -> FaultRecord | None:
        """The fault if it happens at this occasion, already written down as `what`."""
        with self._lock:
            if not self._faults.due(kind):
                return None
            record = FaultRecord(kind, self._faults.happened[-1].occasion, self._clock(), what)
            self._log.append(record)
            return record

    def chance(self, record: FaultRecord) -> np.random.Generator:
        """Random numbers that belong to one fault: equal plans do equal things."""
        return np.random.default_rng([self.plan.seed, 99, FAULT_KINDS.index(record.kind), record.occasion])
