"""A dense 4D scan through Swift: the camera drives the scan, one frame for each pixel."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")
from nion.utils import Geometry

from nionswift_plugin.dkl_simulator.geometry import scan_frame


def synchronized(running: Any, parameters: Any, exposure_ms: float = 5.0, **options: Any) -> tuple[Any, Any]:
    """HAADF (rows, columns) and patterns (rows, columns, ...) of a synchronized scan."""
    camera = running.camera.get_current_frame_parameters()
    camera.exposure_ms, camera.binning, camera.processing = exposure_ms, 1, options.pop("processing", None)
    take = running.scan.grab_synchronized
    scans, frames = running.on_worker(
        lambda: take(scan_frame_parameters=parameters, camera=running.camera, camera_frame_parameters=camera, **options)
    )
    return scans[0], frames[0]


def small(running: Any, **changes: Any) -> Any:
    """Parameters of a scan of 4 x 4 pixels."""
    parameters = running.scan.get_current_frame_parameters()
    parameters.pixel_size, parameters.fov_nm = Geometry.IntSize(4, 4), 8.0
    for name, value in changes.items():
        setattr(parameters, name, value)
    return parameters


def assert_each_pattern_is_of_its_pixel(frames: Any, parameters: Any, place_of: Callable[..., Any]) -> None:
    places = np.array([[place_of(frame) for frame in row] for row in frames.data])
    expected = np.stack(scan_frame(parameters).positions_nm(), axis=-1)
    assert np.allclose(places, expected, atol=0.01)


def test_each_pattern_is_of_its_pixel(swift: Callable[..., Any], place_of: Callable[..., Any]) -> None:
    running = swift()
    parameters = small(running)
    scan, frames = synchronized(running, parameters)
    assert frames.data_shape == (4, 4, 32, 32)
    assert_each_pattern_is_of_its_pixel(frames, parameters, place_of)
    assert scan.data_shape == (4, 4)


def test_rotation_and_offset_of_the_scan_are_honoured(swift: Callable[..., Any], place_of: Callable[..., Any]) -> None:
    running = swift()
    parameters = small(running, rotation_rad=math.radians(30), center_nm=Geometry.FloatPoint(y=3.0, x=-2.0))
    _, frames = synchronized(running, parameters)
    assert_each_pattern_is_of_its_pixel(frames, parameters, place_of)
    # Nion's rotation takes the x axis towards y: the first line runs down the sample.
    first = np.array([place_of(frame) for frame in frames.data[0]])
    assert np.allclose(first[-1] - first[0], 6.0 * np.array([math.sin(math.pi / 6), math.cos(math.pi / 6)]), atol=0.01)


def test_the_patterns_are_those_of_single_exposures_at_the_same_places(swift: Callable[..., Any]) -> None:
    running = swift()
    parameters = small(running)
    _, frames = synchronized(running, parameters)
    microscope = running.instrument.microscope
    y, x = scan_frame(parameters).positions_nm()
    for row, column in ((0, 0), (1, 3), (3, 2)):
        microscope.place_probe(y[row, column], x[row, column])
        now = microscope.clock()
        single = microscope.expose(0.005, now, now + 0.005)
        assert np.allclose(frames.data[row, column], single, rtol=1e-3, atol=1e-3 * single.max())


def test_a_subscan_covers_its_part(swift: Callable[..., Any], place_of: Callable[..., Any]) -> None:
    running = swift()
    parameters = small(
        running,
        subscan_pixel_size=Geometry.IntSize(3, 5),
        subscan_fractional_size=Geometry.FloatSize(0.3, 0.5),
        subscan_fractional_center=Geometry.FloatPoint(y=0.25, x=0.75),
        subscan_rotation=0.2,
        rotation_rad=0.5,
    )
    _, frames = synchronized(running, parameters)
    assert frames.data_shape[:2] == (3, 5)
    assert_each_pattern_is_of_its_pixel(frames, parameters, place_of)


def test_sections_join_without_a_seam(swift: Callable[..., Any], place_of: Callable[..., Any]) -> None:
    running = swift()
    parameters = small(running)
    scan, frames = synchronized(running, parameters, section_height=2)
    assert_each_pattern_is_of_its_pixel(frames, parameters, place_of)
    assert np.ptp(scan.data) > 0


def test_the_probe_is_where_it_was_after_the_scan(swift: Callable[..., Any], place_of: Callable[..., Any]) -> None:
    running = swift()
    running.instrument.set_probe_position(Geometry.FloatPoint(y=0.25, x=0.75))
    before = running.instrument.microscope.probe_nm
    synchronized(running, small(running))
    now = running.instrument.microscope.clock()
    frame = running.instrument.microscope.expose(0.01, now, now + 0.01)
    assert place_of(frame) == pytest.approx(before, abs=0.01)


def test_rows_can_be_added_by_the_camera(swift: Callable[..., Any]) -> None:
    running = swift()
    _, frames = synchronized(running, small(running), processing="sum_project")
    assert frames.data_shape == (4, 4, 32)


def test_a_scan_that_is_given_up_ends_at_once(swift: Callable[..., Any]) -> None:
    running = swift()
    parameters = small(running, pixel_size=Geometry.IntSize(32, 32))
    done: list[Any] = []

    def take() -> None:
        camera = running.camera.get_current_frame_parameters()
        camera.exposure_ms = 20.0
        done.append(
            running.scan.grab_synchronized(
                scan_frame_parameters=parameters, camera=running.camera, camera_frame_parameters=camera
            )
        )

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(take)
        running.pump(lambda: running.scan.is_recording)
        running.pump_for(0.1)
        running.scan.grab_synchronized_abort()
        running.pump(future.done, 5.0)
    assert done == [None]
