from __future__ import annotations

import numpy as np
import pytest

from dkl_core.discovery.atoms.scenes import Conditions, scene
from dkl_core.discovery.atoms.width import spot_of


def test_widths_of_training_images_are_found() -> None:
    shares = []
    for index in range(24):
        one = scene(np.random.default_rng([31, index]), 128, Conditions(empty=0.0, counts=(5.0, 400.0)))
        spot = spot_of(one.image)
        assert spot is not None
        shares.append(spot.width_px / one.width_px)
    assert np.median(shares) == pytest.approx(1.0, abs=0.1)
    assert np.mean(np.abs(np.array(shares) - 1) < 0.3) > 0.9


def test_noise_has_no_width(rng: np.random.Generator) -> None:
    assert spot_of(rng.normal(size=(128, 128))) is None


def test_offsets_of_lines_are_no_spots(rng: np.random.Generator) -> None:
    assert spot_of(rng.normal(size=(128, 1)) + rng.normal(size=(128, 128))) is None


def test_the_noise_is_measured(rng: np.random.Generator) -> None:
    y, x = np.mgrid[:128, :128]
    image = 10 * np.cos(2 * np.pi * y / 14) * np.cos(2 * np.pi * x / 14) + rng.normal(0, 2.0, (128, 128))
    spot = spot_of(image)
    assert spot is not None
    assert spot.noise == pytest.approx(2.0, rel=0.1)
