"""Time per site of the demonstration in a Swift without a window, and where it goes.

    python -m benchmarks.swift_site_time --budget 100

What counts is the time from one measurement to the next without exposure and settling: moving, blanking, recording,
checking, the scalar, the record on the disk, the model's decision. Each step is timed on the session's thread, without
the steps within it.
"""

from __future__ import annotations

import argparse
import functools
import logging
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args
from unittest import mock

import numpy as np

from dkl_core.experiment import Experiment, Progress
from dkl_core.experiment.beside import Refitter
from dkl_core.scalarizers.detector_care import DetectorCare
from nionswift_plugin.dkl.acquisition import taking
from nionswift_plugin.dkl.acquisition.beam import Beam
from nionswift_plugin.dkl.acquisition.context import PinnedContext, Watch
from nionswift_plugin.dkl.acquisition.frames import FrameCheck
from nionswift_plugin.dkl.acquisition.hook import SwiftMicroscope
from nionswift_plugin.dkl.acquisition.recording import CameraRecorder
from nionswift_plugin.dkl.acquisition.scalars import SiteScalars
from nionswift_plugin.dkl.acquisition.settings import PatternMode
from nionswift_plugin.dkl.acquisition.surveying import Surveyor
from nionswift_plugin.dkl.acquisition.taking import PatternTaker
from nionswift_plugin.dkl.demo import DemoSettings, run_demo

BAR_MS = 60.0
STEPS: dict[str, tuple[tuple[Any, str], ...]] = {
    "round trip through the main loop": ((taking, "catch_up"),),
    "take back what somebody did": ((PinnedContext, "take_back"),),
    "move": ((PatternTaker, "_move"),),
    "blank and unblank": ((Beam, "open"), (Beam, "close")),
    "record": ((CameraRecorder, "frame"),),
    "verify": ((Watch, "check"), (FrameCheck, "check")),
    "correct, scalar": ((DetectorCare, "corrected"), (SiteScalars, "of")),
    "reference scan": ((Surveyor, "look_if_due"),),
    "other in measure": ((SwiftMicroscope, "measure"),),
    "tell and record": ((Experiment, "tell"), (Experiment, "note")),
    "revise": ((SwiftMicroscope, "revisions"), (Experiment, "revise")),
    "adopt or begin a fit": ((Refitter, "adopt"), (Refitter, "begin"), (Refitter, "before_decision")),
    "ask": ((Experiment, "ask"),),
}


class Clock:
    """Times steps on one thread; each without the steps within it.

    Attributes:
        sites: seconds of each step, per site.
        seconds: from the previous measurement to this one, per site.
    """

    def __init__(self) -> None:
        self.sites: list[dict[str, float]] = []
        self.seconds: list[float] = []
        self._present: dict[str, float] = defaultdict(float)
        self._inner: list[float] = []
        self._last = time.perf_counter()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step."""
        begun = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            whole = time.perf_counter() - begun
            self._present[name] += whole - self._inner.pop()
            if self._inner:
                self._inner[-1] += whole

    def count(self, _: Progress) -> None:
        """One more site."""
        now = time.perf_counter()
        self.seconds.append(now - self._last)
        self.sites.append(dict(self._present))
        self._present, self._last = defaultdict(float), now


def timed(clock: Clock, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with its time counted."""

    @functools.wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        with clock.step(name):
            return function(*args, **options)

    return run


def watched(settings: DemoSettings, folder: Path) -> Clock:
    """The times of one run of the demonstration."""
    clock = Clock()
    with ExitStack() as patches:
        for name, functions in STEPS.items():
            for owner, attribute in functions:
                replaced = timed(clock, name, getattr(owner, attribute))
                patches.enter_context(mock.patch.object(owner, attribute, replaced))
        run_demo(settings, folder, progress=clock.count)
    return clock


def printed(clock: Clock, settings: DemoSettings) -> float:
    """Print where the time goes; returns the median time per site beyond exposure and settling, ms."""
    pattern = settings.hook.pattern
    # the first one follows the survey, not a measurement
    spared = {"record": pattern.exposure_ms, "move": pattern.settle_ms}
    seconds, sites = clock.seconds[1:], clock.sites[1:]
    table = {name: [1e3 * site.get(name, 0.0) - spared.get(name, 0.0) for site in sites] for name in STEPS}
    total = [1e3 * second - sum(spared.values()) for second in seconds]
    table["elsewhere"] = list(np.subtract(total, np.sum(list(table.values()), axis=0)))
    table["all"] = total
    print(f"{'ms beyond exposure and settling':34s}{'median':>8s}{'mean':>8s}{'p90':>8s}{'largest':>9s}")
    for name, times in table.items():
        print(f"{name:34s}{_figures(times)}")
    seeds = settings.experiment.seeds.count - 1
    print(f"{'all, sites of the seeding':34s}{_figures(total[:seeds])}")
    print(f"{'all, sites that the model chose':34s}{_figures(total[seeds:])}")
    return float(np.median(total))


def _figures(times: Sequence[float]) -> str:
    if not len(times):
        return "    none"
    of = np.median(times), np.mean(times), np.percentile(times, 90), np.max(times)
    return "".join(f"{value:{width}.1f}" for value, width in zip(of, (8, 8, 8, 9), strict=True))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swift_site_time", description="time per site in Swift")
    parser.add_argument("--budget", type=int, default=100, help="measurements (default 100)")
    parser.add_argument("--seed", type=int, default=0, help="of sample, noise and experiment (default 0)")
    parser.add_argument("--mode", choices=get_args(PatternMode), default="record", help="camera mode")
    given = parser.parse_args()
    logging.getLogger().setLevel(logging.WARNING)
    settings = DemoSettings.of(given.seed, given.budget)
    hook = replace(settings.hook, pattern=replace(settings.hook.pattern, mode=given.mode))
    settings = replace(settings, hook=hook)
    with tempfile.TemporaryDirectory() as folder:
        clock = watched(settings, Path(folder))
    median = printed(clock, settings)
    print(f"median {median:.0f} ms; the bar is {BAR_MS:.0f} ms")


if __name__ == "__main__":
    main()
