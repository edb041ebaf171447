"""Memory and main loop over a long run of the panel: at its end no worse than at its beginning.

    python -m benchmarks.swift_long_run --sites 2000

A fast simulated camera whose patterns need no scattering, so that what is measured is Swift, the panel and the model.
"""

from __future__ import annotations

import argparse
import sys
import tempfile

import numpy as np

from benchmarks.swift_panel import Watched, figures, watched_run
from benchmarks.swift_places import places_microscope
from nionswift_plugin.dkl.panel.model import PanelSettings

WINDOW = 100
# What a Python process grows by without keeping anything: fragments, caches that fill.
MEMORY_MB, GAP = 0.1, 1.5


def height_nm(pattern: object) -> float:
    """The row of the beam, as such a pattern tells it, with a wave on top for the model to learn."""
    from benchmarks.swift_places import place_of

    y, x = place_of(pattern, 1.0).mean_nm  # type: ignore[arg-type]
    return float(np.sin(y) * np.cos(x))


def settings(sites: int, folder: str) -> PanelSettings:
    """About 4,000 sites, of which many are measured in a short time each."""
    return PanelSettings(
        survey_px=256,
        fov_nm=16.0,
        dwell_us=1.0,
        patch_px=12,
        every_px=4,
        measured="benchmarks.swift_long_run:height_nm",
        sites=sites,
        exposure_ms=2.0,
        dark_frames=0,
        aim="explore",
        folder=folder,
    )


def printed(seen: Watched, sites: int) -> bool:
    """Print how it went on; returns whether the end is no worse than site 200."""
    marks = [mark for mark in (200, 500, 1000, 1500, 2000) if mark <= sites] or [sites]
    print(f"{'sites':>6s}{'memory MiB':>12s}  {'gap, ms':44s}time per site, ms")
    medians, memory = [], []
    for mark in marks:
        first = mark - WINDOW
        gaps = seen.gaps(first, mark)
        medians.append(float(np.percentile(gaps, 99)))
        memory.append(float(np.median(seen.memory_mb[first:mark])))
        print(f"{mark:6d}{memory[-1]:12.0f}  {figures(gaps):44s}{figures(seen.site_ms(first, mark))}")
    is_same = medians[-1] <= GAP * medians[0] and memory[-1] <= (1 + MEMORY_MB) * memory[0]
    print(f"p99 of the gap {medians[-1] / medians[0]:.2f} times, memory {memory[-1] / memory[0]:.2f} times of site 200")
    return is_same


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swift_long_run", description="a long run of the panel")
    parser.add_argument("--sites", type=int, default=2000, help="measurements (default 2000)")
    given = parser.parse_args()

    def tell(count: int) -> None:
        if count % 100 == 0:
            print(f"{count} sites", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        seen = watched_run(places_microscope(), settings(given.sites, folder), tell)
    print(f"{len(seen.sites_s)} sites: {seen.reason}")
    is_same = printed(seen, given.sites)
    print("the end is no worse than site 200" if is_same else "the end is worse than site 200")


if __name__ == "__main__":
    main()
