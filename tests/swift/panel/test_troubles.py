"""What goes wrong round the panel, and what the user is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nion.utils import Registry

from dkl_core.record import read_run
from tests.swift.panel.bench import PanelBench, quick_settings
from tests.swift.panel.conftest import registered

Open = Callable[..., PanelBench]
LONG = {"sites": 30, "exposure_ms": 20.0}


def test_without_a_camera_the_panel_says_what_to_do(open_panel: Open) -> None:
    bench = open_panel()
    camera = bench.swift.camera
    camera.features["is_eels_camera"] = True
    bench.controller.changed.fire()
    assert "No microscope with a camera" in bench.label("device")
    assert not bench.view.start_button.enabled
    bench.controller.start()
    assert "no camera for diffraction patterns" in bench.notices[-1]
    camera.features["is_eels_camera"] = False


def test_devices_that_come_and_go_are_listed(open_panel: Open) -> None:
    bench = open_panel()
    camera = bench.swift.camera
    Registry.unregister_component(camera, {"camera_hardware_source"})
    bench.pump(lambda: bench.view.camera_combo.items == ["none"])
    Registry.register_component(camera, {"camera_hardware_source"})
    bench.pump(lambda: bench.view.camera_combo.items == ["Simulated 4D Camera"])


def test_a_microscope_that_may_be_real_waits_for_consent_once(open_panel: Open, monkeypatch: Any) -> None:
    bench = open_panel()
    monkeypatch.setattr(bench.swift.instrument, "is_simulator", False, raising=False)
    bench.controller.changed.fire()
    assert bench.view.instrument_combo.items[0].startswith("Real")
    assert not bench.view.start_button.enabled
    bench.controller.start()
    assert "may be real" in bench.notices[-1]
    bench.click("consent")
    assert bench.view.start_button.enabled
    bench.start()
    bench.until_idle()
    assert bench.measured == 6
    assert bench.view.start_button.enabled


def test_a_camera_that_fails_ends_the_run_with_a_notification(open_panel: Open, monkeypatch: Any) -> None:
    bench = open_panel(**LONG)
    bench.start()

    def unplugged(*_: Any, **__: Any) -> Any:
        raise RuntimeError("unplugged")

    monkeypatch.setattr(bench.swift.camera.camera, "acquire_sequence_begin", unplugged)
    monkeypatch.setattr(bench.swift.camera.camera, "acquire_single_begin", unplugged, raising=False)
    bench.until_idle()
    assert bench.controller.run.outcome.ending == "failed"
    assert "in a row could not be measured" in bench.notices[-1]
    assert bench.is_blanked
    assert bench.view.start_button.enabled


def test_an_option_that_does_not_exist_is_said_before_anything_moves(open_panel: Open) -> None:
    bench = open_panel()
    bench.type("options", "colour=3")
    bench.click("start")
    bench.pump(lambda: bench.notices)
    bench.until_idle()
    assert "no option colour" in bench.notices[-1]
    assert not bench.files


def test_an_item_that_is_no_scan_is_no_survey(open_panel: Open) -> None:
    bench = open_panel()
    bench.click("displayed")
    assert "no image is selected" in bench.notices[-1]


def test_stop_pressed_twice_ends_a_long_exposure_at_once(open_panel: Open) -> None:
    bench = open_panel(exposure_ms=5000.0)
    bench.survey()
    bench.click("start")
    bench.pump(lambda: bench.controller.phase == "running")
    began = time.monotonic()
    bench.click("stop")
    assert bench.view.stop_button.text == "Stop now"
    bench.click("stop")
    bench.until_idle()
    assert time.monotonic() - began < 4.5
    assert bench.is_blanked


def test_closing_the_window_during_a_run_blanks_the_beam_and_loses_nothing(
    places_microscope: Callable[..., Any], tmp_path: Path
) -> None:
    from nionswift_plugin.dkl.panel import panel
    from nionswift_plugin.dkl_simulator.configuration import Configuration
    from tests.swift.conftest import running_swift
    from tests.swift.panel.conftest import noisy

    configuration = Configuration(places_microscope(realism=noisy()))
    with registered(panel):
        with running_swift(configuration, tmp_path) as swift:
            bench = PanelBench(swift, panel.PANEL_ID)
            bench.controller.adopt(quick_settings(tmp_path / "runs", **LONG))
            bench.start()
            session, files, count = bench.controller.run.session, bench.files, bench.measured
            bench.close()
            del bench
        assert session.is_over
        assert configuration.instrument.ready().blanked
    with read_run(files[0]) as contents:
        assert len(contents.measurements) >= count
        assert contents.closed_properly
