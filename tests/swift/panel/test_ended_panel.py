"""A Swift that ends while its panel runs an experiment: nothing measured is lost, and the beam is off the sample."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")
from benchmarks.swift_places import flaw, places_microscope
from dkl_core.measurement import Measurement, Scalar
from dkl_core.record import read_run
from tests.swift.panel.panel_program import AT, EXPOSURE_MS, SITES

SOON_S = 200.0
Reported = list[tuple[int, float]]


def ended(folder: Path, how: str) -> tuple[Reported, list[str]]:
    """What the program reported as measured, and its other lines."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.swift.panel.panel_program", str(folder), how]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        overdue = threading.Timer(SOON_S, process.kill)
        overdue.start()
        lines = list[str]()
        while how == "run" and sum(line.startswith("measured") for line in lines) < AT:
            lines.append(process.stdout.readline())
            assert lines[-1], "the program ended too early"
        if how == "run":
            process.kill()
        lines += process.stdout.readlines()
        code = process.wait(SOON_S)
        overdue.cancel()
    assert code == (-signal.SIGKILL if how == "run" else 0)
    # a line may be cut off by the kill
    whole = [line.split() for line in lines if line.endswith("\n")]
    reported = [(int(words[1]), float.fromhex(words[2])) for words in whole if words[0] == "measured"]
    return reported, [" ".join(words) for words in whole if words and words[0] != "measured"]


def kept(path: Path) -> Reported:
    """Sites and values in a run's file, whose patterns are all right."""
    microscope = places_microscope()
    with read_run(path) as contents:
        table = contents.measurements
        for number, details in enumerate(table.details):
            pattern = contents.raw(number)
            assert pattern is not None
            assert flaw(Measurement(Scalar(0.0), details=details), pattern, microscope, EXPOSURE_MS / 1e3) == ""
        return list(zip(table.site.tolist(), table.value.tolist(), strict=True))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_swift_that_is_killed_in_the_middle_of_a_run_loses_nothing(tmp_path: Path) -> None:
    reported, _rest = ended(tmp_path, "run")
    (path,) = tmp_path.glob("*.h5")
    before = kept(path)
    assert before[: len(reported)] == reported
    assert AT <= len(before) < SITES


def test_a_swift_that_is_quit_in_the_middle_of_a_run_loses_nothing_and_blanks_the_beam(tmp_path: Path) -> None:
    reported, rest = ended(tmp_path, "close")
    (path,) = tmp_path.glob("*.h5")
    assert kept(path)[: len(reported)] == reported
    assert len(reported) >= AT
    assert rest[-1] == "blanked True"
