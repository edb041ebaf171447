"""This project on the common problem, timed as the peers are; `make bench-peers` runs it beside them."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.timing import Timings
from benchmarks.problem import STRIDE, WINDOW, Problem, make_problem
from dkl_core import __version__
from dkl_core.patches import PatchSettings, make_patches
from dkl_core.replay import fit_quality
from dkl_core.surrogate import Surrogate
from dkl_core.survey import SurveyImage


def timings(problem: Problem) -> Timings:
    """Fit to 200 and then to 210 measurements, predicting all sites each time, as the peers do."""
    start = time.perf_counter()
    surrogate = _surrogate(problem)
    learned = problem.order[:200]
    _step(surrogate, problem, learned)
    cold = time.perf_counter() - start
    learned = problem.order[:210]
    start = time.perf_counter()
    mean, std = _step(surrogate, problem, learned)
    warm = time.perf_counter() - start
    held = problem.order[210:]
    fit = fit_quality(problem.scalar[held], mean[held], std[held], float(problem.scalar[learned].std()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    return Timings(f"dkl-microscopy {__version__}", cold, warm, fit.r2, fit.coverage90, peak)


def _surrogate(problem: Problem) -> Surrogate:
    settings = PatchSettings(window=WINDOW, stride=STRIDE)
    return Surrogate(make_patches(SurveyImage(problem.image), settings, positions=problem.sites))


def _step(
    surrogate: Surrogate, problem: Problem, learned: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    surrogate.fit(learned, problem.scalar[learned])
    prediction = surrogate.predict()
    return prediction.mean, prediction.measurement_std


def main() -> None:
    """Write the timings as JSON, like a peer's script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problem", type=Path, help="ignored: the problem is made in code, the same for everybody")
    parser.add_argument("result", type=Path, help="output .json")
    given = parser.parse_args()
    found = timings(make_problem())
    given.result.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
