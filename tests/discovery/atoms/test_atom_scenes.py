from __future__ import annotations

import numpy as np
import pytest

from dkl_core.discovery.atoms.crystals import NOTHING, Arrangement, arrangement
from dkl_core.discovery.atoms.maps import columns_of, drawn
from dkl_core.discovery.atoms.scenes import Conditions, probe, scene, seen


def test_a_seed_gives_the_same_image() -> None:
    one, two = (scene(np.random.default_rng(4), 64, Conditions()) for _ in range(2))
    assert np.array_equal(one.image, two.image)
    assert np.array_equal(one.atoms.positions, two.atoms.positions)


def test_atoms_lie_on_maxima_of_a_clean_image() -> None:
    atoms = Arrangement(np.array([[20.0, 30.0], [44.0, 41.0]]), np.array([1.0, 3.0]))
    image = seen(atoms, probe(np.random.default_rng(1), 2.0), 64)
    assert np.unravel_index(int(image.argmax()), image.shape) == (44, 41)
    assert image[44, 41] == pytest.approx(3.0, rel=0.03)
    assert image[20, 30] == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("width", [1.5, 2.0, 2.7])
def test_probes_have_the_width_asked_for(width: float) -> None:
    for seed in range(5):
        shape = probe(np.random.default_rng(seed), width)
        half = np.sqrt((shape > 0.5).sum() / np.pi) / np.sqrt(2 * np.log(2))
        assert half == pytest.approx(width, rel=0.15)


def test_arrangements_are_of_many_kinds() -> None:
    counts = [len(arrangement(np.random.default_rng(seed), 128, 2.0).heights) for seed in range(40)]
    assert min(counts) < 100
    assert max(counts) > 400


def test_near_atoms_are_one_column_at_their_mean() -> None:
    atoms = Arrangement(np.array([[10.0, 10.0], [10.0, 11.0], [30.0, 30.0]]), np.array([1.0, 3.0, 1.0]))
    columns = columns_of(atoms, 2.0)
    assert np.allclose(np.sort(columns.positions, axis=0), [[10.0, 10.75], [30.0, 30.0]])
    assert columns_of(NOTHING, 2.0) is NOTHING


def test_the_map_has_one_peak_of_height_one_per_column() -> None:
    columns = Arrangement(np.array([[20.0, 20.0], [20.0, 26.0]]), np.ones(2))
    picture = drawn(columns, 2.0, 48)
    assert picture[20, 20] == picture[20, 26] == pytest.approx(1.0)
    assert picture[20, 23] < 0.05
    assert picture.sum() == pytest.approx(2 * 2 * np.pi, rel=0.05)
