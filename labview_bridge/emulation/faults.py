"""Faults at each call of the published VI: in the module, in the worker, in the files, on the disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from labview_bridge.emulation.published_vi import PublishedVI, State

Undo = Callable[[], None]
VIFile = Literal["scan", "compilation"]
WORKER_FILE, WORKER_MODULE = "worker.json", "labview_bridge.worker"


def worker_pid(runs: Path) -> int | None:
    """The process id of the worker that serves a runs folder, None where none runs.

    What a dead worker announced may by now be the number of another program's process; that is looked into.
    """
    with suppress(OSError, ValueError, KeyError):
        pid = int(json.loads((runs / WORKER_FILE).read_text(encoding="utf-8"))["pid"])
        return pid if str(runs.resolve()) in _command_line(pid) else None
    return None


def worker_pids(runs: Path) -> list[int]:
    """The processes that serve a runs folder or are about to; beyond Linux, the one that is announced."""
    if not Path("/proc/self/cmdline").exists():
        announced = worker_pid(runs)
        return [] if announced is None else [announced]
    running = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    words = {pid: _command_line(pid).split("\0") for pid in running}
    return [pid for pid, command in words.items() if WORKER_MODULE in command and str(runs.resolve()) in command]


def _command_line(pid: int) -> str:
    if Path("/proc/self/cmdline").exists():
        with suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
        return ""
    if os.name == "posix":
        done = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return done.stdout
    query = f"(Get-CimInstance Win32_Process -Filter 'ProcessId={pid}').CommandLine"
    done = subprocess.run(["powershell", "-NoProfile", "-Command", query], capture_output=True, text=True, check=False)
    return done.stdout


def nothing() -> None:
    """There is nothing to undo."""


class Fault(ABC):
    """Something that goes wrong while the VI makes one call."""

    states: tuple[State, ...] = (State.DECIDE, State.COMPILE)

    @property
    def name(self) -> str:
        """What a report calls it."""
        return " ".join([type(self).__name__, *(str(value) for value in vars(self).values() if isinstance(value, str))])

    @abstractmethod
    def strike(self, vi: PublishedVI) -> Undo:
        """Make it so before the call; the result makes it good after it."""


@dataclass(frozen=True)
class ExceptionInside(Fault):
    """An exception at the nth line that runs below the function that the VI calls.

    Attributes:
        line: counted from 0; a call that runs fewer lines is left alone.
    """

    line: int

    def strike(self, vi: PublishedVI) -> Undo:
        """See `Fault`."""
        vi.raise_at = self.line

        def undo() -> None:
            vi.raise_at = None

        return undo


@dataclass(frozen=True)
class WorkerKilled(Fault):
    """The worker ends by SIGKILL, before the call or during it.

    Attributes:
        runs: the runs folder, which says where the worker is.
        after_s: time into the call, s.
    """

    runs: Path
    after_s: float = 0.0

    def strike(self, _vi: PublishedVI) -> Undo:
        """See `Fault`."""
        if not self.after_s:
            self._kill()
            return nothing
        timer = threading.Timer(self.after_s, self._kill)
        timer.start()
        return timer.join

    def _kill(self) -> None:
        pid = worker_pid(self.runs)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class SlowFit(Fault):
    """The worker stands still during the call, as in a fit that takes its time.

    Attributes:
        runs: the runs folder.
    """

    runs: Path

    def strike(self, _vi: PublishedVI) -> Undo:
        """See `Fault`."""
        pid = worker_pid(self.runs)
        if pid is None:
            return nothing
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)

        def undo() -> None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

        return undo


@dataclass(frozen=True)
class FullDisk(Fault):
    """No file grows any more, neither the session's nor the worker's. Linux only.

    Attributes:
        runs: the runs folder.
    """

    runs: Path

    def strike(self, vi: PublishedVI) -> Undo:
        """See `Fault`."""
        limits = {pid: self._limited(pid, 0) for pid in self._processes(vi)}

        def undo() -> None:
            # A worker that was started meanwhile has inherited the limit.
            for pid in {*limits, *self._processes(vi)}:
                self._limited(pid, None)

        return undo

    def _processes(self, vi: PublishedVI) -> list[int]:
        worker = worker_pid(self.runs)
        return [vi.session.pid] if worker is None else [vi.session.pid, worker]

    @staticmethod
    def _limited(pid: int, size: int | None) -> None:
        import resource

        with suppress(ProcessLookupError):
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


@dataclass(frozen=True)
class _FileFault(Fault):
    """Something is wrong with a file of the VI while the call reads it.

    Attributes:
        file: which.
    """

    file: VIFile

    states = (State.DECIDE,)

    def strike(self, vi: PublishedVI) -> Undo:
        """See `Fault`."""
        assert vi.files is not None
        path = vi.files.scan if self.file == "scan" else vi.files.compilation
        return self._spoil(vi, path)

    @abstractmethod
    def _spoil(self, vi: PublishedVI, path: Path) -> Undo:
        """Spoil the file; the result mends it."""


class _ChangedFile(_FileFault):
    """The file holds something else for a while."""

    def _spoil(self, _vi: PublishedVI, path: Path) -> Undo:
        content = path.read_bytes()
        path.write_bytes(self.changed(content))

        def undo() -> None:
            path.write_bytes(content)

        return undo

    @abstractmethod
    def changed(self, content: bytes) -> bytes:
        """What it holds instead."""


class EmptyFile(_ChangedFile):
    """The file is empty."""

    def changed(self, _content: bytes) -> bytes:
        """See `_ChangedFile`."""
        return b""


class HalfWrittenFile(_ChangedFile):
    """The file ends in the middle of its last line."""

    def changed(self, content: bytes) -> bytes:
        """See `_ChangedFile`."""
        lines = content.splitlines(keepends=True)
        return b"".join(lines[:-1]) + lines[-1][: len(lines[-1]) // 2] if lines else b""


class CommaDecimalFile(_ChangedFile):
    """The file was written on a Windows whose decimal sign is a comma."""

    def changed(self, content: bytes) -> bytes:
        """See `_ChangedFile`."""
        return content.replace(b".", b",")


class MissingFile(_FileFault):
    """The file is not there."""

    def _spoil(self, _vi: PublishedVI, path: Path) -> Undo:
        aside = path.with_suffix(".aside")
        path.rename(aside)

        def undo() -> None:
            aside.rename(path)

        return undo


class LockedFile(_FileFault):
    """The session's process cannot open the file."""

    def _spoil(self, vi: PublishedVI, path: Path) -> Undo:
        vi.session.lock([path])

        def undo() -> None:
            vi.session.lock([])

        return undo


@dataclass(frozen=True)
class GarbledSpectrum(Fault):
    """The data acquisition gives something that is no spectrum.

    Attributes:
        kind: `NaN` values, an `empty` array, or one `channel` only.
    """

    kind: Literal["NaN", "empty", "channel"]

    states = (State.COMPILE,)

    def strike(self, vi: PublishedVI) -> Undo:
        """See `Fault`."""
        spoilt = {"NaN": np.full_like(vi.data, np.nan), "empty": np.zeros((0, 0)), "channel": vi.data[:1]}
        vi.data = spoilt[self.kind]
        return nothing


@dataclass(frozen=True)
class Struck:
    """A fault that was made.

    Attributes:
        iteration: at which measurement, counted from 1.
        state: before which call.
        name: which.
    """

    iteration: int
    state: State
    name: str


class Faults:
    """Strikes before every call, one fault at a time; given to `PublishedVI` as `before`.

    Args:
        faults: what may happen.
        seed: decides what happens when.
        share: share of the calls that are struck.
        spared: iterations at the start that are left alone.
    """

    def __init__(self, faults: Sequence[Fault], seed: int = 0, *, share: float = 1.0, spared: int = 0) -> None:
        self.struck: list[Struck] = []
        self._faults, self._share, self._spared = list(faults), share, spared
        self._rng = np.random.default_rng([seed, 11])
        self._undo: Undo = nothing
        self._due: dict[State, list[Fault]] = {}

    def __call__(self, vi: PublishedVI, state: State) -> None:
        """Undo the last fault; make the next if a call follows."""
        self.end()
        if state not in (State.DECIDE, State.COMPILE) or vi.iteration <= self._spared:
            return
        if self._rng.random() < self._share:
            fault = self._next(state)
            if fault is None:
                return
            self.struck.append(Struck(vi.iteration, state, fault.name))
            self._undo = fault.strike(vi)

    def end(self) -> None:
        """Undo the last fault."""
        undo, self._undo = self._undo, nothing
        undo()

    def _next(self, state: State) -> Fault | None:
        due = self._due.setdefault(state, [])
        if not due:
            # In random order, but each before any comes again.
            able = [fault for fault in self._faults if state in fault.states]
            due.extend(able[place] for place in self._rng.permutation(len(able)))
        return due.pop() if due else None


def every_fault(runs: Path, *, full_disk: bool | None = None) -> list[Fault]:
    """All kinds of fault, those that need Linux where it is Linux.

    Args:
        runs: the runs folder.
        full_disk: whether the full disk is among them; where it can be emulated by default.
    """
    files: tuple[VIFile, ...] = ("scan", "compilation")
    kinds = (EmptyFile, HalfWrittenFile, CommaDecimalFile, MissingFile, LockedFile)
    faults: list[Fault] = [kind(file) for kind in kinds for file in files]
    faults += [ExceptionInside(line) for line in (0, 3, 12, 40, 120, 400, 1500)]
    faults += [GarbledSpectrum("NaN"), GarbledSpectrum("empty"), GarbledSpectrum("channel")]
    if os.name == "posix":
        faults += [WorkerKilled(runs), WorkerKilled(runs, after_s=0.01), SlowFit(runs)]
    if can_fill_disk() if full_disk is None else full_disk:
        faults.append(FullDisk(runs))
    return faults


def can_fill_disk() -> bool:
    """Whether this system can limit the files of other processes, which the full disk needs."""
    try:
        import resource
    except ImportError:
        return False
    return hasattr(resource, "prlimit")
