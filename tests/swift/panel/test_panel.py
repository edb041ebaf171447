"""The panel, clicked as a user clicks it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dkl_core.record import read_run
from tests.swift.panel.bench import PanelBench

Open = Callable[..., PanelBench]
LONG = {"sites": 30, "exposure_ms": 20.0}


def measured_in(path: Path) -> int:
    with read_run(path) as contents:
        return len(contents.measurements)


def sites_of(bench: PanelBench) -> int:
    return int(bench.label("grid").split(" ")[0].replace(",", ""))


def test_the_open_panel_names_the_simulated_microscope_and_its_camera(open_panel: Open) -> None:
    bench = open_panel()
    assert bench.view.instrument_combo.items == ["Simulated: Simulated STEM Scan"]
    assert bench.view.camera_combo.items == ["Simulated 4D Camera"]
    assert "Simulated" in bench.label("device")
    assert not bench.controller.needs_consent
    assert bench.label("progress") == "ready"


def test_a_run_goes_from_start_to_its_end_by_one_click(open_panel: Open) -> None:
    bench = open_panel()
    bench.start()
    bench.until_idle()
    assert not bench.notices
    assert bench.measured == 6
    assert bench.is_blanked
    assert "budget" in bench.label("message")
    (path,) = bench.files
    assert measured_in(path) == 6


def test_a_survey_brings_sites_and_what_they_will_cost(open_panel: Open) -> None:
    bench = open_panel()
    bench.survey()
    assert bench.label("survey") == "10 nm · 48 × 48 · 0.208 nm/px"
    assert bench.label("grid") == "25 sites"
    assert bench.label("patch_nm") == "px = 1.67 nm"
    assert "24.0% of the sites" in bench.label("estimate")
    assert not bench.is_blanked


def test_the_sites_follow_what_is_typed_and_drawn(open_panel: Open) -> None:
    bench = open_panel()
    bench.survey()
    bench.type("every_px", "4")
    bench.pump(lambda: bench.label("grid") == "121 sites")
    bench.click("region")
    bench.pump(lambda: sites_of(bench) < 121)
    in_region = sites_of(bench)
    assert bench.controller.settings.region is not None
    bench.click("forbidden")
    bench.pump(lambda: sites_of(bench) < in_region)
    bench.click("clear")
    bench.pump(lambda: sites_of(bench) == 121)
    assert bench.controller.settings.region is None
    bench.view.skip_slider.value = 50
    bench.pump(lambda: sites_of(bench) < 121)
    assert bench.controller.settings.skip_percent == 50


def test_sites_lie_where_they_were_drawn(open_panel: Open) -> None:
    bench = open_panel()
    bench.survey()
    bench.click("region")
    bench.pump(lambda: bench.controller.setup.is_settled)
    expected = {tuple(place) for place in bench.controller.setup.preview.sites.positions.tolist()}
    bench.start()
    bench.until_idle()
    with read_run(bench.files[0]) as contents:
        table = contents.measurements
        measured = {(int(row), int(col)) for row, col in zip(table.row, table.col, strict=True)}
    assert measured <= expected


def test_a_window_that_does_not_fit_is_said_and_nothing_can_start(open_panel: Open) -> None:
    bench = open_panel()
    bench.survey()
    bench.type("patch_px", "60")
    bench.pump(lambda: bench.controller.setup.problem)
    assert "does not fit" in bench.label("grid")
    assert not bench.view.start_button.enabled


def test_what_is_no_number_is_refused_and_the_setting_stays(open_panel: Open) -> None:
    bench = open_panel()
    bench.type("sites", "many")
    assert bench.controller.settings.sites == 6
    assert bench.view.sites_edit.text == "6"
    assert "'many' is no whole number" in bench.notices[-1]


def test_a_few_sites_are_tried_without_a_run(open_panel: Open) -> None:
    bench = open_panel()
    bench.survey()
    bench.click("try")
    bench.pump(lambda: bench.controller.setup.trial is not None)
    assert len(bench.label("trial").split(" · ")) == 5
    assert not bench.files
    assert bench.controller.setup.trial.site_s > 0


def test_the_live_pattern_gives_a_value_and_carries_the_circles(open_panel: Open) -> None:
    bench = open_panel(measured="bright_field", options={"semiangle_mrad": 10.0})
    bench.click("live")
    assert "press Play" in bench.notices[-1]
    camera = bench.swift.camera
    camera.start_playing()
    bench.pump(lambda: camera.is_playing)
    bench.swift.on_worker(lambda: camera.get_next_xdatas_to_finish(5.0))
    bench.swift.pump_for(0.1)
    camera.stop_playing()
    bench.click("live")
    bench.pump(lambda: bench.label("live"))
    reference = bench.swift.document_model.get_data_item_channel_reference(camera.hardware_source_id, None)
    shown = bench.swift.document_model.get_display_item_for_data_item(reference.data_item)
    assert shown.graphics
    bench.start()
    assert not shown.graphics
    bench.until_idle()


def test_a_run_is_paused_stepped_resumed_and_stopped(open_panel: Open) -> None:
    bench = open_panel(**LONG)
    bench.start()
    bench.click("pause")
    bench.pump(lambda: bench.controller.phase == "paused")
    assert bench.view.pause_button.text == "Resume"
    assert bench.is_blanked
    count = bench.measured
    bench.click("step")
    bench.pump(lambda: bench.measured == count + 1 and bench.controller.phase == "paused")
    bench.click("pause")
    bench.pump(lambda: bench.measured > count + 2)
    bench.click("stop")
    bench.until_idle()
    assert "stopped by the user" in bench.label("message")
    assert bench.is_blanked
    assert measured_in(bench.files[0]) == bench.measured


def test_a_step_without_a_run_begins_one_with_one_site(open_panel: Open) -> None:
    bench = open_panel()
    bench.click("step")
    bench.pump(lambda: bench.controller.phase == "paused" and bench.measured == 1)
    bench.click("stop")
    bench.until_idle()


def test_the_last_measurement_is_rejected_and_taken_back(open_panel: Open) -> None:
    bench = open_panel()
    bench.click("step")
    bench.pump(lambda: bench.controller.phase == "paused" and bench.measured == 1)
    experiment = bench.controller.run.session.experiment
    value = experiment.told[0].measurement.scalar
    bench.click("reject")
    bench.pump(lambda: not experiment.told[0].measurement.ok)
    bench.click("undo")
    bench.pump(lambda: experiment.told[0].measurement.ok or bench.notices)
    assert not bench.notices
    assert experiment.told[0].measurement.scalar == value
    bench.click("undo")
    bench.pump(lambda: bench.notices)
    assert "nothing to undo" in bench.notices[-1]
    bench.click("accept")
    bench.pump(lambda: bench.measured == 2)
    bench.click("stop")
    bench.until_idle()


def test_a_click_on_a_map_measures_there_next(open_panel: Open) -> None:
    from nion.swift import DisplayPanel
    from nion.utils import Geometry

    bench = open_panel(**LONG)
    bench.click("step")
    bench.pump(lambda: bench.controller.phase == "paused" and bench.measured == 1)
    bench.pump(lambda: bench.controller.run.display.display_items.get("visited"))
    shown = bench.controller.run.display.display_items["visited"]
    rows, cols = shown.data_item.data_shape[:2]
    clicked = DisplayPanel.DisplayPanelManager().image_display_clicked_event
    place = Geometry.FloatPoint(y=0.9 * rows, x=0.15 * cols)
    assert not clicked.fire_any(None, shown, place, None)
    bench.view.click_check.checked = True
    assert clicked.fire_any(None, shown, place, None)
    experiment = bench.controller.run.session.experiment
    bench.pump(lambda: experiment.pending)
    wanted = experiment.pending[0]
    assert (wanted.row, wanted.col) == (40, 8)
    bench.click("step")
    bench.pump(lambda: bench.measured == 2)
    assert experiment.told[1].site == wanted
    bench.click("stop")
    bench.until_idle()


def test_goal_strategy_and_budget_are_changed_while_it_runs(open_panel: Open) -> None:
    bench = open_panel(**LONG)
    bench.click("step")
    bench.pump(lambda: bench.controller.phase == "paused" and bench.measured == 1)
    bench.choose("aim", 1)
    bench.choose("strategy", 2)
    bench.type("sites", "16")
    experiment = bench.controller.run.session.experiment
    bench.pump(lambda: experiment.settings.stop.budget == 16)
    assert experiment.settings.goal.direction == "minimise"
    assert experiment.settings.acquisition.name == "ucb"
    bench.click("stop")
    bench.until_idle()


def test_a_run_that_was_left_is_resumed_from_its_file(open_panel: Open) -> None:
    bench = open_panel(sites=8)
    bench.start()
    bench.controller.run.leave()
    bench.until_idle()
    (path,) = bench.files
    before = measured_in(path)
    assert 1 <= before < 8
    bench.controller.resume_file(path)
    bench.pump(lambda: bench.controller.phase != "idle")
    bench.until_idle()
    assert measured_in(path) == 8
    assert not [text for text in bench.notices if "resumed" not in text]


def test_settings_are_saved_and_loaded_and_those_of_a_run_repeated(open_panel: Open, tmp_path: Path) -> None:
    bench = open_panel(sites=4)
    path = tmp_path / "mine.json"
    window = bench.swift.document_controller
    window.get_save_file_path = lambda *_: (str(path), "", "")
    window.get_file_paths_dialog = lambda *_: ([str(path)], "", "")
    bench.click("save")
    bench.type("sites", "9")
    bench.click("load")
    assert bench.view.sites_edit.text == "4"
    bench.start()
    bench.until_idle()
    bench.type("sites", "9")
    path = bench.files[0]
    bench.click("load")
    assert bench.view.sites_edit.text == "4"


def test_a_preset_keeps_the_microscope_and_changes_the_experiment(open_panel: Open) -> None:
    bench = open_panel()
    bench.view.preset_combo.current_index = 3
    assert bench.controller.settings.measured == "com_magnitude"
    assert bench.controller.settings.sites == 100
    assert bench.controller.settings.survey_px == 48
    assert bench.view.measured_combo.current_item == "Electric field |CoM|"


@pytest.mark.parametrize("name", ["frame", "options", "advanced", "override"])
def test_what_is_folded_away_is_unfolded_and_folded(open_panel: Open, name: str) -> None:
    bench = open_panel()
    bench.click(name)
    assert bench.view.flag[name].value
    assert getattr(bench.view, f"{name}_button").text.startswith("▾")
    bench.click(name)
    assert not bench.view.flag[name].value


def test_the_window_is_laid_out_for_a_run(open_panel: Open) -> None:
    bench = open_panel()
    bench.click("workspace")
    panels = bench.swift.document_controller.workspace_controller.display_panels
    assert {"dkl-visited", "dkl-mean", "dkl-pattern"} <= {panel.display_panel_id for panel in panels}
    bench.survey()
    assert [panel.display_panel_id for panel in panels if panel.display_item is not None] == ["dkl-visited"]
