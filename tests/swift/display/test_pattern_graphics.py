"""Parameters of scalarizers as graphics on the pattern, and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from nion.utils import Geometry

from dkl_core.scalarizers import get_scalarizer
from dkl_core.scalarizers.pattern import Pattern
from nionswift_plugin.dkl.display.detector_shapes import DetectorShapes
from nionswift_plugin.dkl.display.pattern_graphics import PatternGraphics
from nionswift_plugin.dkl.display.publish import Look, calibrated, new_item
from tests.swift.display.fakes import MRAD_PER_PX, disc_pattern

PATTERN = Pattern(disc_pattern(31.0, 28.0, 12.0, (64, 64)), MRAD_PER_PX, counts_per_electron=1.0)


def options_of(name: str, **given: Any) -> dict[str, Any]:
    return dict(get_scalarizer(name, **given).options)


def radii(name: str, **given: Any) -> dict[str, float]:
    shapes = DetectorShapes.of(options_of(name, **given), PATTERN, bragg_mrad=40.0)
    return {edge: circle.radius for edge, circle in shapes.circles.items()}


def test_a_disc_that_is_not_set_is_the_one_in_the_pattern() -> None:
    assert radii("com_magnitude") == {"disc": pytest.approx(12 * MRAD_PER_PX, rel=0.05)}


def test_a_disc_that_is_set_is_shown_as_it_is() -> None:
    assert radii("com_magnitude", semiangle_mrad=17.0) == {"disc": 17.0}


def test_a_ring_scales_with_the_disc() -> None:
    shown = radii("annular_bright_field", semiangle_mrad=20.0)
    assert shown == {"disc": 20.0, "inner": pytest.approx(10.0), "outer": pytest.approx(21.0)}


def test_a_disc_detector_has_no_inner_edge() -> None:
    assert set(radii("bright_field", semiangle_mrad=20.0)) == {"disc", "outer"}


def test_a_detector_without_outer_edge_reaches_to_the_end_of_the_camera() -> None:
    assert radii("annular_dark_field", semiangle_mrad=20.0)["outer"] == pytest.approx(35.5 * MRAD_PER_PX, abs=1.0)


def test_first_order_discs_are_shown_where_the_scalarizer_looks_for_them() -> None:
    assert radii("bragg_distance", semiangle_mrad=20.0)["bragg"] == 40.0


def test_an_outer_edge_at_the_camera_s_end_is_none() -> None:
    options = options_of("annular_bright_field", semiangle_mrad=20.0)
    shapes = DetectorShapes.of(options, PATTERN)
    assert shapes.dragged("outer", shapes.reach_mrad, options)["outer"] == math.inf
    assert shapes.dragged("outer", 30.0, options)["outer"] == 1.5


def test_the_edges_of_a_ring_do_not_cross() -> None:
    options = options_of("annular_bright_field", semiangle_mrad=20.0)
    shapes = DetectorShapes.of(options, PATTERN)
    assert shapes.dragged("inner", 60.0, options)["inner"] < options["outer"]
    get_scalarizer("annular_bright_field", **shapes.dragged("outer", 1.0, options))


class Drawn:
    """Graphics on a pattern in a window."""

    def __init__(self, window: Any, name: str, **given: Any) -> None:
        self.item = new_item(window.stage, calibrated(PATTERN.values), Look("pattern", "pattern"))
        self.display_item = window.model.get_display_item_for_data_item(self.item)
        self.heard: list[dict[str, Any]] = []
        self.graphics = PatternGraphics(self.display_item, options_of(name, **given), self.heard.append)
        self.graphics.show(PATTERN)

    def graphic(self, edge: str) -> Any:
        return next(one for one in self.display_item.graphics if one.graphic_id == f"dkl.{edge}")

    def edges(self) -> set[str]:
        return {one.graphic_id.removeprefix("dkl.") for one in self.display_item.graphics}

    def drag(self, edge: str, factor: float) -> None:
        bounds = self.graphic(edge).bounds
        size = Geometry.FloatSize(h=bounds.height * factor, w=bounds.width * factor)
        self.graphic(edge).bounds = Geometry.FloatRect.from_center_and_size(bounds.center, size)


@pytest.fixture
def drawn(open_window: Callable[[], Any]) -> Callable[..., Drawn]:
    return lambda name, **given: Drawn(open_window(), name, **given)


def test_the_circle_of_the_disc_lies_on_the_disc(drawn: Callable[..., Drawn]) -> None:
    bounds = drawn("com_magnitude").graphic("disc").bounds
    assert (bounds.center.y * 64 - 0.5, bounds.center.x * 64 - 0.5) == pytest.approx((31.0, 28.0), abs=0.2)
    assert bounds.height * 64 == pytest.approx(24, abs=1)


def test_what_is_drawn_changes_no_option(drawn: Callable[..., Drawn]) -> None:
    graphics = drawn("annular_dark_field")
    assert graphics.heard == []
    assert graphics.graphics.options == options_of("annular_dark_field")


def test_dragging_the_disc_sets_the_semiangle_and_takes_the_ring_along(drawn: Callable[..., Drawn]) -> None:
    graphics = drawn("annular_bright_field", semiangle_mrad=20.0)
    graphics.drag("disc", 1.5)
    assert graphics.heard[-1]["semiangle_mrad"] == 30.0
    assert graphics.heard[-1]["inner"] == 0.5
    assert graphics.graphic("inner").bounds.height * 64 * MRAD_PER_PX / 2 == pytest.approx(15.0)


def test_dragging_an_edge_sets_its_share_of_the_semiangle(drawn: Callable[..., Drawn]) -> None:
    graphics = drawn("annular_bright_field", semiangle_mrad=20.0)
    graphics.drag("inner", 1.4)
    assert graphics.heard[-1]["inner"] == pytest.approx(0.7)


def test_a_deleted_disc_is_found_in_the_pattern_again(drawn: Callable[..., Drawn]) -> None:
    graphics = drawn("com_magnitude", semiangle_mrad=40.0)
    graphics.display_item.remove_graphic(graphics.graphic("disc")).close()
    assert graphics.heard[-1]["semiangle_mrad"] is None
    graphics.graphics.show(PATTERN)
    assert graphics.graphic("disc").bounds.height * 64 == pytest.approx(24, abs=1)


def test_other_options_exchange_the_graphics(drawn: Callable[..., Drawn]) -> None:
    graphics = drawn("annular_dark_field")
    assert graphics.edges() == {"disc", "inner", "outer"}
    graphics.graphics.show(PATTERN, options_of("bragg_distance"), bragg_mrad=45.0)
    assert graphics.edges() == {"disc", "bragg"}
    graphics.graphics.close()
    assert graphics.edges() == set()


def test_nothing_is_drawn_without_a_beam(drawn: Callable[..., Drawn]) -> None:
    graphics = drawn("com_magnitude")
    graphics.graphics.show(Pattern(np.ones((64, 64)), MRAD_PER_PX, counts_per_electron=1000.0))
    assert graphics.edges() == set()
