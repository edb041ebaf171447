"""Switching the simulated microscope on and off."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")
from nion.instrumentation.test import AcquisitionTestContextConfiguration
from nion.ui import Window
from nion.utils import Registry

import nionswift_plugin.dkl_simulator as extension
from dkl_core.errors import InputError
from dkl_core.stem.settings import SampleSettings
from nionswift_plugin.dkl_simulator import registration
from nionswift_plugin.dkl_simulator.instrument import INSTRUMENT_ID
from nionswift_plugin.dkl_simulator.settings import FILE_NAME, SimulatorSettings, load, save

# What hardware has that says nothing.
REAL = 50
SMALL = SimulatorSettings(sample=SampleSettings(field_nm=5.0), sensor_px=32)


def listed(kind: str) -> set[str]:
    names = ("instrument_id", "hardware_source_id")
    found = Registry.get_components_by_type(kind)
    return {getattr(item, name) for item in found for name in names if hasattr(item, name)}


@pytest.fixture
def other(swift: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Swift with another instrument of Nion's, and the extension not yet run."""
    monkeypatch.delenv("DKL_SIMULATOR", raising=False)
    save(tmp_path, SMALL)
    running = swift(AcquisitionTestContextConfiguration.AcquisitionTestContextConfiguration())
    yield running
    extension.stop()


def toggle(running: Any) -> None:
    Window.actions[registration.ACTION_ID].invoke(Window.ActionContext(running.document_controller.app, None, None))


def test_nothing_but_a_menu_item_is_there_at_first(other: Any) -> None:
    before = listed("hardware_source")
    extension.run()
    assert registration.ACTION_ID in Window.actions
    assert listed("hardware_source") == before
    assert INSTRUMENT_ID not in listed("stem_controller")


def test_the_menu_item_switches_on_and_off_and_is_remembered(other: Any, tmp_path: Path) -> None:
    extension.run()
    action = Window.actions[registration.ACTION_ID]
    context = Window.ActionContext(other.document_controller.app, None, None)
    assert not action.is_checked(context)
    toggle(other)
    assert action.is_checked(context)
    assert {"dkl_scan", "dkl_camera"} <= listed("hardware_source")
    assert load(tmp_path).enabled
    toggle(other)
    assert not action.is_checked(context)
    assert not {"dkl_scan", "dkl_camera"} & listed("hardware_source")
    assert not load(tmp_path).enabled


def test_it_is_on_at_the_next_start_if_it_was_on(other: Any, tmp_path: Path) -> None:
    save(tmp_path, replace(SMALL, enabled=True))
    extension.run()
    assert INSTRUMENT_ID in listed("stem_controller")


@pytest.mark.parametrize(("value", "enabled", "on"), [("1", False, True), ("0", True, False)])
def test_the_environment_overrules_the_setting(
    other: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, enabled: bool, on: bool
) -> None:
    monkeypatch.setenv("DKL_SIMULATOR", value)
    save(tmp_path, replace(SMALL, enabled=enabled))
    extension.run()
    assert (INSTRUMENT_ID in listed("stem_controller")) == on


def test_a_frame_is_taken_after_switching_on_at_run_time(other: Any) -> None:
    extension.run()
    toggle(other)
    configuration = registration.switch().configuration
    scan = configuration.scan_module.hardware_source
    parameters = scan.get_current_frame_parameters()
    assert other.on_worker(lambda: scan.record_immediate(parameters))[0].data_shape == (128, 128)


def test_a_real_instrument_wins_and_keeps_its_scan(other: Any) -> None:
    other.instrument.priority = REAL
    extension.run()
    toggle(other)
    stem = Registry.get_component("stem_controller")
    assert stem is other.instrument
    assert stem.scan_controller is other.scan
    ours = registration.switch().configuration
    assert ours.instrument.scan_controller is ours.scan_module.hardware_source
    assert ours.instrument.ronchigram_camera is ours.camera_module.hardware_source


def test_settings_come_back_from_json() -> None:
    settings = replace(SMALL, enabled=True, seed=7)
    assert SimulatorSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_settings_that_cannot_be_used_say_why() -> None:
    with pytest.raises(InputError, match="colour"):
        SimulatorSettings.from_json({"colour": "blue"})


def test_a_broken_file_leaves_the_microscope_off(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("{", encoding="utf-8")
    assert load(tmp_path) == SimulatorSettings()
