"""The measurements before the model decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkl_core.errors import InputError
from dkl_core.experiment import SeedSettings
from dkl_core.experiment.seeding import seed_order
from dkl_core.experiment.settings import SeedMethod
from dkl_core.patches import PatchSettings, Sites, grid_sites
from dkl_core.survey import FloatArray

PUBLISHED = grid_sites((512, 512), PatchSettings())
EVERY_PIXEL = grid_sites((40, 60), PatchSettings(window=1, stride=1))
POINTS = ((100.0, 100.0), (101.0, 99.0), (-50.0, 600.0))
METHODS = [SeedSettings(20), SeedSettings(20, "latin"), SeedSettings(20, "grid"), SeedSettings(3, "points", POINTS)]


def order(settings: SeedSettings, sites: Sites = PUBLISHED, seed: int = 0) -> list[int]:
    return [int(index) for index in seed_order(sites, settings, np.random.default_rng(seed))]


def places(settings: SeedSettings, sites: Sites = PUBLISHED, seed: int = 0) -> FloatArray:
    return sites.positions[order(settings, sites, seed)[: settings.count]].astype(float)


@pytest.mark.parametrize("settings", METHODS, ids=lambda settings: settings.method)
def test_every_site_comes_once_so_that_failed_seeds_have_successors(settings: SeedSettings) -> None:
    assert sorted(order(settings)) == list(range(len(PUBLISHED)))


@settings(max_examples=30)
@given(st.integers(2, 12), st.integers(2, 12), st.sampled_from(["random", "latin", "grid"]), st.data())
def test_no_seed_is_repeated_however_few_sites_there_are(
    rows: int, cols: int, method: SeedMethod, data: st.DataObject
) -> None:
    sites = grid_sites((rows, cols), PatchSettings(window=1, stride=1))
    settings = SeedSettings(data.draw(st.integers(1, rows * cols)), method)
    assert sorted(order(settings, sites)) == list(range(rows * cols))


@pytest.mark.parametrize("settings", METHODS, ids=lambda settings: settings.method)
def test_the_same_seed_gives_the_same_order(settings: SeedSettings) -> None:
    assert order(settings, seed=5) == order(settings, seed=5)
    assert order(settings, seed=5) != order(settings, seed=6)


def test_random_seeds_are_anywhere() -> None:
    drawn = np.concatenate([order(SeedSettings(20), seed=seed)[:20] for seed in range(200)])
    by_quarter = np.histogram(drawn, bins=4, range=(0, len(PUBLISHED)))[0]
    assert (np.abs(by_quarter - 1000) < 5 * np.sqrt(1000)).all()


@pytest.mark.parametrize("count", [4, 10, 20])
def test_a_latin_hypercube_has_one_seed_in_each_stratum_of_rows_and_of_columns(count: int) -> None:
    seeds = places(SeedSettings(count, "latin"), EVERY_PIXEL, seed=3)
    assert sorted((seeds[:, 0] * count // 40).tolist()) == list(range(count))
    assert sorted((seeds[:, 1] * count // 60).tolist()) == list(range(count))


def test_a_latin_hypercube_of_the_published_grid_takes_each_row_and_each_column_once() -> None:
    seeds = places(SeedSettings(48, "latin"))
    assert set(seeds[:, 0]) == set(seeds[:, 1]) == set(range(20, 500, 10))


def test_a_grid_is_regular_and_keeps_off_the_border() -> None:
    seeds = places(SeedSettings(16, "grid"), grid_sites((80, 80), PatchSettings(window=1, stride=1)))
    axis = np.array([10, 30, 49, 69])
    np.testing.assert_allclose(seeds, [(row, col) for row in axis for col in axis], atol=1)


def test_a_grid_follows_the_shape_of_the_frame() -> None:
    seeds = places(SeedSettings(12, "grid"), grid_sites((150, 50), PatchSettings(window=1, stride=1)))
    assert (len(set(seeds[:, 0])), len(set(seeds[:, 1]))) == (6, 2)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 11, 20, 37])
def test_a_grid_of_any_number_covers_the_frame(count: int) -> None:
    seeds = places(SeedSettings(count, "grid"))
    corners = np.array([(20, 20), (20, 490), (490, 20), (490, 490), (255, 255)])
    farthest = max(float(np.linalg.norm(seeds - corner, axis=1).min()) for corner in corners)
    assert farthest < 470 * 1.5 / np.sqrt(count)


def test_the_users_points_come_first_in_their_order_at_the_nearest_sites() -> None:
    np.testing.assert_array_equal(places(SeedSettings(3, "points", POINTS)), [(100, 100), (100, 90), (20, 490)])


def test_points_that_share_a_nearest_site_take_distinct_ones() -> None:
    seeds = places(SeedSettings(5, "points", ((255.0, 255.0),) * 5))
    assert len(np.unique(seeds, axis=0)) == 5
    assert np.abs(seeds - 255).max() <= 15


def test_points_beyond_the_number_of_sites_are_left_out() -> None:
    sites = Sites(np.array([[0, 0], [0, 5], [5, 5]]), (9, 9))
    points = tuple((float(row), 4.0) for row in range(7))
    assert sorted(order(SeedSettings(2, "points", points), sites)) == [0, 1, 2]


@pytest.mark.parametrize("method", ["random", "latin", "grid"])
def test_more_seeds_than_sites_are_refused(method: SeedMethod) -> None:
    with pytest.raises(InputError, match="2305 seeds are asked of 2304 sites; lower the seeds or add sites"):
        order(SeedSettings(2305, method))
