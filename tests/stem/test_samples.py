"""The samples: where atoms, dopants, holes and strain are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import KDTree

from dkl_core.errors import InputError
from dkl_core.stem import DopantSettings, HoleSettings, Optics, SampleSettings, StrainSettings, build_sample
from dkl_core.stem.lattices import graphene, mnps3, mos2
from dkl_core.stem.strain import StrainField

KINDS = ("graphene_si", "twisted_bilayer", "mnps3", "strained_flake")


@pytest.mark.parametrize("kind", KINDS)
def test_equal_settings_give_equal_samples_and_another_seed_another(kind) -> None:
    first, again, other = (build_sample(SampleSettings(kind=kind, field_nm=8, seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.atoms.positions_nm, again.atoms.positions_nm)
    assert first.dopants == again.dopants
    assert not np.array_equal(first.atoms.positions_nm, other.atoms.positions_nm)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field_nm", [4.0, 12.0])
def test_atoms_keep_their_distance_and_fill_the_field(kind, field_nm) -> None:
    sample = build_sample(SampleSettings(kind=kind, field_nm=field_nm, strain=StrainSettings(edge=False)))
    nearest = KDTree(sample.atoms.positions_nm).query(sample.atoms.positions_nm, k=2)[0][:, 1]
    assert nearest.min() > 0.125
    line = np.linspace(-field_nm / 2, field_nm / 2, 60)
    assert 0 < sample.vacuum_at(line[:, None], line).mean() < 0.15


def test_the_number_of_dopants_is_the_one_asked_for() -> None:
    for count in (0, 7):
        sample = build_sample(SampleSettings(field_nm=10, dopants=DopantSettings(count=count)))
        assert sum(dopant.kind != "edge" for dopant in sample.dopants) == count


def test_the_number_of_dopants_follows_the_density() -> None:
    sample = build_sample(SampleSettings(field_nm=20, dopants=DopantSettings(per_nm2=0.05)))
    assert sum(dopant.kind != "edge" for dopant in sample.dopants) == 20


def test_dopants_keep_apart_from_one_another_and_from_holes() -> None:
    sample = build_sample(SampleSettings(kind="twisted_bilayer", dopants=DopantSettings(spacing_nm=1.1)))
    inner = np.array([dopant.position_nm for dopant in sample.dopants if dopant.kind != "edge"])
    assert KDTree(inner).query(inner, k=2)[0][:, 1].min() > 0.8
    ring = inner[:, None] + 0.5 * np.array([(0, 1), (0, -1), (1, 0), (-1, 0)])
    assert np.all(sample.layers_at(ring[..., 0], ring[..., 1]) == 2)


def test_more_dopants_than_there_is_room_for_are_refused() -> None:
    with pytest.raises(InputError, match="there is room for"):
        build_sample(SampleSettings(field_nm=4, dopants=DopantSettings(count=60)))


@pytest.mark.parametrize(("kind", "silicon", "bonds"), [("threefold", 1, 3), ("fourfold", 1, 4), ("trimer", 3, 4)])
def test_each_kind_of_dopant_has_its_atoms_and_bonds(kind, silicon, bonds) -> None:
    shares = {"threefold": 0.0, "fourfold": 0.0, "trimer": 0.0, kind: 1.0}
    settings = SampleSettings(field_nm=6, dopants=DopantSettings(count=2, **shares), holes=HoleSettings(count=0))
    sample = build_sample(settings)
    tree = KDTree(sample.atoms.positions_nm)
    for dopant in sample.dopants:
        members = list(dopant.atoms)
        assert (sample.atoms.numbers[members] == 14).all()
        assert len(members) == silicon
        for member in members:
            near = [i for i in tree.query_ball_point(sample.atoms.positions_nm[member], 0.26) if i != member]
            apart = np.linalg.norm(sample.atoms.positions_nm[near] - sample.atoms.positions_nm[member], axis=1)
            assert ((apart < 0.21) | (sample.atoms.numbers[near] == 14)).sum() == bonds
    assert (sample.atoms.numbers == 14).sum() == 2 * silicon


def test_bonds_round_a_dopant_are_relaxed() -> None:
    settings = SampleSettings(field_nm=6, dopants=DopantSettings(count=2, threefold=1, fourfold=0, trimer=0))
    sample = build_sample(settings)
    points = sample.atoms.positions_nm[:, :2]
    lone = [dopant.atoms[0] for dopant in sample.dopants if dopant.kind == "threefold"]
    bonds = KDTree(points).query(points[lone], k=4)[0][:, 1:]
    assert bonds.mean() > 0.155
    assert bonds.max() < 0.185


def test_holes_are_empty_and_carry_silicon_at_their_edge() -> None:
    settings = SampleSettings(field_nm=12, holes=HoleSettings(count=2, edge_si=2), dopants=DopantSettings(count=0))
    sample = build_sample(settings)
    edge = [dopant for dopant in sample.dopants if dopant.kind == "edge"]
    assert len(edge) == 4
    line = np.linspace(-6, 6, 240)
    area = sample.vacuum_at(line[:, None], line).mean() * 144
    assert area == pytest.approx(2 * np.pi * 0.85**2, rel=0.35)
    around = np.stack([np.array(edge[0].position_nm) + 0.5 * np.array([np.sin(a), np.cos(a)]) for a in range(6)])
    assert sample.vacuum_at(*around.T).any()


def test_a_bilayer_has_a_window_of_one_layer_and_a_hole_through_both() -> None:
    sample = build_sample("twisted_bilayer")
    line = np.linspace(-10, 10, 200)
    layers = sample.layers_at(line[:, None], line)
    area = 400 * np.bincount(layers.ravel(), minlength=3) / layers.size
    assert area[0] > 1
    assert area[1] > 4
    assert area[2] > 380
    assert {dopant.layer for dopant in sample.dopants} == {0, 1}


def test_the_layers_are_turned_by_the_twist() -> None:
    settings = SampleSettings(
        kind="twisted_bilayer",
        field_nm=8,
        twist_deg=21.8,
        dopants=DopantSettings(count=0),
        holes=HoleSettings(count=0, windows=0),
    )
    sample = build_sample(settings)
    turns = []
    for layer in (0, 1):
        points = sample.atoms.positions_nm[sample.layers == layer, :2]
        middle = points[np.linalg.norm(points, axis=1) < 2]
        near = KDTree(points).query(middle, k=4)
        bond = points[near[1][:, 1:]] - middle[:, None]
        turns.append(np.angle(np.exp(6j * np.arctan2(bond[..., 0], bond[..., 1])).mean(), deg=True) / 6)
    assert (turns[1] - turns[0]) % 60 == pytest.approx(21.8, abs=0.01)


def test_the_second_layer_of_mnps3_is_contracted() -> None:
    sample = build_sample(SampleSettings(kind="mnps3", field_nm=10, holes=HoleSettings(count=0)))
    density = np.bincount(sample.layers)
    assert density[1] / density[0] == pytest.approx(1 / 0.93**2, rel=0.01)


def test_the_crystals_have_their_composition_and_spacing() -> None:
    assert np.unique(mnps3().numbers, return_counts=True)[1].tolist() == [4, 12, 4]
    assert np.linalg.norm(graphene().first_order_per_nm(), axis=1) == pytest.approx(2 / (0.246 * np.sqrt(3)))
    assert np.linalg.norm(mos2().turned(17).first_order_per_nm(), axis=1) == pytest.approx(2 / (0.316 * np.sqrt(3)))


@pytest.mark.parametrize("material", ["graphene", "mos2"])
def test_the_expected_bragg_distance_is_that_of_the_lattice_round_a_place(material) -> None:
    settings = SampleSettings(
        kind="strained_flake", field_nm=33, strain=StrainSettings(material=material, second_layer=False)
    )
    sample, optics = build_sample(settings), Optics(semiangle_mrad=5)
    heavy, reach = (6, 0.265) if material == "graphene" else (42, 0.36)
    points = sample.atoms.positions_nm[sample.atoms.numbers == heavy, :2]
    tree = KDTree(points)
    for place in ((0.0, 0.0), (-3.0, -5.5), (8.0, 1.0)):
        middle = points[tree.query(place)[1]]
        near = points[tree.query_ball_point(middle, reach)] - middle
        lengths = np.linalg.norm(near, axis=1)
        lattice = near[lengths > 0.2]
        lattice = lattice[np.argsort(np.arctan2(*lattice.T))]
        assert len(lattice) == 6
        reciprocal = [np.linalg.inv(np.stack([lattice[i], lattice[(i + 1) % 6]])).T for i in range(6)]
        mean = 1e3 * optics.wavelength_nm * np.linalg.norm(reciprocal, axis=2).mean()
        expected = sample.bragg_expected_at(*middle, optics)
        assert expected == pytest.approx(mean, rel=2e-4)


def test_the_gradient_is_that_of_the_displacement() -> None:
    field = StrainField.across(StrainSettings(), 20.0)
    places, step = np.random.default_rng(0).uniform(-8, 8, (20, 2)), 1e-5
    for axis in (0, 1):
        shift = step * np.eye(2)[axis]
        slope = (field.displacement_nm(places + shift) - field.displacement_nm(places - shift)) / (2 * step)
        assert field.gradient(places)[..., axis] == pytest.approx(slope, abs=1e-8)
    assert field.moved(field.origin_nm(places)) == pytest.approx(places, abs=1e-9)


def test_the_flake_has_strain_a_bubble_an_edge_and_a_second_layer() -> None:
    sample, optics = build_sample("strained_flake"), Optics(semiangle_mrad=5)
    line = np.linspace(-10, 10, 100)
    expected = sample.bragg_expected_at(line[:, None], line, optics)
    vacuum = sample.vacuum_at(line[:, None], line)
    assert np.array_equal(np.isnan(expected), vacuum)
    assert 0.2 < vacuum.mean() < 0.5
    assert np.nanmax(expected) / np.nanmin(expected) > 1.025
    assert sample.layers_at(-9, -5) == 2
    assert build_sample("graphene_si").bragg_expected_at(0, 0, optics) is None


def test_an_unknown_kind_is_refused_with_the_choices() -> None:
    with pytest.raises(InputError, match="graphene_si, twisted_bilayer, mnps3, strained_flake"):
        build_sample("grafene")
