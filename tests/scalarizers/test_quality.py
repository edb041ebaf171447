from pathlib import Path

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.scalarizers import Spectrum
from dkl_core.scalarizers.quality import SpectrumChecks, coverage_problem, sample_noise, saturated

BIAS = np.linspace(-1.5, 1.5, 121)
ALL = np.ones(BIAS.shape, dtype=bool)


def problem(values: np.ndarray, checks: SpectrumChecks | None = None, used: np.ndarray = ALL) -> str:
    return (checks or SpectrumChecks()).problem(Spectrum(BIAS, values), "current", used)


def test_a_smooth_channel_has_no_problem() -> None:
    assert problem(BIAS**3) == ""


def test_a_flat_top_is_saturation() -> None:
    np.testing.assert_array_equal(saturated(np.minimum(BIAS, 1.4)), BIAS >= 1.4)


def test_a_flat_bottom_is_saturation() -> None:
    np.testing.assert_array_equal(saturated(np.maximum(BIAS**3, -2.0)), BIAS**3 <= -2.0)


def test_both_rails_of_an_amplifier_are_found() -> None:
    np.testing.assert_array_equal(saturated(np.clip(BIAS, -1.3, 1.35)), (BIAS <= -1.3) | (BIAS >= 1.35))


def test_two_equal_maxima_are_not_saturation() -> None:
    assert not saturated(np.array([0.0, 1.0, 2.0, 2.0, 1.1, 0.3])).any()


def test_equal_maxima_that_never_touch_are_not_saturation() -> None:
    assert not saturated(np.array([0.0, 2.0, 1.0, 2.0, 1.1, 2.0, 0.3])).any()


def test_coarse_digits_at_the_top_of_a_peak_are_not_saturation() -> None:
    assert not saturated(np.round(10.0 * np.exp(-((BIAS / 0.5) ** 2)))).any()


def test_the_empty_gap_of_a_coarse_digitiser_is_not_saturation() -> None:
    assert not saturated(np.maximum(BIAS - 0.5, 0.0)).any()


def test_a_clipped_ramp_after_an_empty_gap_is_saturation() -> None:
    current = np.sign(BIAS) * np.maximum(np.abs(BIAS) - 0.5, 0.0)
    np.testing.assert_array_equal(saturated(np.minimum(current, 0.75)), current >= 0.75)


def test_a_constant_channel_is_not_saturated() -> None:
    assert not saturated(np.full(9, 3.0)).any()


def test_a_clipped_coarse_signal_is_saturation() -> None:
    steep = np.minimum(np.round(10.0 * BIAS**3), 20.0)
    np.testing.assert_array_equal(saturated(np.where(steep < 20.0, steep, 25.0)), steep == 20.0)


def test_an_explicit_level_finds_single_clipped_samples_of_either_sign() -> None:
    np.testing.assert_array_equal(saturated(np.array([-3.0, 0.0, np.nan, 3.0]), level=3.0), [True, False, False, True])


def test_detection_without_level_can_be_switched_off() -> None:
    assert not saturated(np.minimum(BIAS, 1.0), flat_samples=0).any()


def test_a_channel_of_nan_is_not_saturated() -> None:
    assert not saturated(np.full(5, np.nan)).any()


def test_saturation_counts_only_where_the_spectrum_is_used() -> None:
    clipped = np.minimum(BIAS, 1.4)
    assert "saturated in 5 of 121" in problem(clipped)
    assert problem(clipped, used=BIAS < 1.0) == ""


def test_didv_is_not_trusted_where_the_current_is_pinned() -> None:
    current = np.minimum(BIAS**3, 2.0)
    found = SpectrumChecks().problem(Spectrum(BIAS, current, didv=3 * BIAS**2 + BIAS), "didv", ALL)
    assert found.startswith("the current is saturated")


def test_a_known_limit_of_the_current_also_concerns_didv() -> None:
    spectrum = Spectrum(BIAS, BIAS, didv=BIAS**2)
    assert SpectrumChecks().problem(spectrum, "didv", ALL) == ""
    assert "current is saturated in 2 of" in SpectrumChecks(current_limit_a=1.5).problem(spectrum, "didv", ALL)


def test_of_two_limits_of_the_current_the_lower_one_counts() -> None:
    for level, limit in ((1.0, 2.0), (2.0, 1.0)):
        checks = SpectrumChecks(saturation_level=level, current_limit_a=limit)
        assert "saturated in 42 of 121" in problem(BIAS * 1.0000001, checks)


def test_a_saturated_current_does_not_concern_an_unrelated_channel() -> None:
    spectrum = Spectrum(BIAS, np.minimum(BIAS, 1.0), extra={"height": BIAS**2 + BIAS})
    assert SpectrumChecks(current_limit_a=1.0).problem(spectrum, "height", ALL) == ""


def test_nan_where_the_spectrum_is_used_is_a_problem() -> None:
    lost = np.where(BIAS > 1.46, np.nan, BIAS)
    assert "2 of 121 samples of the current in the bias range are NaN" in problem(lost)
    assert problem(lost, used=BIAS < 1.0) == ""


def test_a_range_of_two_samples_is_too_few() -> None:
    assert "only 2 samples" in problem(BIAS, used=np.abs(BIAS - 0.01) < 0.02)


def test_a_constant_channel_is_a_problem() -> None:
    assert "constant (2 A)" in problem(np.full(BIAS.shape, 2.0))


@pytest.mark.parametrize("seed", range(20))
def test_pure_noise_is_too_noisy(seed: int) -> None:
    assert problem(np.random.default_rng(seed).standard_normal(BIAS.size)).startswith("too noisy")


def test_noise_counts_only_where_the_spectrum_is_used(rng: np.random.Generator) -> None:
    values = np.where(BIAS > 0, rng.standard_normal(BIAS.size), 0.1 * BIAS)
    assert problem(values).startswith("too noisy")
    assert problem(values, used=BIAS < -0.5) == ""


@pytest.mark.parametrize("seed", range(20))
def test_a_hundredth_of_noise_is_not_too_noisy(seed: int) -> None:
    assert problem(BIAS + 0.03 * np.random.default_rng(seed).standard_normal(BIAS.size)) == ""


def test_the_mean_square_of_the_estimated_noise_is_the_variance(rng: np.random.Generator) -> None:
    estimates = [sample_noise(np.tanh(BIAS) + 0.02 * rng.standard_normal(BIAS.size)) for _ in range(300)]
    assert np.mean(np.square(np.array(estimates))) == pytest.approx(0.02**2, rel=0.1)


def test_the_estimated_noise_follows_noise_that_grows_with_bias(rng: np.random.Generator) -> None:
    true = np.where(BIAS > 0, 0.1, 0.001)
    noise = sample_noise(true * rng.standard_normal(BIAS.size))
    assert noise is not None
    assert np.median(noise[BIAS > 0.3]) > 30 * np.median(noise[BIAS < -0.3])


def test_a_single_jump_does_not_pass_for_noise(rng: np.random.Generator) -> None:
    values = 0.01 * rng.standard_normal(BIAS.size)
    still, jump = sample_noise(values), sample_noise(values + np.where(BIAS > 0, 5.0, 0.0))
    assert still is not None
    assert jump is not None
    assert jump.max() < 3 * still.max()


def test_lost_samples_do_not_hide_the_noise_of_the_others(rng: np.random.Generator) -> None:
    values = rng.standard_normal(BIAS.size)
    values[[3, 60]] = np.nan
    noise = sample_noise(values)
    assert noise is not None
    assert np.isfinite(noise).all()


@pytest.mark.parametrize("values", [np.arange(11.0) ** 2, np.full(40, np.nan), np.ones(40)])
def test_noise_is_unknown_where_it_cannot_be_told(values: np.ndarray) -> None:
    assert sample_noise(values) is None


@pytest.mark.parametrize(
    ("low", "high", "covered"), [(-1.5, 1.5, True), (-1.52, 1.52, True), (-1.6, 1.5, False), (0, 2.4, False)]
)
def test_a_range_must_be_covered_to_within_a_step(low: float, high: float, covered: bool) -> None:
    assert (coverage_problem(Spectrum(BIAS, BIAS), low, high) == "") is covered


def test_a_failed_check_keeps_the_number_and_says_why() -> None:
    scalar = SpectrumChecks().verdict(2.0, ["", "saturated", "noisy"], noise_variance=0.1)
    assert (scalar.value, scalar.valid, scalar.reason, scalar.noise_variance) == (2.0, False, "saturated", None)


def test_without_strictness_every_finite_number_is_valid() -> None:
    checks = SpectrumChecks(strict=False)
    assert checks.verdict(2.0, ["saturated"]).valid
    assert not checks.verdict(np.nan, []).valid


def test_the_noise_of_a_spectrum_with_a_problem_is_unknown() -> None:
    assert SpectrumChecks(strict=False).verdict(2.0, ["saturated"], noise_variance=0.1).noise_variance is None
    assert SpectrumChecks(strict=False).verdict(2.0, [], noise_variance=0.1).noise_variance == 0.1


@pytest.mark.parametrize(
    "options",
    [{"saturation_level": 0.0}, {"current_limit_a": -1e-8}, {"saturated_samples": 1}, {"max_noise": 0.0}],
)
def test_options_without_meaning_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        SpectrumChecks(**options)


def test_clipped_pixels_of_a_measured_grid_are_found_and_no_others(shared_data: Path) -> None:
    with np.load(shared_data / "measured" / "stm_sts_grid30.npz") as grid:
        lockin = grid["lockin"].reshape(-1, 200).astype(float)
        current = grid["spectra"].reshape(-1, 200).astype(float)
    clips = (lockin >= 10.0).sum(axis=1)
    found = np.array([bool(saturated(row).any()) for row in lockin])
    assert int((clips > 0).sum()) == 8
    # the eighth reaches the limit in a single sample: only a level can tell
    np.testing.assert_array_equal(found, clips > 1)
    assert bool(saturated(lockin[clips == 1][0], level=10.0).any())
    assert not any(saturated(row).any() for row in current)
