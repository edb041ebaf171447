"""Choosing the next frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dkl_core.errors import InputError
from dkl_core.zoom import Frame, ZoomDecision, ZoomRules, ZoomSize, next_frame

FRAME = Frame((0.0, 0.0), (20.0, 20.0), (20, 20))
EVERY_PIXEL = np.argwhere(np.ones((20, 20)))
PUBLISHED = Frame((0.0, 0.0), (250.0, 250.0), (512, 512))
# The 48 x 48 sites of the published runs: every tenth pixel.
GRID = np.argwhere(np.ones((48, 48))) * 10 + 21
ANY = ZoomRules(min_sites=1)


def spot(row: float, col: float, sites: np.ndarray = EVERY_PIXEL, width: float = 2.0) -> np.ndarray:
    """A prediction with one hot spot."""
    return np.exp(-((sites - (row, col)) ** 2).sum(axis=1) / (2 * width**2))


def chosen(decision: ZoomDecision) -> Frame:
    assert decision.frame is not None, decision.reason
    return decision.frame


def largest_sum(score: np.ndarray, side: int) -> tuple[int, int]:
    """The published rule on a full map, by brute force: the first window with the largest sum."""
    sums = np.lib.stride_tricks.sliding_window_view(score, (side, side)).sum(axis=(2, 3))
    row, col = np.argwhere(sums >= sums.max() - 1e-9)[0]
    return int(row), int(col)


@pytest.mark.parametrize("place", [(10, 10), (4, 15), (16, 3)])
def test_the_frame_is_centred_on_a_planted_hot_spot(place: tuple[int, int]) -> None:
    frame = chosen(next_frame(FRAME, EVERY_PIXEL, spot(*place), ZoomSize(5.0)))
    np.testing.assert_allclose(frame.centre_nm, np.add(place, 0.5))
    assert frame.size_nm == (5.0, 5.0)


@pytest.mark.parametrize(
    ("place", "corner"), [((0, 0), (0, 0)), ((19, 19), (15, 15)), ((0, 19), (0, 15)), ((19, 10), (15, 8))]
)
def test_at_the_edge_the_frame_stays_within_its_parent(place: tuple[int, int], corner: tuple[int, int]) -> None:
    frame = chosen(next_frame(FRAME, EVERY_PIXEL, spot(*place), ZoomSize(5.0)))
    np.testing.assert_allclose(frame.corner_nm, corner, atol=1e-9)


@settings(deadline=None)
@given(hnp.arrays(float, (9, 9), elements=st.integers(-50, 50).map(float)), st.integers(2, 6))
def test_on_a_full_grid_it_is_the_published_largest_sum(score: np.ndarray, side: int) -> None:
    frame = Frame((0.0, 0.0), (9.0, 9.0), (9, 9))
    sites = np.argwhere(np.ones((9, 9)))
    decision = next_frame(frame, sites, score.ravel(), ZoomSize(side), rules=ANY)
    row, col = largest_sum(score, side)
    window = score[row : row + side, col : col + side]
    if decision.frame is None:
        assert window.mean() <= score.mean() + 1e-9
    else:
        assert decision.frame.corner_nm == pytest.approx((row, col))
        assert decision.total == pytest.approx(window.sum())
        assert decision.n_sites == side**2


@settings(deadline=None)
@given(hnp.arrays(float, (9, 9), elements=st.floats(-1, 1)), st.floats(-1e6, 1e6))
def test_a_constant_added_to_the_score_changes_nothing(score: np.ndarray, offset: float) -> None:
    score = np.round(score, 3)
    frame = Frame((0.0, 0.0), (9.0, 9.0), (9, 9))
    sites = np.argwhere(score < 0.8)
    values = score[score < 0.8]
    if len(sites) < 2 or np.ptp(values) < 0.01:
        return
    plain = next_frame(frame, sites, values, ZoomSize(3.0), rules=ANY)
    shifted = next_frame(frame, sites, values + offset, ZoomSize(3.0), rules=ANY)
    # Ties may be broken otherwise when the offset's rounding error exceeds theirs.
    assert shifted.excess == pytest.approx(plain.excess, abs=1e-8 * max(1.0, abs(offset)))


def test_an_offset_does_not_draw_the_frame_to_where_most_sites_are() -> None:
    # The hot spot has every second pixel, the rest every pixel: a plain sum of scores near 5 follows the count.
    sites = np.array([site for site in EVERY_PIXEL if site[0] >= 8 or site.sum() % 2 == 0])
    score = 5 + spot(3, 3, sites)
    frame = chosen(next_frame(FRAME, sites, score, ZoomSize(5.0)))
    np.testing.assert_allclose(frame.centre_nm, (3.5, 3.5), atol=1.0)


def test_equal_windows_give_the_first_in_row_major_order() -> None:
    score = np.zeros((20, 20))
    for row, col in ((12, 2), (2, 12), (12, 12)):
        score[row : row + 5, col : col + 5] = 0.1
    frame = chosen(next_frame(FRAME, EVERY_PIXEL, score.ravel(), ZoomSize(5.0)))
    assert frame.corner_nm == pytest.approx((2, 12))


def test_the_choice_does_not_depend_on_the_order_of_the_sites(rng: np.random.Generator) -> None:
    score = rng.normal(size=len(EVERY_PIXEL))
    order = rng.permutation(len(score))
    first = next_frame(FRAME, EVERY_PIXEL, score, ZoomSize(5.0))
    second = next_frame(FRAME, EVERY_PIXEL[order], score[order], ZoomSize(5.0))
    assert chosen(first).corner_nm == chosen(second).corner_nm


def test_between_sparse_sites_the_frame_is_centred_on_those_it_holds() -> None:
    # A window of 20 px holds 2 x 2 sites 10 px apart and can be shifted by up to 9 px without losing any.
    frame = chosen(next_frame(PUBLISHED, GRID, spot(246, 256, GRID, width=4), ZoomSize(20, "px")))
    first_px = PUBLISHED.to_pixels(frame.corner_nm)
    held = GRID[(first_px <= GRID).all(axis=1)]
    assert held[0].tolist() == [241, 251]
    np.testing.assert_allclose(PUBLISHED.to_pixels(frame.centre_nm), (246, 256), atol=0.5)


@pytest.mark.parametrize(("outer_nm", "inner_nm"), [((250.0), 50.0), ((200.0), 100.0), ((100.0), 20.0), ((50.0), 10.0)])
def test_published_sizes_are_met_exactly_although_they_are_no_whole_pixels(outer_nm: float, inner_nm: float) -> None:
    outer = Frame((0.0, 0.0), (outer_nm, outer_nm), (512, 512))
    decision = next_frame(outer, GRID, spot(300, 200, GRID, width=30), ZoomSize(inner_nm))
    frame = chosen(decision)
    assert frame.size_nm == (inner_nm, inner_nm)
    assert frame.shape == (512, 512)
    assert frame.parent is outer
    low, high = outer.to_pixels(frame.corner_nm), outer.to_pixels(np.add(frame.corner_nm, frame.size_nm))
    inside = ((low <= GRID) & (high >= GRID)).all(axis=1)
    assert decision.n_sites == inside.sum()


def test_the_next_image_may_have_another_number_of_pixels() -> None:
    assert chosen(next_frame(FRAME, EVERY_PIXEL, spot(9, 9), ZoomSize(5.0), shape=(64, 32))).shape == (64, 32)


def test_a_frame_of_oblong_pixels_gives_a_square_in_nm() -> None:
    frame = Frame((0.0, 0.0), (20.0, 40.0), (20, 20))
    child = chosen(next_frame(frame, EVERY_PIXEL, spot(10, 10), ZoomSize(6.0)))
    assert child.size_nm == (6.0, 6.0)
    np.testing.assert_allclose(child.centre_nm, (10.5, 21.0), atol=1.0)


def test_sites_without_a_prediction_are_ignored() -> None:
    score = spot(15, 15) + 0.5 * spot(4, 4)
    excluded = (EVERY_PIXEL > 10).all(axis=1)
    frame = chosen(next_frame(FRAME, EVERY_PIXEL, np.where(excluded, np.nan, score), ZoomSize(5.0)))
    np.testing.assert_allclose(frame.centre_nm, (4.5, 4.5))


def test_the_decision_tells_what_it_is_based_on() -> None:
    decision = next_frame(FRAME, EVERY_PIXEL, spot(10, 10), ZoomSize(5.0))
    assert decision.n_sites == 25
    assert decision.excess == pytest.approx(decision.total - 25 * spot(10, 10).mean())
    assert decision.reason.startswith("25 sites lie ")


def test_without_any_prediction_there_is_no_frame() -> None:
    decision = next_frame(FRAME, EVERY_PIXEL, np.full(400, np.nan), ZoomSize(5.0))
    assert decision == ZoomDecision(None, "no site has a finite prediction; measure or train more before zooming")


def test_without_any_site_there_is_no_frame() -> None:
    assert next_frame(FRAME, np.empty((0, 2)), [], ZoomSize(5.0)).frame is None


def test_a_window_with_too_few_sites_is_no_frame() -> None:
    decision = next_frame(FRAME, [(2, 2), (3, 3), (12, 12)], [1.0, 2.0, 0.0], ZoomSize(5.0))
    assert decision.frame is None
    assert decision.reason.startswith("no window holds 4 sites with a prediction, at most 2")


@pytest.mark.parametrize("level", [0.0, 5.0, -1e9, 0.1])
def test_a_flat_prediction_gives_no_frame(level: float) -> None:
    decision = next_frame(FRAME, EVERY_PIXEL, np.full(400, level), ZoomSize(5.0))
    assert decision.frame is None
    assert "no window is better than the average" in decision.reason


def test_a_prediction_within_its_uncertainty_gives_no_frame() -> None:
    score = spot(10, 10)
    assert next_frame(FRAME, EVERY_PIXEL, score, ZoomSize(5.0), std=np.full(400, 0.2)).frame is not None
    decision = next_frame(FRAME, EVERY_PIXEL, score, ZoomSize(5.0), std=np.full(400, 1.0))
    assert decision.frame is None
    assert decision.reason == "no window is better than the average by more than its uncertainty; measure more here"


def test_how_sure_it_must_be_can_be_chosen() -> None:
    rules = ZoomRules(sigmas=0.0)
    assert next_frame(FRAME, EVERY_PIXEL, spot(9, 9), ZoomSize(5.0), std=np.ones(400), rules=rules).frame is not None


def test_a_lower_but_certain_spot_is_preferred_to_an_uncertain_one() -> None:
    score = spot(15, 15) + 0.8 * spot(4, 4)
    std = np.where((EVERY_PIXEL > 10).all(axis=1), 2.0, 0.01)
    frame = chosen(next_frame(FRAME, EVERY_PIXEL, score, ZoomSize(5.0), std=std))
    np.testing.assert_allclose(frame.centre_nm, (4.5, 4.5))


def test_a_visited_place_is_left_for_the_next_best() -> None:
    score = spot(4, 4) + 0.8 * spot(15, 15)
    first = chosen(next_frame(FRAME, EVERY_PIXEL, score, ZoomSize(5.0)))
    second = chosen(next_frame(FRAME, EVERY_PIXEL, score, ZoomSize(5.0), visited=[FRAME, first]))
    np.testing.assert_allclose(first.centre_nm, (4.5, 4.5))
    np.testing.assert_allclose(second.centre_nm, (15.5, 15.5))


def test_some_overlap_with_a_visited_frame_can_be_allowed() -> None:
    first = chosen(next_frame(FRAME, EVERY_PIXEL, spot(10, 10), ZoomSize(5.0)))
    rules = ZoomRules(max_overlap=0.6)
    second = chosen(next_frame(FRAME, EVERY_PIXEL, spot(10, 10), ZoomSize(5.0), visited=[first], rules=rules))
    shared = np.prod(5 - np.abs(np.subtract(first.corner_nm, second.corner_nm)))
    assert shared / 25 == pytest.approx(0.6)


def test_a_visited_frame_of_another_branch_is_avoided_too() -> None:
    other = Frame((0.0, 0.0), (8.0, 8.0), (20, 20), FRAME)
    score = spot(4, 4) + 0.5 * spot(15, 15)
    frame = chosen(next_frame(FRAME, EVERY_PIXEL, score, ZoomSize(5.0), visited=[other]))
    np.testing.assert_allclose(frame.centre_nm, (15.5, 15.5))


def test_when_every_place_was_visited_there_is_no_frame() -> None:
    visited = Frame((2.0, 2.0), (16.0, 16.0), (20, 20), FRAME)
    decision = next_frame(FRAME, EVERY_PIXEL, spot(10, 10), ZoomSize(5.0), visited=[visited])
    assert decision.frame is None
    assert decision.reason.startswith("every window overlaps a frame visited before")


def test_the_margin_keeps_the_frame_off_the_edges() -> None:
    rules = ZoomRules(margin_nm=2.0)
    frame = chosen(next_frame(FRAME, EVERY_PIXEL, spot(0, 10), ZoomSize(6.0), rules=rules))
    np.testing.assert_allclose(frame.corner_nm[0], 2.0)


def test_only_sites_within_the_margin_count() -> None:
    decision = next_frame(FRAME, EVERY_PIXEL, spot(10, 10), ZoomSize(6.0), rules=ZoomRules(margin_nm=1.0))
    assert decision.n_sites == 16


@pytest.mark.parametrize("margin_nm", [3.0, 8.0])
def test_a_margin_that_leaves_nothing_is_refused(margin_nm: float) -> None:
    with pytest.raises(InputError, match="give a smaller margin"):
        next_frame(FRAME, EVERY_PIXEL, spot(9, 9), ZoomSize(6.0), rules=ZoomRules(margin_nm=margin_nm))


@pytest.mark.parametrize("sites", [[(20, 0)], [(0, -1)], [(0.5, 0)], [(np.nan, 0)]])
def test_sites_that_are_not_pixels_of_the_image_are_refused(sites: list[tuple[float, float]]) -> None:
    with pytest.raises(InputError, match=r"not whole pixels of an image of \(20, 20\) pixels"):
        next_frame(FRAME, sites, [1.0], ZoomSize(5.0))


def test_arrays_that_do_not_match_are_refused() -> None:
    with pytest.raises(InputError, match=r"sites have shape \(400, 2\) and score \(3,\)"):
        next_frame(FRAME, EVERY_PIXEL, np.ones(3), ZoomSize(5.0))
    with pytest.raises(InputError, match=r"std has shape \(3,\) but score has \(400,\)"):
        next_frame(FRAME, EVERY_PIXEL, np.ones(400), ZoomSize(5.0), std=np.ones(3))


def test_a_negative_deviation_is_refused() -> None:
    with pytest.raises(InputError, match=r"std holds -0\.5"):
        next_frame(FRAME, EVERY_PIXEL, np.ones(400), ZoomSize(5.0), std=np.full(400, -0.5))
