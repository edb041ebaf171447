"""Whole sessions in a Swift without a window, disturbed at random, and what became of them.

    python -m benchmarks.swift_faults --runs 100

Each run has faults of the devices at random occasions, a user who does things at random times, and now and then an end
in the middle of it. The microscope's patterns tell where the beam was. After each run

- the beam is blanked, or a blanker that sticks was reported and closes as soon as it responds;
- each pattern that was kept was exposed at its place, from beginning to end;
- each measurement that was reported is in the file, to the bit, and nothing else is;
- each fault that had an effect was told;
- the session has ended within its time.

Ends with status 1 if anything was otherwise.
"""

from __future__ import annotations

import argparse
import logging
import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from nion.utils import Geometry

from benchmarks.swift_places import flaw, places_microscope
from dkl_core.experiment import ExperimentSettings, Progress, SeedSettings, StopRules
from dkl_core.measurement import Measurement
from dkl_core.patches import PatchSettings
from dkl_core.record import read_run
from dkl_core.scalarizers.registry import as_scalarizer
from dkl_core.stem.faults import FAULT_KINDS, FaultKind, FaultPlan
from nionswift_plugin.dkl.acquisition.devices import find_devices
from nionswift_plugin.dkl.acquisition.hook import SwiftMicroscope
from nionswift_plugin.dkl.acquisition.settings import (
    BeamSettings,
    DriftSettings,
    HookSettings,
    PatternSettings,
    SurveySettings,
)
from nionswift_plugin.dkl.headless import HeadlessSwift
from nionswift_plugin.dkl.listening import Listener, Message
from nionswift_plugin.dkl.plan import NewRun
from nionswift_plugin.dkl.session import Outcome, Session
from nionswift_plugin.dkl_simulator.configuration import Configuration
from nionswift_plugin.dkl_simulator.user import ACTS

Ending = Literal["", "cancel", "leave", "stop"]
ENDINGS: tuple[Ending, ...] = get_args(Ending)
EXPOSURE_S, BUDGET, SITES_PER_SCAN = 0.005, 12, 5
LIMIT_S = 60.0
# So long after it responds again a blanker has to be closed.
CLOSING_S = 2.0
# A fault that is cut off by the end of the run has no time to be told.
CUT_OFF_S = 1.0
TOLD: Mapping[FaultKind, str] = {
    "dropped_frame": "dropped|is dark",
    "late_frame": "no frame within",
    "stale_frame": "previous frame again|before it was asked|is dark",
    "device_error": "reported an error|lost its connection",
    "camera_hang": "no frame within",
    "blanker_stuck": "blanker",
    "user_scans": "scan was started|was started by somebody",
    "user_drags_probe": "probe was moved",
    "user_changes_fov": "scan frame was changed",
}
# What the user does may fall between two exposures, where it does no harm and is put right without a word.
MAY_DO_NOTHING = frozenset(ACTS)
PROBLEMS = ("kept wrong", "not intact", "unblanked", "untold", "hung")


@dataclass(frozen=True)
class Disturbance:
    """What happens in one run.

    Attributes:
        plan: faults of the devices, and of the user during exposures.
        acts: what the user does at times from the session's start, s.
        ending: how the run is ended before it is done, and when, s.
        uses_model: let the model choose the last sites.
        mode: how patterns are taken.
    """

    plan: FaultPlan
    acts: tuple[tuple[float, FaultKind], ...] = ()
    ending: tuple[Ending, float] = ("", 0.0)
    uses_model: bool = False
    mode: Literal["record", "sequence"] = "record"

    @classmethod
    def at_random(cls, number: int, seed: int = 0) -> Disturbance:
        """Those of a run of the campaign: each kind of fault in turn, in every other run others beside it."""
        chance = random.Random(f"{seed} {number}")
        kinds = [FAULT_KINDS[number % len(FAULT_KINDS)]]
        if number // len(FAULT_KINDS) % 2:
            kinds += chance.sample(FAULT_KINDS, 2)
        schedule = {kind: _occasions(kind, chance) for kind in kinds}
        users = cast("list[FaultKind]", list(ACTS))
        acts = [(chance.uniform(0.0, 3.0), chance.choice(users)) for _ in range(chance.choice((0, 0, 2)))]
        ending = chance.choice(ENDINGS[1:]) if chance.random() < 0.25 else ENDINGS[0]
        # a camera that hangs for a moment is not even late
        hang_s = chance.choice((1.0, 4.0) if "camera_hang" in kinds else (0.1, 1.0, 4.0))
        plan = FaultPlan(schedule=schedule, delay_s=chance.uniform(0.4, 0.8), hang_s=hang_s, seed=number)
        mode: Literal["record", "sequence"] = "sequence" if chance.random() < 0.3 else "record"
        return cls(plan, tuple(acts), (ending, chance.uniform(0.0, 2.5)), chance.random() < 0.1, mode)


def _occasions(kind: FaultKind, chance: random.Random) -> tuple[int, ...]:
    # the blanker is asked twice for each frame
    frames = BUDGET + 6 if kind != "blanker_stuck" else 2 * BUDGET + 4
    return tuple(chance.randrange(frames) for _ in range(chance.randint(1, 3)))


@dataclass
class Watched:
    """What a run told and how it ended.

    Attributes:
        kept: site, measurement with its pattern, as the session reported them.
        messages: what the user was told.
        faults: kind and time of each fault that happened, s on the microscope's clock.
        outcome: how it ended, None if it did not.
        began_s: when the experiment began, after survey and test frames, on the microscope's clock.
        ended_s: when it ended.
        closed_late_s: how long after the end the beam was blanked, None if it was not.
        seconds: how long it took.
    """

    kept: list[tuple[int, Measurement]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    faults: list[tuple[FaultKind, float]] = field(default_factory=list)
    outcome: Outcome | None = None
    began_s: float = float("inf")
    ended_s: float = 0.0
    closed_late_s: float | None = None
    seconds: float = 0.0

    @property
    def told(self) -> str:
        """All messages as one text."""
        return "\n".join(self.messages)


def settings_of(mode: Literal["record", "sequence"]) -> HookSettings:
    """Short exposures on a small frame, with reference scans."""
    return HookSettings(
        survey=SurveySettings(size_px=48, fov_nm=10.0, pixel_time_us=4.0),
        pattern=PatternSettings(
            exposure_ms=1e3 * EXPOSURE_S, settle_ms=0.0, late_ms=300.0, tries=4, dark_frames=3, mode=mode
        ),
        beam=BeamSettings(blanker_timeout_ms=100),
        drift=DriftSettings(every_sites=SITES_PER_SCAN, share=0.5, max_jump_nm=0.5),
    )


def slope(pattern: object) -> float:
    """A scalar that follows from the place."""
    total, y, x = np.asarray(pattern, dtype=np.float64)[0, :3]
    return float((2 * y - x) / total)


def watched(disturbance: Disturbance, path: Path) -> Watched:
    """One session with its disturbances."""
    microscope = places_microscope(disturbance.plan.seed)
    configuration = Configuration(microscope, faults=disturbance.plan)
    seen = Watched()
    seeds = BUDGET // 2 if disturbance.uses_model else BUDGET
    experiment = ExperimentSettings(
        patches=PatchSettings(window=6, stride=3), seeds=SeedSettings(seeds), stop=StopRules(BUDGET)
    )
    with HeadlessSwift(configuration) as swift:
        driven = SwiftMicroscope(
            find_devices(),
            settings_of(disturbance.mode),
            as_scalarizer(slope, name="slope"),
            main=swift.main,
            document_model=swift.document_model,
        )
        session = Session(
            driven,
            NewRun(path, experiment),
            listener=_listener(seen, microscope.clock),
            refit="beside" if disturbance.uses_model else "wait",
        )
        timers = [_timer(seconds, _act, configuration, seen, kind) for seconds, kind in disturbance.acts]
        timers += _ending(disturbance, session, driven)
        begun = time.monotonic()
        session.start()
        if swift.pump(lambda: session.is_over, LIMIT_S):
            seen.outcome = session.outcome
        seen.seconds, seen.ended_s = time.monotonic() - begun, microscope.clock()
        # a blanker that responds again may be stuck once more
        stuck_s = len(disturbance.plan.schedule.get("blanker_stuck", ())) * disturbance.plan.hang_s
        swift.pump(lambda: microscope.blanked, stuck_s + CLOSING_S)
        seen.closed_late_s = microscope.clock() - seen.ended_s if microscope.blanked else None
        for timer in timers:
            timer.cancel()
            timer.join()
        seen.faults += [(record.kind, record.time) for record in configuration.instrument.fault_log]
    return seen


def _listener(seen: Watched, clock: Callable[[], float]) -> Listener:
    def began(_: object) -> None:
        seen.began_s = clock()

    def measured(at: Progress) -> None:
        seen.kept.append((at.told.site.index, at.told.measurement))

    def told(message: Message) -> None:
        seen.messages.append(message.text)

    return Listener(experiment=began, progress=measured, message=told)


def _timer(seconds: float, function: Callable[..., object], *args: object) -> threading.Timer:
    timer = threading.Timer(seconds, function, args)
    timer.daemon = True
    timer.start()
    return timer


def _act(configuration: Configuration, seen: Watched, kind: FaultKind) -> None:
    instrument = configuration.instrument
    seen.faults.append((kind, instrument.microscope.clock()))
    ACTS[kind][1](instrument, Geometry.FloatPoint(y=0.31, x=0.71))


def _ending(disturbance: Disturbance, session: Session, microscope: SwiftMicroscope) -> list[threading.Timer]:
    how, seconds = disturbance.ending
    actions: dict[str, Callable[[], object]] = {
        "cancel": microscope.cancel,
        "leave": session.leave,
        "stop": session.stop,
    }
    return [_timer(seconds, actions[how])] if how else []


def problems_of(seen: Watched, disturbance: Disturbance, path: Path) -> list[tuple[str, str]]:
    """What should not have happened: a kind of problem and what it was."""
    if seen.outcome is None:
        return [("hung", f"not over after {LIMIT_S:g} s; told: {seen.told}")]
    found = [("not intact", text) for text in _damage(seen, path)]
    microscope = places_microscope()
    for number, (_, measurement) in enumerate(seen.kept):
        if measurement.raw is not None and (text := flaw(measurement, measurement.raw, microscope, EXPOSURE_S)):
            found.append(("kept wrong", f"measurement {number}: {text}"))
    if seen.closed_late_s is None or (seen.closed_late_s > 0.05 and "BEAM IS ON THE SAMPLE" not in seen.told):
        found.append(("unblanked", f"closed after {seen.closed_late_s} s; told: {seen.told}"))
    found += [("untold", f"{kind}; told: {seen.told}") for kind in untold(seen, disturbance)]
    return found


def untold(seen: Watched, disturbance: Disturbance) -> list[FaultKind]:
    """Faults that must have had an effect and were not told."""
    cut_off_s = CUT_OFF_S if disturbance.ending[0] else 0.0
    return [
        kind
        for kind, at_s in seen.faults
        if kind not in MAY_DO_NOTHING
        and at_s <= seen.ended_s - cut_off_s
        and not is_told(kind, seen)
        and not _is_covered(kind, at_s, seen, disturbance)
    ]


def _is_covered(kind: FaultKind, at_s: float, seen: Watched, disturbance: Disturbance) -> bool:
    """Whether nobody could tell the fault: no beam and no noise, or another one spoilt the frame before."""
    at_once_s = disturbance.plan.delay_s + CUT_OFF_S / 10
    others = [other_s for other, other_s in seen.faults if other != kind]
    return (kind == "dropped_frame" and at_s < seen.began_s) or any(abs(at_s - at) < at_once_s for at in others)


def is_told(kind: FaultKind, seen: Watched) -> bool:
    """Whether the user was told of a kind of fault."""
    return re.search(TOLD[kind], seen.told) is not None


def _damage(seen: Watched, path: Path) -> list[str]:
    if not path.exists():
        return [] if not seen.kept else ["there is no file"]
    with read_run(path) as contents:
        table = contents.measurements
        if len(table.site) != len(seen.kept):
            return [f"{len(table.site)} measurements in the file, {len(seen.kept)} were reported"]
        return [
            f"measurement {number} is not what was reported"
            for number, (site, measurement) in enumerate(seen.kept)
            if table.site[number] != site or not _is_same(contents.raw(number), measurement, table.value[number])
        ]


def _is_same(raw: Any, measurement: Measurement, value: float) -> bool:
    if measurement.raw is None or raw is None:
        return raw is None and measurement.raw is None
    return np.array_equal(raw, measurement.raw) and value == measurement.scalar.value == slope(raw)


@dataclass
class Tally:
    """What happened over all runs."""

    happened: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    problems: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in PROBLEMS})
    endings: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    slowest_s: float = 0.0

    def count(self, seen: Watched, disturbance: Disturbance, found: list[tuple[str, str]]) -> None:
        """One more run."""
        kinds = {kind for kind, _ in seen.faults}
        for kind in kinds:
            self.happened[kind] += sum(one == kind for one, _ in seen.faults)
            self.told[kind] += sum(one == kind for one, _ in seen.faults) if is_told(kind, seen) else 0
        for problem, _ in found:
            self.problems[problem].update(kinds)
        self.kept += sum(measurement.raw is not None for _, measurement in seen.kept)
        self.slowest_s = max(self.slowest_s, seen.seconds)
        ending = seen.outcome.ending if seen.outcome else "hung"
        self.endings[f"{ending} ({disturbance.ending[0]})" if disturbance.ending[0] else ending] += 1

    def text(self) -> str:
        """The table."""
        lines = [f"{'fault':18s}{'happened':>10s}{'told':>6s}" + "".join(f"{name:>12s}" for name in PROBLEMS)]
        for kind in FAULT_KINDS:
            bad = "".join(f"{self.problems[name][kind]:12d}" for name in PROBLEMS)
            lines.append(f"{kind:18s}{self.happened[kind]:10d}{self.told[kind]:6d}{bad}")
        endings = ", ".join(f"{count} {how}" for how, count in self.endings.most_common())
        return "\n".join([*lines, f"patterns kept: {self.kept}; slowest run: {self.slowest_s:.1f} s; {endings}"])


def campaign(runs: int, seed: int, first: int, *, verbose: bool) -> bool:
    """Do all runs and print; returns whether all was as it should be."""
    tally, is_well = Tally(), True
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, first + runs):
            disturbance, path = Disturbance.at_random(number, seed), Path(folder) / f"{number}.h5"
            seen = watched(disturbance, path)
            found = problems_of(seen, disturbance, path)
            tally.count(seen, disturbance, found)
            if verbose:
                print(number, disturbance, seen.faults, seen.outcome, *seen.messages, sep="\n  ", flush=True)
            for problem, text in found:
                print(f"run {number}: {problem}: {text}", flush=True)
            is_well &= not found
            if seen.outcome is None:
                break
            path.unlink(missing_ok=True)
    print(tally.text())
    return is_well


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swift_faults", description="faults at random in Swift")
    parser.add_argument("--runs", type=int, default=100, help="number of runs (default 100)")
    parser.add_argument("--first", type=int, default=0, help="number of the first run (default 0)")
    parser.add_argument("--seed", type=int, default=0, help="of all disturbances (default 0)")
    parser.add_argument("--verbose", action="store_true", help="tell what happened in each run")
    given = parser.parse_args()
    # what is caught is logged with its trace
    logging.disable(logging.CRITICAL)
    sys.exit(not campaign(given.runs, given.seed, given.first, verbose=given.verbose))


if __name__ == "__main__":
    main()
