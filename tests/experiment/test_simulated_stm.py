"""The simulated surface driven as an instrument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dkl_core.experiment import Experiment, ExperimentSettings, RecordedExperiment, run
from dkl_core.measurement import Site
from dkl_core.patches import PatchSettings
from dkl_core.record import read_run
from dkl_core.sample import RealismSettings, SimulatedSTM, SurfaceSettings
from dkl_core.scalarizers import NamedScalarizer, Spectrum

Settings = Callable[..., ExperimentSettings]
SMALL = SurfaceSettings(shape=(64, 64))
PATCHES = PatchSettings(window=8, stride=7, levelling="steps")


def failing(_: Spectrum) -> float:
    raise ZeroDivisionError("no gap")


@pytest.fixture
def stm() -> SimulatedSTM:
    return SimulatedSTM(SMALL)


def test_the_topograph_is_scanned_once(stm: SimulatedSTM) -> None:
    assert stm.image() is stm.image()
    assert stm.image().shape == (64, 64)
    assert stm.image().size_nm == pytest.approx((50, 50))


def test_a_measurement_is_a_spectrum_with_its_bias_first_and_its_scalar(stm: SimulatedSTM) -> None:
    taken = stm.measure(Site(0, 20, 30))
    assert taken.raw is not None
    assert np.array_equal(taken.raw[0], stm.surface.bias_v)
    assert taken.details["channels"] == ["bias", "current", "didv"]
    assert taken.scalar == stm.scalarizer(Spectrum(*taken.raw))
    assert taken.seconds > 0


def test_equal_settings_give_equal_measurements(stm: SimulatedSTM) -> None:
    twin, sites = SimulatedSTM(SMALL), [Site(0, 20, 30), Site(1, 8, 50), Site(0, 20, 30)]
    for site in sites:
        assert np.array_equal(stm.measure(site).raw, twin.measure(site).raw)  # type: ignore[arg-type]


def test_without_noise_a_measurement_is_the_truth(settings: Settings) -> None:
    stm = SimulatedSTM(SMALL.ideal())
    sites = Experiment(stm.image(), settings(patches=PATCHES)).sites
    measured = np.array([stm.measure(sites[index]).scalar.value for index in range(len(sites))])
    known = np.isfinite(stm.truth(sites))
    assert known.mean() > 0.8
    assert measured[known] == pytest.approx(stm.truth(sites)[known])


def test_the_tip_drifts_from_one_spectrum_to_the_next() -> None:
    drifting = replace(SMALL, realism=replace(RealismSettings.none(), drift_nm_per_min=(30.0, 0.0)))
    stm = SimulatedSTM(drifting)
    first, second = (stm.measure(Site(0, 30, 30)).raw for _ in range(2))
    assert not np.allclose(first, second, rtol=1e-6, atol=0)  # type: ignore[arg-type]


def test_a_spectrum_without_a_scalar_is_a_failed_measurement_that_keeps_it() -> None:
    taken = SimulatedSTM(SMALL, NamedScalarizer("gap", failing, "spectrum")).measure(Site(0, 20, 30))
    assert not taken.ok
    assert "no gap" in taken.reason
    assert taken.raw is not None


def test_an_experiment_runs_on_it_and_its_spectra_come_back_from_the_record(
    tmp_path: object, stm: SimulatedSTM, settings: Settings
) -> None:
    path = f"{tmp_path}/run.h5"
    with RecordedExperiment.start(path, stm.image(), settings(patches=PATCHES, budget=10)) as recorded:
        taken = []
        run(recorded.experiment, stm, progress=lambda at: taken.append(at.told.measurement.raw))
    assert len(taken) == 10
    with read_run(path) as contents:
        for number, raw in enumerate(taken):
            assert raw is not None
            assert np.array_equal(contents.raw(number), raw)  # type: ignore[arg-type]
