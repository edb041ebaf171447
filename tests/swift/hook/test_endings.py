"""However an experiment ends, the beam is off the sample and everything else is as it was."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from nion.utils import Geometry

from dkl_core.errors import InstrumentError
from nionswift_plugin.dkl.acquisition.main_loop import MainLoopClosedError
from nionswift_plugin.dkl.acquisition.waiting import CancelledError
from tests.swift.hook.harness import SwiftBench, settings_for_tests, site

MODES = ["record", "sequence", "live"]


def state(bench: SwiftBench) -> dict[str, Any]:
    camera = bench.devices.camera
    return {
        "probe": bench.stem.probe_position,
        "context": str(bench.stem.scan_context),
        # Swift itself adds a rotation of nothing
        "scan": {"subscan_rotation": 0.0} | bench.scan.get_current_frame_parameters().as_dict(),
        "camera": camera.get_current_frame_parameters().as_dict(),
        "channels": list(bench.scan.get_enabled_channel_indexes()),
        "subscan": bench.scan.subscan_enabled,
        "line scan": bench.scan.line_scan_enabled,
        "transactions": bench.controller.document_model.transaction_count,
        "threads": {thread.name for thread in threading.enumerate() if thread.name.startswith("dkl-exit")},
    }


@pytest.mark.parametrize("mode", MODES)
def test_everything_is_put_back(bench: SwiftBench, mode: str) -> None:
    bench.stem.set_probe_position(Geometry.FloatPoint(y=0.2, x=0.8))
    before = state(bench)

    def work() -> None:
        with bench.microscope(settings_for_tests(pattern={"mode": mode})) as microscope:
            microscope.image()
            microscope.measure(site(0))
            assert bench.controller.document_model.transaction_count >= 2
            assert state(bench) != before

    bench.run(work)
    assert state(bench) == before
    assert bench.is_blanked


@pytest.mark.parametrize("what", ["subscan_enabled", "line_scan_enabled"])
def test_a_subscan_or_line_scan_is_off_meanwhile(bench: SwiftBench, what: str) -> None:
    setattr(bench.scan, what, True)
    before = state(bench)

    def work() -> None:
        with bench.microscope() as microscope:
            assert not getattr(bench.scan, what)
            assert microscope.image().shape == (64, 64)

    bench.run(work)
    assert state(bench) == before


def test_live_views_go_on_afterwards(bench: SwiftBench) -> None:
    bench.scan.start_playing()
    bench.devices.camera.start_playing()

    def work() -> None:
        with bench.microscope() as microscope:
            microscope.image()
            assert not bench.scan.is_playing
            microscope.measure(site(0))

    bench.run(work)
    bench.pump(lambda: bench.scan.is_playing and bench.devices.camera.is_playing)
    assert bench.is_blanked
    bench.run(lambda: (bench.scan.abort_playing(sync_timeout=5), bench.devices.camera.abort_playing(sync_timeout=5)))


def test_the_blanker_can_be_left_as_it_was(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope(settings_for_tests(beam={"leave_blanked": False})) as microscope:
            microscope.image()
            assert bench.is_blanked

    bench.run(work)
    assert not bench.is_blanked


def test_an_exception_ends_with_the_beam_off(bench: SwiftBench) -> None:
    before = state(bench)

    def work() -> None:
        with bench.microscope() as microscope:
            microscope.image()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bench.run(work)
    assert bench.is_blanked
    assert state(bench) == before


def test_a_failure_while_getting_ready_puts_everything_back(bench: SwiftBench) -> None:
    before = state(bench)
    bench.camera.hangs = 0
    with pytest.raises(InstrumentError, match="no test frame"):
        bench.run(bench.microscope().__enter__)
    assert bench.is_blanked
    bench.pump(lambda: not bench.devices.camera.is_recording)
    assert state(bench) == before


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("delay_s", [0.0, 0.2])
def test_a_cancellation_ends_a_long_exposure_at_once(bench: SwiftBench, mode: str, delay_s: float) -> None:
    microscope = bench.microscope(settings_for_tests(pattern={"mode": mode, "exposure_ms": 250.0}))
    ended: list[float] = []

    def work() -> None:
        with microscope:
            microscope.image()
            threading.Timer(delay_s, lambda: (ended.append(time.monotonic()), microscope.cancel())).start()
            for number in range(100):
                microscope.measure(site(number))

    with pytest.raises(CancelledError):
        bench.run(work)
    assert time.monotonic() - ended[0] < 1.0
    assert bench.is_blanked
    bench.pump(lambda: not bench.devices.camera.is_recording and not bench.devices.camera.is_playing)


def test_a_cancellation_ends_a_survey(bench: SwiftBench) -> None:
    microscope = bench.microscope(settings_for_tests(survey={"size_px": 256, "pixel_time_us": 100.0}))

    def work() -> None:
        with microscope:
            threading.Timer(0.2, microscope.cancel).start()
            microscope.image()

    began = time.monotonic()
    with pytest.raises(CancelledError):
        bench.run(work)
    assert time.monotonic() - began < 2.0
    assert bench.is_blanked
    bench.pump(lambda: not bench.scan.is_recording)


@pytest.mark.parametrize("deaf", [False, True])
def test_a_cancellation_ends_a_hanging_camera(bench: SwiftBench, deaf: bool) -> None:
    microscope = bench.microscope(settings_for_tests(pattern={"late_ms": 60_000.0}))
    ended: list[float] = []

    def work() -> None:
        with microscope:
            microscope.image()
            bench.camera.hangs, bench.camera.deaf = bench.camera.count + 1, deaf
            threading.Timer(0.2, lambda: (ended.append(time.monotonic()), microscope.cancel())).start()
            microscope.measure(site(0))

    with pytest.raises((CancelledError, InstrumentError)):
        bench.run(work)
    # a camera that does not hear is left to itself after two seconds
    assert time.monotonic() - ended[0] < (3.0 if deaf else 1.0)
    assert bench.is_blanked
    bench.camera.hangs = None
    bench.pump(lambda: not bench.devices.camera.is_recording)


def test_a_closing_window_ends_an_experiment(bench: SwiftBench) -> None:
    microscope = bench.microscope()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with microscope:
                microscope.image()
                for number in range(10_000):
                    microscope.measure(site(number))
        except InstrumentError as error:
            errors.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    bench.pump(lambda: bench.camera.count > 4)
    # what a window does: it may not wait for a worker that may be waiting for it
    microscope.cancel()
    bench.main.close()
    worker.join(3.0)
    microscope.release_items()
    bench.pump(lambda: not bench.devices.camera.is_recording)
    assert not worker.is_alive()
    assert isinstance(errors[0], CancelledError | MainLoopClosedError)
    assert bench.is_blanked
    assert bench.controller.document_model.transaction_count == 0


def test_a_microscope_can_be_used_again(bench: SwiftBench) -> None:
    microscope = bench.microscope()

    def work() -> None:
        for _ in range(2):
            with microscope:
                microscope.image()
                assert microscope.measure(site(0)).ok

    bench.run(work)


def test_parking_takes_the_beam_off(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope() as microscope:
            bench.stem.SetVal("C_Blank", 0.0)
            microscope.park()
            assert bench.is_blanked

    bench.run(work)
