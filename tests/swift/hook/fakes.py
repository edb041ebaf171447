"""An instrument without Swift: controls, a probe and a blanker that can be broken."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from nion.instrumentation.stem_controller import STEMController
from nion.utils import Geometry


class FakeStem:
    """Stands in for a STEM controller."""

    def __init__(self, controls: dict[str, float] | None = None) -> None:
        self.instrument_id = "fake"
        self.controls = {"C_Blank": 0.0} if controls is None else controls
        self.probe_position: Geometry.FloatPoint | None = None
        self.probe_state = "parked"
        self.obeys = True
        self.admits = False
        self.raises = False
        self.switched: list[float] = []

    @property
    def is_blanked(self) -> bool:
        return self.controls.get("C_Blank") == 1.0

    def set_probe_position(self, position: Geometry.FloatPoint | None) -> None:
        self.probe_position = position

    def TryGetVal(self, name: str) -> tuple[bool, float | None]:  # noqa: N802
        return name in self.controls, self.controls.get(name)

    def SetValAndConfirm(self, name: str, value: float, _tolerance: float, _timeout_ms: int) -> bool:  # noqa: N802
        if self.raises:
            raise RuntimeError("no connection")
        self.switched.append(value)
        if self.obeys:
            self.controls[name] = value
        return self.obeys or not self.admits


def as_stem(fake: FakeStem) -> STEMController:
    return cast(STEMController, cast(Any, fake))


def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)
