"""Sizes of the next frame, and the rules for it."""

from __future__ import annotations

import pytest

from dkl_core.errors import InputError
from dkl_core.zoom import LARGE_TO_ATOMIC, LARGE_TO_MEDIUM, Frame, ZoomRules, ZoomSize

FRAME = Frame((0.0, 0.0), (250.0, 125.0), (500, 250))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (ZoomSize(50.0), (50.0, 50.0)),
        (ZoomSize(100, "px"), (50.0, 50.0)),
        (ZoomSize(5, "factor"), (50.0, 25.0)),
    ],
)
def test_a_size_is_given_in_nm_in_pixels_or_as_a_factor(size: ZoomSize, expected: tuple[float, float]) -> None:
    assert size.of(FRAME) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50nm", ZoomSize(50.0, "nm")),
        (" 2.5 nm", ZoomSize(2.5, "nm")),
        ("102px", ZoomSize(102.0, "px")),
        ("5x", ZoomSize(5.0, "factor")),
        (".5nm", ZoomSize(0.5, "nm")),
    ],
)
def test_a_size_is_written_with_its_unit(text: str, expected: ZoomSize) -> None:
    assert ZoomSize.parse(text) == expected


@pytest.mark.parametrize("text", ["50", "nm", "-5nm", "5 um", ""])
def test_a_size_written_otherwise_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="write a size as 50nm or 100px, or a factor as 5x"):
        ZoomSize.parse(text)


@pytest.mark.parametrize("size", [ZoomSize(125.0), ZoomSize(300, "px"), ZoomSize(0.0), ZoomSize(float("nan"))])
def test_a_frame_that_is_not_smaller_is_refused(size: ZoomSize) -> None:
    with pytest.raises(InputError, match="is not smaller than the present one of 250 x 125 nm"):
        size.of(FRAME)


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.0])
def test_a_factor_that_does_not_zoom_in_is_refused(factor: float) -> None:
    with pytest.raises(InputError, match="give a number above 1"):
        ZoomSize(factor, "factor").of(FRAME)


def test_the_published_sequences_are_there() -> None:
    assert [size.value for size in LARGE_TO_ATOMIC] == [50, 10]
    assert [size.value for size in LARGE_TO_MEDIUM] == [100, 20]


@pytest.mark.parametrize(
    "wrong", [{"min_sites": 0}, {"margin_nm": -1.0}, {"max_overlap": 1.5}, {"max_overlap": -0.1}, {"sigmas": -1.0}]
)
def test_impossible_rules_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="cannot be used; give min_sites"):
        ZoomRules(**wrong)  # type: ignore[arg-type]
