"""How long Swift's main loop is held up while the panel runs an experiment with all live views.

    python -m benchmarks.swift_loop --sites 200

The main loop of a Swift without a window, with the panel and the live data items, on the demonstration's simulated
microscope. A gap is what one turn of the loop takes; painting, which Qt does, is not in it.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.swift_panel import figures, watched_run
from dkl_core.stem.microscope import VirtualMicroscope
from nionswift_plugin.dkl.demo import DemoSettings
from nionswift_plugin.dkl.panel.model import PanelSettings

MEDIAN_MS, P99_MS = 50.0, 250.0


def demo_settings(sites: int, folder: str) -> PanelSettings:
    """The demonstration as the panel has it."""
    demo = DemoSettings.of(0, sites)
    survey, patches = demo.hook.survey, demo.experiment.patches
    return PanelSettings(
        survey_px=survey.size_px or 256,
        fov_nm=survey.fov_nm,
        dwell_us=survey.pixel_time_us,
        patch_px=patches.window,
        every_px=patches.stride,
        sites=sites,
        follow_every=50,
        folder=folder,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swift_loop", description="gaps of Swift's main loop")
    parser.add_argument("--sites", type=int, default=200, help="measurements (default 200)")
    given = parser.parse_args()
    demo = DemoSettings.of(0, given.sites)
    microscope = VirtualMicroscope(demo.sample, realism=demo.realism, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        seen = watched_run(microscope, demo_settings(given.sites, str(Path(folder))), lambda _count: None)
    gaps = seen.gaps(0, given.sites)
    print(f"{len(seen.sites_s)} sites: {seen.reason}")
    print(f"gap of the main loop, ms: {figures(gaps)} ({len(gaps)} turns)")
    print(f"time per site, ms: {figures(seen.site_ms(1, given.sites))}")
    expected, status = seen.estimate, seen.status
    if expected is not None and status is not None:
        shown = f"{expected.seconds:.0f} s, {(expected.electrons or 0) / 1e6:.1f} million electrons"
        took = f"{status.elapsed:.0f} s, {(status.electrons or 0) / 1e6:.1f} million electrons"
        print(f"shown before the start: {shown}; the run took {took}")
    is_met = bool(np.median(gaps) <= MEDIAN_MS and np.percentile(gaps, 99) <= P99_MS)
    print(f"bars: median {MEDIAN_MS:.0f} ms, p99 {P99_MS:.0f} ms: {'met' if is_met else 'missed'}")


if __name__ == "__main__":
    main()
