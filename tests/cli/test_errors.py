"""Bad input: exit status 1 and one line that says what to do, never a traceback."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dkl_core.cli import main
from tests.cli.conftest import Command


def refused(answer: tuple[int, str, str], *words: str) -> None:
    status, _, error = answer
    assert status == 1
    assert len([line for line in error.splitlines() if not line.startswith("note:")]) == 1
    assert "Traceback" not in error
    for word in words:
        assert word in error


def saved(tmp_path: Path, **arrays: np.ndarray) -> Path:
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    return path


def test_a_missing_file(dkl: Command, tmp_path: Path) -> None:
    refused(dkl("replay", tmp_path / "nothing.npz"), "nothing.npz")


def test_an_empty_file(dkl: Command, tmp_path: Path) -> None:
    path = tmp_path / "empty.npz"
    path.touch()
    refused(dkl("replay", path), "empty")


def test_a_truncated_published_run(dkl: Command, shared_data: Path, tmp_path: Path) -> None:
    whole = (shared_data / "stm_runs" / "Figure5_Substitution_defect_5nm.hf5").read_bytes()
    path = tmp_path / "Figure5_5nm.hf5"
    path.write_bytes(whole[: len(whole) // 2])
    refused(dkl("replay", path), "Figure5_5nm.hf5")


def test_an_unknown_key(dkl: Command, rings: Path) -> None:
    refused(dkl("replay", rings, "--target", "gap"), "gap", "scalar_slope")


def test_a_target_of_another_shape(dkl: Command, tmp_path: Path) -> None:
    path = saved(tmp_path, image=np.random.default_rng(0).random((20, 20)), scalar_a=np.ones((5, 5)))
    refused(dkl("replay", path, "--target", "scalar_a"), "shape")


def test_an_image_of_nan(dkl: Command, tmp_path: Path) -> None:
    path = saved(tmp_path, image=np.full((20, 20), np.nan), scalar_a=np.ones((20, 20)))
    refused(dkl("replay", path), "finite")


def test_an_image_of_one_value(dkl: Command, tmp_path: Path) -> None:
    path = saved(tmp_path, image=np.ones((20, 20)), scalar_a=np.random.default_rng(0).random((20, 20)))
    refused(dkl("replay", path, "--seeds-init", 5, "--budget", 10), "one value")


def test_a_window_larger_than_the_image(dkl: Command, rings: Path) -> None:
    refused(dkl("replay", rings, "--target", "scalar_slope", "--window", 100), "window", "100")


@pytest.mark.parametrize("option", ["--stride", "--window"])
def test_a_step_or_window_of_zero(dkl: Command, rings: Path, option: str) -> None:
    refused(dkl("replay", rings, "--target", "scalar_slope", option, 0), "0")


def test_a_budget_below_the_seeds(dkl: Command, rings: Path) -> None:
    refused(dkl("replay", rings, "--target", "scalar_slope", "--window", 6, "--budget", 5), "budget", "seeds")


def test_an_unknown_baseline(dkl: Command, rings: Path) -> None:
    refused(dkl("replay", rings, "--target", "scalar_slope", "--baselines", "magic"), "magic", "random")


def test_an_unknown_scalarizer(dkl: Command, rings: Path) -> None:
    refused(dkl("replay", rings, "--scalarizer", "bandgap"), "bandgap")


def test_an_unknown_goal(dkl: Command, rings: Path) -> None:
    refused(dkl("replay", rings, "--target", "scalar_slope", "--window", 6, "--goal", "best"), "maximise")


def test_a_device_that_is_not_there(dkl: Command, rings: Path) -> None:
    words = ("--window", 6, "--stride", 2, "--budget", 10, "--seeds-init", 5, "--device", "abacus")
    refused(dkl("replay", rings, "--target", "scalar_slope", *words), "abacus", "cpu")


def test_a_run_file_that_is_there_already(dkl: Command, rings: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    path.touch()
    words = ("--window", 6, "--stride", 2, "--budget", 10, "--seeds-init", 5, "--out", path)
    refused(dkl("replay", rings, "--target", "scalar_slope", *words), "there already")


def test_a_file_that_is_no_run(dkl: Command, rings: Path) -> None:
    for command in ("info", "show", "resume"):
        refused(dkl(command, rings), "rings.npz")


def test_a_folder_that_cannot_be_made(dkl: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(dkl("demo", "--out", tmp_path / "file" / "run"), "cannot be made")


def test_constant_scalars_survive(dkl: Command, rings: Path) -> None:
    words = ("--target", "scalar_flat", "--window", 6, "--stride", 4, "--budget", 12, "--seeds-init", 5)
    status, _, _ = dkl("replay", rings, *words)
    assert status == 0


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["info", str(tmp_path / "no.h5"), "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["demo", "replay", "evaluate", "show", "info", "resume"])
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert f"example:\n  dkl {command}" in capsys.readouterr().out
