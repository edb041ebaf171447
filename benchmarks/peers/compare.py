"""Runs this project and each peer in turn, each in its own environment, and prints what they need and the ratios."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.peers.timing import Timings
from benchmarks.problem import make_problem

ROOT = Path(__file__).resolve().parents[2]
PEERS = {"gpax": "benchmarks.peers.gpax_vidkl", "atomai": "benchmarks.peers.atomai_dklgpr"}
OURS = "benchmarks.peers.ours"
HEADER = f"{'peer':28}{'cold s':>9}{'warm s':>9}{'R2':>8}{'in 90 %':>9}{'peak MB':>9}"


def timed(interpreter: str, module: str, problem: Path) -> Timings:
    """Timings of one code, measured in a process of its own.

    Args:
        interpreter: Python of the environment that the code is installed in.
        module: dotted name of its script.
        problem: .npz file as `Problem.split` gives it.
    """
    result = problem.with_name(f"{module}.json")
    command = [interpreter, "-m", module, str(problem), str(result)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{module} failed in {interpreter}; run `make bench-peers` to make the environment\n{done.stderr}")
    return Timings(**json.loads(result.read_text(encoding="utf-8")))


def row(found: Timings) -> str:
    """One line of the table."""
    return (
        f"{found.peer:28}{found.cold_s:9.1f}{found.warm_s:9.1f}{found.r2:8.2f}{found.coverage90:9.2f}"
        f"{found.peak_mb:9.0f}"
    )


def main() -> None:
    """Times every peer named and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environments", type=Path, help="folder made by make_envs.sh, one environment per peer")
    parser.add_argument("--peer", choices=sorted(PEERS), action="append", help="only this peer; may be repeated")
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores\n{HEADER}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        problem = Path(folder) / "problem.npz"
        np.savez(problem, **make_problem().split())  # type: ignore[arg-type]
        for peer in given.peer or PEERS:
            # The folder is found by its path and not by its links: a virtual environment's interpreter is a link.
            interpreter = str((given.environments / peer).absolute() / "bin" / "python")
            ours, theirs = timed(sys.executable, OURS, problem), timed(interpreter, PEERS[peer], problem)
            print(f"{row(ours)}\n{row(theirs)}", flush=True)
            print(f"{'ratio':28}{theirs.cold_s / ours.cold_s:9.0f}{theirs.warm_s / ours.warm_s:9.0f}", flush=True)


if __name__ == "__main__":
    main()
