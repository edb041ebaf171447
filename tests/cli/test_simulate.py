from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dkl_core.cli import main
from dkl_core.datasets import load_recorded
from tests.cli.conftest import Command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sets")


def words(path: Path, *more: object) -> tuple[object, ...]:
    return "simulate", "--field", 4, "--size", 6, "--detector", 32, "--out", path, *more


@pytest.fixture(scope="module")
def ideal(folder: Path) -> Path:
    path = folder / "ideal.npz"
    assert main([*map(str, words(path, "--sample", "graphene_si")), "--quiet"]) == 0
    return path


def test_it_says_what_it_wrote(dkl: Command, tmp_path: Path) -> None:
    status, out, err = dkl(*words(tmp_path / "set.npz", "--sample", "graphene_si", "--size", 3))
    assert (status, err) == (0, "")
    assert "3 x 3 patterns of 32 x 32 pixels" in out


def test_an_ideal_set_is_read_back_with_its_physics(ideal: Path) -> None:
    data = load_recorded(ideal, need_target=False)
    assert data.raw is not None
    assert data.survey.pixel_nm == pytest.approx((4 / 6, 4 / 6))
    stored, centre = dict(np.load(ideal)), data.raw.constants["centre_px"]
    angles = (np.arange(32) - centre) * data.raw.constants["det_mrad"]
    for row, col in ((0, 0), (2, 5), (4, 1)):
        pattern = data.raw.at((row, col))
        assert pattern.sum() == pytest.approx(stored["total"][row, col], abs=1e-4)
        assert (pattern @ angles).sum() / pattern.sum() == pytest.approx(stored["com_x"][row, col], abs=2e-3)
        assert (angles @ pattern).sum() / pattern.sum() == pytest.approx(stored["com_y"][row, col], abs=2e-3)


def test_it_has_the_keys_of_the_multislice_sets(ideal: Path, fixture_data: Path) -> None:
    ours = set(np.load(ideal))
    theirs = set(np.load(fixture_data / "fixture_graphene_si_16x16.npz"))
    assert theirs - ours == {"patterns_scale"}


def test_a_noisy_set_holds_counts_and_what_they_mean(dkl: Command, folder: Path) -> None:
    path = folder / "noisy.npz"
    status, _, _ = dkl(*words(path, "--realism", "realistic", "--current", 60, "--exposure", 2))
    stored = dict(np.load(path))
    assert status == 0
    assert "patterns_sqrt_scale" not in stored
    assert float(stored["electrons"]) == pytest.approx(60e-12 * 2e-3 / 1.602e-19, rel=1e-3)
    counts = stored["patterns"].astype(float) - stored["offset_counts"]
    rows, cols = stored["bad_px"].T
    counts[..., rows, cols] = 0
    per_pattern = counts.sum(axis=(2, 3)) / stored["counts_per_electron"]
    np.testing.assert_allclose(per_pattern, stored["electrons"], rtol=0.12)


def test_the_strained_flake_comes_with_its_expected_distances(dkl: Command, folder: Path) -> None:
    path = folder / "flake.npz"
    status, _, _ = dkl("simulate", "--sample", "strained_flake", "--field", 6, "--size", 4, "--out", path)
    stored = dict(np.load(path))
    assert status == 0
    assert float(stored["convergence_mrad"]) == 5
    expected = stored["bragg_expected"][~stored["vacuum"]]
    assert ((expected > 19) & (expected < 23)).all()


def test_equal_seeds_write_equal_sets(dkl: Command, folder: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        options = "--sample", "graphene_si", "--realism", "hostile", "--seed", seed, "--size", 3
        dkl(*words(folder / f"{name}.npz", *options))
    a, b, c = (np.load(folder / f"{name}.npz")["patterns"] for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


@pytest.mark.parametrize("wrong", [("--size", 1), ("--exposure", 0), ("--current", -3), ("--detector", 2)])
def test_impossible_requests_are_refused_in_one_line(dkl: Command, tmp_path: Path, wrong: tuple[str, int]) -> None:
    status, _, err = dkl(*words(tmp_path / "set.npz", "--sample", "graphene_si", *wrong))
    assert status == 1
    assert err.count("\n") == 1


def test_a_place_that_cannot_be_written_is_named(dkl: Command, tmp_path: Path) -> None:
    status, _, err = dkl(*words(tmp_path / "missing" / "set.npz", "--sample", "graphene_si"))
    assert status == 1
    assert "cannot be written" in err


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("set.h5", (), "give the file a name that ends in .npz"),
        ("set.npz", ("--twist", 10), "--twist is of no use for graphene_si"),
    ],
)
def test_requests_that_would_not_do_what_they_say_are_refused(
    dkl: Command, tmp_path: Path, name: str, more: tuple[object, ...], message: str
) -> None:
    status, _, err = dkl(*words(tmp_path / name, "--sample", "graphene_si", *more))
    assert status == 1
    assert message in err
    assert not (tmp_path / name).exists()
