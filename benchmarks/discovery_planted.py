"""What a structural discovery finds in images with a planted second phase: `python -m benchmarks.discovery_planted`.

`found` and `wrong` compare the reconstruction with the whole map of its target, which the search never saw; `phase` and
`phase_wrong` with the phase as it was planted, pixel by pixel, which the components never saw either.
"""

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
from dkl_core.discovery.discover import Judged, judged, reconstruction
from dkl_core.discovery.metrics import edge_level, found_share
from dkl_core.discovery.pathfinder import path_cost
from dkl_core.discovery.planted import planted_image
from dkl_core.discovery.process import KernelName
from dkl_core.discovery.search import SearchStep
from dkl_core.survey import FloatArray, SurveyImage

RESULTS = Path(__file__).parent / "results"
SIZE, RADII, NOISES = 428, (20.0, 40.0, 60.0), (0.3, 1.0, 2.0)
ACQUISITIONS: tuple[AcquisitionName, ...] = ("ei", "ucb", "pi")
BETA = 16.0
TIP = Travel("tip")


def begun(workflow: str, radius: float, noise: float, seed: int = 0) -> tuple[Discovery, FloatArray]:
    """A discovery in 10,000 sites that has learned its components, and the whole map it is judged by."""
    image = planted_image(SIZE, radius, noise, seed).image
    discovery = Discovery.begin(SurveyImage(image), DiscoverySettings(workflow, window=32, stride=4, seed=seed))
    return discovery, discovery.target.everywhere(discovery.patches)


def planted_found(
    discovery: Discovery, last: SearchStep, whole: FloatArray, radius: float, noise: float, seed: int
) -> tuple[float, float]:
    """Share of the planted phase's sites that the reconstruction shows, and share of what it shows that is none."""
    rows, cols = discovery.patches.sites.positions.T
    phase = planted_image(SIZE, radius, noise, seed).phase[rows, cols]
    return found_share(reconstruction(last), phase, edge_level(whole, discovery.target.margin))


def searched(discovery: Discovery, whole: FloatArray, settings: SearchSettings) -> tuple[Judged, SearchStep]:
    """A search of the image and how good it was."""
    changed = replace(discovery, settings=replace(discovery.settings, search=settings))
    *_, last = changed.steps()
    return judged(changed, last, whole), last


def finding(workflows: list[str], seeds: int) -> list[dict[str, float | str]]:
    """Bar by size, noise and workflow, the least and the mean over seeds."""
    rows: list[dict[str, float | str]] = []
    for workflow, radius, noise in itertools.product(workflows, RADII, NOISES):
        runs, phases = [], []
        for seed in range(seeds):
            discovery, whole = begun(workflow, radius, noise, seed)
            run, last = searched(discovery, whole, SearchSettings(seed=seed))
            runs.append(run)
            phases.append(planted_found(discovery, last, whole, radius, noise, seed))
        row: dict[str, float | str] = {"workflow": workflow, "radius_px": radius, "noise": noise}
        for name in ("found", "wrong", "similarity", "feature"):
            row[name] = float(np.mean([getattr(run, name) for run in runs]))
        row["phase"], row["phase_wrong"] = (float(np.mean(values)) for values in zip(*phases, strict=True))
        row["least_found"] = min(run.found for run in runs)
        row["least_phase"] = min(found for found, _ in phases)
        row["least_similarity"] = min(run.similarity for run in runs)
        rows.append(row)
        print(
            f"{workflow:10s} radius {radius:3.0f} px noise {noise:3.1f}: phase found {row['phase']:6.1%} (least "
            f"{row['least_phase']:6.1%}), {row['phase_wrong']:5.1%} of what is shown is none; of the map found "
            f"{row['found']:6.1%} (least {row['least_found']:6.1%}), wrong {row['wrong']:5.1%}, SSIM "
            f"{row['similarity']:.2f} (least {row['least_similarity']:.2f}), feature {row['feature']:.1%} of the sites",
            flush=True,
        )
    return rows


def sweep(workflow: str, given: list[float]) -> list[dict[str, float | str | None]]:
    """Correlation length × kernel × acquisition, in the image of middle size and noise."""
    discovery, whole = begun(workflow, RADII[1], NOISES[1])
    rows: list[dict[str, float | str | None]] = []
    lengths = (*given, None)
    for kernel, name, length in itertools.product(get_args(KernelName), ACQUISITIONS, lengths):
        acquisition = AcquisitionSettings(name, beta=ConstantBeta(BETA))
        result, last = searched(discovery, whole, SearchSettings(ProcessSettings(kernel, length), acquisition))
        rows.append({"kernel": kernel, "acquisition": name, "length": length, "mean_std": float(last.std.mean())})
        rows[-1] |= {"found": result.found, "wrong": result.wrong, "similarity": result.similarity}
        print(f"{kernel:9s} {name:4s} length {length or 'learned'}: found {result.found:6.1%}, SSIM "
              f"{result.similarity:.2f}", flush=True)  # fmt: skip
    draw_sweep(rows)
    found = np.array([row["found"] for row in rows], dtype=float)
    print(f"over half of the feature found by {(found > 0.5).mean():.1%} of {len(found)} settings")
    return rows


def draw_sweep(rows: list[dict[str, float | str | None]]) -> None:
    """What was found, SSIM and mean uncertainty over the correlation length, as the paper's figures 7 and 8."""
    from matplotlib.figure import Figure

    from dkl_core.report import save_figure

    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots(3, 3, sharex=True, sharey="row")
    shown = (("found", "feature found"), ("similarity", "SSIM"), ("mean_std", "mean uncertainty"))
    for column, name in enumerate(ACQUISITIONS):
        for axis, (key, label) in zip(axes[:, column], shown, strict=True):
            for kernel in get_args(KernelName):
                mine = [row for row in rows if row["kernel"] == kernel and row["acquisition"] == name and row["length"]]
                axis.plot([row["length"] for row in mine], [row[key] for row in mine], ".-", label=kernel)
            axis.set_ylabel(label if column == 0 else "")
            axis.grid(alpha=0.3)
        axes[0, column].set_title(name.upper())
        axes[0, column].axhline(0.5, color="0.5", linestyle="--", linewidth=1)
        axes[-1, column].set_xlabel("correlation length, steps of the site grid")
    axes[0, 0].legend(loc="lower right")
    RESULTS.mkdir(exist_ok=True)
    save_figure(figure, RESULTS / "discovery_sweep.png", dpi=90)


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
    parser.add_argument("--workflows", default="fft-pca,fft-nmf,fft-nfindr", help="sweep, paths: the first")
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
