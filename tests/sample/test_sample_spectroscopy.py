from dataclasses import replace

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.sample import ElectronicSettings, StructureSettings, SurfaceSettings
from dkl_core.sample.defects import Defects
from dkl_core.sample.electronics import Electronics, LocalStates, Puddles
from dkl_core.sample.spectrometer import bias_ramp, spectrometer
from dkl_core.sample.structure import Structure

BARE = StructureSettings(step_height_nm=0, adsorbates_per_nm2=0, substitutions_per_nm2=0, vacancies_per_nm2=0)
QUIET = ElectronicSettings(puddle_ev=0.0, terrace_shift_ev=0.0)
HERE = np.array([[25.0, 25.0]])


def electronics_with(kind=None, strength=1.0, settings=QUIET):
    surface = SurfaceSettings(structure=BARE, electronics=settings)
    structure = Structure.drawn(surface)
    if kind:
        defect = Defects(HERE, np.array([strength]), np.zeros(1))
        structure = replace(structure, **{kind: defect})
    return Electronics.drawn(structure, surface)


def states(conduction=0.7, valence=-1.0, weights=(0.0, 0.0, 0.0, 0.0)):
    return LocalStates(np.array([conduction]), np.array([valence]), np.array([weights]))


def device(settings=QUIET):
    return spectrometer(settings, bias_ramp(settings.bias_v, settings.points))


def test_the_bare_terrace_has_the_edges_of_the_settings():
    found = electronics_with().states(HERE)
    assert found.conduction_edge_ev == pytest.approx(QUIET.conduction_edge_ev)
    assert found.valence_edge_ev == pytest.approx(QUIET.valence_edge_ev)
    assert found.weights_ev == pytest.approx(0)


@pytest.mark.parametrize(("kind", "wider"), [("adsorbates", True), ("substitutions", False), ("vacancies", False)])
def test_each_kind_of_defect_moves_the_gap_its_own_way(kind, wider):
    bare, changed = electronics_with().states(HERE).gap_ev, electronics_with(kind).states(HERE).gap_ev
    assert (changed > bare + 0.05) == wider
    assert (changed < bare - 0.05) == (not wider)


def test_a_vacancy_has_the_strongest_in_gap_state():
    weights = {kind: electronics_with(kind).states(HERE).weights_ev.sum() for kind in ("adsorbates", "vacancies")}
    assert weights["vacancies"] > 5 * weights["adsorbates"]


def test_the_change_of_the_gap_dies_out_over_the_decay_length():
    found = electronics_with("substitutions").states(HERE + np.array([[0, 0], [0, 2.2], [0, 12.0]]))
    shift = found.gap_ev - electronics_with().states(HERE).gap_ev
    assert shift[0] < 1.5 * shift[1] < 0
    assert abs(shift[2]) < 0.01 * abs(shift[0])


def test_shifts_of_crowded_defects_saturate():
    found = electronics_with("adsorbates", strength=50.0).states(HERE)
    assert found.conduction_edge_ev[0] - QUIET.conduction_edge_ev == pytest.approx(0.5)


def test_a_step_edge_carries_its_own_state():
    surface = SurfaceSettings(structure=replace(BARE, step_height_nm=0.3), electronics=QUIET)
    structure = Structure.drawn(surface)
    on_step = structure.steps.nearest(HERE, below_nm=0.0)
    found = Electronics.drawn(structure, surface).states(on_step)
    assert found.weights_ev[0, 3] == pytest.approx(QUIET.step.weight_ev, rel=0.01)


def test_neighbouring_terraces_differ_by_the_terrace_shift():
    settings = replace(QUIET, terrace_shift_ev=0.1)
    surface = SurfaceSettings(structure=replace(BARE, step_height_nm=0.3), electronics=settings)
    structure = Structure.drawn(surface)
    normal, offset = structure.steps.normal, structure.steps.offsets[0]
    below, above = (
        Electronics.drawn(structure, surface)
        .states(np.array([offset - 9, offset + 9])[:, None] * normal)
        .conduction_edge_ev
    )
    assert abs(above - below) == pytest.approx(0.1, rel=0.05)


def test_buried_charges_shift_both_edges_alike():
    found = electronics_with(settings=replace(QUIET, puddle_ev=0.05)).states(
        np.random.default_rng(0).uniform(0, 50, (200, 2))
    )
    assert np.std(found.conduction_edge_ev) > 0.02
    assert np.std(found.gap_ev) == pytest.approx(0, abs=1e-12)


def test_the_potential_of_buried_charges_has_the_rms_asked_for():
    puddles = Puddles.drawn(np.random.default_rng(0), 0.04)
    values = puddles.potential_ev(np.random.default_rng(1).uniform(0, 3000, (20000, 2)))
    assert np.std(values) == pytest.approx(0.04, rel=0.03)


def test_no_current_flows_without_bias():
    sweep = spectrometer(QUIET, (-0.5, 0.0, 0.5))
    current, _ = sweep.channels(states(weights=(0.1, 0.1, 0.1, 0.1)))
    assert current[0, 1] == pytest.approx(0, abs=1e-20)


def test_the_current_has_the_sign_of_the_bias():
    sweep = device()
    current, _ = sweep.channels(states())
    beyond = np.abs(sweep.bias_v) > 0.05
    assert (np.sign(current[0]) == np.sign(sweep.bias_v))[beyond].all()


def test_didv_is_the_derivative_of_the_current():
    sharp = replace(QUIET, modulation_v=0.0, points=601)
    sweep = device(sharp)
    current, didv = sweep.channels(states(weights=(0.0, 0.0, 0.05, 0.0)))
    slope = np.gradient(current[0], sweep.bias_v)
    assert slope[2:-2] == pytest.approx(didv[0, 2:-2], rel=0.02, abs=2e-11)


def test_the_onset_of_didv_follows_the_band_edge():
    sweep = device()
    _, didv = sweep.channels(LocalStates(np.array([0.5, 0.9]), np.array([-1.0, -1.0]), np.zeros((2, 4))))
    onsets = [sweep.bias_v[(sweep.bias_v > 0) & (channel > 1e-9)][0] for channel in didv]
    assert onsets[1] - onsets[0] == pytest.approx(0.4, abs=0.03)


def test_inside_the_gap_there_is_no_conductance():
    sweep = device()
    _, didv = sweep.channels(states())
    middle = np.abs(sweep.bias_v) < 0.2
    assert didv[0, middle].max() < 1e-4 * didv.max()


def test_an_in_gap_state_is_a_peak_at_its_energy():
    sweep = device()
    _, didv = sweep.channels(states(weights=(0.0, 0.0, 0.08, 0.0)))
    in_gap = np.abs(sweep.bias_v) < 0.5
    assert sweep.bias_v[in_gap][didv[0, in_gap].argmax()] == pytest.approx(QUIET.vacancy.level_ev, abs=0.03)


def test_a_stronger_modulation_broadens_the_peak_and_keeps_its_area():
    sharp, blunt = (device(replace(QUIET, modulation_v=m)) for m in (0.005, 0.08))
    peak = states(conduction=1.4, weights=(0.0, 0.0, 0.08, 0.0))
    (_, narrow), (_, wide) = sharp.channels(peak), blunt.channels(peak)
    inside = np.abs(sharp.bias_v - 0.2) < 0.6
    assert wide[0, inside].max() < 0.85 * narrow[0, inside].max()
    assert wide[0, inside].sum() == pytest.approx(narrow[0, inside].sum(), rel=0.03)


def test_warmth_softens_the_onset():
    cold, warm = (device(replace(QUIET, temperature_k=t, onset_ev=0.005)) for t in (4.0, 300.0))
    (_, crisp), (_, soft) = cold.channels(states()), warm.channels(states())
    just_below = np.argmin(np.abs(cold.bias_v - 0.65))
    assert soft[0, just_below] > 5 * crisp[0, just_below]


@pytest.mark.parametrize("bias", [(0.5,), (0.0, float("nan")), (-50.0, 50.0)])
def test_a_bias_that_cannot_be_swept_is_refused(bias):
    with pytest.raises(InputError, match="bias"):
        spectrometer(QUIET, bias)
