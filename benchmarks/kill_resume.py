"""Kills a recorded replay at random instants, over and over, and checks that nothing acknowledged is lost.

    python -m benchmarks.kill_resume --kills 200

The commands `dkl replay FILE --out RUN.h5` and `dkl resume RUN.h5` run in processes that report each measurement over
a pipe once `tell` has returned, and are killed (SIGKILL) after a random time. After every kill

- each measurement that was reported is in the file, with its site and its value to the bit;
- the measurements in the file are the first ones of the same replay uninterrupted: same sites, same values;

and the run is resumed, killed again, and so on until it is finished; then its whole sequence is compared and the next
run starts. The processes are forked from one that has loaded the libraries, so that the random instants fall into the
run and not into imports. Ends with status 1 at the first difference.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import select
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock  # noqa: F401 - here rather than in every process that is killed
import h5py  # noqa: F401
import numpy as np
import torch
import torch._dynamo
import tqdm  # noqa: F401
from scipy.ndimage import gaussian_filter

import dkl_core.surrogate.model  # noqa: F401
from dkl_core.cli import main
from dkl_core.experiment import Experiment, Told
from dkl_core.record import read_run

REPORT = struct.Struct("<qqd")
Sequence_ = list[tuple[int, float]]


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        reported: number, site and value of each measurement it acknowledged.
        killed: whether it was killed; it finished by itself otherwise.
        seconds: how long it ran.
    """

    reported: list[tuple[int, int, float]]
    killed: bool
    seconds: float


@dataclass
class Tally:
    """What happened so far."""

    kills: Counter[str] = field(default_factory=Counter)
    reported: int = 0
    unreported: int = 0
    runs: int = 0

    def text(self) -> str:
        """One line per figure."""
        where = ", ".join(f"{count} {stage}" for stage, count in self.kills.most_common())
        return (
            f"kills: {self.kills.total()} ({where})\n"
            f"measurements acknowledged: {self.reported}, lost: 0\n"
            f"measurements on the disk at a kill and not yet acknowledged: {self.unreported}\n"
            f"runs finished: {self.runs}, with other sites or values than the uninterrupted one: 0"
        )


def launched(arguments: Sequence[str], seconds: float | None) -> Ended:
    """Run the command `dkl` in a process of its own, and kill it after a time.

    Raises:
        SystemExit: it failed by itself.
    """
    reading, writing = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _become_command(arguments, writing)
    os.close(writing)
    seen = b""
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while seconds is None or time.monotonic() < start + seconds:
            left = None if seconds is None else max(start + seconds - time.monotonic(), 0)
            if select.select([pipe], [], [], left)[0]:
                part = pipe.read(65536)
                seen += part
                if not part:
                    break
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL if seconds is not None else 0)
        while part := pipe.read(65536):
            seen += part
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status not in (0, -signal.SIGKILL):
        raise SystemExit(f"dkl {' '.join(arguments)} failed with status {status}")
    return Ended(list(REPORT.iter_unpack(seen)), status != 0, time.monotonic() - start)


def _become_command(arguments: Sequence[str], pipe: int) -> None:
    """In the new process: the command, with `tell` reporting what it has accepted."""
    status = 70
    try:
        torch.set_num_threads(1)
        tell = Experiment.tell

        def reporting(self: Experiment, *given: Any) -> Told:
            told = tell(self, *given)
            os.write(pipe, REPORT.pack(len(self.told) - 1, told.site.index, told.measurement.scalar.value))
            return told

        Experiment.tell = reporting  # type: ignore[method-assign, assignment]
        with contextlib.redirect_stdout(open(os.devnull, "w")):  # noqa: PTH123
            status = main(list(arguments))
    finally:
        os._exit(status)


def recorded(path: Path) -> Sequence_:
    """Sites and values in a run's file; none if there is no file yet."""
    if not path.exists():
        return []
    with read_run(path) as contents:
        table = contents.measurements
        return list(zip(table.site.tolist(), table.value.tolist(), strict=True))


def checked(path: Path, ended: Ended, before: int, whole: Sequence_) -> Sequence_:
    """The measurements in the file after a process has ended.

    Raises:
        SystemExit: something acknowledged is not there, or something there is not what it should be.
    """
    found = recorded(path)
    for at, (number, site, value) in enumerate(ended.reported):
        if number != before + at or number >= len(found) or found[number] != (site, value):
            raise SystemExit(f"{path}: measurement {number} (site {site}, {value!r}) was acknowledged and is not there")
    if found != whole[: len(found)]:
        at = next(i for i, (one, other) in enumerate(zip(found, whole, strict=False)) if one != other)
        raise SystemExit(f"{path}: measurement {at} is {found[at]}, without the kill it was {whole[at]}")
    if not ended.killed and found != whole:
        raise SystemExit(f"{path}: the run has {len(found)} measurements, without the kills it had {len(whole)}")
    return found


def stage(ended: Ended, found: int, exists: bool, seeds: int, budget: int) -> str:
    """In which part of the run the process was killed."""
    if not exists:
        return "before there was a file"
    if found == budget:
        return "while the run was closed"
    if not ended.reported:
        return "before its first measurement"
    return "while seeding" if found < seeds else "while the model decided"


def data_file(folder: Path) -> Path:
    """A smooth image of 96 x 96 px and a scalar that follows from it."""
    image = gaussian_filter(np.random.default_rng(5).standard_normal((96, 96)), 4)
    path = folder / "surface.npz"
    np.savez(path, image=image, scalar_slope=np.hypot(*np.gradient(image)) + 0.1 * image)
    return path


def run(args: argparse.Namespace, folder: Path) -> Tally:
    """Kill until there have been enough kills."""
    chance = random.Random(args.seed)
    tally, path = Tally(), folder / "run.h5"
    start = ["replay", str(data_file(folder)), "--baselines", "", "--window", "8", "--stride", "6", "--quiet"]
    start += ["--budget", str(args.budget), "--seeds-init", str(args.seeds_init), "--acquisition", args.acquisition]
    start += ["--out", str(path)]
    uninterrupted = launched(start, None)
    whole = recorded(path)
    print(f"uninterrupted: {len(whole)} measurements in {uninterrupted.seconds:.1f} s", flush=True)
    path.unlink()
    found: Sequence_ = []
    while tally.kills.total() < args.kills or path.exists():
        enough = tally.kills.total() >= args.kills
        seconds = None if enough else chance.uniform(0, uninterrupted.seconds * args.longest)
        ended = launched(["resume", str(path), "--quiet"] if path.exists() else start, seconds)
        before, found = len(found), checked(path, ended, len(found), whole)
        tally.reported += len(ended.reported)
        tally.unreported += len(found) - before - len(ended.reported)
        if ended.killed:
            tally.kills[stage(ended, len(found), path.exists(), args.seeds_init, args.budget)] += 1
        else:
            tally.runs, found = tally.runs + 1, []
            path.unlink()
        if ended.killed and tally.kills.total() % 20 == 0:
            print(f"{tally.kills.total()} kills", flush=True)
    return tally


def parsed() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kill_resume", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--kills", type=int, default=200, help="number of kills (default 200)")
    parser.add_argument("--budget", type=int, default=40, help="measurements of a run (default 40)")
    parser.add_argument("--seeds-init", type=int, default=10, help="of them before the model (default 10)")
    parser.add_argument("--acquisition", default="ucb", help="acquisition function (default ucb)")
    parser.add_argument(
        "--longest", type=float, default=0.5, help="longest life of a process in whole runs (default 0.5)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random instants (default 0)")
    return parser.parse_args()


if __name__ == "__main__":
    if not hasattr(os, "fork"):
        sys.exit("this system has neither fork nor SIGKILL")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        print(run(parsed(), Path(name)).text())
    print(f"in {time.monotonic() - begun:.0f} s")
