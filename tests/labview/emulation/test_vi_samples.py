"""What lies under the emulated tip: x is the column, y counts from the bottom."""

from __future__ import annotations

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.frame import Frame
from dkl_core.sample import RealismSettings, SimulatedSurface, SurfaceSettings
from labview_bridge.emulation.samples import RecordedSample, SimulatedSample

PLACE = (20, 90)


def turned(x, y, size):
    """The eight places that a square frame's symmetries make of one."""
    last = size - 1
    return [
        (x, y), (x, last - y), (last - x, y), (last - x, last - y),
        (y, x), (y, last - x), (last - y, x), (last - y, last - x),
    ]  # fmt: skip


def test_of_the_eight_orientations_only_row_from_the_bottom_and_column_x_fits_the_simulated_surface():
    surface = SimulatedSurface(SurfaceSettings(seed=3, shape=(128, 128)).ideal())
    sample = SimulatedSample(surface)
    x, y = PLACE
    current, didv = surface.ideal_spectra(sample.image.to_nm((127 - y, x)))
    fits = [
        np.allclose(sample.spectrum(*place)[1:3], [current, didv], rtol=1e-9, atol=0) for place in turned(x, y, 128)
    ]
    assert fits == [True] + [False] * 7


@pytest.mark.parametrize("name", ["Figure4_Adsorbate_defect_10nm", "Figure7_DKL1_200nm"])
def test_of_the_eight_orientations_only_one_leads_to_the_spectra_of_a_published_run(shared_data, name):
    sample = RecordedSample(shared_data / "stm_runs" / f"{name}.hf5")
    sites = sample.data.positions[:40]
    first = [int(np.flatnonzero((sample.data.positions == site).all(axis=1))[0]) for site in sites]
    matches = np.zeros(8)
    for number, (row, col) in zip(first, sites, strict=True):
        expected = sample.data.raw.at(number)
        matches += [np.array_equal(sample.spectrum(*place), expected) for place in turned(col, 511 - row, 512)]
    assert matches[0] == 40
    assert (matches[1:] < 20).all()


def test_a_published_run_gives_the_spectrum_of_the_nearest_site_that_was_measured(shared_data):
    sample = RecordedSample(shared_data / "stm_runs" / "Figure4_Adsorbate_defect_10nm.hf5")
    row, col = sample.data.positions[5]
    assert np.array_equal(sample.spectrum(col + 2, 511 - row - 2), sample.spectrum(col, 511 - row))
    heights, width_m = sample.topography()
    assert heights.shape == (512, 512)
    assert width_m == pytest.approx(1e-8)


def test_a_frame_within_the_surface_is_measured_in_its_own_pixels():
    surface = SimulatedSurface(SurfaceSettings(seed=3).ideal())
    frame = Frame.centred((30.0, 20.0), (10.0, 10.0), (64, 64))
    sample = SimulatedSample(surface, frame)
    current, _ = surface.ideal_spectra(frame.to_nm((63 - 5, 40)))
    assert sample.spectrum(40, 5)[1] == pytest.approx(current, rel=1e-9)
    assert sample.topography()[1] == pytest.approx(1e-8)


def test_the_sample_drifts_while_spectra_are_taken():
    still = SurfaceSettings(seed=3, realism=RealismSettings.none())
    drifting = SurfaceSettings(
        seed=3, realism=RealismSettings(**{**vars(RealismSettings.none()), "drift_nm_per_min": (1.0, 0.0)})
    )
    a, b = (SimulatedSample(SimulatedSurface(settings), seconds_per_spectrum=60.0) for settings in (still, drifting))
    first = np.allclose(a.spectrum(100, 100)[1], b.spectrum(100, 100)[1], rtol=1e-9, atol=0)
    second = np.allclose(a.spectrum(100, 100)[1], b.spectrum(100, 100)[1], rtol=1e-3, atol=0)
    assert (first, second) == (True, False)


def test_a_frame_that_is_not_square_is_refused():
    surface = SimulatedSurface(SurfaceSettings(seed=3))
    with pytest.raises(InputError, match="square"):
        SimulatedSample(surface, Frame.centred((25.0, 25.0), (10.0, 12.0), (64, 64)))
