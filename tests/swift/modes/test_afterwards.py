"""After a run: the figure on one page, the comparison with random sites and a grid, and its settings again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")
from nionswift_plugin.dkl.replaying import comparing
from tests.swift.modes.recorded import write
from tests.swift.panel.bench import PanelBench

Open = Callable[..., PanelBench]
LONG_S = 150.0


def items_of(bench: PanelBench, role: str) -> list[Any]:
    found = [item for item in bench.swift.document_model.data_items if item.metadata.get("dkl", {}).get("role") == role]
    return list(found)


def ended(bench: PanelBench) -> Path:
    """The file of a run that was started now, at its end."""
    bench.start()
    bench.until_idle(LONG_S)
    (path,) = bench.files
    return path


def test_a_replayed_run_is_drawn_compared_and_repeated(open_panel: Open, tmp_path: Path) -> None:
    bench = open_panel(measured="com_magnitude", patch_px=6, every_px=1, sites=24, seeds=8)
    bench.controller.modes.open_file(write(tmp_path / "set.npz"))
    bench.pump(lambda: bench.controller.phase == "idle" and bench.controller.setup.sites)
    path = ended(bench)
    bench.click("figure")
    assert not bench.view.compare_button.enabled
    bench.pump(lambda: not bench.controller.modes.afterwards.is_busy, LONG_S)
    assert path.with_suffix(".png").stat().st_size > 10_000
    assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    (figure,) = items_of(bench, "figure")
    assert figure.metadata["dkl"]["run"] == str(path)
    assert figure.xdata.is_data_rgb_type
    assert str(path.with_suffix(".png")) in bench.label("message")
    bench.click("compare")
    bench.pump(lambda: bench.controller.modes.afterwards.said, LONG_S)
    said = bench.label("said")
    assert re.search(r"With 24 of 729 sites this run measured \d+ of the 37 best .* a grid \d+\.", said)
    assert re.search(r"predicted map with the truth: -?0\.\d\d; random -?0\.\d\d, grid -?0\.\d\d", said)
    assert "all that set.npz holds" in said
    assert items_of(bench, "comparison")[0].metadata["dkl"]["sentence"] == said
    bench.controller.change(sites=11, patch_px=8)
    bench.click("repeat")
    assert (bench.controller.settings.sites, bench.controller.settings.patch_px) == (24, 6)
    assert "then press Start" in bench.label("message")
    assert not bench.notices


def test_without_the_truth_the_measured_sites_alone_are_compared_and_it_is_said(open_panel: Open) -> None:
    bench = open_panel(sites=14, every_px=4)
    ended(bench)
    bench.click("compare")
    bench.pump(lambda: bench.controller.modes.afterwards.said or bench.notices, LONG_S)
    assert not bench.notices
    said = bench.label("said")
    assert "Of the 14 measured sites alone" in said
    assert "nobody knows the 107 others" in said
    assert "a grid would have found" in said


def test_too_short_a_run_says_what_is_needed(open_panel: Open) -> None:
    bench = open_panel(sites=3)
    path = ended(bench)
    window = bench.swift.document_controller
    bench.controller.run.path = None
    window.get_file_paths_dialog = lambda *_: ([str(path)], "", "")
    bench.controller.run.outcome = None
    bench.click("compare")
    bench.pump(lambda: bench.notices)
    assert "at least 10 are needed" in bench.notices[-1]
    assert bench.view.compare_button.enabled


def test_a_new_run_ends_a_comparison(open_panel: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(_experiment: object, _truth: object, step: Callable[[str, float], object]) -> None:
        while True:
            step("random sites", 0.5)
            time.sleep(0.01)

    monkeypatch.setattr(comparing, "compared", endless)
    bench = open_panel(sites=4)
    ended(bench)
    bench.click("compare")
    bench.pump(lambda: bench.label("said") == "comparing: random sites, 50%")
    bench.click("start")
    bench.pump(lambda: bench.notices, LONG_S)
    assert "given up because a run began" in bench.notices[-1]
    bench.until_idle(LONG_S)
    assert len(bench.files) == 2
