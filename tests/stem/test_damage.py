from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dkl_core.stem.cross_sections import CrossSection, DamageSettings
from dkl_core.stem.damage import BondedAtoms, CrossSections, Damage, DamageEvent
from dkl_core.stem.scan import ScanFrame
from tests.stem.fakes import honeycomb

SIGMA_NM = 0.05


def damage_of(settings: DamageSettings, silicon: tuple[int, ...] = (), seed: int = 0) -> tuple[Damage, BondedAtoms]:
    sample = honeycomb(silicon=silicon)
    atoms = BondedAtoms(sample.atoms.positions_nm, sample.atoms.numbers)
    return Damage(settings, atoms, lambda _: None, np.random.default_rng(seed)), atoms


def inner(atoms: BondedAtoms) -> int:
    return int(np.argmin(np.hypot(*atoms.positions_nm[:, :2].T)))


def test_carbon_in_graphene_has_three_bonds_and_less_at_the_edge() -> None:
    _, atoms = damage_of(DamageSettings())
    middle = np.abs(atoms.positions_nm[:, :2]).max(axis=1) < 1.5
    assert set(atoms.bonds[middle]) == {3}
    assert set(atoms.bonds[~middle]) >= {2, 3}


def test_layers_are_not_bonded_to_each_other() -> None:
    sample = honeycomb()
    above = sample.atoms.positions_nm + np.array([0, 0, 0.335])
    atoms = BondedAtoms(np.vstack([sample.atoms.positions_nm, above]), np.tile(sample.atoms.numbers, 2))
    assert atoms.bonds.max() == 3


def test_cross_sections_follow_element_and_bonds() -> None:
    table = CrossSections(DamageSettings(scale=2.0))
    removal = table.of("remove", np.array([6, 6, 6, 14, 79]), np.array([3, 2, 0, 3, 1])) / 1e-10
    assert removal == pytest.approx([0.02, 2.0, 40.0, 0.0, 0.0])
    assert table.of("swap", np.array([14, 6]), np.array([3, 3])) / 1e-10 == pytest.approx([1.0, 0.0])


def test_the_number_of_events_is_cross_section_times_fluence() -> None:
    table = (CrossSection(6, None, "remove", 1.0),)
    damage, atoms = damage_of(DamageSettings(table=table))
    frame, electrons_per_px = ScanFrame((64, 64), 3.0), 1e5
    damage.lines(frame, np.zeros(2), (0.0, 64.0), SIGMA_NM, electrons_per_px, 0.0)
    within = (np.abs(atoms.positions_nm[:, :2]) < 1.5).all(axis=1).sum()
    chance = 1 - np.exp(-1e-10 * electrons_per_px / frame.pixel_nm**2)
    expected = within * chance
    assert len(damage.events) == pytest.approx(expected, abs=4 * np.sqrt(expected))


def test_events_happen_where_the_beam_stood() -> None:
    damage, _ = damage_of(DamageSettings(scale=100.0))
    damage.spot(0.3, -0.2, SIGMA_NM, 1e9, 0.0)
    assert damage.events
    assert all(np.hypot(event.position_nm[0] - 0.3, event.position_nm[1] + 0.2) < 0.2 for event in damage.events)


def test_a_hole_grows_from_its_edge() -> None:
    edges_only = DamageSettings(table=(CrossSection(6, 2, "remove", 5.0),))
    damage, atoms = damage_of(edges_only)
    frame = ScanFrame((64, 64), 2.0)
    for _ in range(5):
        damage.lines(frame, np.zeros(2), (0.0, 64.0), SIGMA_NM, 1e6, 0.0)
    assert damage.events == []
    atoms.remove(inner(atoms))
    damage.lines(frame, np.zeros(2), (0.0, 64.0), SIGMA_NM, 1e7, 0.0)
    assert len(damage.events) > 3
    assert all(event.bonds <= 2 for event in damage.events)


def test_silicon_changes_places_with_a_neighbouring_carbon() -> None:
    _, plain = damage_of(DamageSettings())
    at = inner(plain)
    damage, atoms = damage_of(DamageSettings(scale=30.0), silicon=(at,))
    y, x = atoms.positions_nm[at, :2]
    damage.spot(float(y), float(x), SIGMA_NM, 1e8, 2.0)
    event = next(event for event in damage.events if event.kind == "swap")
    assert (event.time, event.atom, event.element) == (2.0, at, 14)
    assert event.partner in plain.neighbours(at)
    assert (atoms.elements == 14).sum() == 1


def test_a_removed_atom_is_removed_once() -> None:
    damage, _ = damage_of(DamageSettings(scale=1e6))
    for _ in range(3):
        damage.spot(0.0, 0.0, SIGMA_NM, 1e9, 0.0)
    removed = [event.atom for event in damage.events if event.kind == "remove"]
    assert len(removed) == len(set(removed)) > 0


def test_each_event_is_told_as_it_happens() -> None:
    told: list[DamageEvent] = []
    sample = honeycomb()
    atoms = BondedAtoms(sample.atoms.positions_nm, sample.atoms.numbers)
    damage = Damage(DamageSettings(scale=100), atoms, told.append, np.random.default_rng(0))
    damage.spot(0.0, 0.0, SIGMA_NM, 1e9, 0.0)
    assert told == damage.events


def test_damage_repeats_with_the_seed() -> None:
    runs = []
    for seed in (1, 1, 2):
        damage, _ = damage_of(DamageSettings(scale=100), seed=seed)
        damage.spot(0.0, 0.0, SIGMA_NM, 1e9, 0.0)
        runs.append(damage.events)
    assert runs[0] == runs[1] != runs[2]


def test_a_table_without_cross_sections_harms_nothing() -> None:
    damage, _ = damage_of(replace(DamageSettings(), scale=0.0))
    damage.spot(0.0, 0.0, SIGMA_NM, 1e12, 0.0)
    assert damage.events == []
