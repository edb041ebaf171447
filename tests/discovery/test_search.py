from __future__ import annotations

import numpy as np
import pytest

from dkl_core.acquisition import AcquisitionSettings
from dkl_core.discovery.pathfinder import IntArray, PathSettings, Travel, path_cost
from dkl_core.discovery.process import ProcessSettings
from dkl_core.discovery.search import SearchSettings, SearchStep, search
from dkl_core.errors import InputError
from dkl_core.patches import PatchSettings, Sites, grid_sites

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def sites() -> Sites:
    return grid_sites((120, 120), PatchSettings(1, 4))


def hill(sites: Sites) -> np.ndarray:
    away = ((sites.positions - np.array([80, 30])) ** 2).sum(axis=1)
    return np.exp(-away / (2 * 12.0**2)) * 7 + 3


def searched(sites: Sites, **given: object) -> list[SearchStep]:
    values = hill(sites)
    return list(search(sites, lambda indices: values[indices], SearchSettings(**given)))  # type: ignore[arg-type]


@pytest.mark.parametrize("kernel", ["rbf", "matern52", "rq"])
@pytest.mark.parametrize("name", ["ei", "ucb", "pi"])
def test_the_hill_is_found_from_a_single_point(sites: Sites, kernel: str, name: str) -> None:
    last = searched(
        sites,
        process=ProcessSettings(kernel),  # type: ignore[arg-type]
        acquisition=AcquisitionSettings(name),  # type: ignore[arg-type]
        budget=80,
    )[-1]
    assert last.values.max() > 9.5
    high = hill(sites) > 6
    assert np.corrcoef(last.mean[high], hill(sites)[high])[0, 1] > 0.7


def test_steps_come_in_batches_without_repeats_and_describe_only_what_is_visited(sites: Sites) -> None:
    asked: list[IntArray] = []
    values = hill(sites)

    def target(indices: IntArray) -> np.ndarray:
        asked.append(indices)
        return values[indices]

    steps = list(search(sites, target, SearchSettings(budget=36)))
    assert [len(batch) for batch in asked] == [1, 10, 10, 10, 5]
    assert [len(step.visited) for step in steps] == [1, 11, 21, 31, 36]
    assert len(set(np.concatenate(asked))) == 36
    np.testing.assert_array_equal(steps[-1].values, values[steps[-1].visited])
    assert np.isnan(steps[0].acquisition).all()
    assert np.isfinite(steps[1].acquisition).all()
    assert (steps[-1].std >= 0).all()


def test_leaving_the_search_stops_it(sites: Sites) -> None:
    asked = 0

    def target(indices: IntArray) -> np.ndarray:
        nonlocal asked
        asked += len(indices)
        return np.zeros(len(indices))

    for number, _ in enumerate(search(sites, target)):
        if number == 2:
            break
    assert asked == 21


def test_the_same_seed_visits_the_same_sites(sites: Sites) -> None:
    one, same, other = (searched(sites, budget=31, seed=seed)[-1].visited for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_target_that_never_varies_is_searched_over_the_whole_image(sites: Sites) -> None:
    last = list(search(sites, lambda indices: np.full(len(indices), 2.0), SearchSettings(budget=60)))[-1]
    assert last.mean == pytest.approx(np.full(len(sites), 2.0))
    rows, cols = sites.positions[last.visited].T
    assert (np.ptp(rows), np.ptp(cols)) > (60, 60)


def test_all_sites_are_visited_when_the_budget_is_larger() -> None:
    few = grid_sites((12, 12), PatchSettings(1, 4))
    last = searched(few, budget=50)[-1]
    assert sorted(last.visited) == list(range(9))
    assert last.mean == pytest.approx(hill(few), abs=0.1)


def test_the_pathfinder_halves_the_way(sites: Sites) -> None:
    travel = Travel("tip")
    plain = searched(sites, budget=101, path=None)[-1]
    short = searched(sites, budget=101, path=PathSettings(travel))[-1]
    ways = [path_cost(sites.positions[step.visited], travel) for step in (plain, short)]
    assert ways[1] < 0.55 * ways[0]
    assert short.values.max() > 9.5


def test_between_visits_the_model_keeps_the_typical_value_not_the_mean_of_the_visits(sites: Sites) -> None:
    last = searched(sites, budget=101)[-1]
    far = ((sites.positions - np.array([80, 30])) ** 2).sum(axis=1) > 60**2
    assert last.values.mean() > 3.5
    assert last.mean[far].mean() == pytest.approx(3.0, abs=0.3)


def test_what_cannot_be_searched_is_refused(sites: Sites) -> None:
    empty = Sites(np.empty((0, 2), dtype=np.int64), (9, 9))
    with pytest.raises(InputError, match="no site to search"):
        next(search(empty, lambda indices: np.zeros(len(indices))))
    with pytest.raises(InputError, match="finite number for each"):
        next(search(sites, lambda indices: np.full(len(indices), np.nan)))
    with pytest.raises(InputError, match="batch is 0"):
        SearchSettings(batch=0)
    with pytest.raises(InputError, match="thompson"):
        SearchSettings(acquisition=AcquisitionSettings("thompson"))
