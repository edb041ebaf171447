"""Recorded data as the microscope, in the panel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dkl_core.record import read_run
from tests.swift.modes.recorded import PIXEL_NM, SPOTS, add_item, image, patterns, write
from tests.swift.panel.bench import PanelBench

Open = Callable[..., PanelBench]
LONG_S = 150.0
FIELD = {"measured": "com_magnitude", "patch_px": 6, "every_px": 1, "sites": 12, "seeds": 6}


def replaying(bench: PanelBench, tmp_path: Path) -> PanelBench:
    """Take the archive as the microscope by the panel's button, and wait for its survey."""
    window = bench.swift.document_controller
    window.get_file_paths_dialog = lambda *_: ([str(write(tmp_path / "set.npz"))], "", "")
    bench.click("recorded")
    bench.pump(lambda: bench.controller.phase == "idle" and bench.controller.setup.sites)
    return bench


def host_of(path: Path) -> dict[str, Any]:
    with read_run(path) as contents:
        return dict(contents.header.settings["host"])


def test_a_run_on_recorded_data_measures_what_they_hold_and_touches_nothing(open_panel: Open, tmp_path: Path) -> None:
    bench = replaying(open_panel(**FIELD), tmp_path)
    assert bench.view.instrument_combo.current_item == "Recorded: set.npz"
    assert "no dose is spent" in bench.label("device")
    assert bench.label("survey").startswith("3.2 nm · 32 × 32")
    assert bench.label("estimate").endswith("no dose")
    np.testing.assert_array_equal(bench.controller.setup.ground.survey.values, image())
    bench.swift.instrument.SetVal("C_Blank", 1.0)
    probe = bench.swift.instrument.probe_position
    microscope = bench.swift.configuration.instrument.microscope
    electrons = microscope.electrons
    bench.start()
    bench.until_idle(LONG_S)
    assert not bench.notices
    assert "no dose" in bench.label("progress")
    assert bench.swift.instrument.probe_position == probe
    assert microscope.electrons == electrons
    (path,) = bench.files
    with read_run(path) as contents:
        table = contents.measurements
        assert len(table.value) == 12
        assert set(table.electrons) == {0.0}
        stored = patterns()
        for number in range(12):
            np.testing.assert_array_equal(contents.raw(number), stored[int(table.row[number]), int(table.col[number])])
    assert host_of(path)["replay"] == {"kind": "file", "path": str(tmp_path / "set.npz"), "name": "set.npz"}
    bench.click("live")
    bench.pump(lambda: bench.label("live"))
    assert "mrad" in bench.label("live")
    (shown,) = (item for item in bench.swift.document_model.data_items if item.title == "set.npz: mean pattern")
    assert bench.swift.document_model.get_display_item_for_data_item(shown).graphics
    assert not bench.notices
    bench.click("displayed")
    assert "have their own image" in bench.notices[-1]


def test_sites_are_tried_and_the_run_is_steered_as_on_a_microscope(open_panel: Open, tmp_path: Path) -> None:
    bench = replaying(open_panel(**FIELD), tmp_path)
    bench.click("try")
    bench.pump(lambda: bench.controller.setup.trial is not None)
    assert "mrad" in bench.label("trial")
    bench.click("step")
    bench.pump(lambda: bench.controller.phase == "paused" and bench.measured == 1)
    bench.pump(lambda: bench.controller.run.display.display_items.get("pattern"))
    bench.controller.measure_at(*SPOTS[0])
    experiment = bench.controller.run.session.experiment
    bench.pump(lambda: experiment.pending)
    bench.click("step")
    bench.pump(lambda: bench.measured == 2)
    assert (experiment.told[1].site.row, experiment.told[1].site.col) == SPOTS[0]
    bench.click("reject")
    bench.pump(lambda: not experiment.told[1].measurement.ok)
    bench.click("stop")
    bench.until_idle(LONG_S)
    assert not bench.notices


def test_a_replay_that_was_left_is_resumed_on_its_data_alone(open_panel: Open, tmp_path: Path) -> None:
    bench = open_panel(**{**FIELD, "sites": 30})
    replaying(bench, tmp_path)
    bench.click("step")
    bench.pump(lambda: bench.controller.phase == "paused" and bench.measured == 1)
    bench.controller.run.leave()
    bench.until_idle(LONG_S)
    (path,) = bench.files
    bench.choose("instrument", 0)
    bench.controller.resume_file(path)
    bench.pump(lambda: bench.notices)
    assert "replays recorded data (set.npz)" in bench.notices[-1]
    bench.choose("instrument", bench.view.instrument_combo.items.index("Recorded: set.npz"))
    bench.pump(lambda: bench.controller.phase == "idle" and bench.controller.setup.sites)
    bench.controller.resume_file(path)
    bench.pump(lambda: bench.controller.phase != "idle")
    bench.until_idle(LONG_S)
    with read_run(path) as contents:
        assert len(contents.measurements.value) == 30


def test_a_4d_data_item_stands_for_the_microscope_until_it_is_deleted(open_panel: Open) -> None:
    bench = open_panel(**{**FIELD, "every_px": 2, "sites": 8})
    item = add_item(bench.swift, dark=100)
    bench.controller.change(instrument=f"item:{item.uuid}")
    bench.pump(lambda: bench.controller.phase == "idle" and bench.controller.setup.sites)
    assert bench.view.instrument_combo.current_item == "Recorded: 4D set"
    assert "for the level without beam" in bench.label("device")
    shown = bench.controller.setup.ground.survey
    assert shown.pixel_nm == (PIXEL_NM, PIXEL_NM)
    # the halo follows the image
    assert np.corrcoef(shown.values.ravel(), image().ravel())[0, 1] > 0.8
    bench.start()
    bench.until_idle(LONG_S)
    assert not bench.notices
    assert host_of(bench.files[0])["replay"]["uuid"] == str(item.uuid)
    bench.swift.document_model.remove_data_item(item)
    bench.controller.changed.fire()
    assert bench.label("device") == "Simulated: nothing real is moved"


def test_what_cannot_be_replayed_is_refused_with_what_to_do(open_panel: Open, tmp_path: Path) -> None:
    bench = open_panel(**FIELD)
    item = add_item(bench.swift, units="")
    bench.controller.change(instrument=f"item:{item.uuid}")
    bench.pump(lambda: bench.notices)
    assert "set their scale and units" in bench.notices[-1]
    assert bench.view.instrument_combo.current_item.startswith("Simulated")
    path = tmp_path / "map.npz"
    np.savez(path, image=image(), scalar_height=image())
    bench.controller.modes.open_file(path)
    bench.pump(lambda: "no diffraction patterns" in bench.notices[-1])
    assert bench.controller.settings.instrument is None
    bench.controller.modes.use_selected()
    assert "no 4D data item is selected" in bench.notices[-1]


def test_an_earlier_run_is_replayed_on_its_own_sites(open_panel: Open, tmp_path: Path) -> None:
    bench = replaying(open_panel(**{**FIELD, "every_px": 2, "sites": 16}), tmp_path)
    bench.start()
    bench.until_idle(LONG_S)
    (path,) = bench.files
    bench.controller.modes.open_file(path)
    bench.pump(lambda: bench.controller.phase == "idle" and bench.label("grid") == "16 sites")
    bench.controller.change(sites=8)
    bench.start()
    bench.until_idle(LONG_S)
    with read_run(path) as contents:
        known = {
            (int(row), int(col)) for row, col in zip(contents.measurements.row, contents.measurements.col, strict=True)
        }
    with read_run(next(one for one in bench.files if one != path)) as contents:
        table = contents.measurements
        assert {(int(row), int(col)) for row, col in zip(table.row, table.col, strict=True)} <= known
    assert not bench.notices
    bench.choose("measured", 4)
    bench.click("start")
    bench.pump(lambda: bench.notices)
    assert "values of com_magnitude alone" in bench.notices[-1]


def test_a_window_closes_with_a_set_open_and_another_that_is_gone_gives_way(open_panel: Open, tmp_path: Path) -> None:
    bench = open_panel(**FIELD)
    bench.controller.change(instrument=f"file:{tmp_path / 'gone.npz'}")
    bench.pump(lambda: bench.notices)
    assert "cannot be opened" in bench.notices[-1]
    assert bench.controller.settings.instrument is None
    item = add_item(bench.swift)
    bench.controller.change(instrument=f"item:{item.uuid}")
    bench.pump(lambda: bench.controller.phase == "idle" and bench.controller.setup.sites)
