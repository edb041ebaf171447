"""Pixels of the VI, pixels of the core, and metres."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkl_core.errors import InputError
from dkl_core.frame import Frame
from labview_bridge.worker.geometry import FrameGeometry

PLAIN = FrameGeometry(4, 8, 80e-9, 40e-9, 0.0, 0.0, 0.0, True)
frames = st.builds(
    FrameGeometry,
    rows=st.integers(2, 60),
    cols=st.integers(2, 60),
    width_m=st.floats(1e-9, 1e-6),
    height_m=st.floats(1e-9, 1e-6),
    xc_m=st.floats(-1e-5, 1e-5),
    yc_m=st.floats(-1e-5, 1e-5),
    angle_deg=st.floats(-360, 360),
    y_up=st.booleans(),
    clockwise=st.booleans(),
)


@pytest.mark.parametrize(
    ("change", "corner", "expected"),
    [
        ({}, (0, 0), (-35e-9, -15e-9)),
        ({"y_up": False}, (0, 0), (-35e-9, 15e-9)),
        ({"xc_m": 1e-6, "yc_m": 2e-6}, (7, 3), (1.035e-6, 2.015e-6)),
        # Turned clockwise by 90 degrees, what lay to the right lies below.
        ({"angle_deg": 90.0}, (7, 3), (15e-9, -35e-9)),
        ({"angle_deg": 90.0, "clockwise": False}, (7, 3), (-15e-9, 35e-9)),
    ],
)
def test_a_pixel_of_the_vi_lies_where_it_should(change, corner, expected):
    geometry = replace(PLAIN, **change)
    assert geometry.metres(*geometry.core_pixel(*corner)) == pytest.approx(expected, abs=1e-18)


@settings(max_examples=100, derandomize=True)
@given(geometry=frames, row=st.floats(0, 1), col=st.floats(0, 1))
def test_ways_there_and_back_agree(geometry, row, col):
    place = row * (geometry.rows - 1), col * (geometry.cols - 1)
    assert geometry.core_pixel(*geometry.vi_pixel(*place)) == pytest.approx(place, abs=1e-9)
    there = geometry.metres(*place)
    assert geometry.pixel_at(*there) == pytest.approx(place, abs=1e-3)
    assert geometry.contains(*there)
    assert FrameGeometry.from_json(geometry.to_json()) == geometry


@settings(max_examples=50, derandomize=True)
@given(geometry=frames)
def test_places_beyond_the_edge_are_outside(geometry):
    assert not geometry.contains(*geometry.metres(-0.6, 0.0))
    assert not geometry.contains(*geometry.metres(0.0, geometry.cols - 0.4))


def test_row_0_of_the_core_is_the_top_of_the_frame():
    image = np.arange(32.0).reshape(4, 8)
    assert np.array_equal(PLAIN.survey(image).values, image[::-1])
    assert np.array_equal(replace(PLAIN, y_up=False).survey(image).values, image)
    assert PLAIN.survey(image).pixel_nm == pytest.approx((10.0, 10.0))


def test_the_margin_leaves_out_the_pixels_at_the_edge():
    allowed = PLAIN.allowed(10e-9)
    assert allowed is not None
    assert allowed.sum() == 2 * 6
    assert PLAIN.allowed(0.0) is None
    with pytest.raises(InputError, match="margin"):
        PLAIN.allowed(30e-9)


def test_the_centre_of_the_whole_frame_is_its_centre():
    geometry = replace(PLAIN, xc_m=1e-6, yc_m=-3e-6, angle_deg=20.0)
    whole = Frame.of_image(geometry.survey(np.arange(32.0).reshape(4, 8)))
    assert geometry.centre_of(whole) == pytest.approx((1e-6, -3e-6), rel=1e-9)


@pytest.mark.parametrize("change", [{"width_m": 50.0}, {"height_m": 0.0}, {"xc_m": float("nan")}])
def test_lengths_that_are_no_metres_are_refused(change):
    with pytest.raises(InputError, match=r"finite|metres"):
        replace(PLAIN, **change)
