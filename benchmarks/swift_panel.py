"""An experiment that the panel of a Swift without a window runs, and what its main loop and memory do meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from dkl_core.stem.microscope import VirtualMicroscope
from nionswift_plugin.dkl.headless import TICK_S, HeadlessSwift
from nionswift_plugin.dkl.panel import panel
from nionswift_plugin.dkl.panel.controller import Controller
from nionswift_plugin.dkl.panel.estimate import Estimate
from nionswift_plugin.dkl.panel.model import PanelSettings
from nionswift_plugin.dkl.panel.room import PANEL_ID
from nionswift_plugin.dkl.panel.status import RunStatus
from nionswift_plugin.dkl_simulator.configuration import Configuration

LIMIT_S = 7200.0


@dataclass
class Watched:
    """What was seen of a run.

    Attributes:
        gaps_ms: time between two turns of the main loop, with the sites measured by then (n, 2).
        sites_s: when each site was measured, s.
        memory_mb: resident memory after each site.
        reason: how the run ended.
        path: its file.
        estimate: what the panel expected of it before the start.
        status: how it ended.
    """

    gaps_ms: list[tuple[int, float]] = field(default_factory=list)
    sites_s: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    reason: str = ""
    path: Path | None = None
    estimate: Estimate | None = None
    status: RunStatus | None = None

    def gaps(self, first: int, last: int) -> list[float]:
        """Gaps while the sites from `first` to before `last` were measured, ms."""
        return [gap for count, gap in self.gaps_ms if first <= count < last]

    def site_ms(self, first: int, last: int) -> list[float]:
        """Times of those sites, each from the one before, ms."""
        return [1e3 * float(step) for step in np.diff(self.sites_s)[max(0, first - 1) : last - 1]]


def watched_run(microscope: VirtualMicroscope, settings: PanelSettings, tell: Callable[[int], object]) -> Watched:
    """Run an experiment from the panel, with the six views laid out.

    Args:
        microscope: is simulated.
        settings: of the panel; its folder is where the run goes.
        tell: gets the number of sites so far.
    """
    logging.getLogger().setLevel(logging.WARNING)
    panel.run()
    try:
        with HeadlessSwift(Configuration(microscope)) as swift:
            return _Run(swift, settings, tell).watched()
    finally:
        panel.stop()


class _Run:
    def __init__(self, swift: HeadlessSwift, settings: PanelSettings, tell: Callable[[int], object]) -> None:
        self._window: Any = swift.document_controller
        self._settings, self._tell = settings, tell
        self._process = psutil.Process()
        self._seen = Watched()

    def watched(self) -> Watched:
        """Start it and see it to its end."""
        self._window.workspace_controller.create_panels([PANEL_ID])
        view = self._window.find_dock_panel(PANEL_ID).view
        controller: Controller = view.controller
        controller.adopt(self._settings)
        view.workspace_clicked(None)
        controller.acquire_survey()
        self._turn_until(lambda: controller.phase == "idle" and controller.setup.sites > 0)
        estimate = controller.setup.estimate(controller.settings)
        controller.start()
        self._turn_until(lambda: controller.run.outcome is not None or controller.phase == "idle", controller)
        seen, outcome = self._seen, controller.run.outcome
        seen.reason, seen.path = (outcome.reason if outcome else controller.message), controller.run.path
        seen.estimate, seen.status = estimate, controller.status
        return seen

    def _turn_until(self, is_over: Callable[[], bool], controller: Controller | None = None) -> None:
        end = time.monotonic() + LIMIT_S
        while not is_over():
            assert time.monotonic() < end, "the run does not end"
            begun = time.perf_counter()
            self._window.periodic()
            # what runs between two turns is the window's own pause, as Qt has one
            gap_ms = 1e3 * (time.perf_counter() - begun)
            if controller is not None:
                self._count(controller, gap_ms)
            time.sleep(TICK_S)

    def _count(self, controller: Controller, gap_ms: float) -> None:
        session = controller.run.session
        experiment = None if session is None else session.experiment
        if experiment is None:
            return
        count, seen = len(experiment.told), self._seen
        seen.gaps_ms.append((count, gap_ms))
        if count > len(seen.sites_s):
            now, memory = time.perf_counter(), self._process.memory_info().rss / 2**20
            # a turn of the loop may have seen several sites
            new = count - len(seen.sites_s)
            seen.sites_s += [now] * new
            seen.memory_mb += [memory] * new
            self._tell(count)


def figures(values: Sequence[float]) -> str:
    """Median, 99th percentile and largest of some values."""
    if not values:
        return "none"
    return f"median {np.median(values):.1f}, p99 {np.percentile(values, 99):.1f}, largest {np.max(values):.1f}"
