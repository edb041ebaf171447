"""Tries to record in a folder that may not be written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import filelock  # noqa: F401 - imported while everything may still be read
import h5py  # noqa: F401
import numpy as np

from dkl_core.errors import RecordError
from dkl_core.record import RunHeader, RunRecord
from dkl_core.survey import SurveyImage

header = RunHeader({}, SurveyImage(np.zeros((5, 6))), None, {}, "2026-11-21T08:00:00+00:00")
folder = Path(sys.argv[1])
if os.geteuid() == 0:
    os.setuid(65534)  # permissions do not hold the superuser
try:
    RunRecord.create(folder / "run.h5", header)
except RecordError as error:
    print(error)
