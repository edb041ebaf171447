"""Memory and longest pause of a run that records large diffraction patterns.

python -m benchmarks.record_patterns [--patterns N] [--size PX] [--mean COUNTS] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dkl_core.experiment import ExperimentSettings, RecordedExperiment, SeedSettings, StopRules
from dkl_core.measurement import Measurement, Scalar
from dkl_core.patches import PatchSettings
from dkl_core.record import read_run
from dkl_core.survey import SurveyImage


def main() -> None:
    """Record, resume, and print what it took as JSON."""
    args = _arguments()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        result = _recorded(Path(folder) / "run.h5", args.patterns, args.size, args.mean)
    print(json.dumps(result))


def _recorded(path: Path, count: int, size: int, mean: float) -> dict[str, float]:
    rng = np.random.default_rng(0)
    survey = SurveyImage(rng.random((128, 128)))
    settings = ExperimentSettings(PatchSettings(8, 2), seeds=SeedSettings(1), stop=StopRules(max(count, 20)))
    disk = _disk(size)
    pauses, first = [], rng.poisson(mean * disk).astype(np.uint16)
    with RecordedExperiment.start(path, survey, settings) as recorded:
        for number in range(count):
            pattern = first if number == 0 else rng.poisson(mean * disk).astype(np.uint16)
            start = time.perf_counter()
            recorded.experiment.tell(number, Measurement(Scalar(float(number % 7)), pattern))
            pauses.append(time.perf_counter() - start)
        start = time.perf_counter()
    closing = time.perf_counter() - start
    written = _peak()
    start = time.perf_counter()
    with RecordedExperiment.resume(path) as recorded:
        resuming = time.perf_counter() - start
        assert len(recorded.experiment.told) == count
    with read_run(path) as contents:
        assert np.array_equal(contents.raw(0), first)  # type: ignore[arg-type]
    return {
        "patterns": count,
        "raw_mib": count * first.nbytes / 2**20,
        "file_mib": path.stat().st_size / 2**20,
        "peak_rss_mib": written / 2**20,
        "peak_rss_resumed_mib": _peak() / 2**20,
        "tell_ms_median": 1000 * float(np.median(pauses)),
        "tell_s_longest": max(pauses),
        "tells_s": sum(pauses),
        "close_s": closing,
        "resume_s": resuming,
    }


def _disk(size: int) -> NDArray[np.float64]:
    """A bright disk on a faint background, mean 1."""
    place = np.arange(size) - size / 2
    disk = 0.05 + 1.0 * (np.hypot(place[:, None], place) < size / 4)
    return np.asarray(disk / disk.mean(), dtype=np.float64)


def _peak() -> float:
    """Most memory the process has used so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--patterns", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--size", type=int, default=512, help="edge of a pattern in pixels (default 512)")
    parser.add_argument("--mean", type=float, default=2.0, help="mean counts per pixel (default 2)")
    parser.add_argument("--folder", help="where to write; a temporary folder by default")
    return parser.parse_args()


if __name__ == "__main__":
    main()
