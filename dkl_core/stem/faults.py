"""What can go wrong with the devices, on purpose: at random from a seed, or at given occasions."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np

from dkl_core.errors import InputError

FaultKind = Literal[
    "dropped_frame",
    "late_frame",
    "stale_frame",
    "device_error",
    "camera_hang",
    "blanker_stuck",
    "user_scans",
    "user_drags_probe",
    "user_changes_fov",
]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)


@dataclass(frozen=True)
class FaultPlan:
    """Which faults happen, and when; equal plans make equal faults at equal occasions.

    Attributes:
        rates: probability of each kind of fault at each of its occasions, 0 to 1.
        schedule: numbers of the occasions (the first is 0) at which a kind of fault happens for certain.
        delay_s: how long a late frame is late, s.
        hang_s: how long a hanging camera or a stuck blanker stays so, s.
        seed: what chance is drawn from.
    """

    rates: Mapping[FaultKind, float] = field(default_factory=lambda: MappingProxyType({}))
    schedule: Mapping[FaultKind, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))
    delay_s: float = 0.5
    hang_s: float = 5.0
    seed: int = 0

    def __post_init__(self) -> None:
        for kind in (*self.rates, *self.schedule):
            if kind not in FAULT_KINDS:
                raise InputError(f"there is no fault {kind!r}; choose from {', '.join(FAULT_KINDS)}")
        for kind, rate in self.rates.items():
            if not 0 <= rate <= 1:
                raise InputError(f"the rate of {kind} is {rate:g}; give a probability from 0 to 1")

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON-compatible values."""
        return {
            "rates": dict(self.rates),
            "schedule": {kind: list(at) for kind, at in self.schedule.items()},
            "delay_s": self.delay_s,
            "hang_s": self.hang_s,
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FaultPlan:
        """The inverse of `to_json`."""
        values = dict(data)
        schedule = {kind: tuple(at) for kind, at in values.pop("schedule", {}).items()}
        try:
            return cls(schedule=schedule, **values)
        except TypeError as error:
            raise InputError(f"the fault plan cannot be made of {dict(data)!r} ({error})") from error


@dataclass(frozen=True)
class Fault:
    """A fault that happened: its kind and the number of its occasion."""

    kind: FaultKind
    occasion: int


class Faults:
    """A plan at work: devices ask it at each occasion. Safe to ask from several threads.

    Args:
        plan: which faults happen; None for none.
    """

    def __init__(self, plan: FaultPlan | None = None) -> None:
        self.plan = plan or FaultPlan()
        self._occasions: Counter[FaultKind] = Counter()
        self._happened: list[Fault] = []
        self._lock = threading.Lock()

    @property
    def happened(self) -> tuple[Fault, ...]:
        """The faults so far, in order."""
        with self._lock:
            return tuple(self._happened)

    def due(self, kind: FaultKind) -> bool:
        """Whether this kind of fault happens now; every call is one occasion."""
        with self._lock:
            occasion = self._occasions[kind]
            self._occasions[kind] += 1
            due = occasion in self.plan.schedule.get(kind, ()) or self._chance(kind, occasion)
            if due:
                self._happened.append(Fault(kind, occasion))
            return due

    def _chance(self, kind: FaultKind, occasion: int) -> bool:
        rate = self.plan.rates.get(kind, 0.0)
        # Each occasion has its own numbers, so that one kind of fault does not move another.
        draw = np.random.default_rng([self.plan.seed, FAULT_KINDS.index(kind), occasion]).random() if rate else 1.0
        return bool(draw < rate)
