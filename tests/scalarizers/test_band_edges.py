import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.scalarizers import BandGap, ConductionEdge, Spectrum, ValenceEdge
from dkl_core.scalarizers.edge_fit import EdgeRule, find_edge, trailing_mean

STEP = 0.025
BIAS = np.linspace(-1.5, 1.5, 121)


def gapped(valence: float, conduction: float) -> np.ndarray:
    return np.maximum(BIAS - conduction, 0.0) + np.maximum(-BIAS - valence, 0.0)


def spectrum(didv: np.ndarray) -> Spectrum:
    return Spectrum(BIAS, didv=didv)


def noisy(sigma: float, seed: int) -> Spectrum:
    return spectrum(gapped(0.6, 0.8) + sigma * np.random.default_rng(seed).standard_normal(BIAS.size))


@pytest.mark.parametrize(("valence", "conduction"), [(0.6, 0.8), (0.3, 0.5), (0.9, 0.4)])
def test_the_gap_between_two_straight_edges_is_found_to_three_steps(valence: float, conduction: float) -> None:
    scalar = BandGap()(spectrum(gapped(valence, conduction)))
    assert scalar.value == pytest.approx(valence + conduction, abs=3 * STEP)
    assert scalar.valid


def test_the_trailing_mean_moves_both_edges_by_a_sample_and_a_half_towards_higher_bias() -> None:
    # wide enough for a piece of the fit to lie on the slope alone
    steep = spectrum(gapped(0.2, 0.3))
    options = {"threshold": 0.5}
    assert ConductionEdge(**options)(steep).value == pytest.approx(0.3 + 1.5 * STEP, abs=1e-9)
    assert ValenceEdge(**options)(steep).value == pytest.approx(0.2 - 1.5 * STEP, abs=1e-9)


def test_without_smoothing_the_edges_are_exact() -> None:
    plain = spectrum(gapped(0.2, 0.3))
    assert ConductionEdge(threshold=0.5, smoothing_samples=1)(plain).value == pytest.approx(0.3, abs=1e-9)
    assert ValenceEdge(threshold=0.5, smoothing_samples=1)(plain).value == pytest.approx(0.2, abs=1e-9)


def test_the_scale_of_didv_does_not_matter() -> None:
    small, large = (BandGap()(spectrum(factor * gapped(0.6, 0.8))).value for factor in (1e-12, 1e3))
    assert small == pytest.approx(large, rel=1e-9)


def test_a_negative_lockin_signal_in_the_gap_counts_as_zero() -> None:
    shifted = np.where(np.abs(BIAS) < 0.5, -0.3, gapped(0.6, 0.8))
    assert BandGap(smoothing_samples=1)(spectrum(shifted)).value == pytest.approx(
        BandGap(smoothing_samples=1)(spectrum(gapped(0.6, 0.8))).value
    )


def test_the_conduction_edge_alone_uses_a_lower_threshold() -> None:
    assert ConductionEdge().threshold == 0.1
    assert ValenceEdge().threshold == 0.2
    curved = spectrum(gapped(0.6, 0.5) ** 2)
    assert ConductionEdge()(curved).value < ConductionEdge(threshold=0.2)(curved).value


def test_a_metal_has_no_edge() -> None:
    scalar = BandGap()(spectrum(1.0 - 0.5 * np.abs(BIAS)))
    assert scalar.value == 0.0
    assert "no edge" in scalar.reason


def test_an_edge_beyond_the_sweep_is_reported() -> None:
    scalar = ConductionEdge()(spectrum(np.where(BIAS > 1.49, 1.0, 0.01 * np.maximum(BIAS, 0.0)) + 1e-6 * BIAS))
    assert not scalar.valid
    assert "no edge in range" in scalar.reason


def test_a_gap_without_any_rise_gives_the_published_number_and_is_invalid() -> None:
    scalar = BandGap()(spectrum(np.where(np.abs(BIAS) > 1.49, 1.0, 0.0)))
    assert scalar.value == -8.0
    assert "no straight line rises" in scalar.reason


def test_a_side_that_never_rises_from_zero_is_reported() -> None:
    scalar = BandGap()(spectrum(np.maximum(BIAS - 0.5, 0.0) - np.maximum(-BIAS, 0.0)))
    assert np.isnan(scalar.value)
    assert "E_V: no edge" in scalar.reason


def test_a_sweep_of_one_sign_has_no_gap() -> None:
    upper_half = Spectrum(BIAS[61:], didv=gapped(0.6, 0.8)[61:])
    assert np.isnan(BandGap()(upper_half).value)
    assert "only 0 samples" in ValenceEdge()(upper_half).reason
    assert ConductionEdge()(upper_half).valid


def test_nan_on_the_side_used_makes_the_edge_invalid() -> None:
    lost = np.where(np.abs(BIAS + 1.0) < 0.01, np.nan, gapped(0.6, 0.8))
    assert "NaN" in ValenceEdge()(spectrum(lost)).reason
    assert ConductionEdge()(spectrum(lost)).valid


def test_a_saturated_lockin_makes_the_gap_invalid_and_keeps_its_number() -> None:
    clipped = spectrum(np.minimum(gapped(0.6, 0.8), 0.5))
    scalar = BandGap()(clipped)
    assert "didv is saturated" in scalar.reason
    assert scalar.value == BandGap(strict=False)(clipped).value


@pytest.mark.parametrize("seed", range(10))
def test_a_noise_of_a_hundredth_leaves_the_gap_within_a_tenth_of_a_volt(seed: int) -> None:
    scalar = BandGap()(noisy(0.01, seed))
    assert scalar.valid
    assert scalar.value == pytest.approx(1.4, abs=0.1)


@pytest.mark.parametrize("seed", range(10))
def test_a_noise_as_high_as_the_onset_is_too_noisy(seed: int) -> None:
    assert "too noisy" in BandGap()(noisy(0.15, seed)).reason


def test_a_window_shorter_than_two_steps_gives_no_number() -> None:
    scalar = BandGap(window_v=0.04)(spectrum(gapped(0.6, 0.8)))
    assert np.isnan(scalar.value)
    assert "fewer than 2 samples" in scalar.reason


def test_a_window_of_two_samples_gives_a_number_that_is_invalid() -> None:
    scalar = BandGap(window_v=0.06)(spectrum(gapped(0.6, 0.8)))
    assert np.isfinite(scalar.value)
    assert "only 2 samples" in scalar.reason


@pytest.mark.parametrize(
    "options", [{"window_v": 0.0}, {"threshold": 1.0}, {"smoothing_samples": 0}, {"noise_draws": 1}]
)
def test_fit_options_without_meaning_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        BandGap(**options)


def test_the_noise_of_the_gap_is_unknown_unless_asked_for() -> None:
    assert BandGap()(noisy(0.01, 0)).noise_variance is None


def test_the_noise_of_the_gap_is_about_that_of_repeated_measurements() -> None:
    repeats = [BandGap(noise_draws=10)(noisy(0.01, seed)) for seed in range(60)]
    true = float(np.std([scalar.value for scalar in repeats]))
    estimated = float(np.median([scalar.noise_variance or 0.0 for scalar in repeats])) ** 0.5
    assert true / 2 < estimated < 2 * true


def test_the_same_spectrum_always_has_the_same_noise() -> None:
    first, second = (BandGap(noise_draws=5)(noisy(0.02, 1)) for _ in range(2))
    assert first == second


def test_the_noise_is_unknown_where_a_repetition_finds_no_edge() -> None:
    assert BandGap(noise_draws=10, strict=False)(noisy(0.4, 2)).noise_variance is None


def test_a_run_of_two_samples_is_no_gap_and_of_three_is_one() -> None:
    x, rule = np.arange(8) / 8, EdgeRule(threshold=0.25, window_v=0.375, min_slope_per_v=0.1)
    two, three = (np.concatenate((np.arange(n) / 16, np.full(8 - n, 1.0))) for n in (2, 3))
    assert find_edge(x, two, rule).magnitude_v == 0.0
    assert find_edge(x, two, rule).problem.startswith("no edge: dI/dV exceeds 0.25 of its span from 0.25 V on")
    assert find_edge(x, three, rule).problem.startswith("no gap: the fitted line meets zero at 0 V")


def test_a_sample_exactly_at_the_threshold_still_belongs_to_the_onset() -> None:
    x, rule = np.arange(8) / 8, EdgeRule(threshold=0.25, window_v=0.375, min_slope_per_v=0.1)
    y = np.array([0.0, 0.0, 0.25, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert find_edge(x, y, rule).magnitude_v == pytest.approx(0.125 - 0.25 / 3)
    assert find_edge(x, y + np.eye(8)[2] / 64, rule).magnitude_v == 0.0


def test_a_line_that_meets_zero_beyond_zero_bias_is_no_gap() -> None:
    x = np.arange(20) / 8
    edge = find_edge(x, np.where(x < 1, np.sqrt(x) / 8, x), EdgeRule(0.1, 0.5, 0.001))
    assert edge.magnitude_v < 0
    assert "no gap" in edge.problem


def test_the_sample_at_zero_bias_belongs_to_both_edges_alone_but_only_to_the_conduction_side_of_the_gap() -> None:
    spiked = spectrum(gapped(0.6, 0.8) + np.where(np.abs(BIAS) < 0.01, 1.0, 0.0))
    assert "no edge" in ConductionEdge(smoothing_samples=1)(spiked).reason
    assert "no edge" in ValenceEdge(smoothing_samples=1)(spiked).reason
    valence = ValenceEdge(smoothing_samples=1)(spectrum(gapped(0.6, 0.8))).value
    assert BandGap(smoothing_samples=1)(spiked).value == pytest.approx(valence)


def test_the_trailing_mean_takes_fewer_samples_at_the_start() -> None:
    np.testing.assert_allclose(trailing_mean(np.array([4.0, 2.0, 0.0, 6.0, 8.0]), 3), [4.0, 3.0, 2.0, 8 / 3, 14 / 3])


def test_of_equally_straight_lines_the_last_is_taken() -> None:
    # both flanks are exactly straight in binary fractions, so R² is 1 on each
    x = np.arange(40) / 8
    y = np.where(x < 2, x / 16, np.maximum(x - 1.875, 0.125))
    edge = find_edge(x, np.append(y[:-1], 16.0), EdgeRule(threshold=0.25, window_v=0.5, min_slope_per_v=0.001))
    assert edge.magnitude_v == pytest.approx(1.875)


def test_the_last_piece_before_the_threshold_is_not_fitted() -> None:
    # the run has as many samples as the window plus one, and only its last piece rises straight
    x = np.arange(12) * 0.1
    y = np.array([0.0, 0.0, 0.05, 0.10, 0.15, 0.20, 0.25, 1.0, 1.0, 1.0, 1.0, 1.0])
    edge = find_edge(x, y, EdgeRule(threshold=0.2, window_v=0.5, min_slope_per_v=0.1))
    slope, offset = np.polyfit(x[:5], y[:5], 1)
    assert edge.magnitude_v == pytest.approx(-offset / slope)
