"""Nested frames and their coordinates."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkl_core.errors import InputError
from dkl_core.frame import Frame
from dkl_core.survey import SurveyImage

OUTER = Frame((0.0, 0.0), (250.0, 250.0), (512, 512))


@st.composite
def nested(draw: st.DrawFn) -> Frame:
    """A frame within two or three others, each somewhere in its parent."""
    corner = draw(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)))
    frame = Frame(corner, draw(st.tuples(st.floats(50, 300), st.floats(50, 300))), (512, 400))
    for _ in range(draw(st.integers(2, 3))):
        zoom = draw(st.tuples(st.floats(0.05, 0.9), st.floats(0.05, 0.9)))
        place = draw(st.tuples(st.floats(0, 1), st.floats(0, 1)))
        sizes = [frame.size_nm[axis] * zoom[axis] for axis in (0, 1)]
        corners = [frame.corner_nm[axis] + place[axis] * (frame.size_nm[axis] - sizes[axis]) for axis in (0, 1)]
        shape = draw(st.tuples(st.integers(8, 512), st.integers(8, 512)))
        frame = Frame((corners[0], corners[1]), (sizes[0], sizes[1]), shape, frame)
    return frame


@settings(deadline=None)
@given(nested(), st.tuples(st.floats(-0.5, 512), st.floats(-0.5, 512)))
def test_a_position_of_any_level_comes_back_from_every_other_level(frame: Frame, pixel: tuple[float, float]) -> None:
    for other in frame.lineage():
        there = frame.to_frame(other, pixel)
        np.testing.assert_allclose(other.to_nm(there), frame.to_nm(pixel), rtol=0, atol=1e-9)
        np.testing.assert_allclose(other.to_frame(frame, there), pixel, rtol=0, atol=1e-7)


@settings(deadline=None)
@given(nested(), st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_fractions_come_back(frame: Frame, fraction: tuple[float, float]) -> None:
    np.testing.assert_allclose(frame.to_fractions(frame.from_fractions(fraction)), fraction, rtol=0, atol=1e-9)


@settings(deadline=None)
@given(nested())
def test_stepping_through_the_parents_leads_where_the_direct_way_leads(frame: Frame) -> None:
    *_, outermost = frame.lineage()
    stepwise, current = np.array([3.0, 5.0]), frame
    while current.parent is not None:
        stepwise, current = current.to_parent(stepwise), current.parent
    np.testing.assert_allclose(stepwise, frame.to_frame(outermost, (3.0, 5.0)), rtol=0, atol=1e-9)


def test_three_published_levels_return_within_a_billionth() -> None:
    middle = Frame((100.0, 40.0), (50.0, 50.0), (512, 512), OUTER)
    inner = Frame((120.0, 60.0), (10.0, 10.0), (256, 256), middle)
    pixels = np.random.default_rng(1).uniform(0, 255, (100, 2))
    np.testing.assert_allclose(OUTER.to_frame(inner, inner.to_frame(OUTER, pixels)), pixels, rtol=0, atol=1e-9)
    np.testing.assert_allclose(inner.from_parent(inner.to_parent(pixels)), pixels, rtol=0, atol=1e-9)


def test_the_level_counts_the_parents() -> None:
    middle = Frame((100.0, 40.0), (50.0, 50.0), (512, 512), OUTER)
    inner = Frame((120.0, 60.0), (10.0, 10.0), (512, 512), middle)
    assert [frame.level for frame in inner.lineage()] == [2, 1, 0]


def test_a_frame_can_be_given_by_its_centre() -> None:
    frame = Frame.centred((10.0, 20.0), (4.0, 8.0), (8, 4), OUTER)
    assert frame.corner_nm == (8.0, 16.0)
    assert frame.centre_nm == (10.0, 20.0)
    assert frame.level == 1


def test_a_frame_knows_its_pixel_and_first_pixel_centre() -> None:
    frame = Frame.centred((10.0, 20.0), (4.0, 8.0), (8, 4))
    assert frame.pixel_nm == (0.5, 2.0)
    assert frame.origin_nm == (8.25, 17.0)


def test_the_positions_of_a_frame_are_its_pixel_centres() -> None:
    positions = Frame.centred((10.0, 20.0), (4.0, 8.0), (8, 4)).positions_nm()
    assert positions.shape == (8, 4, 2)
    assert positions[0, 0].tolist() == [8.25, 17.0]
    assert positions[-1, -1].tolist() == [11.75, 23.0]


def test_a_frame_is_within_another_when_its_corners_are() -> None:
    whole = Frame((0.0, 0.0), (50.0, 50.0), (16, 16))
    assert whole.within(whole)
    assert Frame.centred((45.0, 5.0), (10.0, 10.0), (16, 16)).within(whole)
    assert not Frame.centred((25.0, 26.0), (50.0, 50.0), (16, 16)).within(whole)
    assert not Frame.centred((4.0, 25.0), (10.0, 10.0), (16, 16)).within(whole)


@settings(deadline=None)
@given(nested())
def test_a_frame_and_its_parents_come_back_from_json(frame: Frame) -> None:
    assert Frame.from_json(json.loads(json.dumps(frame.to_json()))) == frame


def test_the_corners_of_the_frame_are_fractions_zero_and_one() -> None:
    frame = Frame((10.0, 20.0), (5.0, 8.0), (50, 40))
    np.testing.assert_allclose(frame.to_fractions(frame.to_pixels((10.0, 20.0))), (0, 0), atol=1e-12)
    np.testing.assert_allclose(frame.to_fractions(frame.to_pixels((15.0, 28.0))), (1, 1), atol=1e-12)
    np.testing.assert_allclose(frame.to_nm(frame.from_fractions((0.5, 0.5))), frame.centre_nm)


def test_a_child_has_its_pixels_at_the_place_it_has_in_the_parent() -> None:
    # The child covers rows 2 and 3, columns 4 and 5 of the parent with twice as many pixels.
    parent = Frame((0.0, 0.0), (8.0, 8.0), (8, 8))
    child = Frame((2.0, 4.0), (2.0, 2.0), (4, 4), parent)
    np.testing.assert_allclose(
        child.to_parent([(-0.5, -0.5), (0, 0), (3.5, 3.5)]), [(1.5, 3.5), (1.75, 3.75), (3.5, 5.5)]
    )
    np.testing.assert_allclose(child.from_parent((2, 4)), (0.5, 0.5))


def test_the_frame_of_an_image_has_the_image_s_coordinates() -> None:
    image = SurveyImage(np.zeros((8, 4)), pixel_nm=(0.5, 0.25), origin_nm=(3.0, -2.0))
    frame = Frame.of_image(image)
    assert frame.origin_nm == pytest.approx(image.origin_nm)
    assert frame.pixel_nm == pytest.approx((0.5, 0.25))
    np.testing.assert_allclose(frame.to_nm((2, 3)), image.to_nm((2, 3)))


def test_an_image_recorded_over_a_frame_has_the_coordinates_of_the_outermost_frame() -> None:
    child = Frame((100.0, 40.0), (50.0, 50.0), (512, 512), OUTER)
    image = child.survey(np.zeros((128, 256)))
    assert image.pixel_nm == pytest.approx((50 / 128, 50 / 256))
    assert image.size_nm == pytest.approx((50.0, 50.0))
    np.testing.assert_allclose(image.to_nm((-0.5, -0.5)), (100.0, 40.0))
    again = Frame.of_image(image, parent=OUTER)
    assert again.corner_nm == pytest.approx(child.corner_nm)
    assert again.level == 1


def test_an_image_without_calibration_has_no_frame() -> None:
    with pytest.raises(InputError, match="the survey image has no calibration; give pixel_nm"):
        Frame.of_image(SurveyImage(np.zeros((4, 4))))


def test_the_outermost_frame_has_no_parent_to_convert_to() -> None:
    with pytest.raises(InputError, match="outermost frame, it has no parent"):
        OUTER.to_parent((0, 0))


@pytest.mark.parametrize(
    ("corner", "size", "shape", "text"),
    [
        ((np.nan, 0.0), (1.0, 1.0), (4, 4), "corner"),
        ((0.0, 0.0), (1.0, 0.0), (4, 4), "above zero"),
        ((0.0, 0.0), (np.inf, 1.0), (4, 4), "above zero"),
        ((0.0, 0.0), (1.0, 1.0), (0, 4), "at least one row"),
    ],
)
def test_an_impossible_frame_is_refused(
    corner: tuple[float, float], size: tuple[float, float], shape: tuple[int, int], text: str
) -> None:
    with pytest.raises(InputError, match=text):
        Frame(corner, size, shape)


def test_an_image_of_the_wrong_dimension_is_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(3,\); give a two-dimensional array"):
        OUTER.survey(np.zeros(3))
