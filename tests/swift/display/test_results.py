"""What stays after a run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dkl_core.experiment import RecordedExperiment, run
from nionswift_plugin.dkl.display import workspace
from nionswift_plugin.dkl.display.patterns import angles
from nionswift_plugin.dkl.display.provenance import Provenance
from nionswift_plugin.dkl.display.results import publish_results
from tests.swift.display.conftest import file_window
from tests.swift.display.fakes import FIELD, Hill, disc_pattern, settings, survey


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a run of five sites, all of them seeds."""
    path = tmp_path_factory.mktemp("run") / "run.h5"
    with RecordedExperiment.start(path, survey(), settings(5, seeds=5)) as kept:
        run(kept.experiment, Hill())
    return path


def published(window: Any, path: Path) -> Any:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(publish_results, window.stage, Provenance(path, FIELD), angles(2.0, (17.0, 14.0)))
        window.pump(answer.done)
        return answer.result()


def test_results_survive_reopening_the_project(recorded: Path, tmp_path: Path) -> None:
    with file_window(tmp_path) as window:
        results = published(window, recorded)
        assert results.figure == recorded.with_suffix(".png")
        assert set(results.uuids) == {"order", "measured", "patterns", "figure"}
    with file_window(tmp_path) as window:
        items = {item.metadata["dkl"]["role"]: item for item in window.model.data_items}
        patterns = items["patterns"]
        assert np.asarray(patterns.xdata.data).shape == (5, 32, 32)
        for pattern in np.asarray(patterns.xdata.data):
            np.testing.assert_array_equal(pattern, disc_pattern().astype(np.uint16))
        assert patterns.xdata.is_sequence
        assert patterns.xdata.dimensional_calibrations[1].units == "mrad"
        assert len(patterns.metadata["dkl"]["positions_px"]) == 5
        assert sorted(np.unique(items["order"].data)) == [0, 1, 2, 3, 4, 5]
        assert items["measured"].intensity_calibration.units == "mrad"
        assert items["figure"].data.shape[-1] == 3
        del items, patterns


def test_the_workspace_shows_each_role_in_its_view(open_window: Any) -> None:
    from nionswift_plugin.dkl.display.publish import Look, calibrated, new_item

    window = open_window()
    workspace.open_workspace(window.controller)
    shown = {panel.display_panel_id: panel for panel in window.controller.workspace_controller.display_panels}
    assert list(shown) == [
        "dkl-visited",
        "dkl-mean",
        "dkl-std",
        "dkl-acquisition",
        "dkl-pattern",
        "dkl-learning",
    ]
    item = new_item(window.stage, calibrated(np.zeros((4, 4))), Look("mean", "mean"))
    display_item = window.model.get_display_item_for_data_item(item)
    assert workspace.place(window.controller, "mean", display_item)
    assert shown["dkl-mean"].display_item == display_item
    assert not workspace.place(window.controller, "structure", display_item)


def test_the_workspace_is_made_once(open_window: Any) -> None:
    window = open_window()
    for _ in range(2):
        workspace.open_workspace(window.controller)
    names = [one.name for one in window.controller.project.workspaces]
    assert names.count("DKL") == 1
