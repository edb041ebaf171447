"""The order in which a batch of sites is visited."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dkl_core.acquisition import short_path
from dkl_core.survey import FloatArray

SETS = st.integers(2, 12).flatmap(lambda n: hnp.arrays(float, (n, 2), elements=st.integers(0, 511).map(float)))


def length(points: FloatArray, order: object, start: FloatArray) -> float:
    visited = np.vstack([start, points[np.asarray(order)]])
    return float(np.linalg.norm(np.diff(visited, axis=0), axis=1).sum())


def nearest_neighbour(points: FloatArray, start: FloatArray) -> list[int]:
    left, order, here = set(range(len(points))), list[int](), start
    while left:
        order.append(min(left, key=lambda index: float(np.linalg.norm(points[index] - here))))
        here = points[order[-1]]
        left.remove(order[-1])
    return order


@settings(deadline=None)
@given(SETS)
def test_every_point_is_visited_once_and_never_by_more_than_the_nearest_neighbours_way(points: FloatArray) -> None:
    start = np.array([250.0, 20.0])
    order = short_path(points, start)
    assert sorted(order) == list(range(len(points)))
    assert length(points, order, start) <= length(points, nearest_neighbour(points, start), start) + 1e-9


def test_small_batches_take_the_shortest_way_or_nearly(rng: np.random.Generator) -> None:
    excess = []
    for _ in range(20):
        points, start = rng.random((6, 2)), rng.random(2)
        best = min(length(points, order, start) for order in permutations(range(6)))
        excess.append(length(points, short_path(points, start), start) / best - 1)
    assert max(excess) < 0.05
    assert np.mean(excess) < 0.01


def test_points_on_a_line_are_visited_from_the_near_end() -> None:
    points = np.array([[0, 50], [0, 10], [0, 40], [0, 20], [0, 30]])
    np.testing.assert_array_equal(points[short_path(points, (0, 0))][:, 1], [10, 20, 30, 40, 50])
    np.testing.assert_array_equal(points[short_path(points, (5, 60))][:, 1], [50, 40, 30, 20, 10])


def test_where_the_start_does_not_matter_the_path_begins_at_an_end() -> None:
    points = np.array([[0, 30], [0, 10], [0, 40], [0, 20], [0, 50]])
    order = points[short_path(points)][:, 1].tolist()
    assert order in ([10, 20, 30, 40, 50], [50, 40, 30, 20, 10])


def test_a_path_does_not_cross_itself(rng: np.random.Generator) -> None:
    points = rng.random((40, 2))
    path = points[short_path(points)]

    def side(a: FloatArray, b: FloatArray, c: FloatArray) -> bool:
        return bool((b[0] - a[0]) * (c[1] - a[1]) > (b[1] - a[1]) * (c[0] - a[0]))

    for i in range(len(path) - 1):
        for j in range(i + 2, len(path) - 1):
            a, b, c, d = path[i], path[i + 1], path[j], path[j + 1]
            assert side(a, b, c) == side(a, b, d) or side(c, d, a) == side(c, d, b)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_coincident_points_and_tiny_batches_are_no_trouble(count: int) -> None:
    assert sorted(short_path(np.full((count, 2), 3.0), (0, 0))) == list(range(count))
