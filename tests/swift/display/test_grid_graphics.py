"""Where to measure: drawn shapes, a threshold, and the preview of the sites."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from nion.swift.model import Graphics
from nion.utils import Geometry

from dkl_core.patches import PatchSettings
from nionswift_plugin.dkl.display.grid_graphics import GridPreview, shape_of
from nionswift_plugin.dkl.display.pictures import SurveyPicture
from nionswift_plugin.dkl.display.site_area import Preview, Shape, SiteArea, preview
from tests.swift.display.fakes import survey

PATCHES = PatchSettings(window=6, stride=3)
LEFT_HALF = Shape("rectangle", (0.5, 0.25), (1.0, 0.5))


@pytest.mark.parametrize("kind", [Graphics.RectangleGraphic, Graphics.EllipseGraphic])
@pytest.mark.parametrize("rotation", [0.0, 0.5])
def test_a_shape_covers_what_swift_covers(kind: Any, rotation: float) -> None:
    graphic = kind()
    graphic.bounds = Geometry.FloatRect.from_center_and_size(
        Geometry.FloatPoint(y=0.43, x=0.58), Geometry.FloatSize(h=0.3, w=0.5)
    )
    graphic.rotation = rotation
    ours, theirs = shape_of(graphic).mask((60, 80)), graphic.get_mask((60, 80)) > 0
    # on the very edge of an ellipse Swift rounds to whole pixels
    assert (ours != theirs).sum() <= 0.03 * theirs.sum()
    graphic.close()


def test_a_region_allows_only_its_inside_and_forbidden_shapes_forbid_theirs() -> None:
    mask = SiteArea(LEFT_HALF, (Shape("rectangle", (0.25, 0.5), (0.5, 1.0)),)).mask(survey())
    assert mask is not None
    assert mask[12:, :12].all()
    assert not mask[:12].any()
    assert not mask[:, 12:].any()


def test_an_area_without_limits_has_no_mask() -> None:
    assert SiteArea().mask(survey()) is None


def test_what_is_dark_is_left_out() -> None:
    mask = SiteArea(darkest=0.5, smooth_px=0.0).mask(survey())
    np.testing.assert_array_equal(mask, survey().values >= 0.5)


def test_a_turned_shape_is_turned_as_on_the_screen() -> None:
    turned = Shape("rectangle", (0.5, 0.5), (0.11, 0.91), math.pi / 2).mask((50, 50))
    np.testing.assert_array_equal(turned, Shape("rectangle", (0.5, 0.5), (0.91, 0.11)).mask((50, 50)))


def test_a_preview_without_sites_says_why() -> None:
    nowhere = SiteArea(Shape("rectangle", (0.0, 0.0), (0.01, 0.01)))
    found = preview(survey(), SurveyPicture(survey()), PATCHES, nowhere)
    assert found.count == 0
    assert "no site is left" in found.problem


def test_the_image_stays_visible_between_dense_sites() -> None:
    drawn = preview(survey(), SurveyPicture(survey()), PatchSettings(window=6, stride=1), SiteArea()).picture
    assert (np.ptp(drawn.astype(int), axis=-1) > 0).mean() < 0.3


class Setup:
    def __init__(self, window: Any) -> None:
        self.window, self.heard = window, list[Preview]()
        self.grid = GridPreview(window.stage, survey(), PATCHES, self.heard.append, interval_s=0.0)
        self.settle()

    def settle(self) -> int:
        self.window.pump(lambda: self.grid.is_settled)
        latest = self.grid.latest
        assert latest is not None
        return latest.count


@pytest.fixture
def setup(open_window: Callable[[], Any]) -> Any:
    return Setup(open_window())


def test_the_grid_follows_window_and_stride(setup: Setup) -> None:
    assert setup.settle() == 49
    setup.grid.set_patches(PatchSettings(window=6, stride=6))
    assert setup.settle() == 9
    assert setup.heard[-1].count == 9
    setup.grid.close()


def test_a_region_that_the_user_moves_moves_the_sites(setup: Setup) -> None:
    setup.grid.draw("region", LEFT_HALF)
    before = setup.settle()
    assert before < 49
    graphic = setup.grid.display_item.graphics[0]
    graphic.bounds = Geometry.FloatRect.from_center_and_size(
        Geometry.FloatPoint(y=0.5, x=0.5), Geometry.FloatSize(h=1.0, w=1.0)
    )
    assert setup.settle() == 49
    setup.grid.close()


def test_there_is_one_region_and_many_forbidden_shapes(setup: Setup) -> None:
    for _ in range(2):
        setup.grid.draw("region")
        setup.grid.draw("forbidden", outline="ellipse")
    area = setup.grid.area
    assert area.region is not None
    assert [shape.outline for shape in area.forbidden] == ["ellipse", "ellipse"]
    setup.settle()
    setup.grid.close()


def test_a_shape_that_the_user_deletes_does_not_count(setup: Setup) -> None:
    setup.grid.draw("forbidden")
    assert setup.settle() < 49
    graphic = setup.grid.display_item.graphics[0]
    setup.grid.display_item.remove_graphic(graphic).close()
    assert setup.settle() == 49
    setup.grid.close()


@pytest.mark.parametrize("by_hand", [True, False])
def test_no_shape_is_heard_of_after_it_is_gone(setup: Setup, capsys: pytest.CaptureFixture[str], by_hand: bool) -> None:
    setup.grid.draw("region")
    setup.grid.draw("forbidden")
    if by_hand:
        for graphic in list(setup.grid.display_item.graphics):
            setup.grid.display_item.remove_graphic(graphic).close()
    else:
        setup.grid.clear()
    assert setup.settle() == 49
    setup.grid.close()
    assert "CALL AFTER CLOSE" not in capsys.readouterr().out


def test_clearing_takes_all_shapes_away(setup: Setup) -> None:
    setup.grid.draw("region")
    setup.grid.draw("forbidden")
    setup.grid.clear()
    assert setup.settle() == 49
    assert setup.grid.display_item.graphics == []
    setup.grid.close()


def test_a_preview_that_the_user_deletes_is_no_trouble(setup: Setup) -> None:
    setup.grid.draw("region")
    setup.settle()
    setup.window.delete(setup.grid.display_item.data_item)
    setup.grid.set_patches(PatchSettings(window=6, stride=6))
    setup.window.pump_for(0.05)
    assert setup.grid.display_item is None
    setup.grid.close()
