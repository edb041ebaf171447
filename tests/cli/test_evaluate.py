from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.cli.conftest import Command


def test_evaluate_writes_one_flat_object_per_model_and_repeat(dkl: Command, rings: Path, tmp_path: Path) -> None:
    out = tmp_path / "e.json"
    words = ("--window", 6, "--stride", 2, "--train-count", 60, "--models", "dkl,position,pca", "--repeats", 2)
    status, printed, _ = dkl("evaluate", rings, "--target", "scalar_slope", *words, "--json", out)
    results = json.loads(out.read_text())["results"]
    assert status == 0
    assert len(results) == 6
    for result in results:
        assert {"model", "repeat", "r2", "nlpd", "coverage90", "structure_share", "fit_s"} <= set(result)
        assert result["n_train"] == 60
    assert "NLPD" in printed


def test_what_follows_from_the_patch_is_said_to_be_structure(dkl: Command, tmp_path: Path) -> None:
    image = gaussian_filter(np.random.default_rng(0).normal(size=(80, 80)), 2)
    file, out = tmp_path / "rough.npz", tmp_path / "e.json"
    np.savez(file, image=image, scalar_slope=np.hypot(*np.gradient(image)))
    dkl("evaluate", file, "--window", 8, "--stride", 4, "--train-count", 80, "--models", "dkl,position", "--json", out)
    deep, position = json.loads(out.read_text())["results"]
    assert deep["structure_share"] > 0.5
    assert deep["r2"] > position["r2"] + 0.2


@pytest.mark.parametrize("train", [("--train-count", 0), ("--train-count", 10**6), ("--train-fraction", 1.5)])
def test_a_split_that_leaves_nothing_is_refused(dkl: Command, rings: Path, train: tuple[str, float]) -> None:
    status, _, error = dkl("evaluate", rings, "--target", "scalar_slope", *train)
    assert status == 1
    assert error.splitlines()[-1].startswith("dkl evaluate: ")


BARS = {
    "Figure3_large_area_250nm": (0.90, 0.05),
    "Figure4_Adsorbate_defect_10nm": (0.45, 1.20),
    "Figure5_Substitution_defect_5nm": (0.55, 1.15),
    "Figure7_DKL1_200nm": (0.10, 1.45),
}


@pytest.mark.parametrize("run", BARS)
def test_the_published_runs_are_predicted_with_honest_uncertainty(
    dkl: Command, shared_data: Path, tmp_path: Path, run: str
) -> None:
    least_r2, most_nlpd = BARS[run]
    out = tmp_path / "e.json"
    dkl("evaluate", shared_data / "stm_runs" / f"{run}.hf5", "--window", 30, "--repeats", 3, "--json", out)
    results = json.loads(out.read_text())["results"]
    r2, nlpd, coverage = (sum(r[key] for r in results) / 3 for key in ("r2", "nlpd", "coverage90"))
    assert r2 >= least_r2
    assert nlpd <= most_nlpd
    assert 0.82 <= coverage <= 0.95
