from __future__ import annotations

import numpy as np
import pytest

from dkl_core.discovery.planted_atoms import dopants_among, known_atoms, planted_atoms, with_shot_noise
from dkl_core.errors import InputError
from dkl_core.survey import SurveyImage


def test_silicon_is_bright_where_the_truth_says() -> None:
    planted = planted_atoms(electrons=None, seed=3)
    image = planted.survey.values
    assert image.shape == (200, 200)
    # 38 atoms per nm^2.
    assert len(planted.atoms) == pytest.approx(610, abs=25)
    rows, cols = np.rint(planted.dopants).astype(int).T
    assert len(planted.dopants) >= 5
    assert image[rows, cols].min() > 0.8 * image.max()
    others = np.rint(planted.atoms[~dopants_among_mask(planted.atoms, planted.dopants)]).astype(int).clip(0, 199)
    assert np.median(image[tuple(others.T)]) < 0.4 * image.max()


def dopants_among_mask(atoms: np.ndarray, dopants: np.ndarray) -> np.ndarray:
    return (np.linalg.norm(atoms[:, None] - dopants, axis=-1) < 1e-9).any(axis=1)


def test_noise_is_that_of_counted_electrons_and_comes_from_the_seed() -> None:
    clean = planted_atoms(electrons=None, seed=3)
    noisy = with_shot_noise(clean, 12_000.0, seed=3)
    np.testing.assert_array_equal(noisy.survey.values, planted_atoms(seed=3).survey.values)
    expected = clean.survey.values * 12_000
    assert noisy.survey.values.sum() == pytest.approx(expected.sum(), rel=0.02)
    assert ((noisy.survey.values - expected) ** 2).sum() == pytest.approx(expected.sum(), rel=0.05)
    assert not np.array_equal(noisy.survey.values, with_shot_noise(clean, 12_000.0, seed=4).survey.values)


def test_a_bilayer_has_twice_the_atoms() -> None:
    single, double = (planted_atoms(kind, dopants=0) for kind in ("graphene_si", "twisted_bilayer"))
    assert len(double.atoms) == pytest.approx(2 * len(single.atoms), rel=0.03)
    assert len(double.dopants) == 0
    assert dopants_among(double, double.atoms).shape == (0,)


def test_a_dopant_is_met_within_half_an_angstrom() -> None:
    survey = SurveyImage(np.eye(40), (0.02, 0.02))
    planted = known_atoms(survey, np.array([[10.0, 10.0], [20.0, 20.0], [60.0, 20.0]]), np.array([14, 14, 14]))
    assert len(planted.dopants) == 2
    assert dopants_among(planted, np.array([[12.0, 11.0], [23.0, 20.0]])).tolist() == [True, False]
    assert dopants_among(planted, np.empty((0, 2))).tolist() == [False, False]


def test_pixels_too_large_for_atoms_are_refused() -> None:
    with pytest.raises(InputError, match=r"pixel_nm is 0\.3"):
        planted_atoms(pixel_nm=0.3)
