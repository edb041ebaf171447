from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dkl_core.record import read_run
from tests.cli.conftest import Command

SMALL = ("--window", 6, "--stride", 2, "--budget", 18, "--seeds-init", 8)


def results_of(path: Path) -> list[dict]:
    document = json.loads(path.read_text())
    assert set(document) == {"results", "versions"}
    assert {"python", "numpy", "torch"} <= set(document["versions"])
    return document["results"]


def test_replay_writes_one_flat_object_per_method_and_repeat(dkl: Command, rings: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    words = ("--target", "scalar_slope", *SMALL, "--repeats", 2, "--baselines", "random,raster", "--json", out)
    status, printed, _ = dkl("replay", rings, *words)
    results = results_of(out)
    assert status == 0
    assert [(r["method"], r["repeat"]) for r in results] == [
        (method, repeat) for repeat in (0, 1) for method in ("dkl", "random", "raster")
    ]
    for result in results:
        assert {"sites", "values", "hit_rate", "regret", "r2", "coverage90", "decision_ms"} <= set(result)
        assert len(result["sites"]) == len(result["values"]) == len(set(result["sites"])) == 18
    assert "hit rate" in printed


def test_the_values_of_a_replay_are_those_of_the_file_at_the_chosen_sites(
    dkl: Command, rings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "r.json"
    dkl("replay", rings, "--target", "scalar_slope", *SMALL, "--json", out)
    with np.load(rings) as data:
        slope = data["scalar_slope"]
    for result in results_of(out):
        rows, cols = np.array(result["positions"]).T
        assert result["values"] == pytest.approx(slope[rows, cols])


def test_the_same_seed_replays_the_same_sites_and_another_seed_others(
    dkl: Command, rings: Path, tmp_path: Path
) -> None:
    chosen = []
    for seed in (0, 0, 1):
        out = tmp_path / "r.json"
        dkl("replay", rings, "--target", "scalar_slope", *SMALL, "--seed", seed, "--json", out)
        chosen.append(results_of(out)[0]["sites"])
    assert chosen[0] == chosen[1]
    assert chosen[0] != chosen[2]


@pytest.mark.parametrize("acquisition", ["ei", "ucb", "pi", "uncertainty", "thompson"])
def test_every_acquisition_replays(dkl: Command, rings: Path, acquisition: str) -> None:
    status, _, _ = dkl("replay", rings, "--target", "scalar_slope", *SMALL, "--acquisition", acquisition)
    assert status == 0


def test_a_recorded_replay_can_be_shown_described_and_continued(dkl: Command, rings: Path, tmp_path: Path) -> None:
    run, picture, out = tmp_path / "run.h5", tmp_path / "run.svg", tmp_path / "i.json"
    assert dkl("replay", rings, "--target", "scalar_slope", *SMALL, "--out", run)[0] == 0
    assert dkl("show", run, "--out", picture)[0] == 0
    assert picture.stat().st_size > 10_000
    assert dkl("info", run, "--json", out)[0] == 0
    info = results_of(out)[0]
    assert (info["measured"], info["phase"], info["closed_properly"]) == (18, "finished", True)
    assert dkl("resume", run, "--budget", 22, "--json", out)[0] == 0
    longer = results_of(out)[0]
    assert longer["measured"] == 22
    assert longer["sites"][:18] == info["sites"]


def test_a_scalarizer_makes_the_scalars_of_the_raw_spectra(dkl: Command, shared_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    file = shared_data / "stm_runs" / "Figure4_Adsorbate_defect_10nm.hf5"
    words = ("--budget", 24, "--baselines", "", "--json", out)
    assert dkl("replay", file, *words)[0] == 0
    stored = results_of(out)[0]
    assert dkl("replay", file, "--scalarizer", "band_gap", "--option", "strict=false", *words)[0] == 0
    made = results_of(out)[0]
    assert made["sites"] == stored["sites"]
    assert made["values"] == pytest.approx(stored["values"], rel=1e-7)


def test_scalars_of_a_4d_set_refer_to_its_whole_field(dkl: Command, graphene: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run.h5", tmp_path / "r.json"
    words = ("--scalarizer", "com_magnitude", "--option", "semiangle_mrad=30", "--budget", 12, "--seeds-init", 8)
    assert dkl("replay", graphene, *words, "--baselines", "", "--out", run, "--json", out)[0] == 0
    measured = results_of(out)[0]
    with np.load(graphene) as data:
        recorded = data["com_mag"][tuple(np.array(measured["positions"]).T)]
    assert np.corrcoef(measured["values"], recorded)[0, 1] > 0.99
    with read_run(run) as contents:
        assert all("reading" in details for details in contents.measurements.details)
    assert dkl("resume", run, "--budget", 14)[0] == 0


def test_a_run_of_another_host_is_not_resumed_here(dkl: Command, rings: Path, tmp_path: Path) -> None:
    from dkl_core import ExperimentSettings, PatchSettings, RecordedExperiment, SurveyImage

    with np.load(rings) as data:
        survey = SurveyImage(data["image"])
    path = tmp_path / "swift.h5"
    host = {"kind": "swift", "resume": "with the button in the window"}
    RecordedExperiment.start(path, survey, ExperimentSettings(PatchSettings(6, 4)), host=host).close()
    status, _, error = dkl("resume", path)
    assert status == 1
    assert "another host; resume it with the button in the window" in error
