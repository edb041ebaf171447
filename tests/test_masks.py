"""Where sites are allowed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.masks import polygon_mask, rectangle_mask, threshold_mask
from dkl_core.patches import PatchSettings, make_patches
from dkl_core.survey import SurveyImage

RAMP = SurveyImage(np.tile(np.arange(10.0), (6, 1)))


@pytest.mark.parametrize(
    ("limits", "columns"),
    [({"low": 3}, range(3, 10)), ({"high": 3}, range(4)), ({"low": 3, "high": 5}, range(3, 6))],
)
def test_a_threshold_allows_what_lies_between_its_limits(limits: dict[str, float], columns: range) -> None:
    mask = threshold_mask(RAMP, **limits)
    np.testing.assert_array_equal(mask, np.isin(RAMP.values, columns))


def test_pixels_without_data_are_never_allowed() -> None:
    image = RAMP.values.copy()
    image[2, 8] = np.nan
    for smooth in (0.0, 1.5):
        assert not threshold_mask(SurveyImage(image), low=0.0, smooth_px=smooth)[2, 8]
        assert threshold_mask(SurveyImage(image), low=0.0, smooth_px=smooth).sum() == 59


def test_smoothing_keeps_noise_from_speckling_the_mask(rng: np.random.Generator) -> None:
    sample = np.indices((40, 40))[1] >= 20
    noisy = SurveyImage(sample + 0.6 * rng.normal(size=(40, 40)))
    inside = np.s_[:, [*range(15), *range(25, 40)]]
    assert (threshold_mask(noisy, low=0.5) != sample)[inside].mean() > 0.1
    assert not (threshold_mask(noisy, low=0.5, smooth_px=3) != sample)[inside].any()


def test_pixels_without_data_do_not_darken_their_neighbours_when_smoothed() -> None:
    image = np.full((20, 20), 5.0)
    image[8:12, 8:12] = np.nan
    assert threshold_mask(SurveyImage(image), low=4.99, smooth_px=2).sum() == 400 - 16


@pytest.mark.parametrize(
    ("values", "limits", "message"),
    [
        (RAMP.values, {}, "needs a limit; give low, high or both"),
        (RAMP.values, {"low": 20.0}, "no pixel is ≥ 20; the image runs from 0 to 9; choose limits within"),
        (RAMP.values, {"low": 5.0, "high": 4.0}, "no pixel is ≥ 5 and ≤ 4; the image runs from 0 to 9"),
        (np.full((3, 3), np.nan), {"low": 0.0}, "holds no finite value; check the file"),
    ],
)
def test_a_threshold_that_allows_nothing_is_refused(values: Any, limits: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        threshold_mask(SurveyImage(values), **limits)


@pytest.mark.parametrize("turn", [1, -1])
def test_a_polygon_allows_its_inside_whichever_way_it_is_drawn(turn: int) -> None:
    corners = [(1.5, 1.5), (1.5, 6.5), (4.5, 6.5), (4.5, 1.5)][::turn]
    np.testing.assert_array_equal(polygon_mask((8, 9), corners), rectangle_mask((8, 9), 2, 2, 5, 7))


def test_a_triangle_is_drawn_in_rows_and_columns() -> None:
    rows, cols = np.indices((10, 20))
    np.testing.assert_array_equal(polygon_mask((10, 20), [(-0.5, -0.7), (9.6, -0.7), (9.6, 19.5)]), cols < 2 * rows + 1)


@pytest.mark.parametrize("vertices", [[], [(0, 0), (3, 3)], [1, 2, 3], [(1, 2, 3)] * 3])
def test_a_polygon_needs_three_corners(vertices: Any) -> None:
    with pytest.raises(InputError, match=r"give three or more \(row, column\) pairs"):
        polygon_mask((8, 9), vertices)


def test_a_rectangle_excludes_its_lower_and_right_edge() -> None:
    mask = rectangle_mask((6, 7), top=1, left=2, bottom=4, right=6)
    assert mask.sum() == 3 * 4
    assert mask[1:4, 2:6].all()


def test_a_forbidden_zone_has_no_site() -> None:
    zone = rectangle_mask((6, 10), 0, 0, 6, 5)
    patches = make_patches(RAMP, PatchSettings(window=2, stride=1), mask=~zone & threshold_mask(RAMP, high=7))
    assert set(patches.sites.positions[:, 1]) == {5, 6, 7}
