from dataclasses import replace

import numpy as np
import pytest

from dkl_core.sample import StructureSettings, SurfaceSettings
from dkl_core.sample.defects import Defects
from dkl_core.sample.steps import Steps
from dkl_core.sample.structure import MARGIN_NM, Structure

BARE = StructureSettings(step_height_nm=0, adsorbates_per_nm2=0, substitutions_per_nm2=0, vacancies_per_nm2=0)


def one_defect(strength=1.0, at=(25.0, 25.0)):
    return Defects(np.array([at]), np.array([strength]), np.array([0.3]))


def structure_of(**parts):
    return Structure.drawn(SurfaceSettings(structure=replace(BARE, **parts)))


def test_equal_seeds_give_equal_structures_and_others_do_not():
    first, again, other = (Structure.drawn(SurfaceSettings(seed=seed)) for seed in (1, 1, 2))
    points = np.random.default_rng(0).uniform(0, 50, (40, 2))
    assert np.array_equal(first.relief(points), again.relief(points))
    assert not np.allclose(first.relief(points), other.relief(points))


def test_the_number_of_defects_follows_the_density():
    parts = StructureSettings(vacancies_per_nm2=0.02)
    structure = Structure.drawn(SurfaceSettings(extent_nm=(200.0, 100.0), structure=parts))
    expected = 0.02 * (200 + 2 * MARGIN_NM) * (100 + 2 * MARGIN_NM)
    assert len(structure.vacancies) == pytest.approx(expected, abs=5 * np.sqrt(expected))


def test_changing_one_kind_of_defect_leaves_the_others_where_they_are():
    few, many = (
        Structure.drawn(SurfaceSettings(structure=StructureSettings(vacancies_per_nm2=d))) for d in (0.001, 0.05)
    )
    assert np.array_equal(few.adsorbates.positions, many.adsorbates.positions)
    assert np.array_equal(few.substitutions.positions, many.substitutions.positions)


def test_atoms_stand_at_the_corrugation_above_the_hollows():
    lattice = structure_of(corrugation_nm=0.02).lattice
    points = np.random.default_rng(0).uniform(0, 20, (40000, 2))
    heights = lattice.heights(points, None, np.zeros(len(points)))
    assert np.ptp(heights) == pytest.approx(0.02, rel=0.02)


def test_neighbouring_atoms_are_one_lattice_constant_apart():
    lattice = structure_of(lattice_nm=0.5).lattice
    points = np.random.default_rng(0).uniform(0, 5, (4000, 2))
    atoms = np.unique(np.round(lattice.snapped(points, np.zeros(len(points))), 6), axis=0)
    middle = atoms[np.hypot(*(atoms - 2.5).T).argmin()]
    distances = np.sort(np.hypot(*(atoms - middle).T))
    assert distances[1:7] == pytest.approx(0.5, abs=2e-6)
    assert distances[7] > 0.8


def test_vacancies_and_substitutions_sit_on_atoms_of_their_terrace():
    structure = Structure.drawn(SurfaceSettings(seed=2))
    positions = np.concatenate([structure.vacancies.positions, structure.substitutions.positions])
    far = np.abs(structure.steps.distances(positions)).min(axis=1) > 2
    stacking = structure.steps.level(positions) * 2 * np.pi / 3
    heights = structure.lattice.heights(positions, None, stacking)[far]
    assert heights == pytest.approx(structure.lattice.amplitude_nm * 3 / 4.5, rel=1e-3)


def test_pixels_wider_than_the_lattice_do_not_show_it():
    structure = structure_of()
    points = np.random.default_rng(0).uniform(0, 50, (500, 2))
    assert np.ptp(structure.relief(points, (1.0, 1.0))) == 0
    assert np.ptp(structure.relief(points, (0.04, 0.04))) > 0.9 * np.ptp(structure.relief(points))


def test_each_step_rises_by_the_step_height():
    structure = structure_of(step_height_nm=0.25)
    near, far = structure.steps.offsets[0] - 5, structure.steps.offsets[0] + 5
    low, high = structure.terraces(np.array([near * structure.steps.normal, far * structure.steps.normal]))
    assert high - low == pytest.approx(0.25, rel=0.02)


def test_step_height_zero_leaves_one_terrace():
    structure = structure_of(step_height_nm=0.0)
    assert len(structure.steps) == 0
    assert np.ptp(structure.terraces(np.random.default_rng(0).uniform(0, 50, (50, 2)))) == 0


@pytest.mark.parametrize("seed", range(8))
def test_steps_never_cross(seed):
    steps = Steps.drawn(np.random.default_rng(seed), (100.0, 100.0), terrace_nm=10.0)
    distances = steps.distances(np.random.default_rng(1).uniform(0, 100, (2000, 2)))
    assert len(steps) > 3
    assert (np.diff(distances, axis=1) < 0).all()


def test_the_foot_of_the_nearest_step_is_just_below_it():
    steps = Steps.drawn(np.random.default_rng(0), (50.0, 50.0), terrace_nm=20.0)
    feet = steps.nearest(np.random.default_rng(1).uniform(0, 50, (30, 2)))
    distances = steps.distances(feet)
    nearest = distances[np.arange(30), np.abs(distances).argmin(axis=1)]
    assert nearest == pytest.approx(-0.5, abs=1e-6)


def test_the_influence_of_a_step_falls_with_the_distance():
    steps = Steps.drawn(np.random.default_rng(0), (50.0, 50.0), terrace_nm=40.0)
    foot = steps.nearest(np.array([[25.0, 25.0]]), below_nm=0.0)
    near, far = steps.proximity(np.concatenate([foot, foot - 2.0 * steps.normal]), decay_nm=1.0)
    assert near == pytest.approx(1, abs=1e-3)
    assert far == pytest.approx(np.exp(-2), abs=1e-3)


def test_an_adsorbate_is_bright_a_vacancy_dark_and_a_substitution_faint():
    bare = structure_of(corrugation_nm=0.0)
    here = np.array([[25.0, 25.0]])
    bright = replace(bare, adsorbates=one_defect()).relief(here)
    dark = replace(bare, vacancies=one_defect()).relief(here)
    faint = replace(bare, substitutions=one_defect()).relief(here)
    assert bright > 0.15
    assert dark < -0.05
    assert 0.02 < faint < 0.06


def test_a_substitution_makes_the_atoms_stand_out():
    plain = structure_of()
    changed = replace(plain, substitutions=one_defect())
    points = 25 + np.random.default_rng(0).uniform(-0.5, 0.5, (2000, 2))
    assert np.ptp(changed.relief(points)) > 1.5 * np.ptp(plain.relief(points))


@pytest.mark.parametrize("kind", ["adsorbates", "substitutions", "vacancies"])
def test_a_defect_is_out_of_sight_five_nanometres_away(kind):
    bare = structure_of(corrugation_nm=0.0)
    changed = replace(bare, **{kind: one_defect(strength=1.3)})
    assert changed.relief(np.array([[25.0, 30.0]])) == pytest.approx(0, abs=1e-6)


def test_influence_is_one_on_the_defect_and_falls_exponentially():
    defect = one_defect()
    centre, near, far = defect.influence(np.array([[25.0, 25.0], [25.0, 31.0], [25.0, 33.0]]), decay_nm=2.0)
    assert centre == pytest.approx(1)
    assert far / near == pytest.approx(np.exp(-1), rel=0.05)


def test_influences_add_up():
    pair = Defects(np.array([[25.0, 25.0], [25.0, 26.0]]), np.array([1.0, 0.8]), np.zeros(2))
    points = np.random.default_rng(0).uniform(20, 30, (50, 2))
    alone = one_defect().influence(points, 1.5) + one_defect(0.8, (25.0, 26.0)).influence(points, 1.5)
    assert pair.influence(points, 1.5) == pytest.approx(alone)


def test_no_defects_have_no_influence():
    none = Defects(np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    assert none.influence(np.ones((3, 2)), 1.0).tolist() == [0, 0, 0]
