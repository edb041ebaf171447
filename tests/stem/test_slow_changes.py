from __future__ import annotations

import numpy as np
import pytest

from dkl_core.stem.drift import Drift, Flicker
from dkl_core.stem.realism import DriftSettings, NoiseSettings


def test_drift_has_the_set_velocity() -> None:
    drift = Drift(DriftSettings(velocity_nm_per_min=(0.6, -0.3), walk_nm=0.0), 0)
    assert drift.at(120.0) == pytest.approx([1.2, -0.6])


def test_the_walk_does_not_depend_on_when_it_is_asked() -> None:
    settings = DriftSettings(walk_nm=0.1)
    one, other = Drift(settings, 5), Drift(settings, 5)
    times = np.array([3.0, 700.0, 0.1, 90.0])
    in_turn = np.array([other.at(time) for time in times])
    np.testing.assert_array_equal(one.at(times), in_turn)


def test_the_walk_is_as_wide_as_set() -> None:
    settings = DriftSettings(velocity_nm_per_min=(0, 0), walk_nm=0.2)
    after_a_minute = np.array([Drift(settings, seed).at(60.0) for seed in range(300)])
    assert after_a_minute.std() == pytest.approx(0.2, rel=0.1)


def test_drift_that_is_off_stands_still() -> None:
    assert not Drift(DriftSettings(on=False), 0).at(np.arange(10.0)).any()


def test_the_beam_flickers_round_its_mean() -> None:
    current = Flicker(NoiseSettings(flicker=0.03), 2).at(np.arange(0, 1000, 0.1))
    assert current.mean() == pytest.approx(1, abs=0.002)
    assert current.std() == pytest.approx(0.03, rel=0.15)


def test_a_steady_beam_does_not_flicker() -> None:
    assert (Flicker(NoiseSettings(on=False), 0).at(np.arange(5.0)) == 1).all()
