"""Tells large patterns, resumes, and prints their size, the memory this took beyond the start, the longest tell."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import numpy as np

from dkl_core.experiment import ExperimentSettings, RecordedExperiment, SeedSettings, StopRules
from dkl_core.measurement import Measurement, Scalar
from dkl_core.patches import PatchSettings
from dkl_core.survey import SurveyImage


def peak() -> int:
    """Most memory used so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


rng = np.random.default_rng(0)
settings = ExperimentSettings(PatchSettings(8, 4), seeds=SeedSettings(1), stop=StopRules(1000))
pattern = rng.poisson(100.0, (512, 512)).astype(np.uint16)
count, longest, before = int(sys.argv[1]), 0.0, 0
with RecordedExperiment.start(Path("run.h5"), SurveyImage(rng.random((128, 128))), settings) as recorded:
    for number in range(count):
        start = time.perf_counter()
        recorded.experiment.tell(number, Measurement(Scalar(1.0), pattern.copy()))
        longest = max(longest, time.perf_counter() - start)
        before = before or peak()
with RecordedExperiment.resume(Path("run.h5")) as recorded:
    assert len(recorded.experiment.told) == count
print(count * pattern.nbytes, peak() - before, longest)
