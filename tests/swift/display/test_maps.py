"""Where cells and pixels lie."""

from __future__ import annotations

import numpy as np
import pytest

from dkl_core.patches import PatchSettings, grid_sites, make_patches
from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.display.maps import Raster, SiteRaster
from nionswift_plugin.dkl.display.pictures import SurveyPicture, order_colours
from tests.swift.display.fakes import survey


def test_rows_that_a_mask_takes_out_keep_their_place() -> None:
    mask = np.ones((24, 24), dtype=bool)
    mask[9:14] = False
    sites = make_patches(survey(), PatchSettings(window=6, stride=3), mask=mask).sites
    raster = SiteRaster(sites).raster
    for number in (0, len(sites) - 1):
        y, x = raster.to_fraction(*sites.positions[number])
        row, col = y * raster.shape[0] - 0.5, x * raster.shape[1] - 0.5
        assert (row, col) == pytest.approx(tuple((sites.positions[number] - sites.positions[0]) / 3))


def test_a_place_and_its_fraction_are_inverse() -> None:
    raster = Raster((3.5, 1.5), (3.0, 2.0), (5, 7))
    assert raster.from_fraction(*raster.to_fraction(8.0, 4.5)) == pytest.approx((8.0, 4.5))


def test_the_corner_of_the_survey_image_is_at_fraction_zero() -> None:
    assert Raster.of_survey(survey(), finer=4).to_fraction(-0.5, -0.5) == (0, 0)


def test_swift_counts_from_the_outer_corner_of_the_first_pixel() -> None:
    down, _right = Raster.of_survey(survey()).calibrations(survey())
    assert down.offset + 0.5 * down.scale == pytest.approx(survey().origin_nm[0])


def test_an_image_without_calibration_is_in_pixels() -> None:
    plain = SurveyImage(survey().values)
    down, _right = Raster.of_survey(plain).calibrations(plain)
    assert (down.offset, down.scale, down.units) == (0, 1, "")


def test_values_that_are_none_get_the_lowest_colour() -> None:
    sites = grid_sites((24, 24), PatchSettings(window=6, stride=6))
    values = np.arange(len(sites), dtype=float) + 5
    values[3] = np.nan
    image = SiteRaster(sites).image(values)
    assert np.isfinite(image).all()
    assert image.ravel()[3] == 5


def test_sites_of_the_user_are_squares_on_the_survey_image() -> None:
    sites = make_patches(survey(), PatchSettings(window=5), positions=[(5, 5), (11, 16), (18, 7)]).sites
    image = SiteRaster(sites).image([1.0, 2.0, 3.0])
    assert image.shape == (24, 24)
    assert [image[5, 5], image[11, 16], image[18, 7]] == [1, 2, 3]


def test_dots_lie_on_their_sites() -> None:
    picture = SurveyPicture(survey())
    drawn = picture.in_order([(5, 9)])
    rows, cols = np.nonzero(np.ptp(drawn.astype(int), axis=-1))
    y, x = picture.raster.to_fraction(5, 9)
    assert rows.mean() + 0.5 == pytest.approx(y * drawn.shape[0], abs=1)
    assert cols.mean() + 0.5 == pytest.approx(x * drawn.shape[1], abs=1)


def test_early_and_late_sites_have_colours_of_their_own() -> None:
    colours = order_colours(5)
    assert len(np.unique(colours, axis=0)) == 5
    assert order_colours(0).shape == (0, 3)
