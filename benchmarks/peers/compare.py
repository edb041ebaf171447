"""Runs the peers, each by the interpreter of its own environment, and prints what they need on the common problem."""

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
HEADER = f"{'peer':28}{'cold s':>9}{'warm s':>9}{'R2':>8}{'in 90 %':>9}{'peak MB':>9}"


def timed(environment: Path, module: str, problem: Path) -> Timings:
    """One peer's timings, measured in a process of its own.

    Args:
        environment: folder of the peer's virtual environment.
        module: dotted name of the peer's script.
        problem: .npz file as `Problem.split` gives it.
    """
    result = problem.with_name(f"{environment.name}.json")
    # The folder is found by its path and not by its links: a virtual environment's interpreter is a link.
    interpreter = str(environment.absolute() / "bin" / "python")
    command = [interpreter, "-m", module, str(problem), str(result)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{module} failed in {environment}; run `make bench-peers` to make the environment\n{done.stderr}")
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
            print(row(timed(given.environments / peer, PEERS[peer], problem)), flush=True)


if __name__ == "__main__":
    main()
