"""Does the bridge leak? Polls and kill / reopen cycles of the worker, with processes, threads and handles counted.

    python -m benchmarks.labview_soak [--polls 10000] [--cycles 100]

A run is measured a little further in each cycle; then the worker is killed with SIGKILL and the VI goes on. Printed are
the counts before and after, and how long calls took.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

CLIENT = Path(__file__).resolve().parents[1] / "labview_bridge" / "labview" / "dkl_bridge.py"
_LIMIT_S = 300.0
_SEEDS = 1000
_SETTLE_S = 60.0


@dataclass(frozen=True)
class Counts:
    """What a process holds.

    Attributes:
        children: processes that it has started and that are there, ended ones that nobody has asked about included.
        threads: threads.
        files: file descriptors or handles, sockets included.
    """

    children: int
    threads: int
    files: int

    @classmethod
    def of(cls, process: psutil.Process) -> Counts:
        """Those of a process now."""
        files = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
        return cls(len(process.children()), process.num_threads(), files)

    def exceeds(self, other: Counts) -> bool:
        """Whether there is more of anything than before."""
        return self.children > other.children or self.threads > other.threads or self.files > other.files


@dataclass
class Soak:
    """A VI that polls, is interrupted, and goes on.

    Args:
        folder: an empty folder.

    Attributes:
        seconds: how long each call took, s.
    """

    folder: Path
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._client = loaded_client(written_settings(self.folder, preload=False))
        config = {"run": "soak", "scalarizer": "positive_area", "window": 8, "step": 2}
        budget = {"seeds": _SEEDS, "budget": _SEEDS}
        self._handle = self._ask("session_open", json.dumps({**config, **budget}))[0]
        image = [[math.sin(i / 9) + math.cos(j / 7) for j in range(96)] for i in range(96)]
        self._ask("session_set_image", self._handle, image, 50e-9, 50e-9, 0.0, 0.0, 0.0, True)

    def poll(self, count: int) -> None:
        """Poll a job so often."""
        (job,) = self._ask("suggest_start", self._handle)
        for _ in range(count):
            self._ask("suggest_poll", self._handle, job)

    def measure(self) -> int:
        """One measurement; gives the number of its point."""
        (job,) = self._ask("suggest_start", self._handle)
        _until(lambda: self._ask("suggest_poll", self._handle, job)[0] == 1)
        point: int = self._ask("suggest_get", self._handle, job)[0]
        bias = [0.1 * step - 1.0 for step in range(21)]
        self._ask("submit_result", self._handle, point, bias, [[abs(value) + 0.01 * point for value in bias]])
        return point

    def kill(self) -> None:
        """SIGKILL to the worker."""
        process = self.worker()
        process.kill()
        _until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)

    def worker(self) -> psutil.Process:
        """The worker's process."""
        return psutil.Process(json.loads((self.folder / "runs" / "worker.json").read_text())["pid"])

    def measured(self) -> int:
        """How many measurements the run holds."""

        def is_recovered() -> bool:
            status = json.loads(self._client.status_json(self._handle))
            return not status["working"] and "measured" in status

        _until(is_recovered)
        return int(json.loads(self._client.status_json(self._handle))["measured"])

    def settled(self, before: Counts) -> Counts:
        """What this process holds when killed workers are gone, or after some time if that is more than before."""
        until = time.monotonic() + _SETTLE_S
        while (now := Counts.of(psutil.Process())).exceeds(before) and time.monotonic() < until:
            # The system needs a moment for a killed process; a call makes the client take note.
            self._client.bridge_ping(self._handle)
            time.sleep(0.05)
        return now

    def end(self) -> None:
        """End the worker in order."""
        self._client.bridge_stop()
        for child in self._client._children:  # noqa: SLF001 - a VI ends with its process, this one goes on
            child.wait()
        for worker in self._client._workers.values():  # noqa: SLF001
            worker.disconnect()

    def _ask(self, name: str, *arguments: Any) -> tuple[Any, ...]:
        start = time.perf_counter()
        code, text, *rest = getattr(self._client, name)(*arguments)
        self.seconds.append(time.perf_counter() - start)
        if code:
            raise RuntimeError(f"{name}: {code} {text}")
        return tuple(rest)


@dataclass(frozen=True)
class Leaks:
    """What there was at the beginning and at the end.

    Attributes:
        here: this process, before and after.
        worker: a worker that has been polled, before and after.
        measured: measurements at the end.
        expected: measurements that were submitted.
        median_s: of all calls, s.
        p99_s: the same, 99th percentile.
    """

    here: tuple[Counts, Counts]
    worker: tuple[Counts, Counts]
    measured: int
    expected: int
    median_s: float
    p99_s: float


def soak(folder: Path, polls: int, cycles: int) -> Leaks:
    """Poll, then kill and go on, and count."""
    vi = Soak(folder)
    try:
        vi.measure()
        vi.measured()
        vi.poll(1)
        worker, before = Counts.of(vi.worker()), Counts.of(psutil.Process())
        vi.poll(polls)
        polled = Counts.of(vi.worker())
        taken = sorted(vi.seconds)
        for _ in range(cycles):
            vi.kill()
            vi.measure()
        measured = vi.measured()
        after = vi.settled(before)
    finally:
        vi.end()
    median, p99 = (taken[int(share * (len(taken) - 1))] for share in (0.5, 0.99))
    return Leaks((before, after), (worker, polled), measured, cycles + 1, median, p99)


def main() -> None:
    """Run it and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labview_soak", description=__doc__)
    parser.add_argument("--polls", type=int, default=10_000)
    parser.add_argument("--cycles", type=int, default=100)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = soak(Path(folder), args.polls, args.cycles)
    print(f"{args.polls} polls, {args.cycles} kill / reopen cycles")
    print(f"this process: {found.here[0]} -> {found.here[1]}")
    print(f"worker:       {found.worker[0]} -> {found.worker[1]}")
    print(f"measurements: {found.measured} of {found.expected}")
    print(f"calls: median {1e3 * found.median_s:.2f} ms, p99 {1e3 * found.p99_s:.2f} ms")
    print(f"threads left here: {threading.active_count()}")


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + _LIMIT_S
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError("the worker did not do what was asked in time")
        time.sleep(0.005)


def written_settings(folder: Path, *, preload: bool) -> Path:
    """A settings file for a runs folder beside it.

    Args:
        folder: where both are to be.
        preload: whether the worker loads PyTorch when it starts.
    """
    path, runs = folder / "settings.json", str(folder / "runs")
    settings = {"python": sys.executable, "runs": runs, "preload": preload, "deadline_s": _LIMIT_S}
    path.write_text(json.dumps({**settings, "start_s": _LIMIT_S, "idle_s": 600}))
    return path


def loaded_client(settings: Path) -> ModuleType:
    """The client, loaded by its path alone, with its settings in the environment."""
    spec = importlib.util.spec_from_file_location("dkl_bridge_timed", CLIENT)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{CLIENT} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    os.environ[module.SETTINGS_VARIABLE] = str(settings)
    return module


if __name__ == "__main__":
    main()
