"""Processes that are killed by the system, and what they leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import dkl_core
from dkl_core.cli import main
from dkl_core.errors import RecordError
from dkl_core.record import read_run

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = Path(next(iter(dkl_core.__path__))).resolve().parent
BUDGET = 24

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has neither fork nor SIGKILL")


def command(*arguments: object, module: str = "dkl_core") -> subprocess.Popen[str]:
    """`python -m module` with these arguments, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(PACKAGE), str(REPOSITORY)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def measured(path: Path) -> list[tuple[int, float]]:
    """Sites and values in a run's file; none while there is no file."""
    try:
        with read_run(path) as contents:
            table = contents.measurements
    except RecordError:
        return []
    return list(zip(table.site.tolist(), table.value.tolist(), strict=True))


def test_runs_killed_at_twenty_random_instants_lose_nothing_and_go_on_as_if_they_had_not_been() -> None:
    process = command("--kills", 20, "--budget", 20, "--seeds-init", 6, module="benchmarks.kill_resume")
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    figures = dict(line.split(": ", 1) for line in output.splitlines() if ": " in line)
    assert figures["kills"].startswith("20 (")
    acknowledged, lost = figures["measurements acknowledged"].split(", ")
    assert int(acknowledged) >= 20
    assert lost == "lost: 0"


def test_a_replay_whose_process_was_killed_is_resumed_by_the_command_line(tmp_path: Path) -> None:
    image = gaussian_filter(np.random.default_rng(5).standard_normal((40, 40)), 3)
    np.savez(tmp_path / "surface.npz", image=image, scalar_slope=np.hypot(*np.gradient(image)))
    arguments = ["replay", str(tmp_path / "surface.npz"), "--window", "6", "--stride", "4", "--budget", str(BUDGET)]
    arguments += ["--seeds-init", "5", "--baselines", "", "--quiet", "--out"]
    whole, killed = tmp_path / "whole.h5", tmp_path / "killed.h5"
    assert main([*arguments, str(whole)]) == 0

    process = command(*arguments, killed)
    while process.poll() is None and len(measured(killed)) < 7:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    left = measured(killed)
    assert 7 <= len(left) < BUDGET

    resumed = command("resume", killed, "--quiet")
    output, errors = resumed.communicate(timeout=100)
    assert (resumed.returncode, errors) == (0, "")
    assert output.startswith(f"{len(left)} measurements are there; going on")
    assert measured(killed)[: len(left)] == left
    assert measured(killed) == measured(whole)
    assert len(measured(whole)) == BUDGET
