"""Kills a writer, at random instants or at a named moment, and checks what it left.

Usage: kill_rounds.py random ROUNDS | kill_rounds.py at MOMENT
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import filelock  # noqa: F401 - here rather than in every process that is killed
import h5py
import numpy as np

from dkl_core.record import Event, RunHeader, RunRecord, appender, newfile, read_run
from dkl_core.survey import SurveyImage

NUMBER = struct.Struct("<q")
JOURNAL_BYTES = 12_000
HEADER = RunHeader({}, SurveyImage(np.arange(30.0).reshape(5, 6)), None, {}, "2026-11-21T08:00:00+00:00")


def event(number: int) -> Event:
    """The event that any writer records under this number."""
    if number % 7 == 3:
        return Event("fit", {"number": number}, {"w": np.full(20, number)})
    data = {"site": number, "row": 0, "col": 0, "value": number / 3, "valid": True, "reason": "", "attempt": 1}
    data |= {"noise_variance": None, "seconds": 0.1, "dose": None, "time": 0.0, "details": {}}
    return Event("tell", data, {"raw": np.random.default_rng(number).random((4, 30))})


def write(path: Path, acknowledge: Callable[[int], object]) -> None:
    """Record events for ever."""
    if path.exists():
        record = RunRecord.reopen(path, journal_bytes=JOURNAL_BYTES)
    else:
        record = RunRecord.create(path, HEADER, journal_bytes=JOURNAL_BYTES)
    with read_run(path) as run:
        start = len(run)
    for number in itertools.count(start):
        assert record.append(event(number)) == number
        acknowledge(number)


def killed(path: Path, until: Callable[[IO[bytes]], bytes], prepare: Callable[[], None] = lambda: None) -> int:
    """Let a new process write and kill it; returns how many events are acknowledged by then.

    Args:
        path: the run's file.
        until: reads acknowledgements until the process should be killed.
        prepare: called in the process before it writes.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        prepare()
        write(path, lambda number: os.write(writing, NUMBER.pack(number)))
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        seen = until(pipe)
        os.kill(child, signal.SIGKILL)
        seen += pipe.read()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, "the writer failed by itself"
    return NUMBER.unpack(seen[-NUMBER.size :])[0] + 1 if seen else 0


def after(events: int, seconds: float) -> Callable[[IO[bytes]], bytes]:
    """Until so many acknowledgements have come and a little later."""

    def wait(pipe: IO[bytes]) -> bytes:
        seen = pipe.read(events * NUMBER.size)
        time.sleep(seconds)
        return seen

    return wait


def check(path: Path, acknowledged: int) -> int:
    """Every acknowledged event is there, whole; returns how many are."""
    with h5py.File(path) as h5:
        h5.visititems(lambda _, item: item[()] if isinstance(item, h5py.Dataset) else None)
    with read_run(path) as run:
        found = list(run.events())
        assert len(found) >= acknowledged, (len(found), acknowledged)
        for number, one in enumerate(found):
            expected = event(number)
            assert one.data == expected.data
            for name in one.arrays:
                assert np.array_equal(one.arrays[name], expected.arrays[name])
            assert one.kind == "fit" or set(one.arrays) == {"raw"}
    return len(found)


def random_rounds(rounds: int) -> None:
    """Kill at random instants, going on with the same file a few times."""
    chance = random.Random(1)
    acknowledged = 0
    for number in range(rounds):
        path = Path(f"run{number // 8}.h5")
        acknowledged = acknowledged if path.exists() else 0
        until = after(chance.choice([0, 1, 10, 20, 30]), chance.uniform(0.0, 0.03))
        acknowledged = max(acknowledged, killed(path, until))
        if path.exists() or acknowledged:
            acknowledged = check(path, acknowledged)
            print(acknowledged)


def moments() -> dict[str, Callable[[], None]]:
    """Ways to die at one place of the code."""

    def die(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    def on_call(owner: Any, name: str, count: int, first: Callable[..., Any], created: bool = True) -> None:
        original, calls = getattr(owner, name), itertools.count(1)

        def patched(*arguments: Any, **keywords: Any) -> Any:
            if Path("run.h5").exists() == created and next(calls) == count:
                first(*arguments)
                die()
            return original(*arguments, **keywords)

        setattr(owner, name, patched)

    def half(file: Any, data: bytes) -> None:
        file.write(data[: len(data) // 2])

    return {
        "while an event is half written": lambda: on_call(appender, "write_all", 23, half),
        "before an event is flushed": lambda: on_call(os, "fsync", 23, lambda *_: None),
        "while the file is created": lambda: on_call(newfile, "write_all", 2, half, created=False),
        "while the file is put in order": lambda: on_call(newfile, "write_all", 20, half),
        "before the new file takes the old one's place": lambda: on_call(Path, "replace", 2, lambda *_: None),
        "after the new file has taken the old one's place": lambda: on_call(Path, "replace", 2, Path.rename),
    }


def at(moment: str) -> None:
    """Die at a moment, then go on."""
    path = Path("run.h5")
    acknowledged = killed(path, lambda pipe: pipe.read(), moments()[moment])
    print(acknowledged, check(path, acknowledged) if path.exists() or acknowledged else 0)
    more = killed(path, after(5, 0.0))
    assert more >= acknowledged + 5
    check(path, more)


if __name__ == "__main__":
    way, what = sys.argv[1:]
    if way == "random":
        random_rounds(int(what))
    else:
        at(what)
