"""What a structural discovery finds in images with a planted second phase: `python -m benchmarks.discovery_planted`."""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np

from dkl_core.acquisition import AcquisitionName, AcquisitionSettings, ConstantBeta
from dkl_core.discovery import Discovery, DiscoverySettings, PathSettings, ProcessSettings, SearchSettings, Travel
from dkl_core.discovery.discover import Judged, judged
from dkl_core.discovery.pathfinder import path_cost
from dkl_core.discovery.planted import planted_image
from dkl_core.discovery.process import KernelName
from dkl_core.discovery.search import SearchStep
from dkl_core.survey import FloatArray, SurveyImage

RESULTS = Path(__file__).parent / "results"
RADII, NOISES = (20.0, 40.0, 60.0), (0.3, 1.0, 2.0)
ACQUISITIONS: tuple[AcquisitionName, ...] = ("ei", "ucb", "pi")
TIP = Travel("tip")


def begun(workflow: str, radius: float, noise: float, seed: int = 0) -> tuple[Discovery, FloatArray]:
    """A discovery in 10,000 sites that has learned its components, and the whole map it is judged by."""
    image = planted_image(428, radius, noise, seed).image
    discovery = Discovery.begin(SurveyImage(image), DiscoverySettings(workflow, window=32, stride=4, seed=seed))
    return discovery, discovery.target.everywhere(discovery.patches)


def searched(discovery: Discovery, whole: FloatArray, settings: SearchSettings) -> tuple[Judged, SearchStep]:
    """A search of the image and how good it was."""
    changed = replace(discovery, settings=replace(discovery.settings, search=settings))
    *_, last = changed.steps()
    return judged(changed, last, whole), last


def finding(workflows: list[str], seeds: int) -> list[dict[str, float | str]]:
    """Bar by size, noise and workflow, the least and the mean over seeds."""
    rows: list[dict[str, float | str]] = []
    for workflow, radius, noise in itertools.product(workflows, RADII, NOISES):
        runs = []
        for seed in range(seeds):
            discovery, whole = begun(workflow, radius, noise, seed)
            runs.append(searched(discovery, whole, SearchSettings(seed=seed))[0])
        row: dict[str, float | str] = {"workflow": workflow, "radius_px": radius, "noise": noise}
        for name in ("found", "wrong", "similarity", "feature"):
            row[name] = float(np.mean([getattr(run, name) for run in runs]))
        row["least_found"] = min(run.found for run in runs)
        rows.append(row)
        print(
            f"{workflow:10s} radius {radius:3.0f} px noise {noise:3.1f}: found {row['found']:6.1%} (least "
            f"{row['least_found']:6.1%}), wrong {row['wrong']:5.1%}, SSIM {row['similarity']:.2f}, "
            f"feature {row['feature']:.1%} of the sites",
            flush=True,
        )
    return rows


def sweep(workflow: str, given: list[float]) -> list[dict[str, float | str | None]]:
    """Correlation length × kernel × acquisition, in the image of middle size and noise."""
    discovery, whole = begun(workflow, RADII[1], NOISES[1])
    rows: list[dict[str, float | str | None]] = []
    lengths = (*given, None)
    for kernel, name, length in itertools.product(get_args(KernelName), ACQUISITIONS, lengths):
        acquisition = AcquisitionSettings(name, beta=ConstantBeta(4.0))
        result, last = searched(discovery, whole, SearchSettings(ProcessSettings(kernel, length), acquisition))
        rows.append({"kernel": kernel, "acquisition": name, "length": length, "mean_std": float(last.std.mean())})
        rows[-1] |= {"found": result.found, "wrong": result.wrong, "similarity": result.similarity}
        print(f"{kernel:9s} {name:4s} length {length or 'learned'}: found {result.found:6.1%}, SSIM "
              f"{result.similarity:.2f}", flush=True)  # fmt: skip
    found = np.array([row["found"] for row in rows], dtype=float)
    print(f"over half of the feature found by {(found > 0.5).mean():.1%} of {len(found)} settings")
    return rows


def paths(workflow: str, seeds: int) -> list[dict[str, float]]:
    """The pathfinder against visiting each batch in the order of choice."""
    rows = []
    for seed in range(seeds):
        discovery, whole = begun(workflow, RADII[1], NOISES[1], seed)
        plain, plain_last = searched(discovery, whole, SearchSettings(path=None, seed=seed))
        short, short_last = searched(discovery, whole, SearchSettings(path=PathSettings(TIP), seed=seed))
        places = discovery.patches.sites.positions
        lengths = [path_cost(places[last.visited], TIP) for last in (plain_last, short_last)]
        rows.append({"plain_px": lengths[0], "short_px": lengths[1], "plain": plain.found, "short": short.found})
        print(f"seed {seed}: path {lengths[0]:.0f} → {lengths[1]:.0f} px ({lengths[1] / lengths[0]:.2f}), found "
              f"{plain.found:.1%} → {short.found:.1%}", flush=True)  # fmt: skip
    return rows


def large(workflow: str) -> dict[str, float]:
    """Time of a whole discovery in 1,024 x 1,024 px, and memory of all descriptors in 2,048 x 2,048 px."""
    start = time.perf_counter()
    *_, last = Discovery.begin(SurveyImage(planted_image(1024).image), DiscoverySettings(workflow)).steps()
    seconds = time.perf_counter() - start
    discovery = Discovery.begin(SurveyImage(planted_image(2048).image), DiscoverySettings(workflow, stride=8))
    discovery.target.everywhere(discovery.patches)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"1,024 x 1,024 px, {len(last.visited)} sites: {seconds:.1f} s; 2,048 x 2,048 px, stride 8, "
          f"{len(discovery.patches)} sites described: peak {peak:.0f} MB")  # fmt: skip
    return {"seconds_1024": seconds, "peak_mb_2048": peak}


def main() -> None:
    """Measure, print, and write `results/discovery_planted.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", default="finding,sweep,paths,large", help="which of them, separated by commas")
    parser.add_argument("--workflows", default="fft-nmf,fft-pca,fft-nfindr")
    parser.add_argument("--lengths", default=",".join(map(str, range(1, 21))), help="of the sweep, in steps")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    names = given.workflows.split(",")
    found: dict[str, object] = {}
    parts: dict[str, Callable[[], object]] = {
        "large": lambda: large(names[0]),
        "finding": lambda: finding(names, given.seeds),
        "paths": lambda: paths(names[0], given.seeds),
        "sweep": lambda: sweep(names[0], [float(text) for text in given.lengths.split(",")]),
    }
    for part in given.parts.split(","):
        found[part] = parts[part]()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "discovery_planted.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
