"""What is shown of an experiment that has run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.swift.display.conftest import memory_window
from tests.swift.display.fakes import EVERYTHING, MRAD_PER_PX, Shown, survey


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A session that has ended; nobody changes what it shows."""
    pytest.importorskip("nion.swift", reason="Nion Swift is not installed (pip install .[swift])")
    with memory_window() as window:
        shown = Shown(window, tmp_path_factory.mktemp("run"))
        shown.begin(host={"device": "a microscope", "target": "com_magnitude", "options": {"semiangle_mrad": None}})
        shown.finish()
        yield shown
        shown.forget()


def test_an_experiment_fills_one_item_for_each_role(shown: Shown) -> None:
    assert shown.roles() == EVERYTHING
    assert len(shown.window.model.data_items) == len(EVERYTHING)


def test_the_survey_image_is_calibrated_from_its_outer_corner(shown: Shown) -> None:
    down, right = shown.item("survey").dimensional_calibrations
    assert (down.units, down.scale, right.scale) == ("nm", pytest.approx(0.1), pytest.approx(0.1))
    assert down.offset == pytest.approx(-1.2)
    np.testing.assert_allclose(shown.item("survey").data, survey().values, atol=1e-6)


def test_maps_have_a_cell_per_site_and_the_unit_of_the_property(shown: Shown) -> None:
    mean = shown.item("mean")
    sites = shown.session.experiment.sites
    assert mean.data.size == len(sites)
    assert mean.intensity_calibration.units == "mrad"
    assert mean.dimensional_calibrations[0].scale == pytest.approx(0.3)
    # the middle of the first cell is the first site
    first_nm = mean.dimensional_calibrations[0].offset + 0.15
    assert first_nm == pytest.approx(survey().to_nm(sites.positions[0])[0])


def test_the_predicted_map_is_that_of_the_experiment(shown: Shown) -> None:
    np.testing.assert_allclose(
        shown.item("mean").data,
        shown.session.experiment.sites.to_map(shown.session.experiment.predict().mean),
        rtol=1e-5,
    )


def test_the_pattern_is_in_mrad_from_the_middle_of_the_disc(shown: Shown) -> None:
    pattern = shown.item("pattern")
    down, right = pattern.dimensional_calibrations
    assert (down.units, down.scale) == ("mrad", MRAD_PER_PX)
    assert down.offset + 17.5 * MRAD_PER_PX == pytest.approx(0, abs=0.3)
    assert right.offset + 14.5 * MRAD_PER_PX == pytest.approx(0, abs=0.3)


def test_what_the_scalarizer_looks_at_is_drawn_on_the_pattern(shown: Shown) -> None:
    (disc,) = shown.window.model.get_display_item_for_data_item(shown.item("pattern")).graphics
    assert disc.graphic_id == "dkl.disc"
    assert "bright disc (found)" in disc.label
    rows, cols = shown.item("pattern").data.shape
    assert (disc.bounds.center.y * rows - 0.5, disc.bounds.center.x * cols - 0.5) == pytest.approx((17.5, 14.5), abs=1)
    assert disc.is_shape_locked
    assert disc.is_position_locked


def test_the_dark_level_is_taken_off_the_pattern(shown: Shown) -> None:
    assert shown.item("pattern").data.min() == pytest.approx(0)


def test_the_learning_curve_ends_at_the_best_value_and_counts_from_one(shown: Shown) -> None:
    curve = shown.item("learning")
    assert curve.data[-1] == pytest.approx(shown.session.experiment.best.measurement.scalar.value)
    assert curve.dimensional_calibrations[0].offset == 1
    assert len(curve.data) == 6


def test_the_visited_sites_are_coloured_on_the_survey_image(shown: Shown) -> None:
    picture = shown.item("visited").data
    coloured = np.ptp(picture.astype(int), axis=-1) > 0
    site = shown.session.experiment.told[0].site
    finer = picture.shape[0] // 24
    assert coloured[site.row * finer + finer // 2, site.col * finer + finer // 2]
    assert 0 < coloured.mean() < 0.2


def test_a_click_on_a_map_means_a_place_of_the_survey_image(shown: Shown) -> None:
    items = shown.display.display_items
    rows = shown.session.experiment.sites.to_map(np.zeros(len(shown.session.experiment.sites))).shape[0]
    first = shown.session.experiment.sites.positions[0]
    assert shown.display.survey_position(items["mean"], 0.5 / rows, 0.5 / rows) == pytest.approx(tuple(first))
    assert shown.display.survey_position(items["visited"], 0.5, 0.5) == pytest.approx((11.5, 11.5))
    assert shown.display.survey_position(items["pattern"], 0.5, 0.5) is None


def test_metadata_say_which_run_an_item_is_of(shown: Shown) -> None:
    said = shown.item("mean").metadata["dkl"]
    assert said["run"] == str(shown.folder / "run.h5")
    assert (said["role"], said["measured"], said["unit"]) == ("mean", 6, "mrad")
    assert (said["host"]["device"], said["host"]["target"]) == ("a microscope", "com_magnitude")
    assert said["survey_item"] == str(shown.item("survey").uuid)
    assert said["settings"]["stop"]["budget"] == 6


def test_one_marker_moves_and_no_graphic_is_added_per_site(shown: Shown) -> None:
    for role in ("visited", "acquisition"):
        assert len(shown.display.display_items[role].graphics) == 1
