"""Faults on purpose: each does what it says, once, and is written down."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")
from nion.utils import Geometry

from dkl_core.stem.faults import FaultKind, FaultPlan

PlaceOf = Callable[[Any], tuple[float, float]]
Open = Callable[..., Any]


@pytest.fixture
def faulty(swift: Callable[..., Any], places_microscope: Callable[..., Any]) -> Open:
    """Opens Swift with one fault at its second occasion."""
    from nionswift_plugin.dkl_simulator.configuration import Configuration

    def open_with(kind: FaultKind, **options: Any) -> Any:
        plan = FaultPlan(schedule={kind: (1,)}, **options)
        return swift(Configuration(places_microscope(), faults=plan))

    return open_with


def begin(running: Any, y: float, exposure_ms: float = 20.0) -> Any:
    running.instrument.set_probe_position(Geometry.FloatPoint(y=y, x=0.5))
    parameters = running.camera.get_current_frame_parameters()
    parameters.exposure_ms = exposure_ms
    return running.camera.start_recording(frame_parameters=parameters)


def record(running: Any, y: float, exposure_ms: float = 20.0) -> Any:
    """The frame with the probe at a height of the scan frame, None if there is none."""
    task = begin(running, y, exposure_ms)
    running.pump(lambda: task.is_finished and not running.camera.is_recording)
    xdatas = list(task.grab_xdatas(timeout=1.0))
    return xdatas[0] if xdatas else None


def kinds(running: Any) -> list[str]:
    return [record.kind for record in running.instrument.fault_log]


def test_a_dropped_frame_is_empty(faulty: Open) -> None:
    running = faulty("dropped_frame")
    assert [bool(record(running, y).data.any()) for y in (0.2, 0.4, 0.6)] == [True, False, True]
    assert kinds(running) == ["dropped_frame"]


def test_a_late_frame_comes_late_and_is_right(faulty: Open, place_of: PlaceOf) -> None:
    running = faulty("late_frame", delay_s=0.4)
    record(running, 0.2)
    begun = time.monotonic()
    frame = record(running, 0.4)
    assert time.monotonic() - begun > 0.4
    assert place_of(frame.data) == pytest.approx(running.instrument.microscope.probe_nm, abs=0.01)
    assert kinds(running) == ["late_frame"]


def test_a_stale_frame_is_the_one_before_with_its_time_stamp(faulty: Open) -> None:
    running = faulty("stale_frame")
    first, stale, fresh = (record(running, y) for y in (0.2, 0.4, 0.6))
    assert np.array_equal(first.data, stale.data)
    assert first.timestamp == stale.timestamp
    assert not np.array_equal(stale.data, fresh.data)
    assert fresh.timestamp > stale.timestamp
    assert kinds(running) == ["stale_frame"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_of_the_device_is_reported_and_passes(faulty: Open) -> None:
    running = faulty("device_error")
    assert record(running, 0.2) is not None
    task = begin(running, 0.4)
    running.pump(lambda: task.is_finished and not running.camera.is_recording)
    assert task.is_error
    assert record(running, 0.6) is not None
    assert kinds(running) == ["device_error"]


def test_a_camera_that_hangs_goes_on_when_it_is_cancelled(faulty: Open) -> None:
    running = faulty("camera_hang", hang_s=60.0)
    record(running, 0.2)
    task = begin(running, 0.4)
    running.pump_for(0.5)
    assert running.camera.is_recording
    running.camera.abort_recording()
    running.camera.acquire_sequence_cancel()
    running.pump(lambda: task.is_finished and not running.camera.is_recording, 2.0)
    assert record(running, 0.6) is not None
    assert kinds(running) == ["camera_hang"]


def test_a_blanker_that_is_stuck_says_no_and_does_not_move(faulty: Open) -> None:
    running = faulty("blanker_stuck", hang_s=0.3)
    instrument = running.instrument
    assert instrument.SetValAndConfirm("C_Blank", 1.0, 1.0, 100)
    assert not instrument.SetValAndConfirm("C_Blank", 0.0, 1.0, 100)
    assert instrument.GetVal("C_Blank") == 1.0
    assert instrument.microscope.blanked
    time.sleep(0.3)
    assert instrument.SetValAndConfirm("C_Blank", 0.0, 1.0, 100)
    assert kinds(running) == ["blanker_stuck"]


def test_a_user_presses_scan(faulty: Open) -> None:
    running = faulty("user_scans")
    record(running, 0.2)
    record(running, 0.4, 200.0)
    running.pump(lambda: running.scan.is_playing)
    running.scan.abort_playing(sync_timeout=5.0)
    assert kinds(running) == ["user_scans"]


def test_a_user_drags_the_probe_and_the_pattern_shows_it(faulty: Open, place_of: PlaceOf) -> None:
    running = faulty("user_drags_probe")
    record(running, 0.2)
    frame = record(running, 0.4, 200.0)
    fov_nm = running.instrument.scan_context.fov_nm
    assert abs(place_of(frame.data)[0] - (0.4 - 0.5) * fov_nm) > 0.01
    assert running.instrument.probe_position.y != 0.4
    assert kinds(running) == ["user_drags_probe"]


def test_a_user_changes_the_field_of_view(faulty: Open) -> None:
    running = faulty("user_changes_fov")
    record(running, 0.2)
    before = running.instrument.scan_context.fov_nm
    record(running, 0.4, 200.0)
    running.pump(lambda: running.instrument.scan_context.fov_nm == pytest.approx(1.25 * before))
    assert kinds(running) == ["user_changes_fov"]


def test_a_fault_tells_when_and_what(faulty: Open) -> None:
    running = faulty("dropped_frame")
    record(running, 0.2)
    begun = running.instrument.microscope.clock()
    record(running, 0.4)
    (entry,) = running.instrument.fault_log
    assert entry.occasion == 1
    assert entry.time > begun
    assert "lost" in entry.what


def test_no_fault_happens_without_a_plan(swift: Callable[..., Any]) -> None:
    running = swift()
    record(running, 0.2)
    assert running.instrument.fault_log == ()
