"""The simulated scan in Swift's Scan panel."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")
from nion.utils import Geometry

from nionswift_plugin.dkl_simulator.geometry import probe_nm, scan_frame


def recorded(running: Any, parameters: Any) -> Any:
    return running.on_worker(lambda: running.scan.record_immediate(parameters))[0]


def parameters_of(running: Any, size: tuple[int, int] = (64, 64), fov_nm: float = 16.0, **changes: Any) -> Any:
    parameters = running.scan.get_current_frame_parameters()
    parameters.pixel_size, parameters.fov_nm = Geometry.IntSize(*size), fov_nm
    for name, value in changes.items():
        setattr(parameters, name, value)
    return parameters


def expected(running: Any, parameters: Any) -> Any:
    """What the annular detector reads without noise (rows, columns), up to a factor."""
    y, x = scan_frame(parameters).positions_nm()
    return running.instrument.microscope.scatterer.haadf(y, x)


def assert_same_image(image: Any, reference: Any) -> None:
    assert image.shape == reference.shape
    assert np.allclose(image / image.mean(), reference / reference.mean(), rtol=1e-3)


def test_a_recorded_frame_shows_the_sample_with_its_calibration(swift: Callable[..., Any]) -> None:
    running = swift()
    parameters = parameters_of(running)
    xdata = recorded(running, parameters)
    assert_same_image(xdata.data, expected(running, parameters))
    assert xdata.dimensional_calibrations[0].scale == 0.25
    assert xdata.dimensional_calibrations[0].units == "nm"


@pytest.mark.parametrize(
    "changes",
    [
        {"rotation_rad": math.radians(30)},
        {"center_nm": Geometry.FloatPoint(y=4.0, x=-3.0)},
        {"size": (32, 64)},
        {
            "subscan_pixel_size": Geometry.IntSize(16, 32),
            "subscan_fractional_size": Geometry.FloatSize(0.25, 0.5),
            "subscan_fractional_center": Geometry.FloatPoint(y=0.3, x=0.6),
            "subscan_rotation": 0.3,
        },
    ],
    ids=["rotated", "off the centre", "oblong", "subscan"],
)
def test_a_frame_is_of_the_place_that_is_asked_for(swift: Callable[..., Any], changes: dict[str, Any]) -> None:
    running = swift()
    parameters = parameters_of(running, **changes)
    assert_same_image(recorded(running, parameters).data, expected(running, parameters))


def test_a_line_scan_keeps_its_pitch(swift: Callable[..., Any]) -> None:
    running = swift()
    parameters = parameters_of(
        running,
        subscan_pixel_size=Geometry.IntSize(1, 32),
        subscan_fractional_size=Geometry.FloatSize(1 / 64, 0.5),
        subscan_fractional_center=Geometry.FloatPoint(y=0.5, x=0.5),
    )
    assert scan_frame(parameters).pixel_nm == pytest.approx(0.25)
    assert recorded(running, parameters).data_shape == (1, 32)


def test_a_frame_takes_its_time(swift: Callable[..., Any]) -> None:
    running = swift()
    parameters = parameters_of(running, pixel_time_us=100.0)
    begun = time.monotonic()
    recorded(running, parameters)
    assert time.monotonic() - begun > 64 * 64 * 1e-4


def test_a_slow_frame_comes_line_by_line(swift: Callable[..., Any]) -> None:
    running = swift()
    device = running.configuration.scan_module.device
    device.set_frame_parameters(parameters_of(running, pixel_time_us=150.0))
    device.start_frame(False)
    _, complete, _, (_, (rows, _)), number, skip = device.read_partial(None, 0)
    assert not complete
    assert 0 < rows < 64
    while not complete:
        elements, complete, _, _, number, skip = device.read_partial(number, skip)
    assert_same_image(elements[0]["data"], expected(running, device.current_frame_parameters))


def test_the_view_plays_on(swift: Callable[..., Any]) -> None:
    running = swift()
    running.scan.start_playing()
    frames = running.on_worker(lambda: [running.scan.get_next_xdatas_to_finish(5.0)[0] for _ in range(3)])
    assert all(np.ptp(frame.data) > 0 for frame in frames)
    running.scan.abort_playing(sync_timeout=5.0)


def test_a_frame_that_is_given_up_ends_at_once_and_parks_the_beam(
    swift: Callable[..., Any], place_of: Callable[[Any], tuple[float, float]]
) -> None:
    running = swift()
    running.instrument.set_probe_position(Geometry.FloatPoint(y=0.25, x=0.5))
    running.scan.start_recording(frame_parameters=parameters_of(running, pixel_time_us=5000.0))
    running.pump_for(0.3)
    running.scan.abort_recording()
    running.pump(lambda: not running.scan.is_recording, 2.0)
    microscope = running.instrument.microscope
    now = microscope.clock()
    assert place_of(microscope.expose(0.01, now, now + 0.01)) == pytest.approx(microscope.probe_nm, abs=0.01)


def test_a_blanked_beam_gives_a_dark_frame(swift: Callable[..., Any]) -> None:
    running = swift()
    assert running.instrument.SetValAndConfirm("C_Blank", 1.0, 1.0, 1000)
    assert np.ptp(recorded(running, parameters_of(running)).data) == 0


def test_the_probe_follows_position_and_frame(swift: Callable[..., Any]) -> None:
    running = swift()
    instrument, microscope = running.instrument, running.instrument.microscope
    running.scan.set_current_frame_parameters(parameters_of(running, rotation_rad=0.4))
    instrument.set_probe_position(Geometry.FloatPoint(y=0.25, x=0.75))
    assert microscope.probe_nm == pytest.approx(probe_nm(instrument.scan_context, Geometry.FloatPoint(0.25, 0.75)))
    running.scan.set_current_frame_parameters(parameters_of(running, fov_nm=8.0, rotation_rad=0.0))
    assert microscope.probe_nm == pytest.approx((-2.0, 2.0))


def test_a_probe_that_nobody_positions_waits_outside_of_the_frame(swift: Callable[..., Any]) -> None:
    running = swift()
    running.scan.set_current_frame_parameters(parameters_of(running))
    running.instrument.set_probe_position(Geometry.FloatPoint(y=0.5, x=0.5))
    running.instrument.set_probe_position(None)
    assert max(running.instrument.microscope.probe_nm) < -8.0
