"""A session on a microscope whose patterns tell where the beam was; as a program it reports each measurement."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.swift_places import place_of, places_microscope
from dkl_core.experiment import ExperimentSettings, SeedSettings, StopRules
from dkl_core.patches import PatchSettings
from dkl_core.scalarizers.registry import as_scalarizer
from nionswift_plugin.dkl.acquisition.devices import find_devices
from nionswift_plugin.dkl.acquisition.hook import SwiftMicroscope
from nionswift_plugin.dkl.acquisition.settings import HookSettings, PatternSettings, SurveySettings
from nionswift_plugin.dkl.headless import HeadlessSwift
from nionswift_plugin.dkl.listening import Listener
from nionswift_plugin.dkl.plan import NewRun
from nionswift_plugin.dkl.session import Outcome, Session
from nionswift_plugin.dkl_simulator.configuration import Configuration

BUDGET, EXPOSURE_S, LIMIT_S = 14, 0.005, 200.0


def driven(path: Path, report: Callable[[int, float], object]) -> Outcome:
    """Begin a run, or go on with the one that is in the file."""
    microscope = places_microscope()
    settings = ExperimentSettings(
        patches=PatchSettings(window=6, stride=3), seeds=SeedSettings(BUDGET), stop=StopRules(BUDGET)
    )
    hook = HookSettings(
        survey=SurveySettings(size_px=48, fov_nm=10.0, pixel_time_us=4.0),
        pattern=PatternSettings(exposure_ms=1e3 * EXPOSURE_S, settle_ms=0.0),
    )

    def row_nm(pattern: object) -> float:
        return place_of(pattern, microscope.counts_per_electron).mean_nm[0]  # type: ignore[arg-type]

    listener = Listener(progress=lambda at: report(at.told.site.index, at.told.measurement.scalar.value))
    with HeadlessSwift(Configuration(microscope)) as swift:
        used = SwiftMicroscope(find_devices(), hook, as_scalarizer(row_nm, name="row"), main=swift.main)
        session = Session(used, path if path.exists() else NewRun(path, settings), listener=listener, refit="wait")
        session.start()
        assert swift.pump(lambda: session.is_over, LIMIT_S)
        assert microscope.blanked
        assert session.outcome is not None
        return session.outcome


if __name__ == "__main__":
    driven(Path(sys.argv[1]), lambda site, value: print(site, value.hex(), flush=True))
