"""The panel beside other hardware, and in a second window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from nion.device_kit.CameraDevice import CameraSettings
from nion.utils import Registry

from dkl_core.record import read_run
from nionswift_plugin.dkl_simulator.camera import SimulatedCamera, SimulatedCameraModule
from nionswift_plugin.dkl_simulator.trigger import Trigger
from tests.swift.panel.bench import PanelBench
from tests.swift.panel.conftest import noisy

Open = Callable[..., PanelBench]


class SecondCamera(SimulatedCamera):
    """Another camera over the same microscope."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self.camera_id, self.camera_name = "second_camera", "Second Camera"


@contextmanager
def second_camera(bench: PanelBench) -> Iterator[SecondCamera]:
    """A second camera in Swift, which is nobody's own."""
    camera = SecondCamera(bench.swift.instrument, Trigger(), (24, 24), 1.0)
    module = SimulatedCameraModule(camera, bench.swift.instrument.instrument_id)
    module.camera_settings = CameraSettings("second_camera", 0.02)
    Registry.register_component(module, {"camera_module"})
    try:
        yield camera
    finally:
        Registry.unregister_component(module, {"camera_module"})


def host_in(path: Path) -> dict[str, Any]:
    with read_run(path) as contents:
        return dict(contents.header.settings["host"])


def shape_of_patterns(path: Path) -> tuple[int, ...]:
    with read_run(path) as contents:
        raw = contents.raw(0)
        assert raw is not None
        return raw.shape


def test_of_two_cameras_the_instruments_own_comes_first_and_the_chosen_one_measures(open_panel: Open) -> None:
    bench = open_panel(binning=1)
    with second_camera(bench):
        bench.pump(lambda: bench.view.camera_combo.items == ["Simulated 4D Camera", "Second Camera"])
        bench.choose("camera", 1)
        assert bench.controller.settings.camera == "second_camera"
        bench.start()
        bench.until_idle()
        assert not bench.notices
        assert shape_of_patterns(bench.files[0]) == (24, 24)
        assert "Second Camera" in host_in(bench.files[0])["device"]
    bench.pump(lambda: bench.view.camera_combo.items == ["Simulated 4D Camera"])


def test_a_camera_that_is_taken_away_in_a_run_ends_it_and_the_next_run_uses_what_is_left(open_panel: Open) -> None:
    bench = open_panel(binning=1)
    with second_camera(bench):
        bench.pump(lambda: len(bench.view.camera_combo.items) == 2)
        bench.choose("camera", 1)
    bench.pump(lambda: bench.view.camera_combo.items == ["Simulated 4D Camera"])
    bench.start()
    bench.until_idle()
    assert shape_of_patterns(bench.files[0]) == (32, 32)


def test_two_windows_share_one_microscope_one_after_the_other(open_panel: Open) -> None:
    from nionswift_plugin.dkl.panel import panel

    bench = open_panel(sites=30, exposure_ms=20.0)
    second = bench.swift.context.create_secondary_document_controller(bench.swift.document_model, auto_close=False)
    try:
        second.workspace_controller.create_panels([panel.PANEL_ID])
        other = second.find_dock_panel(panel.PANEL_ID).view.controller
        other.adopt(bench.controller.settings.with_(sites=4))
        bench.start()
        other.start()
        assert "from another window" in bench.notices[-1]
        assert other.phase == "idle"
        measured = bench.measured
        bench.pump(lambda: bench.measured > measured)
        bench.click("stop")
        bench.until_idle()

        def pump(until: Callable[[], object]) -> None:
            bench.pump(lambda: second.periodic() or until())

        other.start()
        pump(lambda: other.phase != "idle")
        assert other.uses_microscope
        bench.controller.start()
        assert "from another window" in bench.notices[-1]
        pump(lambda: other.phase == "idle")
        assert other.status.measured == 4
        assert bench.is_blanked
    finally:
        second.close()


def test_closing_one_window_of_two_leaves_the_run_of_the_other_alone(open_panel: Open) -> None:
    from nionswift_plugin.dkl.panel import panel

    bench = open_panel(sites=12)
    second = bench.swift.context.create_secondary_document_controller(bench.swift.document_model, auto_close=False)
    second.workspace_controller.create_panels([panel.PANEL_ID])
    bench.start()
    second.close()
    bench.until_idle()
    assert bench.measured == 12
    assert not bench.notices


@pytest.fixture
def usim(swift: Callable[..., Any], tmp_path: Path) -> Any:
    """Swift with Nion's simulator alone, and the panel in it."""
    pytest.importorskip("nion.usim_device", reason="Nion's simulator is not installed (pip install nionswift-usim)")
    from nion.usim_device import DeviceConfiguration

    options = {"sample_index": 0, "set_configuration_location": False}
    return DeviceConfiguration.AcquisitionContextConfiguration(**options)


def test_beside_nions_simulator_ours_comes_first_and_either_is_run(
    usim: Any, open_panel: Open, places_microscope: Callable[..., Any]
) -> None:
    from nionswift_plugin.dkl_simulator.configuration import Configuration

    bench = open_panel(usim, survey_px=32, exposure_ms=50.0, sites=3, seeds=2)
    assert bench.view.instrument_combo.items == ["Simulated: uSim Scan"]
    ours = Configuration(places_microscope(realism=noisy()))
    ours.run()
    try:
        bench.pump(lambda: len(bench.view.instrument_combo.items) == 2)
        assert bench.view.instrument_combo.items == ["Simulated: Simulated STEM Scan", "Simulated: uSim Scan"]
        bench.choose("instrument", 0)
        bench.start()
        bench.until_idle()
        bench.choose("instrument", 1)
        assert "uSim Ronchigram Camera" in bench.view.camera_combo.items
        bench.survey()
        bench.start()
        bench.until_idle()
        devices = [host_in(path)["device"] for path in bench.files]
        assert len(devices) == 2, bench.notices
        assert "Simulated STEM Scan, Simulated 4D Camera" in devices[0]
        assert "uSim Scan, uSim Ronchigram Camera" in devices[1]
    finally:
        bench.controller.stop()
        bench.until_idle()
        ours.stop()
