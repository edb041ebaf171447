from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dkl_core.cli import main
from dkl_core.discovery.discover import Discovery
from dkl_core.discovery.planted import Planted

pytestmark = pytest.mark.usefixtures("one_thread")
FEW = ("--quiet", "--workflow", "fft-pca", "--window", "24", "--stride", "4", "--budget", "41")


@pytest.fixture
def image(planted: Planted, tmp_path: Path) -> Path:
    np.save(tmp_path / "crystal.npy", planted.image)
    return tmp_path / "crystal.npy"


def test_the_command_finds_draws_and_writes(image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, facts = tmp_path / "found", tmp_path / "found.json"
    assert main(["discover", str(image), "--out", str(out), "--json", str(facts), "--judge", *FEW]) == 0
    printed = capsys.readouterr().out
    result = json.loads(facts.read_text())["results"][0]
    assert "41 of 1225 sites visited" in printed
    assert "judged by the whole map" in printed
    assert result["visited"] == 41
    assert 0 <= result["found"] <= 1
    for name in ("components.png", "search.png", "steps.png"):
        assert (out / name).stat().st_size > 20_000


def test_stopped_by_the_user_it_shows_what_it_has(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Discovery.steps

    def interrupted(discovery: Discovery):  # type: ignore[no-untyped-def]
        for number, step in enumerate(steps(discovery)):
            if number == 2:
                raise KeyboardInterrupt
            yield step

    monkeypatch.setattr(Discovery, "steps", interrupted)
    monkeypatch.setattr("dkl_core.cli.discover._drawn", lambda *_: [])
    facts = tmp_path / "found.json"
    with pytest.raises(SystemExit) as ended:
        main(["discover", str(image), "--out", str(tmp_path / "found"), "--json", str(facts), *FEW])
    assert ended.value.code == 130
    assert "stopped" in capsys.readouterr().out
    result = json.loads(facts.read_text())["results"][0]
    assert (result["ended"], result["visited"]) == ("cancelled", 11)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (np.ones((64, 64)), (), "no structure"),
        (np.full((64, 64), np.nan), (), "no finite"),
        (np.eye(12), ("--window", "24"), "smaller than the window"),
        (np.zeros(5), (), "two-dimensional"),
        (np.array([["a"]]), (), "real numbers"),
        (np.eye(64), ("--workflow", "magic"), "unknown workflow"),
        (np.eye(64), ("--seed", "-1"), "--seed"),
    ],
)
def test_errors_are_one_line(
    content: np.ndarray, options: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "image.npy"
    np.save(path, content)
    assert main(["discover", str(path), "--out", str(tmp_path / "found"), *options]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
