"""Somebody uses Swift while the panel runs an experiment: no wrong pattern is kept, and the panel says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nion.utils import Geometry

pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")
from benchmarks.swift_places import flaw, places_microscope
from dkl_core.measurement import Measurement, Scalar
from dkl_core.record import read_run
from nionswift_plugin.dkl_simulator.configuration import Configuration
from tests.swift.panel.bench import PanelBench

Open = Callable[..., PanelBench]
Disturb = Callable[[PanelBench], object]
EXPOSURE_MS, SITES = 25.0, 10


def press_scan(bench: PanelBench) -> None:
    bench.swift.scan.start_playing()


def drag_probe(bench: PanelBench) -> None:
    bench.swift.instrument.set_probe_position(Geometry.FloatPoint(y=0.05, x=0.95))


def change_field_of_view(bench: PanelBench) -> None:
    frame = bench.swift.scan.get_current_frame_parameters()
    frame.fov_nm = 3.0
    bench.swift.scan.set_current_frame_parameters(frame)


def play_camera(bench: PanelBench) -> None:
    bench.swift.camera.start_playing()


def delete_images(bench: PanelBench) -> None:
    model = bench.swift.document_model
    for item in list(model.data_items):
        if item.title.startswith("Simulated") or "visited" in item.title or "predicted" in item.title:
            model.remove_data_item(item)


DISTURBANCES: dict[str, tuple[Disturb, str]] = {
    "scan pressed": (press_scan, "scan"),
    "probe dragged": (drag_probe, "probe"),
    "field of view changed": (change_field_of_view, "frame"),
    "camera played": (play_camera, ""),
    "images deleted": (delete_images, ""),
}


def disturbed(open_panel: Open, disturb: Disturb) -> tuple[PanelBench, Any, list[str]]:
    """A run that was disturbed over and over, its microscope, and what the panel said."""
    microscope, said = places_microscope(), list[str]()
    bench = open_panel(
        Configuration(microscope), sites=SITES, seeds=SITES // 2, exposure_ms=EXPOSURE_MS, binning=1, every_px=4
    )
    listener = bench.controller.changed.listen(lambda: said.append(bench.controller.run.warning))
    bench.start()
    for count in range(2, SITES - 2, 2):
        disturb(bench)
        bench.pump(lambda count=count: bench.measured >= count or bench.controller.phase == "idle")
    bench.until_idle()
    listener.close()
    return bench, microscope, said


def spoilt_by(word: str, path: Path) -> bool:
    """Whether the record names what spoilt an exposure, which was then repeated."""
    with read_run(path) as contents:
        return bool(word) and any(word in text for one in contents.measurements.details for text in one["spoilt"])


def flaws(path: Path, microscope: Any) -> list[str]:
    with read_run(path) as contents:
        found = []
        for number, details in enumerate(contents.measurements.details):
            pattern = contents.raw(number)
            if pattern is not None and not contents.measurements.reason[number]:
                found.append(flaw(Measurement(Scalar(0.0), details=details), pattern, microscope, EXPOSURE_MS / 1e3))
        return found


@pytest.mark.parametrize("name", DISTURBANCES)
def test_who_interferes_spoils_no_measurement(open_panel: Open, name: str) -> None:
    disturb, word = DISTURBANCES[name]
    bench, microscope, said = disturbed(open_panel, disturb)
    kept = flaws(bench.files[0], microscope)
    assert len(kept) == bench.measured == SITES, (bench.notices, said)
    assert kept == [""] * SITES
    assert bench.is_blanked
    # what falls between two exposures goes unnoticed, and does no harm; what spoils one is named
    assert not spoilt_by(word, bench.files[0]) or any(word in text for text in said)
    assert not bench.notices
    titles = [item.title for item in bench.swift.document_model.data_items]
    assert sum("visited" in title for title in titles) == (disturb is not delete_images)
