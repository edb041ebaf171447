"""A run taken up again after any kill goes on with the same next site."""

from __future__ import annotations

import json
from pathlib import Path

import bench_vi as vi
import numpy as np
import pytest

from labview_bridge.worker import models
from labview_bridge.worker.configuration import SessionConfig
from labview_bridge.worker.deciding import Deciding
from labview_bridge.worker.session import Session

SMALL = {"iterations": 8, "folds": 2, "members": 1, "invariants": False, "gradients": False}
SHORT = {**vi.CONFIG, "budget": 5, "experiment": {"surrogate": SMALL}}
GEOMETRY = dict(
    zip(("width_m", "height_m", "xc_m", "yc_m", "angle_deg", "y_up"), vi.FRAME, strict=True),
)


@pytest.fixture(autouse=True)
def _threads(one_thread: None) -> None:
    """Sums in another order differ in their last bits."""


class Vi:
    """A VI that goes on wherever the run stands."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.run = Deciding(folder, SessionConfig.of(SHORT))
        self.session = Session(self.run)
        if not self.run.ledger.events:
            self.run.write({"kind": "open", "format": "dkl-labview-2", "config": SHORT})
        self.run.start()

    def measure_all(self) -> list[tuple[float, float]]:
        """Every site of the run in the order of their points."""
        self.session.set_image(np.array(vi.image()), GEOMETRY)
        while True:
            for number in self.run.ledger.outstanding():
                self.submit(number)
            job = self.session.start("suggest")
            vi.wait_for(lambda job=job: self.session.poll(job)[0] != 0, "a decision")
            if self.session.poll(job)[0] != 1:
                break
        assert self.run.wait_until_idle(vi.GENEROUS_S)
        return [self.place(number) for number in sorted(self.run.ledger.points)]

    def place(self, number: int) -> tuple[float, float]:
        vi.wait_for(lambda: self.run.view is not None, "the recovery")
        site = self.run.view.sites[self.run.ledger.points[number].site]
        return self.run.view.geometry.vi_pixel(site.row, site.col)

    def submit(self, number: int) -> None:
        self.session.submit(number, np.array(vi.BIAS), np.array(vi.spectrum(*self.place(number))))

    def events(self) -> int:
        return self.run.ledger.events


@pytest.fixture
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[tuple[float, float]], Path]:
    """The sites of a run that nothing interrupts, and its folder, with every state of the model."""
    monkeypatch.setattr(models, "_KEPT", 1000)
    one = Vi(tmp_path / "reference")
    places = one.measure_all()
    one.run.stop()
    assert len(places) == 5
    return places, tmp_path / "reference"


def test_after_a_kill_between_any_two_lines_the_sites_are_the_same(reference, tmp_path):
    places, folder = reference
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    kinds = [json.loads(line)["kind"] for line in lines]
    assert {"open", "image", "suggest", "core", "submit", "decided"} <= set(kinds)
    for cut in range(1, len(lines)):
        resumed = tmp_path / f"cut_{cut}"
        resumed.mkdir()
        half = lines[cut][: len(lines[cut]) // 2]
        (resumed / "journal.jsonl").write_bytes(b"".join(lines[:cut]) + half)
        (resumed / "model").symlink_to(folder / "model")
        one = Vi(resumed)
        try:
            assert one.measure_all() == places, f"cut after line {cut}, a {kinds[cut - 1]}"
        finally:
            one.run.stop()


def test_a_run_whose_model_is_gone_goes_on_and_says_so(reference, tmp_path):
    _, folder = reference
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "journal.jsonl").write_bytes(b"".join(lines[:-8]))
    one = Vi(tmp_path / "bare")
    vi.wait_for(lambda: "learned anew" in one.session.status()["trouble"], "the notice")
    assert len(one.measure_all()) == 5
    one.run.stop()


def test_a_full_disk_holds_the_run_up_and_loses_nothing(tmp_path, monkeypatch):
    one = Vi(tmp_path / "full")
    one.session.set_image(np.array(vi.image()), GEOMETRY)
    real, full = one.run.journal._write, [True]

    def write(line: bytes) -> None:
        if full[0] and b'"tell"' in line:
            raise OSError(28, "No space left on device")
        real(line)

    monkeypatch.setattr(one.run.journal, "_write", write)
    job = one.session.start("suggest")
    vi.wait_for(lambda: one.session.poll(job)[0] == 1, "a decision")
    one.submit(1)
    vi.wait_for(lambda: "No space" in one.session.status()["trouble"], "the trouble")
    assert one.session.result(1)["state"] == 0
    full[0] = False
    vi.wait_for(lambda: one.session.result(1)["state"] == 1, "the scalar")
    one.run.stop()


def test_a_journal_of_something_else_is_refused(client, runs):
    (runs / "a").mkdir()
    (runs / "a" / "journal.jsonl").write_text('{"kind": "start", "format": "other"}\n')
    code, text, _ = client.session_open(json.dumps(vi.CONFIG))
    assert code == client.CONFLICT
    assert "another program" in text
