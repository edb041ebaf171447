"""Leaves closing the run to the end of the process."""

from __future__ import annotations

import atexit
from pathlib import Path

import numpy as np

from dkl_core.record import Event, RunHeader, RunRecord
from dkl_core.survey import SurveyImage

header = RunHeader({}, SurveyImage(np.zeros((5, 6))), None, {}, "2026-11-21T08:00:00+00:00")
record = RunRecord.create(Path("run.h5"), header)
record.append(Event("ask", {"site": 1}))
atexit.register(record.close)
