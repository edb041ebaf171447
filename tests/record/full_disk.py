"""Records until the disk is full, here a limit on the size of files, then frees space.

Usage: full_disk.py append | fold
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from dkl_core.errors import RecordError
from dkl_core.record import Event, RunHeader, RunRecord, read_run
from dkl_core.survey import SurveyImage

HEADER = RunHeader({}, SurveyImage(np.zeros((5, 6))), None, {}, "2026-11-21T08:00:00+00:00")
PATH = Path("run.h5")


def limit(size: int) -> None:
    """No file may grow beyond this, bytes; -1 for no limit."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, -1))


def note(number: int) -> Event:
    """An event of 8 kB that cannot be compressed."""
    return Event("note", {"number": number}, {"noise": np.random.default_rng(number).random(1000)})


def used() -> int:
    """Bytes up to the end of the last event."""
    with h5py.File(PATH) as h5:
        journal = h5["journal"]
        return int(journal.id.get_offset()) + int(np.flatnonzero(journal[()])[-1]) + 1


def refused(action: str, *arguments: object) -> None:
    """The action fails for want of space."""
    with pytest.raises(RecordError, match=r"\A.*no space left.*\Z"):
        getattr(record, action)(*arguments)


def numbers() -> list[int]:
    """What is recorded."""
    with read_run(PATH) as run:
        return [event.data["number"] for event in run.events()]


record = RunRecord.create(PATH, HEADER, journal_bytes=100_000)
record.append(note(0))
if sys.argv[1] == "append":
    limit(used() + 4000)
    refused("append", note(1))
    refused("append", note(1))
else:
    limit(20_000)
    refused("checkpoint")
assert numbers() == [0]
assert {item.name for item in Path.cwd().iterdir()} == {"run.h5", "run.h5.lock"}
limit(-1)
record.append(note(2))
record.checkpoint()
record.append(note(3))
if sys.argv[1] == "append":
    record.close()
else:
    limit(20_000)
    refused("close")
    limit(-1)
assert numbers() == [0, 2, 3]
RunRecord.reopen(PATH).close()
