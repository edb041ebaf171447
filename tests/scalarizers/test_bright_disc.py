import math

import numpy as np
import pytest

from dkl_core.scalarizers import Pattern
from dkl_core.scalarizers.bright_disc import Beam, beam_of, find_disc, no_beam
from dkl_core.scalarizers.outliers import without_outliers
from tests.scalarizers.patterns import counted, disc, moved

MIDDLE = (63.3, 64.6)


def pattern(values: np.ndarray, **known: float) -> Pattern:
    return Pattern(values, 1.0, counts_per_electron=1.0, **known)


def distance(values: np.ndarray, middle: tuple[float, float] = MIDDLE, gain: float | None = 1.0) -> float:
    found = find_disc(Pattern(values, 1.0, counts_per_electron=gain))
    assert found is not None
    return math.dist((found.row, found.col), middle)


def reason(values: np.ndarray, **known: float) -> str:
    found = beam_of(pattern(values, **known))
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize("radius", [3.0, 6.0, 15.0, 30.0, 45.0])
def test_the_disc_is_found_within_pixels(radius: float) -> None:
    values = disc(radius=radius)
    found = find_disc(Pattern(values, 1.0))
    assert found is not None
    assert distance(values, gain=None) < 0.1
    assert found.radius == pytest.approx(radius, abs=0.35)


@pytest.mark.parametrize("shape", [(256, 256), (512, 512), (200, 256), (65, 90)])
def test_the_size_of_the_camera_does_not_matter(shape: tuple[int, int]) -> None:
    middle, radius = (0.47 * shape[0], 0.53 * shape[1]), 0.2 * min(shape)
    assert distance(counted(disc(shape, middle, radius)), middle) < 0.05


@pytest.mark.parametrize("part", [0.1, 0.25, 0.4, 0.5, 0.75])
def test_it_moves_with_the_pattern_by_parts_of_pixels(part: float) -> None:
    values = disc(middle=(63.0, 64.0), radius=15.0)
    assert distance(moved(values, part, -part), (63 + part, 64 - part), None) < 0.03


def test_a_field_that_makes_one_side_brighter_hardly_moves_it() -> None:
    assert distance(disc(tilt=(0.5, -0.3)), gain=None) < 0.05


def test_bragg_discs_beside_it_do_not_move_it() -> None:
    values = disc(radius=10.0) + 0.2 * disc(middle=(63.3, 95.0), radius=10.0)
    assert distance(values, gain=None) < 0.05


@pytest.mark.parametrize(("read_noise", "worst"), [(0.0, 0.4), (1.0, 0.7)])
def test_few_electrons_on_a_fine_camera_still_show_where_it_is(read_noise: float, worst: float) -> None:
    values, middle = disc((256, 256), (127.2, 130.4), 60.0), (127.2, 130.4)
    off = [distance(counted(values, 1e4, seed=seed, read_noise=read_noise), middle) for seed in range(20)]
    assert math.sqrt(np.mean(np.square(off))) < worst


def test_a_constant_left_below_the_disc_does_not_move_it() -> None:
    assert distance(counted(disc()) + 20.0) < 0.05


@pytest.mark.parametrize("offset", [0.0, 0.1, 0.5, 2.0])
@pytest.mark.parametrize("size", [64, 256])
def test_a_blanked_frame_has_no_beam(offset: float, size: int) -> None:
    for seed in range(10):
        blanked = np.random.default_rng(seed).normal(offset, 3, (size, size))
        assert reason(blanked).startswith("no beam")


def test_an_even_light_is_no_disc() -> None:
    even = np.random.default_rng(0).poisson(5, (128, 128)).astype(float)
    assert "no bright disc stands out" in reason(even)


def test_a_black_frame_has_no_beam() -> None:
    assert reason(np.zeros((64, 64))) == "no beam: 0 electrons in the pattern; was it blanked?"


def test_noise_free_values_without_intensity_have_no_beam() -> None:
    assert no_beam(Pattern(np.full((8, 8), 1e-6), 1.0)).startswith("no beam")


@pytest.mark.parametrize("background", [0.0, 3.0])
def test_cosmic_rays_on_a_dark_frame_are_no_beam(background: float) -> None:
    dark = np.random.default_rng(0).normal(0, background, (128, 128))
    dark[9, 7], dark[90, 30], dark[90, 31] = 60000, 4000, 3000
    assert reason(dark).startswith("no beam")


@pytest.mark.parametrize("place", [(9, 7), (63, 64), (0, 0), (70, 92)])
def test_a_hot_pixel_does_not_move_the_disc(place: tuple[int, int]) -> None:
    values = counted(disc())
    values[place] = 6e4
    assert distance(values) < 0.05


def test_a_pixel_that_stands_out_is_filled_in_and_marked_as_bad() -> None:
    values = counted(disc())
    clean = without_outliers(pattern(values))
    assert clean.bad is None
    hot = values.copy()
    hot[63, 64] = 6e4
    mended = without_outliers(pattern(hot))
    assert mended.bad is not None
    assert np.argwhere(mended.bad).tolist() == [[63, 64]]
    assert mended.values[63, 64] == np.median(np.delete(values[62:65, 63:66], 4))
    assert hot[63, 64] == 6e4


def test_electrons_that_are_counted_one_by_one_are_no_outliers() -> None:
    sparse = pattern(4.0 * counted(disc(), 300), read_noise_counts=0.0)
    assert without_outliers(sparse) is sparse


def test_the_smallest_disc_is_no_outlier() -> None:
    small = pattern(counted(disc(radius=1.5)))
    assert without_outliers(small) is small


def test_saturated_pixels_make_a_pattern_unusable() -> None:
    found = beam_of(Pattern(disc(), 1.0, saturated_px=3))
    assert found == "3 pixels are saturated; shorten the exposure or lower the current"


def test_values_that_are_not_finite_make_a_pattern_unusable() -> None:
    values = disc()
    values[5, 5] = np.nan
    assert reason(values) == "the pattern has values that are not finite"


def test_read_noise_that_is_not_known_shows_at_the_border() -> None:
    found = beam_of(pattern(counted(disc(), read_noise=4.0)))
    assert isinstance(found, Beam)
    assert found.pattern.read_noise_counts == pytest.approx(4.0, rel=0.2)


def test_a_disc_larger_than_the_frame_is_none() -> None:
    assert find_disc(Pattern(np.ones((64, 64)), 1.0)) is None
