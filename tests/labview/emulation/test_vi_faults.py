"""Each fault bites a module that does not guard itself, and is gone after the call."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from labview_bridge.emulation.faults import (
    CommaDecimalFile,
    EmptyFile,
    ExceptionInside,
    Faults,
    FullDisk,
    GarbledSpectrum,
    HalfWrittenFile,
    LockedFile,
    MissingFile,
    SlowFit,
    WorkerKilled,
    can_fill_disk,
    every_fault,
    worker_pid,
)
from labview_bridge.emulation.published_vi import PublishedVI, State, VISettings
from tests.labview.emulation.small_modules import small_modules

SETTINGS = VISettings(name="T", step=8, window=10, iterations=2)
CORNER = (0.0, 0.0, 0)


def struck_once(session, tmp_path, base, ramp, fault, at=(2, State.DECIDE), **options):
    """A run in which one fault strikes before one call."""

    def before(vi, state):
        while undo:
            undo.pop()()
        if (vi.iteration, state) == at:
            undo.append(fault.strike(vi))

    undo = []
    modules = small_modules(tmp_path / "modules", base, **options)
    return PublishedVI(session, modules, base, ramp, SETTINGS, before=before)


def places(visits):
    return [(visit.x_px, visit.y_px, visit.index) for visit in visits]


@pytest.mark.parametrize(
    "fault", [MissingFile("scan"), MissingFile("compilation"), LockedFile("scan"), ExceptionInside(1)], ids=repr
)
def test_a_fault_drives_the_tip_to_the_corner_for_one_turn(session, tmp_path, base, ramp, fault):
    visits = struck_once(session, tmp_path, base, ramp, fault).run()
    assert [visit.decision.code for visit in visits] == [0, 1671, 0]
    assert places(visits)[1] == pytest.approx(CORNER)
    assert visits[2].on_site


@pytest.mark.parametrize(
    "fault", [EmptyFile("compilation"), HalfWrittenFile("scan"), CommaDecimalFile("scan")], ids=repr
)
def test_a_file_is_whole_again_after_the_call(session, tmp_path, base, ramp, fault):
    vi = struck_once(session, tmp_path, base, ramp, fault)
    vi.run()
    assert len(np.loadtxt(vi.files.scan, skiprows=2)) == 64 * 64
    assert len(np.loadtxt(vi.files.compilation, skiprows=1)) == 3


@pytest.mark.parametrize(
    ("fault", "content", "spoilt"),
    [
        (EmptyFile("scan"), b"a\r\nb\r\n", b""),
        (HalfWrittenFile("scan"), b"a\r\n1.2345\r\n", b"a\r\n1.23"),
        (HalfWrittenFile("scan"), b"", b""),
        (CommaDecimalFile("scan"), b"1.5\t2.5", b"1,5\t2,5"),
    ],
)
def test_what_a_spoilt_file_holds(fault, content, spoilt):
    assert fault.changed(content) == spoilt


@pytest.mark.parametrize("kind", ["NaN", "empty", "channel"])
def test_a_garbled_spectrum_fails_the_scalarizer_or_spoils_its_number(session, tmp_path, base, ramp, kind):
    visits = struck_once(session, tmp_path, base, ramp, GarbledSpectrum(kind), at=(2, State.COMPILE)).run()
    bad = visits[1].scalarized
    assert bad.code == (0 if kind == "NaN" else 1671)
    assert kind != "NaN" or np.isnan(bad.value)
    assert visits[2].scalarized.code == 0


@pytest.mark.skipif(not can_fill_disk(), reason="files of other processes cannot be limited on this system")
def test_a_full_disk_lets_nothing_be_written_during_the_call(session, tmp_path, base, ramp):
    body = f"with open({str(base / 'kept.txt')!r}, 'a') as kept: kept.write(str(x_pixel) + ' ')"
    fault = FullDisk(tmp_path)
    visits = struck_once(session, tmp_path, base, ramp, fault, at=(2, State.COMPILE), body=body).run()
    assert [visit.scalarized.code for visit in visits] == [0, 1671, 0]
    assert "File too large" in visits[1].scalarized.text
    assert len((base / "kept.txt").read_text().split()) == 2


@pytest.fixture
def fake_worker(tmp_path):
    """A process that looks like the worker of a runs folder."""
    runs = tmp_path / "runs"
    runs.mkdir()
    code = "import sys, time; print('up', flush=True); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", code, str(runs.resolve())], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    (runs / "worker.json").write_text(json.dumps({"pid": process.pid}))
    yield runs, process
    process.kill()
    process.wait()
    process.stdout.close()


def _stands_still(pid):
    return subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True).stdout.startswith("T")


@pytest.mark.skipif(os.name != "posix", reason="signals that stop a process are POSIX")
def test_a_slow_fit_stops_the_worker_for_the_call(fake_worker):
    runs, process = fake_worker
    undo = SlowFit(runs).strike(None)
    until = time.monotonic() + 30
    while not _stands_still(process.pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert _stands_still(process.pid)
    undo()
    while _stands_still(process.pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert not _stands_still(process.pid)


@pytest.mark.parametrize("after_s", [0.0, 0.01])
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_a_killed_worker_is_gone(fake_worker, after_s):
    runs, process = fake_worker
    WorkerKilled(runs, after_s).strike(None)()
    assert process.wait(30) == -signal.SIGKILL
    assert worker_pid(runs) is None


def test_a_process_that_is_no_worker_is_never_killed(tmp_path):
    (tmp_path / "worker.json").write_text(json.dumps({"pid": os.getpid()}))
    assert worker_pid(tmp_path) is None
    WorkerKilled(tmp_path).strike(None)()
    (tmp_path / "worker.json").write_text("{")
    assert worker_pid(tmp_path) is None


def test_every_call_is_struck_and_every_fault_comes_before_any_comes_again(session, tmp_path, base, ramp):
    faults = Faults(every_fault(tmp_path, full_disk=False), seed=4)
    settings = VISettings(name="T", step=8, window=10, iterations=29)
    modules = small_modules(tmp_path / "modules", base)
    PublishedVI(session, modules, base, ramp, settings, before=faults).run()
    faults.end()
    decisions = [struck.name for struck in faults.struck if struck.state is State.DECIDE]
    assert len(faults.struck) == 2 * 30
    kinds = [fault for fault in every_fault(tmp_path, full_disk=False) if State.DECIDE in fault.states]
    assert set(decisions[: len(kinds)]) == {fault.name for fault in kinds}
