import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.sample import Frame, RealismSettings, SimulatedSurface, StructureSettings, SurfaceSettings
from dkl_core.sample.instrument import Visits

SMALL = SurfaceSettings(shape=(48, 48))
FLAT = StructureSettings(step_height_nm=0)


def with_realism(base=SMALL, **switched):
    return SimulatedSurface(replace(base, realism=replace(RealismSettings.none(), **switched)))


@pytest.fixture
def surface():
    return SimulatedSurface(SMALL)


@pytest.fixture
def ideal():
    return SimulatedSurface(SMALL.ideal())


def test_a_topograph_is_calibrated_in_nanometres(surface):
    image = surface.topograph()
    assert image.shape == (48, 48)
    assert image.size_nm == pytest.approx((50, 50))
    assert image.to_nm((0, 0)) == pytest.approx((25 / 48, 25 / 48))


def test_frames_of_any_size_and_shape_are_placed_where_asked(surface):
    image = surface.topograph(Frame.centred((30.0, 12.0), (10.0, 20.0), (20, 50)))
    assert image.shape == (20, 50)
    assert image.to_nm((9.5, 24.5)) == pytest.approx((30.0, 12.0))


def test_zooming_shows_the_same_surface(ideal):
    whole, part = ideal.topograph(), ideal.topograph(Frame.centred((25.0, 25.0), (10.0, 10.0), (48, 48)))
    again = ideal.truth(part.to_nm([(10, 10), (40, 40)])).height_nm
    assert part.values[[10, 40], [10, 40]] == pytest.approx(again, abs=0.015)
    nearest = np.round(whole.to_pixels(part.to_nm((24, 24)))).astype(int)
    assert whole.values[tuple(nearest)] == pytest.approx(part.values[24, 24], abs=0.05)


def test_large_samples_are_zoomed_through_three_scales():
    surface = SimulatedSurface(SurfaceSettings(extent_nm=(250.0, 250.0), shape=(32, 32)))
    spans = [surface.topograph(Frame.centred((125.0, 125.0), (s, s), (32, 32))).size_nm for s in (250.0, 50.0, 10.0)]
    assert [span[0] for span in spans] == pytest.approx([250, 50, 10])


def test_a_frame_that_leaves_the_sample_is_refused(surface):
    with pytest.raises(InputError, match="leaves the sample"):
        surface.topograph(Frame.centred((2.0, 25.0), (10.0, 10.0), (16, 16)))


def test_equal_settings_repeat_the_whole_run():
    first, again = SimulatedSurface(SMALL), SimulatedSurface(SMALL)
    assert np.array_equal(first.topograph().values, again.topograph().values)
    assert np.array_equal(first.spectrum(20, 20).as_array(), again.spectrum(20, 20).as_array())
    assert np.array_equal(first.spectrum(20, 20).as_array(), again.spectrum(20, 20).as_array())


def test_another_seed_is_another_surface(ideal):
    other = SimulatedSurface(replace(SMALL, seed=1).ideal())
    assert np.std(ideal.topograph().values - other.topograph().values) > 0.05


def test_the_same_place_measured_twice_differs_only_by_noise(surface):
    first, second = surface.spectrum(20, 20), surface.spectrum(20, 20)
    assert not np.array_equal(first.current_a, second.current_a)
    assert first.current_a == pytest.approx(second.current_a, rel=0.1, abs=2e-11)


def test_noise_at_a_place_does_not_depend_on_what_was_measured_before():
    direct, detour = SimulatedSurface(SMALL), SimulatedSurface(SMALL)
    detour.spectrum(5, 5)
    assert np.array_equal(direct.spectrum(20, 20).as_array(), detour.spectrum(20, 20).as_array())


def test_places_on_either_side_of_zero_have_their_own_noise():
    visits = Visits(0)
    assert visits.generator(-1.0).random() != visits.generator(1.0).random()


def test_a_spectrum_covers_the_bias_of_the_settings(surface):
    spectrum = surface.spectrum(10, 10)
    assert spectrum.bias_v == pytest.approx(np.linspace(-1.5, 1.5, 121))
    assert spectrum.channel_names == ("current", "didv")


def test_a_spectrum_can_be_swept_otherwise(surface):
    spectrum = surface.spectrum(10, 10, bias_v=np.linspace(1.0, 0.0, 11))
    assert spectrum.bias_v == pytest.approx(np.linspace(0.0, 1.0, 11))
    assert spectrum.channel("current")[-1] > spectrum.channel("current")[0]


def test_a_pixel_of_a_topograph_is_measured_where_it_lies(ideal):
    image = ideal.topograph(Frame.centred((25.0, 25.0), (10.0, 10.0), (20, 20)))
    at_pixel, at_place = ideal.spectrum_at(image, 3, 7), ideal.spectrum(*image.to_nm((3, 7)))
    assert np.array_equal(at_pixel.as_array(), at_place.as_array())


@pytest.mark.parametrize("place", [(-1.0, 10.0), (10.0, 50.5), (float("nan"), 10.0)])
def test_a_spectrum_off_the_sample_is_refused(surface, place):
    with pytest.raises(InputError, match="not on the sample"):
        surface.spectrum(*place)


def test_an_ideal_spectrum_is_what_an_ideal_instrument_measures(ideal):
    current, didv = ideal.ideal_spectra((20.0, 30.0))
    spectrum = ideal.spectrum(20.0, 30.0)
    assert spectrum.current_a == pytest.approx(current)
    assert spectrum.didv == pytest.approx(didv)


def test_ideal_spectra_of_a_map_keep_its_shape(ideal):
    current, didv = ideal.ideal_spectra(Frame.centred((25.0, 25.0), (10.0, 10.0), (3, 5)).positions_nm())
    assert current.shape == didv.shape == (3, 5, 121)


def test_truth_has_the_shape_of_the_positions(surface):
    truth = surface.truth(surface.whole.positions_nm())
    assert truth.gap_ev.shape == truth.in_gap_weight_ev.shape == truth.height_nm.shape == (48, 48)
    assert truth.gap_ev == pytest.approx(truth.conduction_edge_ev - truth.valence_edge_ev)


@pytest.mark.parametrize("wrong", [1.0, np.zeros((4, 3)), np.zeros((0, 2))])
def test_truth_asks_for_rows_and_columns(surface, wrong):
    with pytest.raises(InputError, match="shape"):
        surface.truth(wrong)


def test_the_gap_is_wide_at_adsorbates_and_narrow_at_substitutions(surface):
    structure = surface.structure
    gaps = {
        name: surface.truth(defects.positions[((defects.positions > 0) & (defects.positions < 50)).all(axis=1)]).gap_ev
        for name, defects in (("wide", structure.adsorbates), ("narrow", structure.substitutions))
    }
    median = np.median(surface.truth(surface.whole.positions_nm()).gap_ev)
    assert np.median(gaps["wide"]) > median > np.median(gaps["narrow"])


def test_most_of_the_sample_is_undisturbed(surface):
    gap = surface.truth(surface.whole.positions_nm()).gap_ev
    assert np.mean(np.abs(gap - np.median(gap)) < 0.1) > 0.6
    assert np.ptp(gap) > 0.4


def test_the_measured_gap_follows_the_truth(surface):
    places = surface.whole.positions_nm()[4::8, 4::8].reshape(-1, 2)
    spectra = [surface.spectrum(row, col) for row, col in places]
    onsets = [s.bias_v[(s.bias_v > 0.5) & (s.channel("didv") > 2e-9)][0] for s in spectra]
    assert np.corrcoef(onsets, surface.truth(places).conduction_edge_ev)[0, 1] > 0.8


def test_noise_has_the_size_of_the_settings():
    surface = with_realism(current_noise_a=1e-11, didv_noise_s=2e-10, height_noise_nm=0.01)
    current, didv = surface.ideal_spectra((20.0, 20.0))
    spectra = [surface.spectrum(20.0, 20.0) for _ in range(30)]
    assert np.std([s.channel("current") - current for s in spectra]) == pytest.approx(1e-11, rel=0.1)
    assert np.std([s.channel("didv") - didv for s in spectra]) == pytest.approx(2e-10, rel=0.1)
    quiet = SimulatedSurface(SMALL.ideal()).topograph().values
    assert np.std(surface.topograph().values - quiet) == pytest.approx(0.01, rel=0.1)


def test_scatter_of_the_tip_height_scales_the_whole_spectrum():
    surface = with_realism(tip_height_noise_nm=0.01)
    current, _ = surface.ideal_spectra((20.0, 20.0))
    factor = surface.spectrum(20.0, 20.0).channel("current")[-20:] / current[-20:]
    assert np.ptp(factor) == pytest.approx(0, abs=1e-9)
    assert abs(factor[0] - 1) > 1e-3


def test_line_offsets_are_constant_along_a_line(ideal):
    difference = with_realism(line_offset_nm=0.05).topograph().values - ideal.topograph().values
    assert np.std(difference, axis=1) == pytest.approx(0, abs=1e-12)
    assert np.std(difference[:, 0]) == pytest.approx(0.05, rel=0.4)


def test_a_tilted_sample_has_that_slope(ideal):
    difference = with_realism(tilt=(0.01, -0.02)).topograph().values - ideal.topograph().values
    rows, cols = np.gradient(difference, 50 / 48)
    assert rows == pytest.approx(0.01)
    assert cols == pytest.approx(-0.02)


def test_drift_moves_the_sample_under_the_tip(ideal):
    drifting = with_realism(drift_nm_per_min=(0.0, 3.0))
    moved = drifting.spectrum(20.0, 20.0, time_s=120.0)
    assert moved.current_a == pytest.approx(ideal.spectrum(20.0, 26.0).current_a)


def test_drift_shears_a_topograph_line_by_line(ideal):
    frame = Frame.centred((25.0, 25.0), (20.0, 20.0), (40, 40))
    sheared = with_realism(drift_nm_per_min=(0.0, 6.0), line_time_s=5.0).topograph(frame)
    still = ideal.topograph(Frame.centred((25.0, 26.0), (20.0, 20.0), (40, 40)))
    assert sheared.values[2] == pytest.approx(still.values[2], abs=1e-9)
    assert np.abs(sheared.values[30] - still.values[30]).max() > 0.01


def test_a_tip_change_offsets_the_lines_after_it_and_weakens_contrast():
    settings = replace(SMALL, structure=FLAT)
    before = SimulatedSurface(settings.ideal()).topograph().values
    after = (
        with_realism(settings, tip_change_s=20.0, tip_change_offset_nm=0.1, tip_change_contrast=0.5, line_time_s=1.0)
        .topograph()
        .values
    )
    assert np.array_equal(after[:20], before[:20])
    assert after[20:] == pytest.approx(0.5 * before[20:] + 0.1)


def test_a_tip_change_scales_later_spectra():
    surface = with_realism(tip_change_s=60.0, tip_change_gain=2.0)
    before, after = surface.spectrum(20, 20, time_s=59.0), surface.spectrum(20, 20, time_s=60.0)
    assert after.current_a == pytest.approx(2 * before.channel("current"))


def test_a_saturated_preamplifier_clips_the_current_and_blinds_the_lock_in():
    spectrum = with_realism(saturation_a=2e-9).spectrum(20, 20)
    clipped = spectrum.channel("current") == 2e-9
    assert spectrum.channel("current").max() == 2e-9
    assert clipped[-1]
    assert (spectrum.channel("didv")[clipped] == 0).all()
    assert (spectrum.channel("didv")[~clipped & (spectrum.bias_v > 1)] > 0).all()


def test_an_unstable_tip_ruins_its_share_of_the_spectra():
    surface = with_realism(unstable_share=0.25, saturation_a=5e-8)
    ruined = [surface.spectrum(20, 20).channel("current").max() == 5e-8 for _ in range(200)]
    assert np.mean(ruined) == pytest.approx(0.25, abs=0.1)


def test_importing_the_sample_does_not_import_scipy():
    code = "import sys, dkl_core.sample; print('scipy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
