from __future__ import annotations

import itertools

import numpy as np
import pytest

from dkl_core.discovery.pathfinder import PathSettings, Travel, away_from, best_site, near_site, ordered, path_cost
from dkl_core.errors import InputError

TIP = Travel("tip")


def test_a_tip_pays_for_the_distance_and_a_scan_for_settling_and_going_back() -> None:
    scan = Travel("scan", settle=5.0, flyback=0.5)
    assert TIP.cost((0, 0), (3, 4)) == pytest.approx(5.0)
    assert scan.cost((0, 0), (3, 4)) == pytest.approx(10.0)
    assert scan.cost((3, 4), (0, 0)) == pytest.approx(5.0 + 5.0 + 0.5 * 7)
    assert scan.cost((3, 4), (3, 4)) == 0


@pytest.mark.parametrize("travel", [TIP, Travel("scan", settle=2.0, flyback=3.0)])
def test_an_order_is_as_good_as_the_best_of_all(travel: Travel) -> None:
    rng = np.random.default_rng(1)
    for _ in range(5):
        points, start = rng.uniform(0, 100, (6, 2)), rng.uniform(0, 100, (1, 2))
        ways = [np.concatenate([start, points[list(order)]]) for order in itertools.permutations(range(6))]
        found = ordered(points, start[0], travel)
        assert sorted(found) == list(range(6))
        best = min(path_cost(way, travel) for way in ways)
        assert path_cost(np.concatenate([start, points[found]]), travel) <= 1.03 * best


def test_the_order_of_one_point_is_that_point() -> None:
    assert ordered([[1.0, 2.0]], (0, 0), TIP).tolist() == [0]


def test_the_best_site_is_drawn_among_equals() -> None:
    rng = np.random.default_rng(0)
    acquisition = np.array([1.0, 3.0, 3.0, 9.0])
    open_sites = np.array([True, True, True, False])
    assert {best_site(acquisition, open_sites, rng) for _ in range(40)} == {1, 2}


def test_the_nearest_of_nearly_equal_sites_is_taken() -> None:
    rng = np.random.default_rng(0)
    positions = np.array([[0, 0], [0, 50], [0, 9], [0, 2]])
    acquisition = np.array([0.0, 1.0, 0.97, 0.5])
    free = np.ones(4, dtype=bool)
    assert near_site(acquisition, free, positions, (0, 0), PathSettings(TIP, tolerance=0.05), rng) == 2
    assert near_site(acquisition, free, positions, (0, 0), PathSettings(TIP, tolerance=0.0), rng) == 1


def test_it_does_not_return_to_what_was_just_measured_unless_nothing_else_is_left() -> None:
    positions = np.array([[0, 0], [0, 4], [0, 8], [0, 12]])
    free = np.array([False, True, True, True])
    assert away_from(np.array([0]), positions, free, 4.0).tolist() == [False, False, True, True]
    assert away_from(np.array([0]), positions, free, 99.0).tolist() == free.tolist()
    assert away_from(np.array([], dtype=int), positions, free, 99.0).tolist() == free.tolist()


def test_settings_without_sense_are_refused() -> None:
    with pytest.raises(InputError, match="unknown mover 'rocket'"):
        Travel("rocket")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="settle is -1"):
        Travel(settle=-1.0)
    with pytest.raises(InputError, match="tolerance is 1"):
        PathSettings(tolerance=1.0)
    with pytest.raises(InputError, match="keep_off is -1"):
        PathSettings(keep_off=-1.0)
