"""Discs that are not evenly filled: noticed beyond the noise, and stated as an uncertainty."""

import numpy as np
import pytest

from dkl_core.scalarizers import BraggDistance, Pattern
from dkl_core.scalarizers.bragg_disc import Disc
from dkl_core.scalarizers.bragg_filling import Tilt, tilt_of, uneven_variance

ELECTRONS, RADIUS, MRAD_PER_PX = 1e7, 6.25, 0.8
ANGLES = np.radians(np.arange(11, 371, 60))
ROWS, COLS = np.indices((96, 96))


def disc(row: float, col: float, tilt: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """A disc of sum 1; it is brighter by `tilt` at its lower and right rim than in its middle."""
    y, x = ROWS - row, COLS - col
    share = np.clip(RADIUS + 0.5 - np.hypot(y, x), 0, 1)
    whole: np.ndarray = share * (1 + (tilt[0] * y + tilt[1] * x) / RADIUS) / share.sum()
    return whole


def frame(inwards: float, seed: int, intensity: float = 1.9e-4) -> Pattern:
    """Six discs at 20.4 mrad whose inner half is brighter, with counting noise."""
    places = 20.4 / MRAD_PER_PX * np.column_stack([np.sin(ANGLES), np.cos(ANGLES)])
    whole = disc(46.3, 49.2) + intensity * sum(
        disc(46.3 + y, 49.2 + x, tuple(-inwards * np.array([y, x]) / np.hypot(y, x))) for y, x in places
    )
    counts = np.random.default_rng(seed).poisson(whole * ELECTRONS)
    return Pattern(counts.astype(float), MRAD_PER_PX, counts_per_electron=1.0)


def errors(inwards: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    found = [BraggDistance()(frame(inwards, seed)) for seed in range(count)]
    return np.array([one.value for one in found]) - 20.4, np.sqrt([one.noise_variance or 0.0 for one in found])


@pytest.mark.parametrize("tilt", [(0.0, 0.0), (0.4, -0.2)])
def test_the_gradient_of_a_disc_is_found_wherever_it_lies(tilt: tuple[float, float]) -> None:
    for row, col in ((48.0, 48.0), (47.7, 48.4)):
        found = tilt_of(1e4 * disc(row, col, tilt) + 1.0, Disc(48.0, 48.0, 1e4), RADIUS, 1.0)
        assert found is not None
        np.testing.assert_allclose((found.row, found.col), tilt, atol=0.05)


def test_the_noise_of_a_gradient_is_predicted() -> None:
    rng = np.random.default_rng(0)
    clean = 2e3 * disc(47.8, 48.3) + 2.0
    found = [tilt_of(rng.poisson(clean).astype(float), Disc(47.8, 48.3, 2e3), RADIUS, 1.0) for _ in range(150)]
    tilts = [one for one in found if one is not None]
    ratio = np.mean([one.variance for one in tilts]) / np.var([(one.row, one.col) for one in tilts])
    assert ratio == pytest.approx(1.0, abs=0.25)


def test_a_disc_without_intensity_has_no_gradient() -> None:
    assert tilt_of(np.zeros((96, 96)), Disc(48.0, 48.0, 1.0), RADIUS, 1.0) is None


def test_gradients_within_their_noise_add_nothing() -> None:
    assert uneven_variance([], 5.0) == 0.0
    assert uneven_variance([Tilt(0.1, -0.1, (0.01, 0.01))] * 6, 5.0) == 0.0


def test_a_gradient_beyond_its_noise_adds_the_shift_of_one_half_as_large_again() -> None:
    found = uneven_variance([Tilt(0.4, -0.4, (1e-6, 1e-6))] * 6, 5.0)
    assert found == pytest.approx((1.5 * 0.4 / 4 * 5.0) ** 2, rel=1e-3)


def test_evenly_filled_discs_keep_the_noise_of_their_counts() -> None:
    error, sigma = errors(0.0, 40)
    assert np.median(sigma) < 0.06
    assert np.sqrt(np.mean((error / sigma) ** 2)) == pytest.approx(1.0, abs=0.35)


def test_the_uncertainty_covers_the_error_of_unevenly_filled_discs() -> None:
    error, sigma = errors(0.5, 12)
    # a gradient of a half moves the centroids by an eighth of the radius
    assert np.median(error) < -0.4
    assert (np.abs(error) < 3 * sigma).all()


def test_what_has_no_counts_has_no_such_uncertainty() -> None:
    clean = frame(0.5, 0)
    assert BraggDistance()(Pattern(clean.values / ELECTRONS, MRAD_PER_PX)).noise_variance is None
