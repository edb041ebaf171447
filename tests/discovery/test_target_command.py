"""`dkl discover` that keeps what it has learned, and looks for it in another image."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dkl_core.cli import main
from dkl_core.discovery import Discovery, DiscoverySettings, SearchSettings, judged
from dkl_core.discovery.planted import planted_image
from dkl_core.discovery.targetfile import discovery_with, save_target
from dkl_core.survey import SurveyImage

FEW = ("--window", "16", "--stride", "8", "--budget", "21", "--quiet")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two images of the same crystal, of 112 and 96 px."""
    folder = tmp_path_factory.mktemp("images")
    for name, size, seed in (("one.npy", 112, 2), ("other.npy", 96, 7)):
        np.save(folder / name, planted_image(size, 18, 0.3, seed, 1).image)
    return folder / "one.npy", folder / "other.npy"


def test_what_was_learned_is_kept_and_found_in_another_image(
    images: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = map(str, images)
    kept, found = tmp_path / "kept.npz", tmp_path / "found.json"
    words = ("--levelling", "plane", "--out", str(tmp_path / "a"), "--save-target", str(kept))
    with monkeypatch.context() as without_figures:
        without_figures.setattr("dkl_core.cli.discover._drawn", lambda *_: [])
        assert main(["discover", one, *FEW, *words]) == 0
    assert f"target: {kept}" in capsys.readouterr().out
    words = ("--out", str(tmp_path / "b"), "--target", str(kept), "--judge", "--json", str(found))
    assert main(["discover", other, "--stride", "8", "--budget", "41", "--quiet", *words]) == 0
    (result,) = json.loads(found.read_text())["results"]
    assert (result["workflow"], result["window_px"]) == ("fft-pca", 16)
    assert result["found"] > 0.7
    assert all(Path(figure).stat().st_size > 5_000 for figure in result["figures"])


def test_a_target_that_fits_the_image_in_nothing_is_said(images: tuple[Path, Path], tmp_path: Path) -> None:
    kept = tmp_path / "kept.npz"
    asked = DiscoverySettings("fft-pca", window=16, stride=8)
    learned = Discovery.begin(SurveyImage(np.load(images[0])), asked)
    save_target(kept, learned.target, learned.settings)
    fits = discovery_with(kept, SurveyImage(np.load(images[1])), asked)
    noise = SurveyImage(np.random.default_rng(0).standard_normal((112, 112)))
    other = discovery_with(kept, noise, asked)
    assert (fits.target.choice.clear, fits.notices) == (True, ())
    assert fits.target.choice.scores != learned.target.choice.scores
    assert not other.target.choice.clear
    assert "says nothing here" in other.notices[0]
    *_, last = replace(other, settings=replace(other.settings, search=SearchSettings(budget=21))).steps()
    assert judged(other, last, other.target.everywhere(other.patches)).feature > 0.05


def test_a_name_that_cannot_be_used_is_said_before_anything_is_learned(
    images: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dkl_core.discovery.discover.Discovery.begin", None)
    for name, reason in (("kept.pkl", r"must end in .npz"), ("no/kept.npz", "is not there; make it first")):
        words = ("--save-target", str(tmp_path / name), "--out", str(tmp_path / "out"))
        assert main(["discover", str(images[0]), *FEW, *words]) != 0
        assert reason in capsys.readouterr().err


def test_a_file_that_is_no_target_is_said(
    images: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "image.npz", image=np.eye(8))
    words = ("--target", str(tmp_path / "image.npz"), "--out", str(tmp_path / "out"))
    assert main(["discover", str(images[0]), *FEW[4:], *words]) != 0
    assert "image.npz holds no structural target" in capsys.readouterr().err
