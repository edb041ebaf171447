from __future__ import annotations

import numpy as np
import pytest

from dkl_core.stem.counting import arrivals
from dkl_core.stem.detectors import Camera, DetectorSettings, Projection, shifted
from dkl_core.stem.realism import CameraDefects, ProjectionSettings
from tests.stem.fakes import FakeScatterer, centre_of_mass

SETTINGS = DetectorSettings(shape=(64, 64))


def disc(y_nm: float = 0.0, x_nm: float = 0.0) -> np.ndarray:
    return np.asarray(FakeScatterer((64, 64)).pattern(y_nm, x_nm))


@pytest.mark.parametrize("mean", [0.02, 0.4, 3.0, 5.9, 6.1, 50.0, 900.0])
def test_arrivals_have_mean_and_variance_of_counting(mean: float) -> None:
    hits = arrivals(np.full((200, 200), mean, np.float32), np.random.default_rng(0))
    assert np.all(hits == np.rint(hits))
    assert hits.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / hits.size))
    assert hits.var() == pytest.approx(mean, rel=0.1 if mean < 0.1 else 0.04)


@pytest.mark.parametrize("mean", [2.0, 7.0, 20.0])
def test_arrivals_are_skewed_as_counts_are(mean: float) -> None:
    hits = arrivals(np.full((400, 400), mean, np.float32), np.random.default_rng(1))
    assert ((hits - mean) ** 3).mean() == pytest.approx(mean, rel=0.15)
    assert hits.min() >= 0


def test_arrivals_of_an_image_keep_to_their_pixels() -> None:
    expected = np.array([0.0, 0.3, 2.0, 5.0, 40.0], np.float32) * np.ones((20_000, 1), np.float32)
    assert arrivals(expected, np.random.default_rng(2)).mean(axis=0) == pytest.approx(expected[0], rel=0.03)


def test_no_electrons_give_no_hits() -> None:
    assert arrivals(np.zeros((8, 8), np.float32), np.random.default_rng(0)).sum() == 0


def test_a_camera_without_defects_and_noise_is_exact() -> None:
    electrons = disc() * 1e4
    counts = Camera(SETTINGS, CameraDefects(on=False), False, 0).counts(electrons, np.random.default_rng(0))
    assert counts.dtype == np.float32
    np.testing.assert_array_equal(counts, electrons * 4)


def test_a_dark_frame_is_offset_and_read_noise() -> None:
    camera = Camera(SETTINGS, CameraDefects(read_noise_e=3.0), True, 0)
    dark = camera.counts(np.zeros((64, 64), np.float32), np.random.default_rng(0))
    good = dark[~camera.bad]
    assert dark.dtype == np.uint16
    assert good.mean() == pytest.approx(100, abs=1)
    assert good.std() == pytest.approx(12, rel=0.05)


def test_dead_pixels_read_nothing_and_hot_ones_much() -> None:
    camera = Camera(SETTINGS, CameraDefects(dead_px=5, hot_px=6), True, 3)
    counts = camera.counts(np.full((64, 64), 50, np.float32), np.random.default_rng(0))
    assert camera.bad.sum() == 11
    assert (counts[camera.bad] == 0).sum() == 5
    assert (counts[camera.bad] > 10_000).sum() == 6


def test_too_many_electrons_saturate() -> None:
    counts = Camera(SETTINGS, CameraDefects(), True, 0).counts(
        np.full((64, 64), 1e6, np.float32), np.random.default_rng(0)
    )
    assert np.median(counts) == 65535


def test_the_gain_pattern_belongs_to_the_seed() -> None:
    first, again, other = (Camera(SETTINGS, CameraDefects(gain_spread=0.02), True, seed).gain for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0
    assert first.std() == pytest.approx(0.02, rel=0.05)


def test_a_shift_moves_the_centre_of_mass_and_keeps_the_sum() -> None:
    moved = shifted(disc(), 1.3, -2.6)
    assert moved.sum() == pytest.approx(1)
    assert centre_of_mass(moved) == pytest.approx((33.3, 29.4), abs=1e-4)


def test_a_shift_out_of_the_frame_leaves_nothing() -> None:
    assert shifted(disc(), 100.0, 0.0).sum() == 0


@pytest.mark.parametrize(("rotation", "flip"), [(0.0, False), (30.0, False), (-75.0, True), (0.0, True)])
def test_a_deflection_appears_rotated_and_flipped(rotation: float, flip: bool) -> None:
    settings = ProjectionSettings(centre_mrad=(0, 0), descan_mrad_per_nm=(0, 0), rotation_deg=rotation, flip=flip)
    projection = Projection(settings, (64, 64), 2.0, (32.0, 32.0))
    row, col = centre_of_mass(projection(disc(1.0, 2.0), 0.0, 0.0))
    deflection = np.array([row - 32, col - 32]) * 2.0
    # Undone as LiberTEM does it: mirror the rows, then rotate from x towards y.
    y, x = deflection * (-1 if flip else 1, 1)
    turn = np.radians(rotation)
    back = np.cos(turn) * y + np.sin(turn) * x, -np.sin(turn) * y + np.cos(turn) * x
    assert back == pytest.approx((2.0, -2.0), abs=0.02)
    assert tuple(deflection) == pytest.approx(projection.to_camera(2.0, -2.0), abs=0.02)


def test_centre_and_descan_move_the_pattern_with_the_probe() -> None:
    settings = ProjectionSettings(centre_mrad=(1.0, -3.0), descan_mrad_per_nm=(0.5, 0.25), rotation_deg=0)
    projection = Projection(settings, (64, 64), 2.0, (32.0, 32.0))
    row, col = centre_of_mass(projection(disc(), 2.0, -4.0))
    assert ((row - 32) * 2, (col - 32) * 2) == pytest.approx((2.0, -4.0), abs=1e-3)


def test_switched_off_the_projection_changes_nothing() -> None:
    pattern = disc()
    assert Projection(ProjectionSettings(on=False), (64, 64), 2.0, (32.0, 32.0))(pattern, 1.0, 1.0) is pattern
