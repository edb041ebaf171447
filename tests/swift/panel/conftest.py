"""A Swift with the panel open, on a fast simulated microscope."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.swift.panel.bench import PanelBench, quick_settings


@pytest.fixture
def open_panel(
    swift: Callable[..., Any], places_microscope: Callable[..., Any], tmp_path: Path
) -> Iterator[Callable[..., PanelBench]]:
    """Opens Swift and the panel in it, with settings for short runs; keywords change them."""
    from nionswift_plugin.dkl.panel import panel
    from nionswift_plugin.dkl_simulator.configuration import Configuration

    with ExitStack() as opened:

        def make(configuration: Any = None, **changes: Any) -> PanelBench:
            opened.enter_context(registered(panel))
            bench = PanelBench(
                swift(configuration or Configuration(places_microscope(realism=noisy()))), panel.PANEL_ID
            )
            bench.controller.adopt(quick_settings(tmp_path / "runs", **changes))
            opened.callback(bench.close)
            return bench

        yield make


def noisy() -> Any:
    """Without noise, one frame is like the other, which counts as a frame that came twice."""
    from dkl_core.stem.realism import NoiseSettings, Realism

    return replace(Realism.ideal(), noise=NoiseSettings())


@contextmanager
def registered(panel: Any) -> Iterator[None]:
    panel.run()
    try:
        yield
    finally:
        panel.stop()
