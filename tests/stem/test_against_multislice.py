"""Patterns, centre of mass, Bragg distances and HAADF against an independent multislice code."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dkl_core.stem import Atoms, Optics, Sample, Scatterer
from tests.stem.patterns import (
    Recorded,
    angles,
    binned,
    centre_of_mass,
    contrast_correlation,
    disc_distance,
    recorded,
    rms,
    six_discs,
)

GRAPHENE_CENTRE_A, FLAKE_CENTRE_A = 22.4, 165.0
PIXELS_48 = angles(48, 23.75, 2.0)
PIXELS_96 = angles(96, 47.75, 0.8)


@cache
def graphene(path: Path, every: int) -> tuple[Recorded, np.ndarray, np.ndarray]:
    """A set of graphene, our patterns at its positions as it was recorded, and ours on a large camera."""
    there = recorded(path, GRAPHENE_CENTRE_A, every)
    return there, *(
        np.stack([[scatterer.pattern(y, x) for x in there.x_nm] for y in there.y_nm])
        for scatterer in (
            Scatterer(there.sample, there.optics, shape=(96, 96), mrad_per_px=1.0),
            Scatterer(there.sample, there.optics),
        )
    )


@pytest.fixture(params=["fixture_graphene_si_16x16.npz", "graphene_si_30mrad.npz"])
def graphene_set(request, fixture_data, shared_data):
    if request.param.startswith("fixture"):
        return graphene(fixture_data / request.param, 1)
    return graphene(shared_data / "simulated" / request.param, 4)


def test_one_slice_gives_the_contrast_of_the_patterns(graphene_set) -> None:
    there, patterns, _ = graphene_set
    disc = np.hypot(PIXELS_48[:, None], PIXELS_48) < there.optics.semiangle_mrad - 1
    ours, theirs = (values.reshape(-1, 48, 48) for values in (binned(patterns), there.patterns))
    assert contrast_correlation(ours, theirs, disc) >= 0.999


def test_one_slice_gives_the_centre_of_mass_within_a_hundredth_of_a_milliradian(graphene_set) -> None:
    there, _, patterns = graphene_set
    y, x = centre_of_mass(patterns, angles(256, 128, 1.0))
    com_y, com_x = there.maps("com_y", "com_x")
    assert rms(y - com_y) < 0.01
    assert rms(x - com_x) < 0.01


def test_one_slice_gives_the_centre_of_mass_inside_the_disc(graphene_set) -> None:
    there, patterns, _ = graphene_set
    disc = np.hypot(PIXELS_48[:, None], PIXELS_48) < 1.05 * there.optics.semiangle_mrad
    y, x = centre_of_mass(binned(patterns) * disc, PIXELS_48)
    com_y, com_x = there.maps("comdisc_y", "comdisc_x")
    assert rms(y - com_y) < 0.01
    assert rms(x - com_x) < 0.01


def test_the_haadf_image_follows_the_exact_one_without_being_scaled(shared_data) -> None:
    there = recorded(shared_data / "simulated" / "graphene_si_30mrad.npz", GRAPHENE_CENTRE_A)
    image = Scatterer(there.sample, there.optics).haadf(there.y_nm[:, None], there.x_nm)
    (exact,) = there.maps("haadf")
    assert np.corrcoef(image.ravel(), exact.ravel())[0, 1] > 0.98
    assert image.max() == pytest.approx(exact.max(), rel=0.1)


@cache
def flake(path: Path) -> tuple[Recorded, np.ndarray]:
    there = recorded(path, FLAKE_CENTRE_A, every=2)
    scatterer = Scatterer(there.sample, there.optics, shape=(192, 192), mrad_per_px=0.4, lazy=True)
    return there, np.stack([[binned(scatterer.pattern(y, x)) for x in there.x_nm] for y in there.y_nm])


@pytest.fixture
def flake_set(shared_data):
    return flake(shared_data / "simulated" / "nbed_graphene_strain_5mrad.npz")


def inside(layers: np.ndarray) -> np.ndarray:
    """Where a position and its eight neighbours lie on one layer."""
    padded = np.pad(layers, 1, mode="edge")
    around = [padded[i : i + layers.shape[0], j : j + layers.shape[1]] for i in range(3) for j in range(3)]
    return np.all([values == 1 for values in around], axis=0)


def test_bragg_distances_agree_within_two_thousandths_of_a_milliradian(flake_set) -> None:
    there, patterns = flake_set
    discs = six_discs(there.patterns.mean(axis=(0, 1)), PIXELS_96, 21.0)
    interior = inside(there.data["layers"])
    ours, theirs = (
        np.array([disc_distance(pattern, PIXELS_96, discs) for pattern in values[interior]])
        for values in (patterns, there.patterns)
    )
    assert len(ours) > 100
    assert np.nanstd(theirs) > 0.1
    assert rms(ours - theirs) < 0.002


def test_nanobeam_patterns_agree_over_six_decades(flake_set) -> None:
    there, patterns = flake_set
    assert np.corrcoef(np.sqrt(patterns).ravel(), np.sqrt(there.patterns).ravel())[0, 1] > 0.9999


@cache
def bilayer(path: Path, defocus_nm: float) -> tuple[dict[str, np.ndarray], np.ndarray, Scatterer]:
    """The bilayer of abTEM, whose cell repeats itself, and our patterns of it with two slices."""
    data = dict(np.load(path))
    cell = 1e3 * Optics().wavelength_nm
    shifts = [[i * cell, j * cell, 0] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    atoms = Atoms(np.concatenate([data["atoms_nm"] + shift for shift in shifts]), np.tile(data["atoms_Z"], 9))
    sample = Sample.from_atoms(atoms, 3 * cell)
    scatterer = Scatterer(sample, Optics(defocus_nm=defocus_nm), lazy=True)
    return data, np.stack([scatterer.pattern(y, x) for y, x in data["positions_nm"]]), scatterer


@pytest.mark.parametrize("defocus_nm", [0.0, 40.0])
def test_two_slices_give_the_patterns_of_a_bilayer(fixture_data, defocus_nm) -> None:
    data, patterns, _ = bilayer(fixture_data / "fixture_bilayer_abtem.npz", defocus_nm)
    theirs = (data[f"patterns_{defocus_nm:g}nm"] * float(data["patterns_sqrt_scale"])) ** 2
    ours = binned(patterns[:, 80:176, 80:176])
    disc = np.hypot(PIXELS_48[:, None], PIXELS_48) < 29
    assert contrast_correlation(ours, theirs, disc) >= 0.999


@pytest.mark.parametrize("defocus_nm", [0.0, 40.0])
def test_two_slices_give_the_centre_of_mass_of_a_bilayer(fixture_data, defocus_nm) -> None:
    data, patterns, _ = bilayer(fixture_data / "fixture_bilayer_abtem.npz", defocus_nm)
    y, x = centre_of_mass(patterns, angles(256, 128, 1.0))
    assert rms(y - data[f"com_y_{defocus_nm:g}nm"]) < 0.01
    assert rms(x - data[f"com_x_{defocus_nm:g}nm"]) < 0.01


def test_the_deflection_without_patterns_holds_for_two_slices_too(fixture_data) -> None:
    data, _, scatterer = bilayer(fixture_data / "fixture_bilayer_abtem.npz", 0.0)
    y, x = scatterer.com_mrad(*data["positions_nm"].T)
    assert rms(y - data["com_y_0nm"]) < 0.01
    assert rms(x - data["com_x_0nm"]) < 0.01


def test_the_haadf_signal_of_a_bilayer_follows_the_exact_one(fixture_data) -> None:
    data, _, scatterer = bilayer(fixture_data / "fixture_bilayer_abtem.npz", 0.0)
    assert np.corrcoef(scatterer.haadf(*data["positions_nm"].T), data["haadf_0nm"])[0, 1] > 0.98
