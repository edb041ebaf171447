"""Replays that go where the image is unusual, and what becomes of their records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dkl_core.discovery.discover import Discovery
from dkl_core.discovery.planted import planted_image
from dkl_core.discovery.settings import DiscoverySettings
from dkl_core.discovery.targetfile import save_target
from dkl_core.record import read_run
from dkl_core.survey import SurveyImage
from tests.cli.conftest import Command

SMALL = ("--window", 12, "--stride", 6, "--budget", 12, "--seeds-init", 6, "--quiet")


@pytest.fixture(scope="module")
def crystal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An inclusion in 96 x 96 px, and a scalar that has nothing to do with it."""
    planted = planted_image(size=96, radius=16, noise=0.3, seed=2, count=1)
    path = tmp_path_factory.mktemp("crystal") / "crystal.npz"
    rows, _ = np.indices(planted.image.shape)
    np.savez(path, image=planted.image, scalar_row=rows.astype(float))
    return path


def results_of(path: Path) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = json.loads(path.read_text())["results"]
    return results


def test_a_replay_is_driven_and_judged_by_structure(dkl: Command, crystal: Path, tmp_path: Path) -> None:
    out, run = tmp_path / "r.json", tmp_path / "run.h5"
    words = ("--structure", "fft-pca", "--acquisition", "ei", "--baselines", "random", "--json", out, "--out", run)
    status, printed, _ = dkl("replay", crystal, *SMALL, *words)
    assert status == 0
    assert "maximise unusual structure (fft-pca)" in printed
    driven, random = results_of(out)
    assert driven["target"] == "unusual structure (fft-pca)"
    assert driven["hit_rate"] > random["hit_rate"]
    assert min(driven["values"]) >= 0
    with read_run(run) as contents:
        table = contents.measurements
        assert table.value.tolist() == driven["values"]
        # What was recorded is measured and kept all the same.
        assert [details["measured"]["value"] for details in table.details] == table.row.tolist()


def test_the_record_of_a_driven_replay_is_resumed_shown_and_summed_up(
    dkl: Command, crystal: Path, tmp_path: Path
) -> None:
    run, picture = tmp_path / "run.h5", tmp_path / "run.png"
    dkl("replay", crystal, *SMALL, "--structure", "patch-pca", "--baselines", "", "--out", run)
    status, printed, _ = dkl("resume", run, "--budget", 14, "--quiet")
    assert status == 0
    assert "14 measurements" in printed
    status, printed, _ = dkl("info", run)
    assert status == 0
    assert "unusual structure (patch-pca)" in printed
    status, _, _ = dkl("show", run, "--out", picture)
    assert status == 0
    assert picture.stat().st_size > 10_000


def test_a_saved_target_drives_a_replay(dkl: Command, crystal: Path, tmp_path: Path) -> None:
    other = SurveyImage(planted_image(size=96, radius=16, noise=0.3, seed=5, count=1).image)
    learned = Discovery.begin(other, DiscoverySettings(window=16))
    saved = save_target(tmp_path / "learned.npz", learned.target, learned.settings)
    status, printed, _ = dkl("replay", crystal, *SMALL, "--structure", saved, "--baselines", "")
    assert status == 0
    assert "unusual structure (saved target)" in printed


@pytest.mark.parametrize(
    ("structure", "reason"),
    [("fft-ica", "no experiment is driven by 'fft-ica'"), ("gone.npz", r"gone\.npz cannot be read as a saved target")],
)
def test_a_structure_that_cannot_be_looked_for_is_said(
    dkl: Command, crystal: Path, structure: str, reason: str
) -> None:
    status, _, complaint = dkl("replay", crystal, *SMALL, "--structure", structure)
    assert status != 0
    assert reason.replace("\\", "") in complaint
