"""How long the core takes to decide, to refit and to replay, and how that grows: `make bench`."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.problem import make_problem
from dkl_core.experiment import Experiment, ExperimentSettings, StopRules
from dkl_core.patches import PatchSettings, make_patches
from dkl_core.surrogate import Surrogate
from dkl_core.survey import SurveyImage

PUBLISHED = PatchSettings(window=30, stride=10)
RESULTS = Path(__file__).parent / "results"


def surface(sites_per_side: int, seed: int = 0) -> tuple[SurveyImage, NDArray[np.float64]]:
    """A rough surface with that many sites 10 px apart, and a scalar at each that follows its slope."""
    from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude

    edge = 10 * sites_per_side + 30
    rng = np.random.default_rng(seed)
    image = SurveyImage(gaussian_filter(rng.normal(size=(edge, edge)), 4))
    positions = make_patches(image, PUBLISHED).sites.positions
    slope = gaussian_gradient_magnitude(image.values, 4)[positions[:, 0], positions[:, 1]]
    scalar = (slope - slope.mean()) / slope.std() + 0.2 * rng.normal(size=len(positions))
    return image, scalar


def decision_ms(measured: int, sites_per_side: int, decisions: int = 40) -> float:
    """Median time from `tell` to the next site without a refit, ms, at that many measurements."""
    image, scalar = surface(sites_per_side)
    settings = ExperimentSettings(patches=PUBLISHED, stop=StopRules(10**6), refit_growth=1e9)
    experiment = Experiment(image, settings)
    order = np.random.default_rng(0).permutation(len(experiment.sites))
    for index in order[:measured]:
        experiment.tell(int(index), float(scalar[index]))
    site = experiment.ask()[0]
    times = []
    for _ in range(decisions):
        start = time.perf_counter()
        experiment.tell(site, float(scalar[site.index]))
        site = experiment.ask()[0]
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times))


def refit_ms(measured: int, refits: int = 10) -> dict[str, float]:
    """Median time of a warm refit with 2,304 sites of 30 x 30 px, each with two more measured, ms; and the first."""
    image, scalar = surface(48)
    surrogate = Surrogate(make_patches(image, PUBLISHED))
    order = np.random.default_rng(0).permutation(len(surrogate))
    times = []
    for count in range(measured - 2 * refits, measured + 1, 2):
        start = time.perf_counter()
        surrogate.fit(order[:count], scalar[order[:count]])
        surrogate.predict()
        times.append(1000 * (time.perf_counter() - start))
    return {"first": times[0], "warm": float(np.median(times[1:]))}


def replay_s(budget: int = 200) -> float:
    """Wall time of a whole experiment on the common problem's 2,304 innermost sites, s."""
    problem = make_problem()
    image = SurveyImage(problem.image)
    known = {tuple(site): value for site, value in zip(problem.sites.tolist(), problem.scalar, strict=True)}
    positions = [site for site in problem.sites.tolist() if max(site) < 15 + 480]
    start = time.perf_counter()
    experiment = Experiment(image, ExperimentSettings(patches=PUBLISHED, stop=StopRules(budget)), positions=positions)
    while sites := experiment.ask():
        experiment.tell(sites[0], float(known[sites[0].row, sites[0].col]))
    return time.perf_counter() - start


def growth(quick: bool) -> dict[str, list[tuple[int, float]]]:
    """Decision and refit times against the number of measurements and of sites."""
    counts = (50, 100, 200) if quick else (50, 100, 200, 500, 1000)
    sides = (25, 50) if quick else (25, 50, 100, 200)
    return {
        "decision with 10,000 sites": [(n, decision_ms(n, 100, 15)) for n in counts],
        "refit with 2,304 sites": [(n, refit_ms(n, 3)["warm"]) for n in counts],
        "decision with 200 measurements": [(side * side, decision_ms(200, side, 15)) for side in sides],
    }


def draw(grown: dict[str, list[tuple[int, float]]], path: Path) -> None:
    """Times against measurements and sites, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for label, points in grown.items():
        axes = right if label.endswith("measurements") else left
        axes.loglog(*zip(*points, strict=True), "o-", label=label)
    left.set(xlabel="measurements", ylabel="median time (ms)")
    right.set(xlabel="sites")
    for axes in (left, right):
        axes.grid(alpha=0.3, which="both")
        axes.legend()
    figure.savefig(path, dpi=150)


@contextmanager
def announced(name: str) -> Iterator[Callable[[float, str], None]]:
    """Print what is measured, then its figure."""
    print(f"{name:64s}", end="", flush=True)
    yield lambda value, unit: print(f"{value:8.1f} {unit}")


def main() -> None:
    """Measure, print, and write `results/speed.json` and `results/growth.png`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer points in the growth curves")
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "")
    found: dict[str, object] = {}
    with announced("tell to next site, 500 measurements, 10,000 sites, median") as tell:
        found["decision_ms"] = value = decision_ms(500, 100)
        tell(value, "ms")
    with announced("warm refit, 200 measurements, 2,304 sites of 30 x 30 px, median") as tell:
        refits = refit_ms(200)
        found["refit_ms"], found["first_fit_ms"] = refits["warm"], refits["first"]
        tell(refits["warm"], "ms")
    with announced("whole experiment, 200 measurements of 2,304 sites") as tell:
        found["replay_s"] = value = replay_s()
        tell(value, "s")
    found["growth"] = grown = growth(given.quick)
    RESULTS.mkdir(exist_ok=True)
    draw(grown, RESULTS / "growth.png")
    (RESULTS / "speed.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for label, points in grown.items():
        print(f"{label}: " + ", ".join(f"{n:,}: {ms:.1f} ms" for n, ms in points))
    print(f"written: {RESULTS / 'speed.json'}, {RESULTS / 'growth.png'}")


if __name__ == "__main__":
    main()
