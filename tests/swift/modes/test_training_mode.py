"""Training: a sample that nobody has seen, and afterwards what was missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")
from nion.instrumentation.test import AcquisitionTestContextConfiguration
from nion.ui import Window

import nionswift_plugin.dkl_simulator as simulator
from dkl_core.errors import InputError
from nionswift_plugin.dkl.training import lessons
from nionswift_plugin.dkl.training.lessons import DIFFICULTIES, LESSONS, realism_of
from nionswift_plugin.dkl.training.menu import action_id
from nionswift_plugin.dkl_simulator.registration import switch
from tests.swift.panel.bench import PanelBench

Open = Callable[..., PanelBench]
LONG_S = 200.0
# Few atoms and few sites, but sites dense enough for a ring of them round a dopant.
SMALL: dict[str, Any] = {
    "survey_px": 60, "dwell_us": 1.0, "every_px": 2, "sites": 8, "seeds": 4, "dark_frames": 0, "exposure_ms": 10.0,
}  # fmt: skip


@pytest.fixture
def trained(open_panel: Open, monkeypatch: pytest.MonkeyPatch) -> Iterator[PanelBench]:
    """A window with another instrument, the simulator installed but off, and lessons on a small sample."""
    monkeypatch.delenv("DKL_SIMULATOR", raising=False)
    small = [replace(one, fov_nm=3.0, panel={**one.panel, **SMALL}) for one in LESSONS]
    monkeypatch.setattr(lessons, "LESSONS", tuple(small))
    monkeypatch.setattr(lessons, "_MARGIN_NM", 1.0)
    monkeypatch.setattr(lessons.Lesson, "simulator", _with_few_pixels(lessons.Lesson.simulator))
    bench = open_panel(AcquisitionTestContextConfiguration.AcquisitionTestContextConfiguration())
    simulator.run()
    yield bench
    bench.controller.run.leave()
    bench.until_idle()
    simulator.stop()


def _with_few_pixels(make: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *of: replace(make(*of), sensor_px=32)


def begin(bench: PanelBench, sample: str = "graphene_si", difficulty: str = "clean") -> None:
    """Choose it in the menu, as the user does."""
    window = bench.swift.document_controller
    action = Window.actions[action_id(sample, difficulty)]
    action.invoke(Window.ActionContext(window.app, window, None))
    bench.pump(lambda: switch().is_on)


def roles(bench: PanelBench) -> set[str]:
    return {item.metadata.get("dkl", {}).get("role", "") for item in bench.swift.document_model.data_items}


def test_a_training_sets_everything_up_and_tells_what_was_missed_at_the_end_alone(trained: PanelBench) -> None:
    bench = trained
    begin(bench)
    assert bench.view.instrument_combo.current_item == "Simulated: Simulated STEM Scan"
    assert "Find the silicon" in bench.label("message")
    panels = bench.swift.document_controller.workspace_controller.display_panels
    assert {"dkl-visited", "dkl-mean"} <= {panel.display_panel_id for panel in panels}
    switch().configuration.instrument.ready()
    bench.click("step")
    bench.pump(lambda: bench.controller.phase == "paused" and bench.measured == 1, LONG_S)
    coach = bench.controller.modes.coach
    assert coach.revealed is None
    bench.controller.run.leave()
    bench.until_idle()
    bench.swift.pump_for(0.2)
    assert coach.revealed is None
    assert not {"truth", "missed"} & roles(bench)
    bench.controller.resume_file(bench.controller.run.path)
    bench.pump(lambda: coach.revealed is not None or bench.notices, LONG_S)
    assert not bench.notices
    sentence = coach.revealed.sentence
    assert sentence.startswith("You found ")
    assert "dopants with 8 of 625 sites" in sentence
    assert bench.label("message") == sentence
    assert {"truth", "missed"} <= roles(bench)
    assert coach.revealed.picture.stat().st_size > 10_000
    host = bench.controller.modes.afterwards
    assert host.path == coach.revealed.run


def test_the_remembered_simulator_is_left_as_it_was(trained: PanelBench, tmp_path: Path) -> None:
    begin(trained, "twisted_bilayer", "hostile")
    settings = switch().settings
    assert settings.sample.kind == "twisted_bilayer"
    assert settings.realism == realism_of("hostile")
    begin(trained, "twisted_bilayer", "hostile")
    assert switch().settings.seed != settings.seed
    assert not (tmp_path / "dkl_simulator_settings.json").exists()


def test_no_training_begins_while_a_run_goes_on(trained: PanelBench, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(trained)
    before = switch().settings
    with monkeypatch.context() as during:
        during.setattr(type(trained.controller), "phase", "running")
        begin(trained, "mnps3")
    assert "stop it before" in trained.notices[-1]
    assert switch().settings is before


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: str(lesson.sample))
@pytest.mark.parametrize("difficulty", [name for name, _title in DIFFICULTIES])
def test_every_lesson_has_a_microscope_and_a_property_with_a_truth(lesson: lessons.Lesson, difficulty: str) -> None:
    from dkl_core.stem.truth import TRUTH_KINDS
    from nionswift_plugin.dkl.panel.model import PanelSettings

    made = lesson.simulator(difficulty, seed=5)
    assert made.sample.kind == lesson.sample
    assert made.sample.field_nm > lesson.fov_nm
    settings = lesson.settings(PanelSettings(folder="kept"), "stem", "camera")
    assert settings.measured in TRUTH_KINDS
    assert (settings.folder, settings.instrument, settings.camera) == ("kept", "stem", "camera")


def test_what_is_no_lesson_says_what_there_is() -> None:
    with pytest.raises(InputError, match="graphene_si, twisted_bilayer"):
        lessons.lesson_of("gold")
    with pytest.raises(InputError, match="clean, realistic or hostile"):
        realism_of("cruel")


def test_the_menu_lists_every_sample_with_every_difficulty(trained: PanelBench) -> None:
    from nionswift_plugin.dkl.training.menu import add_to_menu

    class Menu:
        def __init__(self, title: str = "") -> None:
            self.title, self.entries = title, {}

        def add_menu_item(self, title: str, _callback: Callable[[], object], *, action_id: str) -> None:
            self.entries[title] = action_id

        def add_sub_menu(self, title: str, menu: Menu) -> None:
            self.entries[title] = menu.entries

    class Window:
        def __init__(self) -> None:
            self.menu = Menu()

        def get_or_create_menu(self, *_: object) -> Menu:
            return self.menu

        def create_sub_menu(self, title: str) -> Menu:
            return Menu(title)

        def perform_action(self, _name: str) -> None: ...

    window = Window()
    add_to_menu(window)
    training = window.menu.entries["Training"]
    assert list(training) == [lesson.title for lesson in LESSONS]
    assert training["Strain of a flake"]["Hostile"] == action_id("strained_flake", "hostile")
    assert {len(levels) for levels in training.values()} == {3}


def test_neighbouring_best_sites_are_one_place() -> None:
    from dkl_core.patches import PatchSettings, make_patches
    from dkl_core.survey import SurveyImage
    from nionswift_plugin.dkl.training.missed import best_places

    image = np.random.default_rng(1).normal(size=(24, 24))
    sites = make_patches(SurveyImage(image), PatchSettings(window=4, stride=2)).sites
    best = np.zeros(len(sites), dtype=bool)
    corner, far = [0, 1, 11, 12], [60, 61, 71, 72, 73]
    best[[*corner, *far, 40]] = True
    assert [group.tolist() for group in best_places(sites, best)] == [corner, far]
