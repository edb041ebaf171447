"""Pixels, fractions and nanometres of a scan frame."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nion.instrumentation.stem_controller import ScanContext
from nion.utils import Geometry

from dkl_core.errors import InstrumentError
from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.acquisition.position import FrameGeometry, as_point

frames = st.builds(
    lambda size, fov, turn, y, x: FrameGeometry((size, size), fov, turn, (y, x)),
    st.integers(1, 1024),
    st.floats(0.5, 500),
    st.floats(-math.pi, math.pi),
    st.floats(-100, 100),
    st.floats(-100, 100),
)
places = st.tuples(st.floats(0, 1), st.floats(0, 1))


@given(frames, places)
def test_a_place_comes_back_from_every_other_coordinate(frame: FrameGeometry, place: tuple[float, float]) -> None:
    np.testing.assert_allclose(frame.to_fractions(frame.to_pixels(place)), place, atol=1e-12)
    np.testing.assert_allclose(frame.from_frame_nm(frame.to_frame_nm(place)), place, atol=1e-12)
    np.testing.assert_allclose(frame.from_sample_nm(frame.to_sample_nm(place)), place, atol=1e-9)


@given(frames, places)
def test_the_survey_image_is_calibrated_in_frame_nanometres(frame: FrameGeometry, place: tuple[float, float]) -> None:
    survey = SurveyImage(np.zeros(frame.shape), (frame.pixel_nm, frame.pixel_nm), frame.origin_nm)
    np.testing.assert_allclose(survey.to_nm(frame.to_pixels(place)), frame.to_frame_nm(place), atol=1e-9)


def test_pixels_are_counted_at_their_centres() -> None:
    frame = FrameGeometry((4, 4), 8.0)
    np.testing.assert_allclose(frame.to_fractions((0, 3)), (0.125, 0.875))
    np.testing.assert_allclose(frame.to_frame_nm((0.125, 0.875)), (-3.0, 3.0))


def test_rotation_is_that_of_swift() -> None:
    frame = FrameGeometry((64, 64), 20.0, math.radians(30), (3.0, -2.0))
    place = np.asarray((0.2, 0.9))
    own = frame.to_frame_nm(place)
    swift = Geometry.FloatPoint(y=own[0], x=own[1]).rotate(math.radians(30)) + Geometry.FloatPoint(y=3.0, x=-2.0)
    np.testing.assert_allclose(frame.to_sample_nm(place), (swift.y, swift.x))


def test_a_quarter_turn_takes_right_to_down() -> None:
    frame = FrameGeometry((64, 64), 10.0, math.pi / 2)
    np.testing.assert_allclose(frame.to_sample_nm((0.5, 1.0)), (5.0, 0.0), atol=1e-12)


def test_the_frame_is_that_of_the_scan_context() -> None:
    context = ScanContext(Geometry.IntSize(32, 32), Geometry.FloatPoint(y=1.0, x=2.0), 16.0, 0.5)
    assert FrameGeometry.of_context(context) == FrameGeometry((32, 32), 16.0, 0.5, (1.0, 2.0))


def test_oblong_frames_are_refused() -> None:
    with pytest.raises(InstrumentError, match="64 × 128 pixels; set as many rows as columns"):
        FrameGeometry((64, 128), 10.0)


def test_positions_are_clamped_with_a_margin() -> None:
    frame = FrameGeometry((64, 64), 10.0)
    np.testing.assert_allclose(frame.clamped((-0.2, 0.98), 0.05), (0.05, 0.95))
    assert not frame.contains((-0.2, 0.98))
    assert frame.contains((0.0, 1.0))


def test_swift_is_given_y_and_x() -> None:
    assert as_point((0.25, 0.75)) == Geometry.FloatPoint(y=0.25, x=0.75)
