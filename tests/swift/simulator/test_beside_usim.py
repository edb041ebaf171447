"""The simulated microscope in a Swift that has Nion's own simulator as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")
pytest.importorskip("nion.usim_device", reason="Nion's simulator is not installed (pip install nionswift-usim)")
from nion.usim_device import DeviceConfiguration
from nion.utils import Geometry, Registry

from nionswift_plugin.dkl_simulator.configuration import Configuration


@pytest.fixture
def both(swift: Callable[..., Any], places_microscope: Callable[..., Any], tmp_path: Path) -> Any:
    """Swift with Nion's simulator, then ours."""
    options = {"sample_index": 0, "set_configuration_location": False}
    running = swift(DeviceConfiguration.AcquisitionContextConfiguration(**options))
    ours = Configuration(places_microscope())
    ours.run()
    yield running, ours
    ours.stop()


def test_ours_comes_before_nions_and_each_has_its_own_devices(both: Any) -> None:
    running, ours = both
    stem = Registry.get_component("stem_controller")
    assert stem is ours.instrument
    assert stem.scan_controller is ours.scan_module.hardware_source
    assert stem.ronchigram_camera is ours.camera_module.hardware_source
    assert running.instrument.scan_controller is running.scan


def test_our_probe_moves_ours_alone(both: Any, place_of: Callable[[Any], tuple[float, float]]) -> None:
    running, ours = both
    ours.instrument.set_probe_position(Geometry.FloatPoint(y=0.2, x=0.7))
    assert running.instrument.probe_position is None
    camera = ours.camera_module.hardware_source
    task = camera.start_recording(frame_parameters=camera.get_current_frame_parameters())
    frame = running.on_worker(lambda: task.grab_xdatas(timeout=5.0))[0]
    running.pump(lambda: not camera.is_recording)
    assert place_of(frame.data) == pytest.approx(ours.instrument.microscope.probe_nm, abs=0.01)


def test_a_synchronized_scan_is_of_our_scan_and_camera(both: Any) -> None:
    running, ours = both
    scan, camera = ours.scan_module.hardware_source, ours.camera_module.hardware_source
    parameters = scan.get_current_frame_parameters()
    parameters.pixel_size, parameters.fov_nm = Geometry.IntSize(3, 3), 6.0
    frames = camera.get_current_frame_parameters()
    frames.exposure_ms = 5.0
    grab = scan.grab_synchronized
    _, patterns = running.on_worker(
        lambda: grab(scan_frame_parameters=parameters, camera=camera, camera_frame_parameters=frames)
    )
    assert patterns[0].data_shape == (3, 3, 32, 32)
