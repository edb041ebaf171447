"""Shared by the peers' scripts: read the problem, time two fits, write what was found. Needs only NumPy."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
FitPredict = Callable[[Array, Array, Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Timings:
    """What one peer needed and how well it predicted.

    Attributes:
        peer: name and version.
        cold_s: first fit and prediction of all sites, compilation included, s.
        warm_s: the next fit and prediction in the same process, with ten more measurements, s.
        r2: explained variance of the sites not measured, after the second fit.
        coverage90: share of those sites whose value lies in the 90 % interval, noise included.
        peak_mb: largest memory the process took, MB.
    """

    peer: str
    cold_s: float
    warm_s: float
    r2: float
    coverage90: float
    peak_mb: float


def run(peer: str, fit_predict: FitPredict) -> None:
    """Times a peer on the problem named on the command line and writes the result as JSON.

    Args:
        peer: name and version.
        fit_predict: from training patches (n, d), training values (n,) and all patches (m, d) to predicted means and
            variances (m,), both as NumPy arrays, so that nothing is still being computed when it returns.
    """
    parser = argparse.ArgumentParser(description=f"time {peer}")
    parser.add_argument("problem", type=Path, help="input .npz with X_ and y_ of train, more and test")
    parser.add_argument("result", type=Path, help="output .json")
    given = parser.parse_args()
    with np.load(given.problem) as data:
        arrays = {name: data[name] for name in data.files}
    result = _timed(peer, fit_predict, arrays)
    given.result.write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")


def _timed(peer: str, fit_predict: FitPredict, data: dict[str, Array]) -> Timings:
    everything = np.concatenate([data["X_train"], data["X_more"], data["X_test"]])
    started = time.perf_counter()
    _scaled_fit(fit_predict, data["X_train"], data["y_train"], everything)
    between = time.perf_counter()
    features = np.concatenate([data["X_train"], data["X_more"]])
    values = np.concatenate([data["y_train"], data["y_more"]])
    mean, variance = _scaled_fit(fit_predict, features, values, everything)
    ended = time.perf_counter()
    error = data["y_test"] - mean[len(values) :]
    inside = np.abs(error) <= 1.6449 * np.sqrt(variance[len(values) :])
    return Timings(
        peer=peer,
        cold_s=between - started,
        warm_s=ended - between,
        r2=float(1 - np.mean(error**2) / np.var(data["y_test"])),
        coverage90=float(inside.mean()),
        peak_mb=_peak_mb(),
    )


def _scaled_fit(fit_predict: FitPredict, features: Array, values: Array, sites: Array) -> tuple[Array, Array]:
    # The published runs scale the measured values to 0 ... 1.
    low, width = values.min(), np.ptp(values)
    mean, variance = fit_predict(features, (values - low) / width, sites)
    return low + width * mean, width**2 * variance


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
