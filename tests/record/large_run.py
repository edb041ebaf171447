"""Records large patterns and prints how much memory that took, in bytes beyond what was used before."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import filelock  # noqa: F401 - its memory is not the record's
import h5py  # noqa: F401
import numpy as np

from dkl_core.record import Event, RunHeader, RunRecord, read_run
from dkl_core.survey import SurveyImage


def peak() -> int:
    """Most memory used so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


header = RunHeader({}, SurveyImage(np.zeros((64, 64))), None, {}, "2026-11-21T08:00:00+00:00")
data = {"site": 0, "row": 0, "col": 0, "value": 1.0, "valid": True, "reason": "", "attempt": 1}
data |= {"noise_variance": None, "seconds": 0.1, "dose": None, "time": 0.0, "details": {}}
pattern = np.random.default_rng(0).integers(0, 2**16, (512, 512)).astype(np.uint16)
before = peak()
with RunRecord.create(Path("run.h5"), header) as record:
    for _ in range(int(sys.argv[1])):
        record.append(Event("tell", data, {"raw": pattern}))
with read_run(Path("run.h5")) as run:
    total = sum(event.arrays["raw"].nbytes for event in run.events())
print(total, peak() - before)
