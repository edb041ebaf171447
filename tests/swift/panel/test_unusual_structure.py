"""The goal to find unusual structure: the run goes by the survey image, and measures the property all the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dkl_core.discovery.discover import Discovery
from dkl_core.discovery.planted import planted_image
from dkl_core.discovery.settings import DiscoverySettings
from dkl_core.discovery.targetfile import save_target
from dkl_core.errors import DataFileError, InputError
from dkl_core.experiment.recorded import rebuilt
from dkl_core.experiment.structure import WORKFLOWS
from dkl_core.record import read_run
from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.panel import wording
from nionswift_plugin.dkl.panel.estimate import LEARNING_S, TRAINING_S, estimate
from nionswift_plugin.dkl.panel.model import PanelSettings
from nionswift_plugin.dkl.panel.presets import presets
from nionswift_plugin.dkl.panel.runs import new_session
from nionswift_plugin.dkl.scripting import connect
from nionswift_plugin.dkl.scripting.results import results_of
from tests.swift.panel.bench import PanelBench

Open = Callable[..., PanelBench]
STRUCTURE = {"aim": "structure", "structure_px": 12}
SOON_S = 120.0


def aim_of(name: str) -> int:
    return [aim for aim, _title in wording.AIMS].index(name)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    image = SurveyImage(planted_image(size=64, radius=12, noise=0.3, seed=1, count=1).image)
    learned = Discovery.begin(image, DiscoverySettings(window=12, components=2))
    return save_target(tmp_path / "learned.npz", learned.target, learned.settings)


def test_a_run_goes_by_the_survey_image_and_keeps_the_property(open_panel: Open) -> None:
    bench = open_panel()
    assert not bench.view.flag["structure"].value
    bench.choose("aim", aim_of("structure"))
    bench.choose("workflow", [name for name, _title in wording.WORKFLOWS].index("patch-pca"))
    bench.type("structure_px", "10")
    assert bench.view.flag["structure"].value
    assert bench.label("unit") == ""
    bench.start()
    bench.until_idle()
    assert not bench.notices
    assert bench.label("best").startswith("unusual structure (patch-pca) · best ")
    (path,) = bench.files
    assert "structure-tests-swift" in path.name
    shown = bench.controller.run.display.display_items["mean"]
    assert "unusual structure (patch-pca)" in shown.title
    assert shown.data_item.metadata["dkl"]["property"] == "unusual structure (patch-pca)"
    with read_run(path) as contents:
        table, experiment = contents.measurements, rebuilt(contents)
        assert contents.raw(0) is not None
    assert experiment.structure is not None
    assert experiment.settings.structure is not None
    assert experiment.settings.structure.window == 10
    assert table.value.tolist() == [experiment.structure.scalar(int(site)).value for site in table.site]
    measured = np.array([details["measured"]["value"] for details in table.details])
    assert (measured > 0).all()


def test_a_rejected_measurement_is_not_learned_from_and_comes_back_as_it_was(open_panel: Open) -> None:
    bench = open_panel(sites=20, **STRUCTURE)
    bench.click("step")
    bench.pump(lambda: bench.controller.phase == "paused" and bench.measured == 1)
    told = bench.controller.run.session.experiment.told
    (before,) = told
    bench.click("reject")
    bench.pump(lambda: "rejected" in bench.label("message"))
    (rejected,) = bench.controller.run.session.experiment.told
    assert not rejected.measurement.ok
    bench.click("undo")
    bench.pump(lambda: "used again" in bench.label("message"))
    (after,) = bench.controller.run.session.experiment.told
    assert after.measurement.scalar == before.measurement.scalar
    assert after.measurement.measured == before.measurement.measured
    bench.click("stop")
    bench.until_idle()


def test_a_run_that_goes_on_does_not_change_between_property_and_structure(open_panel: Open) -> None:
    bench = open_panel(sites=30, **STRUCTURE)
    bench.start()
    bench.choose("aim", aim_of("weakest"))
    assert "cannot change between its property and structure" in bench.notices[-1]
    assert bench.controller.settings.aim == "structure"
    bench.type("sites", "20")
    bench.pump(lambda: bench.controller.status.budget == 20)
    bench.click("stop")
    bench.until_idle()


def test_a_script_looks_for_a_saved_target_and_gets_both_numbers(open_panel: Open, saved: Path) -> None:
    bench = open_panel()
    dkl = connect(bench.swift.document_controller)

    def script() -> Any:
        dkl.set_up(aim="structure", target_file=str(saved))
        dkl.start()
        return dkl.wait(SOON_S)

    found = bench.swift.on_worker(script, SOON_S)
    assert found.looked_for == "unusual structure (saved target)"
    assert found.unit == ""
    assert len(found.values) == len(found.property_values) == 6
    assert not np.array_equal(found.values, found.property_values)
    again = results_of(found.path)
    assert np.array_equal(again.values, found.values)
    assert np.array_equal(again.property_values, found.property_values)
    assert again.looked_for == found.looked_for


def test_a_saved_target_that_is_gone_is_said_before_the_microscope_is_used(tmp_path: Path) -> None:
    settings = PanelSettings(target_file=str(tmp_path / "gone.npz"), **STRUCTURE)
    microscope: Any = None
    with pytest.raises(DataFileError, match=r"gone\.npz cannot be read as a saved target"):
        new_session(microscope, settings, None, tmp_path / "run.h5", microscope)


def test_settings_come_back_from_their_text_file() -> None:
    settings = PanelSettings(aim="structure", workflow="fft-nmf", structure_px=24, target_file="/data/kept.npz")
    again = PanelSettings.from_text(settings.to_text())
    assert again == settings
    structure = again.experiment().structure
    assert structure is not None
    assert (structure.workflow, structure.window, structure.file) == ("fft-nmf", 24, "/data/kept.npz")
    older = json.loads(PanelSettings().to_text())
    for name in ("workflow", "structure_px", "target_file"):
        del older[name]
    assert PanelSettings.from_json(older) == PanelSettings()


def test_the_estimate_counts_what_learning_takes() -> None:
    plain = estimate(PanelSettings(), 500).seconds
    assert estimate(PanelSettings(aim="structure"), 500).seconds == plain + LEARNING_S
    trained = PanelSettings(aim="structure", workflow="patch-rvae")
    assert estimate(trained, 500).seconds == plain + TRAINING_S
    assert estimate(trained.with_(target_file="kept.npz"), 500).seconds == plain + LEARNING_S


def test_only_the_aim_makes_structure_drive_the_run() -> None:
    assert PanelSettings(workflow="fft-nmf").experiment().structure is None
    (preset,) = [preset for preset in presets() if "structure" in preset.name]
    assert preset.applied(PanelSettings()).experiment().structure is not None


@pytest.mark.parametrize("changes", [{"workflow": "fft-ica"}, {"structure_px": 2}])
def test_what_cannot_be_looked_for_is_refused_when_it_is_set(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"driven by 'fft-ica'|window of the structure is 2"):
        PanelSettings(**changes)


def test_every_workflow_has_a_title() -> None:
    assert [name for name, _title in wording.WORKFLOWS] == list(WORKFLOWS)
