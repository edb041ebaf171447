from __future__ import annotations

import numpy as np
import pytest

from dkl_core.discovery.components import choose_component, structure
from dkl_core.errors import InputError
from dkl_core.patches import PatchSettings, Sites, grid_sites


@pytest.fixture
def grid() -> Sites:
    return grid_sites((40, 40), PatchSettings(1, 1))


def island(grid: Sites) -> np.ndarray:
    return (((grid.positions - 15) ** 2).sum(axis=1) < 30).astype(float)


def test_an_island_is_chosen_before_noise_halves_and_single_spots(grid: Sites, rng: np.random.Generator) -> None:
    spots = (rng.uniform(size=len(grid)) < 0.02).astype(float)
    halves = (grid.positions[:, 0] > 20).astype(float)
    maps = np.stack([rng.standard_normal(len(grid)), halves, island(grid), spots], axis=1)
    choice = choose_component(maps, grid)
    assert (choice.component, choice.sign, choice.automatic, choice.clear) == (2, 1.0, True, True)
    assert choice.scores[2] > 5 * max(choice.scores[0], choice.scores[3])


def test_a_component_without_a_sign_of_its_own_is_turned_to_be_rarely_high(grid: Sites) -> None:
    maps = np.stack([-island(grid), np.zeros(len(grid))], axis=1)
    assert choose_component(maps, grid, signed=True).sign == -1.0
    assert choose_component(maps, grid).scores == (0.0, 0.0)
    assert not choose_component(maps, grid).clear


def test_the_user_chooses(grid: Sites, rng: np.random.Generator) -> None:
    maps = np.stack([rng.standard_normal(len(grid)), island(grid)], axis=1)
    choice = choose_component(maps, grid, wanted=0)
    assert (choice.component, choice.automatic, choice.clear) == (0, False, False)
    with pytest.raises(InputError, match="component 2 is asked for; there are 2, numbered 0 to 1"):
        choose_component(maps, grid, wanted=2)


def test_structure_is_one_for_a_slope_none_for_noise_and_looks_beyond_the_overlap(rng: np.random.Generator) -> None:
    noise = rng.standard_normal((60, 60))
    overlapping = np.lib.stride_tricks.sliding_window_view(noise, (5, 5)).mean(axis=(2, 3))
    assert structure(np.tile(np.arange(60.0), (60, 1))) > 0.9
    assert abs(structure(noise)) < 0.06
    assert structure(overlapping, 1) > 0.6
    assert abs(structure(overlapping, 5)) < 0.15
    assert structure(np.zeros((9, 9))) == structure(np.full((9, 9), np.nan)) == 0
