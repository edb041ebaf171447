"""A VI that measures its spectra where the image is unusual."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import bench_vi as vi
import numpy as np
import pytest

from dkl_core.cli import main
from dkl_core.discovery.discover import Discovery
from dkl_core.experiment.recorded import rebuilt
from dkl_core.record import read_run
from labview_bridge.worker.configuration import SessionConfig
from labview_bridge.worker.deciding import Deciding
from labview_bridge.worker.importing import import_journal
from labview_bridge.worker.session import Session

SMALL = {"iterations": 8, "folds": 2, "members": 1, "invariants": False, "gradients": False}
STRUCTURE = {"workflow": "fft-pca", "window": 12, "components": 3}
EXPERIMENT = {"surrogate": SMALL, "structure": STRUCTURE}
SHORT = {**vi.CONFIG, "budget": 5, "experiment": EXPERIMENT}
GEOMETRY = dict(zip(("width_m", "height_m", "xc_m", "yc_m", "angle_deg", "y_up"), vi.FRAME, strict=True))


@pytest.fixture(autouse=True)
def _threads(one_thread: None) -> None:
    """Sums in another order differ in their last bits."""


def driven(client: Any, **config: Any) -> int:
    return vi.opened(client, **{**SHORT, **config})


def test_the_run_goes_by_the_image_and_keeps_what_the_spectra_gave(client, runs, tmp_path):
    handle = driven(client)
    vi.whole_run(client, handle)
    status = json.loads(client.status_json(handle))
    assert status["driven_by"] == "unusual structure (fft-pca)"
    assert isinstance(status["notices"], list)
    structure, given = (np.array(client.get_map(handle, name)) for name in ("measured", "property"))
    assert np.isfinite(structure).sum() == np.isfinite(given).sum() == 5
    assert not np.array_equal(structure[np.isfinite(structure)], given[np.isfinite(given)])
    assert status["best"]["value"] == np.nanmax(structure)
    assert client.session_close(handle) == (0, "")
    out = import_journal(runs / "a", tmp_path / "a.h5")[0]
    with read_run(out) as contents:
        table, experiment = contents.measurements, rebuilt(contents)
        kept = sorted(details["measured"]["value"] for details in table.details)
        assert kept == sorted(given[np.isfinite(given)])
        assert experiment.structure is not None
        assert experiment.structure.is_known
        assert table.value.tolist() == [experiment.structure.scalar(int(site)).value for site in table.site]
        assert contents.raw(0).shape == (3, len(vi.BIAS))
    assert main(["show", str(out), "--quiet"]) == 0


def test_no_call_waits_while_the_image_is_learned(client, monkeypatch):
    gate, began = threading.Event(), threading.Event()
    begin = Discovery.begin

    def slow(*given: Any) -> Discovery:
        began.set()
        assert gate.wait(vi.GENEROUS_S)
        return begin(*given)

    monkeypatch.setattr(Discovery, "begin", slow)
    handle = driven(client)
    code, _, job = client.suggest_start(handle)
    assert code == 0
    assert began.wait(vi.GENEROUS_S)
    assert client.suggest_poll(handle, job)[:3] == (0, "", 0)
    assert json.loads(client.status_json(handle))["jobs_waiting"] == [job]
    gate.set()
    assert vi.finished(client, handle, job) == 1


def test_after_a_kill_the_sites_are_the_same(tmp_path: Path) -> None:
    def run_in(folder: Path) -> tuple[Deciding, Session]:
        folder.mkdir(exist_ok=True)
        run = Deciding(folder, SessionConfig.of(SHORT))
        if not run.ledger.events:
            run.write({"kind": "open", "format": "dkl-labview-2", "config": SHORT})
        run.start()
        return run, Session(run)

    def measured_in(folder: Path) -> list[tuple[int, float]]:
        run, session = run_in(folder)
        try:
            session.set_image(np.array(vi.image()), GEOMETRY)
            while True:
                for number in run.ledger.outstanding():
                    vi.wait_for(lambda: run.view is not None, "the view")
                    site = run.view.sites[run.ledger.points[number].site]
                    place = run.view.geometry.vi_pixel(site.row, site.col)
                    session.submit(number, np.array(vi.BIAS), np.array(vi.spectrum(*place)))
                job = session.start("suggest")
                vi.wait_for(lambda job=job: session.poll(job)[0] != 0, "a decision")
                if session.poll(job)[0] != 1:
                    break
            assert run.wait_until_idle(vi.GENEROUS_S)
            points = [run.ledger.points[number] for number in sorted(run.ledger.points)]
            return [(point.site, point.told["value"]) for point in points]
        finally:
            run.stop()

    reference = measured_in(tmp_path / "reference")
    assert len(reference) == 5
    lines = (tmp_path / "reference" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    of_structure = next(at for at, line in enumerate(lines) if b'"event":"structure"' in line)
    kept = Path("model") / "frame0_structure.npz"
    # Just before what was learned was kept, just after, and later; its file there, gone, or damaged.
    for cut, state in ((0, "there"), (1, "there"), (5, "gone"), (6, "damaged")):
        resumed = tmp_path / f"cut_{cut}"
        (resumed / "model").mkdir(parents=True)
        (resumed / "journal.jsonl").write_bytes(b"".join(lines[: of_structure + cut]))
        if state == "there":
            (resumed / kept).write_bytes((tmp_path / "reference" / kept).read_bytes())
        elif state == "damaged":
            np.savez(resumed / kept, weights=np.eye(3))
        assert measured_in(resumed) == reference, f"cut {cut} lines after, its file {state}"


def test_an_image_without_structure_is_said_before_anything_is_measured(client):
    code, text, handle = client.session_open(json.dumps(SHORT))
    assert (code, text) == (0, "")
    checked = np.tile([[0.0, 1.0], [1.0, 0.0]], (24, 24)).tolist()
    assert client.session_set_image(handle, checked, *vi.FRAME) == (0, "")
    _, _, job = client.suggest_start(handle)
    assert vi.finished(client, handle, job) == 4
    assert "all windows look the same" in client.suggest_poll(handle, job)[1]
    assert json.loads(client.status_json(handle))["points"] == 0


def test_a_window_that_does_not_fit_is_said_with_the_image(client):
    config = {**SHORT, "experiment": {"structure": {**STRUCTURE, "window": 64}}}
    _, _, handle = client.session_open(json.dumps(config))
    code, text = client.session_set_image(handle, vi.image(), *vi.FRAME)
    assert code == 5001
    assert "smaller than the window of 64 px" in text


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"experiment": {"structure": {"workflow": "fft-ica"}}}, "no experiment is driven by 'fft-ica'"),
        ({"experiment": {"structure": "fft-pca"}}, "give an object"),
        ({"experiment": {"structure": {"colour": 1}}}, "no field 'colour'"),
        ({"experiment": EXPERIMENT, "goal": "minimise"}, "leave the goal at maximise"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(client, more, reason):
    code, text, _ = client.session_open(json.dumps({**vi.CONFIG, **more}))
    assert code == 5001
    assert reason in text


def test_the_example_of_the_guide_is_a_configuration() -> None:
    guide = (Path(__file__).resolve().parents[3] / "docs" / "labview.md").read_text(encoding="utf-8")
    section = guide.split("### No property yet: unusual structure")[1]
    config = SessionConfig.parse(section.split("```json")[1].split("```")[0])
    assert config.experiment.structure is not None
    assert config.experiment.structure.window == 24


def test_a_worker_that_ends_does_not_wait_for_a_long_training(tmp_path: Path, monkeypatch) -> None:
    began = threading.Event()

    def endless(_survey: Any, _settings: Any, progress: Any, *_: Any) -> Discovery:
        while True:
            began.set()
            progress(0.1)

    monkeypatch.setattr(Discovery, "begin", endless)
    (tmp_path / "run").mkdir()
    run = Deciding(tmp_path / "run", SessionConfig.of(SHORT))
    run.write({"kind": "open", "format": "dkl-labview-2", "config": SHORT})
    run.start()
    session = Session(run)
    session.set_image(np.array(vi.image()), GEOMETRY)
    job = session.start("suggest")
    assert began.wait(vi.GENEROUS_S)
    run.stop()
    assert run.ledger.jobs[job].state == "waiting"
