"""A session whose process is killed in the middle of its run: what was reported is in the file, and it goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")
from benchmarks.swift_places import flaw, place_of, places_microscope
from dkl_core.measurement import Measurement, Scalar
from dkl_core.record import read_run
from tests.swift.session.whole import BUDGET, EXPOSURE_S, driven

SOON_S = 200.0
KILLED_AT = 5


def killed(path: Path, reports: int) -> list[tuple[int, float]]:
    """Sites and values that a session reported on a pipe before it was killed after so many of them."""
    command = [sys.executable, "-m", "tests.swift.session.whole", str(path)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(reports)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        assert process.wait(SOON_S) == -signal.SIGKILL
    # a line may be cut off by the kill
    whole = [line.split() for line in lines if line.endswith("\n")]
    return [(int(site), float.fromhex(value)) for site, value in whole]


def recorded(path: Path) -> list[tuple[int, float]]:
    with read_run(path) as contents:
        table = contents.measurements
        return list(zip(table.site.tolist(), table.value.tolist(), strict=True))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_session_loses_nothing_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    reported = killed(path, KILLED_AT)
    kept = recorded(path)
    assert len(reported) >= KILLED_AT
    assert kept[: len(reported)] == reported
    assert len(kept) < BUDGET

    heard = list[tuple[int, float]]()
    outcome = driven(path, lambda site, value: heard.append((site, value)))
    assert outcome.ending == "finished"
    assert kept + heard == recorded(path)
    assert len(recorded(path)) == BUDGET
    assert all_right(path)


def all_right(path: Path) -> bool:
    """Whether each pattern in the file was exposed at its place, and belongs to its scalar."""
    microscope = places_microscope()
    with read_run(path) as contents:
        table = contents.measurements
        for number, details in enumerate(table.details):
            pattern = contents.raw(number)
            assert pattern is not None
            assert flaw(Measurement(Scalar(0.0), details=details), pattern, microscope, EXPOSURE_S) == ""
            assert place_of(pattern, microscope.counts_per_electron).mean_nm[0] == pytest.approx(
                table.value[number], abs=1e-3
            )
    return True
