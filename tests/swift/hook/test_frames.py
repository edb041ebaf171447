"""Judging frames: dropped, stale, dark, unusual."""

from __future__ import annotations

import numpy as np
import pytest

from nionswift_plugin.dkl.acquisition.frames import (
    DarkLevel,
    FrameCheck,
    RepeatedFrameError,
    StaleFrameError,
    UnusualFrameError,
)
from nionswift_plugin.dkl.acquisition.recording import Frame, FrameLostError

SHAPE = (8, 8)
NOISE = np.random.default_rng(0)


def frame(counts: float = 6400.0, taken_s: float = 100.0) -> Frame:
    return Frame(NOISE.poisson(counts / 64, SHAPE).astype(np.uint16), taken_s)


def checker(expected: float | None = 6400.0, tolerance: float = 0.3) -> FrameCheck:
    check = FrameCheck(SHAPE, tolerance, DarkLevel(), expected)
    check.learn_clock(frame(0.0, taken_s=50.0), 49.95, 50.05)
    return check


def test_a_new_exposed_frame_is_accepted() -> None:
    check = checker()
    for second in range(100, 110):
        check.check(frame(taken_s=second + 0.02), second)


@pytest.mark.parametrize("value", [0, 65535])
def test_a_dropped_frame_is_refused(value: int) -> None:
    with pytest.raises(FrameLostError, match=f"each of its pixels reads {value}"):
        checker().check(Frame(np.full(SHAPE, value, np.uint16), 100.0), 99.0)


def test_a_frame_of_another_size_is_refused() -> None:
    with pytest.raises(FrameLostError, match="test frame had"):
        checker().check(Frame(np.arange(16.0).reshape(4, 4), 100.0), 99.0)


def test_a_frame_with_holes_is_refused() -> None:
    data = np.arange(64.0).reshape(SHAPE)
    data[3, 3] = np.nan
    with pytest.raises(FrameLostError, match="no numbers"):
        checker().check(Frame(data, 100.0), 99.0)


def test_a_frame_from_before_the_request_is_stale() -> None:
    with pytest.raises(StaleFrameError, match="taken 60 ms before"):
        checker().check(frame(taken_s=99.94), 100.0)


def test_another_clock_is_not_trusted() -> None:
    check = FrameCheck(SHAPE, 0.3, DarkLevel())
    check.learn_clock(frame(0.0, taken_s=7e6), 49.95, 50.05)
    check.check(frame(taken_s=8e6), 9e9)


def test_the_same_time_stamp_is_stale() -> None:
    check = checker()
    check.check(frame(taken_s=100.0), 99.99)
    with pytest.raises(StaleFrameError, match="same time stamp"):
        check.check(frame(taken_s=100.0), 99.99)


def test_the_same_pixels_are_stale() -> None:
    check, first = checker(), frame(taken_s=100.0)
    check.check(first, 99.99)
    with pytest.raises(RepeatedFrameError, match="each pixel is the same"):
        check.check(Frame(first.data, 101.0), 100.99)


def test_a_camera_without_noise_is_recognised() -> None:
    check, first = checker(), frame(taken_s=100.0)
    check.check(first, 99.99)
    with pytest.raises(RepeatedFrameError):
        check.check(Frame(first.data, 101.0), 100.99)
    check.remember(Frame(np.zeros(SHAPE, np.uint16), 102.0))
    check.check(Frame(first.data, 103.0), 102.99)


def test_a_camera_that_stands_still_stays_refused() -> None:
    check, first = checker(), frame(taken_s=100.0)
    check.check(first, 99.99)
    for second in (101.0, 103.0):
        with pytest.raises(RepeatedFrameError):
            check.check(Frame(first.data, second), second - 0.01)
        check.remember(Frame(first.data, second + 1))


def test_a_dark_frame_is_refused_even_twice() -> None:
    check = checker()
    check.check(frame(taken_s=99.0), 98.99)
    for second in (100.0, 101.0):
        with pytest.raises(UnusualFrameError, match="dark"):
            check.check(frame(100.0, taken_s=second), second - 0.01)


def test_a_frame_exposed_for_half_the_time_is_refused() -> None:
    check = checker()
    check.check(frame(taken_s=100.0), 99.99)
    with pytest.raises(UnusualFrameError, match="counts where"):
        check.check(frame(3200.0, taken_s=101.0), 100.99)


def test_what_is_measured_twice_is_true() -> None:
    check = checker()
    with pytest.raises(UnusualFrameError):
        check.check(frame(3200.0, taken_s=100.0), 99.99)
    check.check(frame(3200.0, taken_s=101.0), 100.99)


def test_two_different_unusual_frames_are_both_refused() -> None:
    check = checker()
    for second, counts in ((100.0, 3200.0), (101.0, 1600.0)):
        with pytest.raises(UnusualFrameError):
            check.check(frame(counts, taken_s=second), second - 0.01)


def test_the_expectation_follows_a_fading_beam() -> None:
    check, counts = checker(), 6400.0
    for second in range(100, 160):
        check.check(frame(counts, taken_s=second), second - 0.01)
        counts *= 0.98
    assert counts < 0.35 * 6400


def test_the_offset_does_not_count() -> None:
    check = FrameCheck(SHAPE, 0.3, DarkLevel(6400.0, 80.0), expected=6400.0)
    for second in (100.0, 101.0):
        with pytest.raises(UnusualFrameError, match="dark"):
            check.check(frame(6400.0, taken_s=second), second - 0.01)


def test_a_wrong_figure_of_the_current_costs_one_frame() -> None:
    check = checker(expected=1e6)
    with pytest.raises(UnusualFrameError):
        check.check(frame(taken_s=100.0), 99.99)
    for second in range(101, 105):
        check.check(frame(taken_s=second), second - 0.01)


def test_the_dark_level_of_fixed_offsets_is_quiet() -> None:
    offsets = np.tile(np.arange(64.0)[:, None], (1, 64))
    level = DarkLevel.of(offsets + NOISE.normal(0, 2, (64, 64)))
    assert level.sigma == pytest.approx(2 * 64, rel=0.1)
