"""Tries to write a run that somebody else writes."""

from __future__ import annotations

import sys

from dkl_core.errors import RecordError
from dkl_core.record import RunRecord

try:
    RunRecord.reopen(sys.argv[1])
except RecordError as error:
    print(error)
