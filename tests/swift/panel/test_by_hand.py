"""What is done by hand is seen at once, and said for as long as it matters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.swift.panel.bench import PanelBench

Open = Callable[..., PanelBench]


def stepped(open_panel: Open) -> PanelBench:
    bench = open_panel(sites=4)
    bench.click("step")
    bench.pump(lambda: bench.controller.phase == "paused" and bench.measured == 1)
    bench.pump(lambda: "visited" in bench.controller.run.display.display_items)
    return bench


def marker_of(bench: PanelBench) -> Any:
    graphics = bench.controller.run.display.display_items["visited"].graphics
    return next((one for one in graphics if one.graphic_id == "dkl.marker"), None)


def test_in_a_pause_the_marker_goes_to_the_site_that_comes_next(open_panel: Open) -> None:
    bench = stepped(open_panel)
    bench.controller.measure_at(40, 8)
    bench.pump(lambda: marker_of(bench) is not None and marker_of(bench).label == "next")
    rows, cols = bench.controller.setup.ground.survey.shape
    bench.pump(lambda: abs(marker_of(bench).position.y - 40.5 / rows) < 0.02)
    assert abs(marker_of(bench).position.x - 8.5 / cols) < 0.02
    bench.click("stop")
    bench.until_idle()


def test_the_end_of_a_run_is_said_instead_of_the_last_order(open_panel: Open) -> None:
    bench = stepped(open_panel)
    bench.controller.measure_at(40, 8)
    bench.pump(lambda: "comes next" in bench.label("message"))
    bench.click("pause")
    bench.until_idle()
    assert "used up" in bench.label("message")


def test_the_values_of_tried_sites_share_their_noise_and_unit(open_panel: Open) -> None:
    from dkl_core.measurement import Scalar
    from nionswift_plugin.dkl.panel.trial import Trial

    values = tuple(Scalar(value, noise_variance=6e-5) for value in (0.3614, 0.2))
    assert Trial(values, None).words("mrad") == "0.361, 0.2 ± 0.008 mrad"
    assert Trial((values[0], Scalar.invalid("no disc")), None).words("mrad") == "0.361 ± 0.0077 mrad · no disc"
