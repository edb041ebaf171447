from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dkl_core.stem.scan import ScanFrame
from dkl_core.stem.timeline import Timeline

FRAME = ScanFrame((4, 4), 1.0, pixel_time_s=0.1)


def test_an_interval_is_divided_where_the_probe_moved() -> None:
    timeline = Timeline(0.0)
    timeline.place(1.0, (1.0, 2.0))
    stays = timeline.stays(0.5, 2.0)
    assert [(stay.begin, stay.end, stay.place_nm) for stay in stays] == [(0.5, 1.0, (0.0, 0.0)), (1.0, 2.0, (1.0, 2.0))]


def test_blanked_stretches_are_left_out() -> None:
    timeline = Timeline(0.0)
    timeline.blank(1.0, True)
    timeline.blank(3.0, False)
    assert [(stay.begin, stay.end) for stay in timeline.stays(0.0, 4.0)] == [(0.0, 1.0), (3.0, 4.0)]


def test_a_scan_takes_the_beam_and_gives_it_back() -> None:
    timeline = Timeline(0.0, (5.0, 5.0))
    timeline.begin_scan(FRAME, 1.0)
    parked, scanned, again = timeline.stays(0.0, 4.0)
    assert (parked.place_nm, scanned.place_nm, again.place_nm) == ((5.0, 5.0), None, (5.0, 5.0))
    assert scanned.seconds == pytest.approx(1.6)


def test_a_scan_that_is_broken_off_ends_then() -> None:
    timeline = Timeline(0.0)
    timeline.begin_scan(FRAME, 1.0)
    timeline.end_scan(1.5)
    assert [stay.seconds for stay in timeline.stays(1.0, 4.0)] == [0.5, 2.5]
    assert not timeline.scanning(1.6)


def test_the_same_scan_is_entered_once() -> None:
    timeline = Timeline(0.0)
    assert timeline.begin_scan(FRAME, 1.0) is timeline.begin_scan(FRAME, 1.0)


def test_a_part_of_a_running_scan_is_not_another_scan() -> None:
    timeline = Timeline(0.0)
    timeline.begin_scan(FRAME, 1.0)
    part = timeline.begin_scan(replace(FRAME, window=(0.5, 0.0, 0.25, 1.0)), 1.0 + 2 * FRAME.line_s)
    assert (part.begin, part.end) == pytest.approx((1.8, 2.2))
    assert [stay.seconds for stay in timeline.stays(1.0, 2.6)] == pytest.approx([1.6])


@pytest.mark.parametrize("change", [{"window": (0.0, 0.0, 0.25, 1.0)}, {"fov_nm": 2.0}, {"pixel_time_s": 0.2}])
def test_any_other_scan_takes_the_place_of_the_running_one(change: dict[str, Any]) -> None:
    timeline = Timeline(0.0)
    timeline.begin_scan(FRAME, 1.0)
    timeline.begin_scan(replace(FRAME, **change), 1.8)
    assert len(timeline.stays(1.0, 2.2)) == 2


def test_light_is_known_for_many_times_at_once() -> None:
    timeline = Timeline(0.0)
    timeline.blank(1.0, True)
    timeline.blank(2.0, False)
    assert timeline.lit_at(np.array([0.5, 1.0, 1.5, 2.0, 3.0])).tolist() == [True, False, False, True, True]
    assert timeline.lit_at(np.array([-1.0, 0.5])).tolist() == [True, True]


def test_a_stamp_before_the_last_counts_as_the_last() -> None:
    timeline = Timeline(0.0)
    timeline.place(2.0, (1.0, 1.0))
    timeline.place(1.0, (2.0, 2.0))
    assert timeline.stays(2.0, 3.0)[0].place_nm == (2.0, 2.0)


def test_the_history_does_not_grow_without_end() -> None:
    timeline = Timeline(0.0)
    for moment in range(50_000):
        timeline.place(float(moment), (float(moment), 0.0))
    assert timeline.stays(49_998.0, 49_999.0)[0].place_nm == (49_998.0, 0.0)
    assert len(timeline._places) <= 20_000
