"""The survey image: what it accepts, its calibration, levelling and normalisation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dkl_core.errors import InputError
from dkl_core.survey import Levelling, Normalisation, SurveyImage, levelled, normalised

LEVELLINGS = ("none", "plane", "rows", "steps")
NORMALISATIONS = ("standard", "robust", "minmax", "none")
NM = st.floats(-1e4, 1e4)
PIXEL = st.floats(1e-3, 1e3)


def tilted(rows: int = 40, cols: int = 60) -> np.ndarray:
    row, col = np.indices((rows, cols))
    return 3.0 + 0.02 * row - 0.05 * col


def terraces(rng: np.random.Generator, rows: int = 64, cols: int = 80) -> np.ndarray:
    """Two terraces, 0.3 apart, divided by an oblique step edge."""
    row, col = np.indices((rows, cols))
    return 0.3 * (col > 8 + row) + 0.01 * rng.normal(size=(rows, cols))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(5), r"shape \(5,\); give a two-dimensional array"),
        (np.zeros((2, 3, 4)), r"shape \(2, 3, 4\); give a two-dimensional array"),
        (np.zeros((0, 4)), r"shape \(0, 4\); give a two-dimensional array \(rows, columns\) with data"),
        (np.zeros((2, 2), dtype=complex), "holds complex128 values; give real numbers"),
        (np.array([["a"]]), "give real numbers"),
    ],
)
def test_what_is_no_image_is_refused(values: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SurveyImage(values)


@pytest.mark.parametrize("pixel", [(0.0, 1.0), (1.0, -0.5), (np.nan, 1.0), (np.inf, 1.0)])
def test_a_pixel_size_that_is_not_positive_is_refused(pixel: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="give height and width of a pixel in nm, both above 0"):
        SurveyImage(np.zeros((2, 2)), pixel_nm=pixel)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32, bool])
def test_counts_and_single_precision_become_double_precision(kind: type) -> None:
    assert SurveyImage(np.ones((2, 3), dtype=kind)).values.dtype == np.float64


def test_the_image_keeps_its_values_when_the_hosts_buffer_changes() -> None:
    buffer = np.zeros((2, 2))
    survey = SurveyImage(buffer)
    buffer[:] = 7
    assert not survey.values.any()


def test_the_frame_is_as_large_as_its_pixels_together() -> None:
    assert SurveyImage(np.zeros((4, 10)), pixel_nm=(0.5, 0.2)).size_nm == (2.0, 2.0)
    assert SurveyImage(np.zeros((4, 10))).size_nm is None


def test_the_first_pixels_centre_is_the_origin_and_rows_come_first() -> None:
    survey = SurveyImage(np.zeros((8, 8)), pixel_nm=(0.5, 2.0), origin_nm=(10.0, -3.0))
    np.testing.assert_array_equal(survey.to_nm([[0, 0], [4, 1]]), [[10.0, -3.0], [12.0, -1.0]])


@given(hnp.arrays(float, (5, 2), elements=NM), st.tuples(PIXEL, PIXEL), st.tuples(NM, NM))
def test_pixels_to_nm_and_back_is_where_one_was(
    places: np.ndarray, pixel: tuple[float, float], origin: tuple[float, float]
) -> None:
    survey = SurveyImage(np.zeros((2, 2)), pixel_nm=pixel, origin_nm=origin)
    np.testing.assert_allclose(survey.to_pixels(survey.to_nm(places)), places, rtol=1e-9, atol=1e-8)
    np.testing.assert_allclose(survey.to_nm(survey.to_pixels(places)), places, rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize("convert", [SurveyImage.to_nm, SurveyImage.to_pixels])
def test_without_calibration_there_are_no_nm(convert: Any) -> None:
    with pytest.raises(InputError, match="has no calibration; give pixel_nm"):
        convert(SurveyImage(np.zeros((2, 2))), [0, 0])


def test_plane_levelling_removes_a_plane_and_nothing_else(rng: np.random.Generator) -> None:
    texture = rng.normal(size=(40, 60))
    np.testing.assert_allclose(levelled(SurveyImage(tilted()), "plane").values, 0, atol=1e-12)
    np.testing.assert_allclose(
        levelled(SurveyImage(texture + tilted()), "plane").values,
        levelled(SurveyImage(texture), "plane").values,
        atol=1e-12,
    )


def test_the_plane_is_fitted_to_the_pixels_that_have_data() -> None:
    image = tilted()
    image[5:20, 30:] = np.nan
    np.testing.assert_allclose(levelled(SurveyImage(image), "plane").values[np.isfinite(image)], 0, atol=1e-12)


@pytest.mark.parametrize("method", ["rows", "steps"])
def test_line_levelling_does_not_see_line_offsets(method: Levelling, rng: np.random.Generator) -> None:
    texture, offsets = rng.normal(size=(32, 50)), 10 * rng.normal(size=32)
    offsets[0] = 0
    np.testing.assert_allclose(
        levelled(SurveyImage(texture + offsets[:, None]), method).values,
        levelled(SurveyImage(texture), method).values,
        atol=1e-12,
    )


def test_rows_levelling_puts_every_rows_median_at_zero(rng: np.random.Generator) -> None:
    flat = levelled(SurveyImage(rng.normal(size=(20, 31)) + 5), "rows")
    np.testing.assert_allclose(np.median(flat.values, axis=1), 0, atol=1e-12)


def test_steps_levelling_removes_line_offsets_and_keeps_terraces(rng: np.random.Generator) -> None:
    image = terraces(rng)
    offsets = rng.normal(size=(len(image), 1))
    flat = levelled(SurveyImage(image + offsets), "steps").values
    height = flat[:, -8:].mean(axis=1) - flat[:, :8].mean(axis=1)
    np.testing.assert_allclose(height, 0.3, atol=0.02)
    assert flat[:, :8].std() < 0.03
    assert levelled(SurveyImage(image + offsets), "rows").values[:, :8].std() > 0.1, "rows tears terraces apart"


def test_steps_levelling_reaches_across_rows_without_data() -> None:
    image = np.tile(np.arange(30.0), (6, 1)) + np.array([0, 5, 5, 5, 9, 9])[:, None]
    image[0] = image[2:4] = np.nan
    flat = levelled(SurveyImage(image), "steps").values
    np.testing.assert_array_equal(flat[[4, 5]], [flat[1], flat[1]])


@pytest.mark.parametrize("method", LEVELLINGS)
def test_levelling_keeps_pixels_without_data_and_makes_no_others(method: Levelling) -> None:
    image = tilted()
    image[3, 4] = image[10] = image[:, 20] = np.nan
    np.testing.assert_array_equal(np.isnan(levelled(SurveyImage(image), method).values), np.isnan(image))


@pytest.mark.parametrize("method", LEVELLINGS)
def test_an_image_without_data_stays_so(method: Levelling) -> None:
    assert np.isnan(levelled(SurveyImage(np.full((3, 4), np.nan)), method).values).all()


@pytest.mark.parametrize("method", LEVELLINGS)
def test_levelling_keeps_the_calibration(method: Levelling) -> None:
    survey = SurveyImage(tilted(), pixel_nm=(0.1, 0.2), origin_nm=(5.0, 6.0))
    flat = levelled(survey, method)
    assert (flat.pixel_nm, flat.origin_nm) == (survey.pixel_nm, survey.origin_nm)


def test_an_unknown_levelling_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="unknown levelling 'flatten'; choose one of none, plane, rows, steps"):
        levelled(SurveyImage(tilted()), "flatten")  # type: ignore[arg-type]


def test_normalisations_do_what_they_are_called(rng: np.random.Generator) -> None:
    survey = SurveyImage(1e-9 * rng.gamma(2, size=(30, 40)))
    standard, robust, minmax, none = (normalised(survey, method).values for method in NORMALISATIONS)
    np.testing.assert_allclose([standard.mean(), standard.std()], [0, 1], atol=1e-12)
    np.testing.assert_allclose(np.percentile(robust, (50, 75)) - np.percentile(robust, (50, 25)), [0, 1.349])
    assert (minmax.min(), minmax.max()) == (0, 1)
    np.testing.assert_array_equal(none, survey.values)


@pytest.mark.parametrize("method", ["standard", "robust", "minmax"])
@given(gain=st.floats(1e-9, 1e6), offset=st.floats(-1e3, 1e3))
def test_a_detectors_gain_and_offset_do_not_matter(method: Normalisation, gain: float, offset: float) -> None:
    image = np.random.default_rng(0).normal(size=(8, 9))
    seen = normalised(SurveyImage(gain * (image + offset)), method).values
    np.testing.assert_allclose(seen, normalised(SurveyImage(image), method).values, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e-9, 1e12])
@pytest.mark.parametrize("method", ["standard", "robust", "minmax"])
def test_a_constant_image_becomes_zeros_and_not_a_division_by_zero(method: Normalisation, value: float) -> None:
    seen = normalised(SurveyImage(np.full((7, 9), value)), method).values
    np.testing.assert_allclose(seen, 0, atol=1e-15 * max(1, abs(value)))


def test_robust_normalisation_has_a_scale_where_most_pixels_are_vacuum(rng: np.random.Generator) -> None:
    image = np.zeros((20, 20))
    image[:4] = rng.gamma(2, size=(4, 20))
    assert normalised(SurveyImage(1e6 * image), "robust").values.std() == pytest.approx(1)


@pytest.mark.parametrize("method", NORMALISATIONS)
def test_normalisation_leaves_pixels_without_data_out(method: Normalisation, rng: np.random.Generator) -> None:
    survey = SurveyImage(rng.normal(size=(6, 7)))
    holed = replace(survey, values=np.vstack([survey.values, np.full((2, 7), np.nan)]))
    seen = normalised(holed, method).values
    np.testing.assert_allclose(seen[:6], normalised(survey, method).values)
    assert np.isnan(seen[6:]).all()


def test_an_image_without_data_cannot_be_normalised() -> None:
    with pytest.raises(InputError, match="no finite value; check the file or the detector"):
        normalised(SurveyImage(np.full((3, 3), np.nan)), "standard")


def test_an_unknown_normalisation_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="unknown normalisation 'z'; choose one of standard, robust, minmax, none"):
        normalised(SurveyImage(tilted()), "z")  # type: ignore[arg-type]
