from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dkl_core.cli import main

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def image(graphene: Any, tmp_path: Path) -> Path:
    np.savez(tmp_path / "graphene.npz", image=graphene.image[:96, :96], pixel_nm=0.02)
    return tmp_path / "graphene.npz"


def test_find_atoms_writes_positions_and_a_figure(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, facts = tmp_path / "found", tmp_path / "found.json"
    assert main(["find-atoms", str(image), "--out", str(out), "--json", str(facts), "--quiet"]) == 0
    result = json.loads(facts.read_text())["results"][0]
    assert f"{result['atoms']} atoms by the network method" in capsys.readouterr().out
    table = np.genfromtxt(out / "atoms.csv", delimiter=",", names=True)
    assert table.dtype.names == ("row_px", "col_px", "height", "row_nm", "col_nm")
    assert len(table) == result["atoms"]
    assert np.allclose(table["row_nm"], 0.02 * table["row_px"], atol=1e-4)
    with np.load(out / "atoms.npz", allow_pickle=False) as file:
        assert np.allclose(file["atoms"][:, 0], table["row_px"], atol=1e-3)
        assert file["image"].shape == (96, 96)
    assert (out / "atoms.png").stat().st_size > 20_000


def test_find_atoms_stopped_by_the_user_writes_nothing(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dkl_core.discovery.atoms.find.spot_of", interrupted)
    with pytest.raises(SystemExit) as ended:
        main(["find-atoms", str(image), "--out", str(tmp_path / "found"), "--quiet"])
    assert ended.value.code == 130
    assert "nothing was written" in capsys.readouterr().out
    assert list((tmp_path / "found").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("find-atoms", "blank.npy"), "blank"),
        (("find-atoms", "noise.npy"), "no atoms were found"),
        (("find-atoms", "absent.npy"), "absent.npy"),
        (("find-atoms", "noise.npy", "--weights", "absent.npz"), "--weights absent.npz"),
        (("train-atoms", "noise.npy"), "no atoms were found"),
        (("train-atoms", "noise.npy", "--out", "weights.txt"), "does not end in .npz"),
        (("train-atoms", "--weights", "w.npz"), "--weights is for retraining"),
        (("train-atoms", "noise.npy", "--steps", "0"), "steps is 0"),
        (("train-atoms", "--steps", "0"), "steps is 0"),
        (("train-atoms", "--seed", "-1"), "the seed is -1"),
        (("train-atoms", "--out", "folder.npz"), "is a folder"),
        (("find-atoms", "empty.npy"), "empty.npy cannot be used as an image"),
        (("discover", "empty.npy"), "empty.npy cannot be used as an image"),
        (("discover", "absent.npy"), "there is no file absent.npy"),
        (("discover", "noise.npy", "--json", "absent/found.json"), "give a file in a folder that exists"),
        (("discover", "noise.npy", "--target", "t.npz", "--window", "8"), "--window is part of the saved target"),
    ],
)
def test_errors_are_one_line(
    words: tuple[str, ...],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("blank.npy", np.ones((64, 64)))
    Path("folder.npz").mkdir()
    Path("empty.npy").touch()
    np.save("noise.npy", np.random.default_rng(0).normal(size=(64, 64)))
    assert main(list(words)) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_train_atoms_learns_from_images_and_says_what_it_kept(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, facts = tmp_path / "mine.npz", tmp_path / "facts.json"
    words = ["train-atoms", str(image), "--out", str(out), "--steps", "2", "--json", str(facts), "--quiet"]
    assert main(words) == 0
    printed, result = capsys.readouterr().out, json.loads(facts.read_text())["results"][0]
    assert "found by the present network" in printed
    assert "held-out parts of the images: found" in printed
    assert out.exists() == (result["kept"] == "new")


def test_train_atoms_without_images_trains_from_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dkl_core.discovery.atoms.validate.validated", lambda *_: {})
    out = tmp_path / "weights.npz"
    assert main(["train-atoms", "--out", str(out), "--steps", "2", "--quiet"]) == 0
    facts = json.loads(out.with_suffix(".json").read_text())
    assert facts["settings"]["steps"] == 2
    assert out.stat().st_size > 1e5
