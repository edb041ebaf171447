"""Constants of the beam, scattering factors, aberrations."""

from __future__ import annotations

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.stem import Optics
from dkl_core.stem.optics import interaction_constant, wavelength_nm
from dkl_core.stem.scattering_factors import SYMBOLS, PhaseShape, annulus_cross_section_nm2, scattering_factor_nm


@pytest.mark.parametrize(("energy_ev", "wavelength", "constant"), [(70e3, 4.48442, 10.6495), (200e3, 2.50793, 7.28840)])
def test_wavelength_and_interaction_constant_are_those_of_the_tables(energy_ev, wavelength, constant) -> None:
    assert 1e3 * wavelength_nm(energy_ev) == pytest.approx(wavelength, rel=1e-5)
    assert 1e3 * interaction_constant(energy_ev) == pytest.approx(constant, rel=1e-4)


# f(0) in Å from the relativistic Hartree-Fock calculations, International Tables C, table 4.3.1.1.
@pytest.mark.parametrize(
    ("number", "forward"),
    [(6, 2.509), (7, 2.211), (14, 5.828), (15, 5.488), (16, 5.161), (25, 7.506), (34, 7.205), (42, 10.260)],
)
def test_forward_scattering_is_that_of_the_tables(number, forward) -> None:
    assert 10 * float(scattering_factor_nm(number, np.array(0.0))) == pytest.approx(forward, rel=3e-3)


@pytest.mark.parametrize("number", SYMBOLS)
def test_far_out_an_atom_scatters_like_its_bare_nucleus(number) -> None:
    # Mott-Bethe: f = 0.023934 (Z - fx)/s², where the electrons' share fx is down to a few at s = 3 per Å.
    bare = 0.0023934 * number / 3**2
    far = float(scattering_factor_nm(number, np.array(60.0)))
    assert 0.7 * bare < far < 1.12 * bare


def test_the_phase_of_an_atom_and_its_transform_belong_together() -> None:
    shape = PhaseShape.of(14, Optics())
    radius = np.linspace(0, 1.5, 200_001)
    phase = (shape.heights * np.exp(-shape.rates * radius[:, None] ** 2)).sum(axis=1)
    assert np.trapezoid(2 * np.pi * radius * phase, radius) == pytest.approx(
        float(shape.transform(np.array(0.0))), 1e-5
    )
    assert phase[radius > shape.reach_nm()].max() < 5e-6


def test_heavy_atoms_scatter_more_to_high_angles() -> None:
    sections = [annulus_cross_section_nm2(number, Optics(), 80, 200) for number in (6, 14, 42, 74)]
    exponents = np.diff(np.log(sections)) / np.diff(np.log([6, 14, 42, 74]))
    assert np.all((exponents > 1.2) & (exponents < 2.1))


def test_an_unknown_element_is_refused() -> None:
    with pytest.raises(InputError, match="no scattering factor for atomic number 99"):
        PhaseShape.of(99, Optics())


def test_aberrations_have_their_signs() -> None:
    y, x = np.array([0.0, 20.0]), np.array([20.0, 0.0])
    assert np.all(Optics(defocus_nm=10).aberration_phase(y, x) < 0)
    assert np.all(Optics(c3_mm=1).aberration_phase(y, x) > 0)
    first, second = Optics(c12_nm=(5, 0)).aberration_phase(y, x)
    assert first > 0 > second


@pytest.mark.parametrize(
    "wrong", [{"energy_ev": 10}, {"semiangle_mrad": 0}, {"defocus_nm": np.nan}, {"c12_nm": (0, np.inf)}]
)
def test_unusable_optics_are_refused(wrong) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Optics(**wrong)
