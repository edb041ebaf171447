"""Presses Ctrl-C once or twice while HDF5 writes the file anew, and goes on recording.

Usage: interrupted.py PRESSES
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from pathlib import Path

import numpy as np

from dkl_core.record import Event, RunHeader, RunRecord, newfile, read_run
from dkl_core.survey import SurveyImage

HEADER = RunHeader({}, SurveyImage(np.zeros((5, 6))), None, {}, "2026-11-21T08:00:00+00:00")
PATH = Path("run.h5")
EVENTS = 10
left = interrupts = 0
write_all = newfile.write_all


def on_interrupt(*_: object) -> None:
    """What Python does, but no more often than is caught below."""
    global left, interrupts
    if left:
        left, interrupts = left - 1, interrupts + 1
        raise KeyboardInterrupt


def pressed(file: io.FileIO, data: bytes) -> None:
    """Ctrl-C comes with each write."""
    if left:
        os.kill(os.getpid(), signal.SIGINT)
    write_all(file, data)


signal.signal(signal.SIGINT, on_interrupt)
newfile.write_all = pressed
record = RunRecord.create(PATH, HEADER)
for number in range(EVENTS):
    with contextlib.suppress(KeyboardInterrupt), contextlib.suppress(KeyboardInterrupt):
        left = int(sys.argv[1])
        record.checkpoint()
    left = 0
    assert record.append(Event("ask", {"site": number})) == number
record.close()
assert interrupts >= EVENTS
assert [item.name for item in Path.cwd().iterdir()] == ["run.h5"]
with read_run(PATH) as run:
    assert [event.data["site"] for event in run.events()] == list(range(EVENTS))
