import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.scalarizers import AreaInRange, InGapRatio, PositiveArea, Spectrum

BIAS = np.linspace(-1.5, 1.5, 121)


def current(values: np.ndarray) -> Spectrum:
    return Spectrum(BIAS, values)


def didv(values: np.ndarray) -> Spectrum:
    return Spectrum(BIAS, didv=values)


def test_the_area_of_a_straight_line_is_exact() -> None:
    scalar = AreaInRange(low_v=0.0, high_v=1.5)(current(2.0 * BIAS + 1.0))
    assert scalar.value == pytest.approx(1.5**2 + 1.5, rel=1e-12)
    assert scalar.valid


def test_the_area_keeps_the_samples_at_both_ends_of_its_range() -> None:
    spectrum = Spectrum(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([9.0, 1.0, 2.0, 4.0, 9.0]))
    assert AreaInRange(low_v=1.0, high_v=3.0)(spectrum).value == pytest.approx(1.5 + 3.0)


def test_a_last_sample_beyond_the_range_by_a_rounding_error_is_outside() -> None:
    bias = np.array([0.0, 0.8, 1.6, 2.4000001])
    scalar = AreaInRange(low_v=0.0, high_v=2.4)(Spectrum(bias, np.array([1.0, 2.0, 4.0, 8.0])))
    assert scalar.value == pytest.approx(0.8 * (1.5 + 3.0))
    assert scalar.valid


def test_the_area_of_any_channel_can_be_taken() -> None:
    spectrum = Spectrum(BIAS, extra={"height": BIAS + 3.0})
    assert AreaInRange(channel="height", low_v=-1.0, high_v=1.0)(spectrum).value == pytest.approx(6.0)


def test_a_range_beyond_the_sweep_gives_a_number_that_is_invalid() -> None:
    scalar = AreaInRange(low_v=0.0, high_v=2.4)(current(BIAS))
    assert scalar.value == pytest.approx(1.5**2 / 2)
    assert not scalar.valid
    assert "does not cover the range from 0 to 2.4 V" in scalar.reason


def test_a_saturated_current_makes_the_area_invalid_unless_accepted() -> None:
    clipped = current(np.minimum(BIAS, 1.0))
    strict, published = (AreaInRange(low_v=0.0, high_v=1.5, strict=strict)(clipped) for strict in (True, False))
    assert not strict.valid
    assert "saturated" in strict.reason
    assert published.valid
    assert published.value == strict.value


def test_a_known_saturation_level_is_respected() -> None:
    assert not AreaInRange(low_v=0.0, high_v=1.5, saturation_level=1.5)(current(BIAS)).valid


def test_nan_in_the_range_makes_the_area_nan_and_invalid_even_when_not_strict() -> None:
    lost = np.where(np.abs(BIAS - 0.5) < 0.01, np.nan, BIAS)
    scalar = AreaInRange(low_v=0.0, high_v=1.5, strict=False)(current(lost))
    assert np.isnan(scalar.value)
    assert not scalar.valid
    assert "1 of 61 samples" in scalar.reason


def test_nan_outside_the_range_does_no_harm() -> None:
    lost = np.where(BIAS < -1.0, np.nan, BIAS)
    assert AreaInRange(low_v=0.0, high_v=1.5)(current(lost)).valid


def test_an_area_without_samples_is_zero_and_invalid() -> None:
    scalar = AreaInRange(low_v=0.001, high_v=0.002)(current(BIAS))
    assert scalar.value == 0.0
    assert "only 0 samples" in scalar.reason


def test_a_range_turned_round_is_refused() -> None:
    with pytest.raises(InputError, match="lower end below"):
        AreaInRange(low_v=1.0, high_v=0.0)


def test_something_else_than_a_spectrum_is_refused_with_the_way_to_make_one() -> None:
    with pytest.raises(InputError, match=r"ndarray of shape \(4, 121\).*from_array"):
        AreaInRange(low_v=0.0, high_v=1.0)(np.zeros((4, 121)))  # type: ignore[arg-type]


def test_a_missing_channel_is_named() -> None:
    with pytest.raises(InputError, match="no channel 'current'"):
        PositiveArea()(didv(BIAS))


def test_the_positive_area_leaves_out_the_sample_at_zero() -> None:
    spectrum = Spectrum(np.array([-1.0, 0.0, 1.0, 2.0, 3.0]), np.array([50.0, 50.0, 1.0, 2.0, 5.0]))
    assert PositiveArea()(spectrum).value == pytest.approx(1.5 + 3.5)


def test_a_spectrum_without_positive_bias_has_no_positive_area() -> None:
    assert "only 0 samples" in PositiveArea()(Spectrum(BIAS - 2.0, BIAS)).reason


def test_the_in_gap_ratio_of_a_linear_density_is_the_square_of_the_ranges() -> None:
    scalar = InGapRatio()(didv(np.abs(BIAS)))
    assert scalar.value == pytest.approx(1.0 / 9.0)
    assert scalar.valid


def test_the_offset_of_the_published_runs_is_added() -> None:
    spectrum = didv(1.0 + BIAS**2)
    assert InGapRatio(offset=0.005)(spectrum).value == pytest.approx(0.005 + InGapRatio()(spectrum).value)


def test_the_ratio_over_nothing_is_nan_and_invalid() -> None:
    scalar = InGapRatio(strict=False)(didv(np.minimum(BIAS, 0.0)))
    assert np.isnan(scalar.value)
    assert not scalar.valid


def test_a_ratio_to_an_area_lost_in_its_noise_is_invalid(rng: np.random.Generator) -> None:
    scalar = InGapRatio(max_noise=10.0)(didv(rng.standard_normal(BIAS.size)))
    assert "not three times its noise" in scalar.reason


def test_ranges_of_the_ratio_must_be_nested() -> None:
    with pytest.raises(InputError, match=r"from 2\.0 to 1\.5 V"):
        InGapRatio(gap_v=2.0)


@pytest.mark.parametrize("noise", [np.full(BIAS.shape, 0.05), 0.01 * np.exp(BIAS)])
def test_the_variance_of_the_area_is_that_of_repeated_measurements(noise: np.ndarray, rng: np.random.Generator) -> None:
    area = AreaInRange(low_v=0.0, high_v=1.5)
    repeats = [area(current(np.sinh(BIAS) + noise * rng.standard_normal(BIAS.size))) for _ in range(500)]
    estimated = np.mean([scalar.noise_variance or 0.0 for scalar in repeats])
    assert estimated == pytest.approx(np.var([scalar.value for scalar in repeats]), rel=0.3)


def test_the_variance_of_the_ratio_is_that_of_repeated_measurements(rng: np.random.Generator) -> None:
    # the areas share most of their samples, so their noise nearly cancels in the ratio
    clean = 1.0 + BIAS**2
    repeats = [InGapRatio(gap_v=1.3)(didv(clean + 0.05 * rng.standard_normal(BIAS.size))) for _ in range(500)]
    estimated = np.mean([scalar.noise_variance or 0.0 for scalar in repeats])
    assert estimated == pytest.approx(np.var([scalar.value for scalar in repeats]), rel=0.3)


def test_the_variance_is_unknown_for_a_spectrum_too_short_to_tell() -> None:
    assert AreaInRange(low_v=0.0, high_v=1.0)(Spectrum(BIAS[::12], BIAS[::12])).noise_variance is None
