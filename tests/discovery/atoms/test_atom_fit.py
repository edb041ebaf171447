from __future__ import annotations

import numpy as np
import pytest

from dkl_core.discovery.atoms.canvas import Canvas, Spots
from dkl_core.discovery.atoms.fit import begun, fitted
from dkl_core.discovery.atoms.refine import refined, width_of

WIDTH = 1.8


def _drawn(places: np.ndarray, heights: np.ndarray, size: int = 64, width: float = WIDTH) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    image = np.zeros((size, size))
    for (row, col), height in zip(places, heights, strict=True):
        image += height * np.exp(-((y - row) ** 2 + (x - col) ** 2) / (2 * width**2))
    return image


def _grid(rng: np.random.Generator) -> np.ndarray:
    line = np.arange(8, 60, 8.0)
    return np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2) + rng.uniform(-1, 1, (49, 2))


def test_the_fit_is_exact_on_a_model_image(rng: np.random.Generator) -> None:
    places, heights = _grid(rng), rng.uniform(3, 9, 49)
    y, x = np.mgrid[:64, :64]
    image = _drawn(places, heights) + 5 + 0.03 * y - 0.02 * x
    canvas = Canvas(image, WIDTH)
    spots = fitted(canvas, begun(canvas, places + rng.uniform(-0.6, 0.6, places.shape), WIDTH), steps=20)
    assert np.abs(spots.positions - places).max() < 0.01
    assert np.abs(spots.heights - heights).max() < 0.05
    assert canvas.residual(spots).std() < 0.01


def test_overlapping_spots_are_fitted_together(rng: np.random.Generator) -> None:
    places = np.array([[20.0, 20.0], [22.2, 22.0], [40.0, 30.0], [40.0, 33.4], [40.0, 26.6]])
    heights = np.array([5.0, 6.0, 5.0, 4.0, 7.0])
    canvas = Canvas(_drawn(places, heights), WIDTH)
    spots = fitted(canvas, begun(canvas, places + rng.uniform(-0.4, 0.4, places.shape), WIDTH), steps=60)
    assert np.abs(spots.positions - places).max() < 0.05
    assert np.abs(spots.heights - heights).max() < 0.2


def test_the_width_is_found(rng: np.random.Generator) -> None:
    places = _grid(rng)
    image = rng.poisson(50 * _drawn(places, np.ones(49)) + 5).astype(float)
    assert width_of(image, places, 1.3, 3.0) == pytest.approx(WIDTH, rel=0.05)


def test_precision_is_that_of_the_counts(rng: np.random.Generator) -> None:
    places = _grid(rng)
    image = rng.poisson(40 * _drawn(places, np.ones(49))).astype(float)
    canvas = Canvas(image, WIDTH)
    spots = fitted(canvas, begun(canvas, places, WIDTH), steps=6)
    error = np.sqrt(((spots.positions - places) ** 2).mean())
    best = WIDTH / np.sqrt(40 * 2 * np.pi * WIDTH**2)
    assert best / 2 < error < 2 * best


def test_one_long_spot_becomes_two_atoms_in_a_crowd(rng: np.random.Generator) -> None:
    pairs = _grid(rng)
    turn = rng.uniform(0, 2 * np.pi, len(pairs))
    beside = 1.45 * np.stack([np.sin(turn), np.cos(turn)], axis=1)
    far = np.arange(len(pairs)) % 2 == 0
    places = np.concatenate([pairs[far] + beside[far], pairs[far] - beside[far], pairs[~far]])
    image = rng.poisson(60 * _drawn(places, np.ones(len(places)))).astype(float)
    seen = np.concatenate([places[: int(far.sum() * 1.6)], pairs[~far], pairs[far][int(far.sum() * 0.6) :]])
    atoms = refined(image, seen, WIDTH, 3.0)
    assert abs(len(atoms.spots.heights) - len(places)) <= 2


def test_candidates_that_are_noise_are_dropped(rng: np.random.Generator) -> None:
    image = rng.normal(size=(64, 64))
    atoms = refined(image, rng.uniform(5, 58, (30, 2)), WIDTH, 1.0)
    assert len(atoms.spots.heights) == 0


def test_nothing_to_fit_is_no_error() -> None:
    canvas = Canvas(np.zeros((32, 32)), WIDTH)
    spots = fitted(canvas, begun(canvas, np.zeros((0, 2)), WIDTH), steps=2)
    assert isinstance(spots, Spots)
    assert len(spots.heights) == 0
