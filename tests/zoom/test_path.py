"""Several levels of zoom in one experiment."""

from __future__ import annotations

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.zoom import LARGE_TO_ATOMIC, Frame, ZoomPath, ZoomSize

SITES = np.argwhere(np.ones((48, 48))) * 10 + 21
OUTER = Frame((0.0, 0.0), (250.0, 250.0), (512, 512))
TARGET_NM = np.array([180.0, 60.0])


def scores(frame: Frame, *places_nm: np.ndarray) -> np.ndarray:
    """A prediction that peaks at places of the sample, seen from any frame."""
    positions = frame.to_nm(SITES)
    width = frame.size_nm[0] / 20
    return sum(
        np.exp(-((positions - place) ** 2).sum(axis=1) / (2 * width**2)) / (order + 1)
        for order, place in enumerate(places_nm)
    )


def test_the_published_sequence_closes_in_on_a_place_of_the_sample() -> None:
    path = ZoomPath(OUTER, LARGE_TO_ATOMIC)
    while not path.finished:
        path = path.step(SITES, scores(path.current, TARGET_NM))
        assert np.abs(np.subtract(path.current.centre_nm, TARGET_NM)).max() < path.current.size_nm[0] / 10
    assert [frame.size_nm[0] for frame in path.visited] == [250.0, 50.0, 10.0]
    assert [frame.level for frame in path.visited] == [0, 1, 2]


def test_a_step_that_finds_nothing_stays_and_is_remembered() -> None:
    path = ZoomPath(OUTER, LARGE_TO_ATOMIC).step(SITES, np.zeros(len(SITES)))
    assert path.current is OUTER
    assert path.visited == (OUTER,)
    assert "no window is better" in path.decisions[-1].reason


def test_after_going_back_the_next_best_place_is_taken() -> None:
    second = np.array([50.0, 190.0])
    first = ZoomPath(OUTER, LARGE_TO_ATOMIC).step(SITES, scores(OUTER, TARGET_NM, second))
    again = first.back().step(SITES, scores(OUTER, TARGET_NM, second))
    np.testing.assert_allclose(first.current.centre_nm, TARGET_NM, atol=5)
    np.testing.assert_allclose(again.current.centre_nm, second, atol=5)
    assert len(again.visited) == 3
    assert len(again.decisions) == 2


def test_a_step_leaves_the_path_before_it_as_it_was() -> None:
    path = ZoomPath(OUTER, LARGE_TO_ATOMIC)
    path.step(SITES, scores(OUTER, TARGET_NM))
    assert path.current is OUTER
    assert path.decisions == ()


def test_beyond_the_last_level_there_is_no_step() -> None:
    path = ZoomPath(OUTER, (ZoomSize(5, "factor"),)).step(SITES, scores(OUTER, TARGET_NM))
    assert path.finished
    with pytest.raises(InputError, match="reached its last level, 1; add a size to go deeper"):
        path.step(SITES, scores(OUTER, TARGET_NM))


def test_from_the_outermost_frame_there_is_no_way_back() -> None:
    with pytest.raises(InputError, match="the current frame is the outermost"):
        ZoomPath(OUTER, LARGE_TO_ATOMIC).back()
