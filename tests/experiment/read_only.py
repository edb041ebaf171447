"""Tries to resume a run in a folder that may not be written, and reads it instead.

Usage: read_only.py RUN.h5
"""

from __future__ import annotations

import os
import sys

import filelock  # noqa: F401 - imported while everything may still be read
import h5py  # noqa: F401

from dkl_core.errors import RecordError
from dkl_core.experiment import RecordedExperiment
from dkl_core.record import read_run

if os.geteuid() == 0:
    os.setuid(65534)  # permissions do not hold the superuser
try:
    RecordedExperiment.resume(sys.argv[1])
except RecordError as error:
    print(error)
with read_run(sys.argv[1]) as contents:
    print(f"{len(contents.measurements)} measurement")
