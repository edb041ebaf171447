from __future__ import annotations

import json
from pathlib import Path

import pytest

from dkl_core.experiment import RecordedExperiment
from dkl_core.sample import SimulatedSTM
from tests.cli.conftest import Command

SMALL = ("--seeds-init", 12, "--budget", 16)


def results_of(path: Path) -> list[dict]:
    return json.loads(path.read_text())["results"]


def test_the_demo_zooms_level_by_level_and_an_interrupted_one_goes_on_the_same_way(
    dkl: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "z.json"
    status, printed, _ = dkl("demo", "--out", tmp_path / "whole", "--zoom", "20nm, 8nm", *SMALL, "--json", out)
    levels = results_of(out)
    assert status == 0
    assert len(levels) > 1
    assert levels[1]["size_nm"] == pytest.approx([20, 20])
    for number, level in enumerate(levels):
        assert (level["level"], level["measured"]) == (number, 16)
        assert (tmp_path / "whole" / f"level{number}.png").stat().st_size > 50_000
    assert "level 1: 20 x 20 nm round row" in printed
    assert "of this frame" in printed

    measure, calls = SimulatedSTM.measure, iter(range(20))

    def interrupted(self: SimulatedSTM, site: object) -> object:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return measure(self, site)

    monkeypatch.setattr(SimulatedSTM, "measure", interrupted)
    broken = tmp_path / "broken"
    status, _, error = dkl("demo", "--out", broken, "--zoom", "20nm,8nm", *SMALL)
    assert status == 130
    assert "dkl resume" in error
    monkeypatch.undo()
    assert dkl("resume", broken, "--json", out)[0] == 0
    resumed = results_of(out)
    assert [(level["centre_nm"], level["regret"]) for level in resumed] == [
        (level["centre_nm"], level["regret"]) for level in levels
    ]

    # A level is a run like any other.
    assert dkl("resume", broken / "level1.h5", "--budget", 17)[0] == 0
    with RecordedExperiment.resume(broken / "level1.h5") as recorded:
        told = recorded.experiment.told[-1]
        place = recorded.experiment.survey.to_nm((told.site.row, told.site.col))
    assert len(recorded.experiment.told) == 17
    again = SimulatedSTM().surface.spectrum(*place)
    assert told.measurement.raw is not None
    assert told.measurement.raw[1] == pytest.approx(again.channel("current"), rel=0.1, abs=3e-11)


@pytest.mark.parametrize(("sizes", "text"), [("20", "20nm"), ("20nm,30nm", "not smaller"), ("", "20nm")])
def test_a_zoom_that_cannot_be_is_refused(dkl: Command, tmp_path: Path, sizes: str, text: str) -> None:
    status, _, error = dkl("demo", "--out", tmp_path / "z", "--zoom", sizes)
    assert status == 1
    assert len(error.splitlines()) == 1
    assert text in error or "50nm" in error


def test_a_folder_without_a_run_is_not_resumed(dkl: Command, tmp_path: Path) -> None:
    status, _, error = dkl("resume", tmp_path)
    assert status == 1
    assert "holds no level0.h5" in error
