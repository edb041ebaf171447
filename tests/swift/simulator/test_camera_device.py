"""The simulated camera in Swift's Camera panel."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")
from nion.utils import Geometry

PlaceOf = Callable[[Any], tuple[float, float]]


def parameters_of(running: Any, exposure_ms: float = 20.0, binning: int = 1) -> Any:
    parameters = running.camera.get_current_frame_parameters()
    parameters.exposure_ms, parameters.binning, parameters.processing = exposure_ms, binning, None
    return parameters


def recorded(running: Any, parameters: Any) -> Any:
    task = running.camera.start_recording(frame_parameters=parameters)
    xdata = running.on_worker(lambda: task.grab_xdatas(timeout=5.0))[0]
    running.pump(lambda: not running.camera.is_recording)
    return xdata


def move(running: Any, y: float, x: float) -> tuple[float, float]:
    running.instrument.set_probe_position(Geometry.FloatPoint(y=y, x=x))
    place: tuple[float, float] = running.instrument.microscope.probe_nm
    return place


def test_a_record_is_exposed_after_the_call(swift: Callable[..., Any], place_of: PlaceOf) -> None:
    running = swift()
    for y, x in ((0.2, 0.3), (0.8, 0.1), (0.5, 0.9)):
        place = move(running, y, x)
        assert place_of(recorded(running, parameters_of(running)).data) == pytest.approx(place, abs=0.01)


def test_a_record_while_the_view_plays_is_exposed_after_the_call(swift: Callable[..., Any], place_of: PlaceOf) -> None:
    running = swift()
    running.camera.start_playing()
    running.pump_for(0.1)
    for y, x in ((0.2, 0.3), (0.8, 0.1), (0.5, 0.9)):
        place = move(running, y, x)
        assert place_of(recorded(running, parameters_of(running)).data) == pytest.approx(place, abs=0.01)
    running.camera.abort_playing(sync_timeout=5.0)


def test_the_view_may_give_a_frame_that_began_before_a_move(swift: Callable[..., Any], place_of: PlaceOf) -> None:
    running = swift()
    device = running.configuration.camera_module.camera_device
    device.set_frame_parameters(parameters_of(running, 200.0))
    before = move(running, 0.2, 0.2)
    device.start_live()
    device.acquire_image()
    time.sleep(0.1)
    after = move(running, 0.8, 0.8)
    mixed, whole = (place_of(device.acquire_image()["data"]) for _ in range(2))
    device.stop_live()
    assert before[0] < mixed[0] < after[0]
    assert whole == pytest.approx(after, abs=0.01)


def test_an_exposure_lasts_as_long_as_it_says(swift: Callable[..., Any]) -> None:
    running = swift()
    begun = time.monotonic()
    recorded(running, parameters_of(running, 300.0))
    assert time.monotonic() - begun >= 0.3


def test_a_record_is_cancelled_at_once(swift: Callable[..., Any]) -> None:
    running = swift()
    task = running.camera.start_recording(frame_parameters=parameters_of(running, 30_000.0))
    running.pump_for(0.1)
    running.camera.abort_recording()
    running.camera.acquire_sequence_cancel()
    running.pump(lambda: task.is_finished and not running.camera.is_recording, 2.0)
    assert recorded(running, parameters_of(running)).data.any()


def test_frames_are_16_bit_counts_and_binned_ones_do_not_overflow(
    swift: Callable[..., Any], places_microscope: Callable[..., Any]
) -> None:
    from dkl_core.stem.realism import CameraDefects, Realism
    from nionswift_plugin.dkl_simulator.configuration import Configuration

    bright = Realism(current_pa=5000.0, camera=CameraDefects(dead_px=0, hot_px=0))
    running = swift(Configuration(places_microscope(realism=bright)))
    assert recorded(running, parameters_of(running, 1000.0)).data.dtype == np.uint16
    binned = recorded(running, parameters_of(running, 1000.0, binning=2)).data
    assert binned.shape == (16, 16)
    assert binned.max() > 65535


def test_binning_adds_pixels(swift: Callable[..., Any]) -> None:
    running = swift()
    move(running, 0.5, 0.5)
    single, binned = (recorded(running, parameters_of(running, binning=binning)).data for binning in (1, 4))
    blocks = single.reshape(8, 4, 8, 4).sum(axis=(1, 3))
    assert np.allclose(binned, blocks, rtol=1e-3)


def test_only_the_readout_area_is_read_and_its_angles_stay_right(swift: Callable[..., Any]) -> None:
    running = swift()
    whole = recorded(running, parameters_of(running))
    running.camera.readout_area = (8, 16, 24, 32)
    part = recorded(running, parameters_of(running))
    assert part.data_shape == (16, 16)
    for axis, start in ((0, 8), (1, 16)):
        calibration = whole.dimensional_calibrations[axis]
        assert part.dimensional_calibrations[axis].offset == pytest.approx(
            calibration.convert_to_calibrated_value(start)
        )


def test_angles_are_in_rad_and_follow_the_binning(swift: Callable[..., Any]) -> None:
    running = swift()
    for binning in (1, 2):
        calibration = recorded(running, parameters_of(running, binning=binning)).dimensional_calibrations[0]
        assert calibration.units == "rad"
        assert calibration.scale == pytest.approx(1e-3 * binning)


def test_the_metadata_say_what_a_count_is(swift: Callable[..., Any]) -> None:
    running = swift()
    metadata = recorded(running, parameters_of(running)).metadata
    assert metadata["hardware_source"]["counts_per_electron"] == running.instrument.microscope.counts_per_electron
    assert metadata["instrument"]["high_tension"] == 70e3


def test_a_blanked_beam_gives_a_dark_frame(swift: Callable[..., Any]) -> None:
    running = swift()
    running.instrument.SetVal("C_Blank", 1.0)
    assert not recorded(running, parameters_of(running)).data.any()


def test_a_frame_taken_during_a_scan_shows_the_scanning_beam(swift: Callable[..., Any], place_of: PlaceOf) -> None:
    running = swift()
    scan = running.scan.get_current_frame_parameters()
    scan.pixel_size, scan.fov_nm, scan.pixel_time_us = Geometry.IntSize(32, 32), 16.0, 1000.0
    move(running, 0.0, 0.0)
    parked = running.instrument.microscope.probe_nm
    running.scan.start_playing(frame_parameters=scan)
    running.pump(lambda: running.instrument.probe_state == "scanning")
    running.pump_for(0.3)
    frame = recorded(running, parameters_of(running, 50.0)).data
    running.scan.abort_playing(sync_timeout=5.0)
    assert np.hypot(*np.subtract(place_of(frame), parked)) > 0.5


def test_exposures_are_added_when_asked_for(swift: Callable[..., Any]) -> None:
    running = swift()
    move(running, 0.5, 0.5)
    parameters = parameters_of(running)
    once = recorded(running, copy.deepcopy(parameters)).data
    parameters.integration_count = 3
    assert np.allclose(recorded(running, parameters).data, 3 * once, rtol=1e-3)


def test_no_thread_is_left_after_swift_is_closed(swift: Callable[..., Any]) -> None:
    before = set(threading.enumerate())
    running = swift()
    running.camera.start_playing()
    running.pump_for(0.1)
    running.camera.abort_playing(sync_timeout=5.0)
    device = running.configuration.camera_module.camera_device
    device.close()
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert not [name for name in left if name.startswith("dkl-simulated")]


def test_changed_lenses_take_effect_at_the_next_frame(
    swift: Callable[..., Any], places_microscope: Callable[..., Any]
) -> None:
    running = swift()
    instrument = running.instrument
    built = instrument.microscope.scatterer
    assert instrument.SetVal("C10", -20e-9)
    assert instrument.SetVal("EHT", 60e3)
    assert instrument.microscope.scatterer is built
    recorded(running, parameters_of(running))
    assert instrument.microscope.optics.defocus_nm == pytest.approx(20.0)
    assert instrument.microscope.optics.energy_ev == 60e3
