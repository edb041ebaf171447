from __future__ import annotations

import json
from pathlib import Path

import pytest

from dkl_core.experiment import ExperimentSettings, RecordedExperiment, SeedSettings, StopRules
from dkl_core.experiment.recorded import rebuilt
from dkl_core.frame import Frame
from dkl_core.measurement import Measurement, Site
from dkl_core.patches import PatchSettings
from dkl_core.record import read_run
from dkl_core.sample import SimulatedSTM
from dkl_core.zoom import ZoomRules, ZoomSize, run_multiscale
from tests.cli.conftest import Command

SMALL = ("--seeds-init", 12, "--budget", 16)


def results_of(path: Path) -> list[dict]:
    return json.loads(path.read_text())["results"]


def test_a_zooming_demo_that_is_interrupted_goes_on_and_shows_every_level(
    dkl: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure, calls, out = SimulatedSTM.measure, iter(range(20)), tmp_path / "z.json"

    def interrupted(stm: SimulatedSTM, site: Site) -> Measurement:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return measure(stm, site)

    with monkeypatch.context() as patch:
        patch.setattr(SimulatedSTM, "measure", interrupted)
        status, _, error = dkl("demo", "--out", tmp_path / "z", "--zoom", "20nm", *SMALL)
    assert status == 130
    assert "dkl resume" in error

    status, printed, _ = dkl("resume", tmp_path / "z", "--json", out)
    outer, inner = results_of(out)
    assert status == 0
    assert (outer["size_nm"], inner["size_nm"]) == (pytest.approx([50, 50]), pytest.approx([20, 20]))
    assert (outer["measured"], inner["measured"]) == (16, 16)
    assert inner["true_mean"] > outer["true_mean"]
    assert "level 1: 20 x 20 nm round row" in printed
    assert "% hit the best 5 % of this frame" in printed
    for number in (0, 1):
        assert (tmp_path / "z" / f"level{number}.png").stat().st_size > 50_000


def test_one_level_of_a_zooming_demo_is_resumed_in_its_own_frame(dkl: Command, tmp_path: Path) -> None:
    stm, frame, path = SimulatedSTM(), Frame.centred((20.0, 30.0), (10.0, 10.0), (64, 64)), tmp_path / "level1.h5"
    settings = ExperimentSettings(PatchSettings(16, 8), seeds=SeedSettings(3), stop=StopRules(3))
    RecordedExperiment.start(path, stm.survey(frame), settings, host={"kind": "demo", "seed": 0}).close()
    assert dkl("resume", path)[0] == 0
    with read_run(path) as contents:
        told = rebuilt(contents).told[-1]
        spectrum = contents.raw(-1 + len(contents.measurements))
    assert spectrum is not None
    ideal, _ = stm.surface.ideal_spectra(frame.to_nm((told.site.row, told.site.col)))
    assert spectrum[1] == pytest.approx(ideal, rel=0.1, abs=3e-11)


def test_more_budget_is_given_to_a_level_not_to_the_folder(dkl: Command, tmp_path: Path) -> None:
    stm, settings = SimulatedSTM(), ExperimentSettings(seeds=SeedSettings(3), stop=StopRules(3))
    host = {"kind": "demo", "seed": 0}
    run_multiscale(stm, settings, [ZoomSize(20.0)], ZoomRules(sigmas=1e6), tmp_path, host=host)
    status, _, error = dkl("resume", tmp_path, "--budget", 4)
    assert status == 1
    assert "level0.h5 --budget N" in error


def test_a_folder_of_another_host_is_not_resumed_here(dkl: Command, tmp_path: Path) -> None:
    settings = ExperimentSettings(seeds=SeedSettings(3), stop=StopRules(3))
    run_multiscale(SimulatedSTM(), settings, [ZoomSize(20.0)], ZoomRules(sigmas=1e6), tmp_path, host={"kind": "swift"})
    status, _, error = dkl("resume", tmp_path)
    assert status == 1
    assert "another host" in error


@pytest.mark.parametrize(
    ("sizes", "text"), [("20", "50nm"), ("", "50nm"), ("20nm,30nm", "not smaller"), ("60nm", "not smaller")]
)
def test_a_zoom_that_cannot_be_is_refused(dkl: Command, tmp_path: Path, sizes: str, text: str) -> None:
    status, _, error = dkl("demo", "--out", tmp_path / "z", "--zoom", sizes)
    assert status == 1
    assert len(error.splitlines()) == 1
    assert text in error


def test_a_folder_without_a_run_is_not_resumed(dkl: Command, tmp_path: Path) -> None:
    status, _, error = dkl("resume", tmp_path)
    assert status == 1
    assert "holds no level0.h5" in error
