"""Finding a small image in a larger one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from dkl_core.errors import InputError
from nionswift_plugin.dkl.acquisition.registration import correlation_map, find

FloatArray = np.ndarray


def scene(seed: int = 0) -> FloatArray:
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(96, 96)), 2.0)


def shifted(image: FloatArray, by: tuple[float, float]) -> FloatArray:
    return np.asarray(ndimage.shift(image, by, order=3, mode="reflect"))


def lattice(size: int, period: float, at: tuple[float, float] = (0.0, 0.0)) -> FloatArray:
    y, x = np.indices((size, size)) - np.asarray(at)[:, None, None]
    return np.cos(2 * np.pi * y / period) + np.cos(2 * np.pi * x / period)


def test_coefficients_are_those_of_pearson() -> None:
    image = scene()
    template = image[10:30, 40:56]
    scores = correlation_map(template, image)
    assert scores.shape == (77, 81)
    for row, col in ((0, 0), (10, 40), (76, 80)):
        part = image[row : row + 20, col : col + 16]
        assert scores[row, col] == pytest.approx(np.corrcoef(part.ravel(), template.ravel())[0, 1], abs=1e-9)


def test_a_constant_image_correlates_with_nothing() -> None:
    np.testing.assert_array_equal(correlation_map(scene()[:8, :8], np.full((20, 20), 3.0)), 0.0)


@pytest.mark.parametrize("by", [(0.0, 0.0), (0.3, -0.4), (2.5, 1.25), (-3.7, 0.1)])
def test_a_shift_is_found_to_a_twentieth_of_a_pixel(by: tuple[float, float]) -> None:
    image = scene()
    template = shifted(image, (-by[0], -by[1]))[30:60, 30:60]
    match = find(template, image, (30, 30), 8.0)
    np.testing.assert_allclose(match.position_px, np.add((30, 30), by), atol=0.05)
    assert match.is_inside


def test_brightness_and_contrast_do_not_matter() -> None:
    image = scene()
    match = find(5.0 - 0.0 + 3.0 * image[20:50, 25:55], image, (21, 24), 6.0)
    np.testing.assert_allclose(match.position_px, (20, 25), atol=0.02)
    assert match.score == pytest.approx(1.0)


def test_noise_lowers_the_score_not_the_aim() -> None:
    image, rng = scene(), np.random.default_rng(1)
    template = image[20:60, 25:65] + rng.normal(0, image.std(), (40, 40))
    match = find(template, image, (22, 23), 8.0)
    np.testing.assert_allclose(match.position_px, (20, 25), atol=0.3)
    assert 0.5 < match.score < 0.9


def test_on_a_lattice_the_nearest_of_equal_places_wins() -> None:
    image = lattice(96, 8.0)
    match = find(lattice(40, 8.0, (-21.0, -29.0)), image, (20, 30), 20.0)
    np.testing.assert_allclose(match.position_px, (21, 29), atol=0.05)


def test_a_place_at_the_edge_of_the_image_is_told() -> None:
    image = scene()
    assert not find(shifted(image, (4, 0))[:40, 20:60], image, (0, 20), 6.0).is_inside


def test_a_template_that_is_too_large_is_refused() -> None:
    with pytest.raises(InputError, match="does not fit"):
        correlation_map(np.ones((50, 10)), np.ones((40, 40)))


def test_a_place_beyond_the_image_is_refused() -> None:
    with pytest.raises(InputError, match="does not reach"):
        find(scene()[:20, :20], scene(), (200, 200), 5.0)
