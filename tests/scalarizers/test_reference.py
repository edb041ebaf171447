import math

import numpy as np
import pytest

from dkl_core.scalarizers import Reading
from dkl_core.scalarizers.deflection_zero import Measured, zero_of
from dkl_core.scalarizers.reference import covers, error_of_mean, fit_reference

ALPHA = 30.0
SLOPES = np.array([[0.02, -0.01], [0.03, 0.04]])


def places(count: int = 60) -> np.ndarray:
    return np.random.default_rng(3).uniform(-5, 5, (count, 2))


def readings(at: np.ndarray, mass: np.ndarray, disc: np.ndarray, centre: tuple[float, float] | None = None) -> Measured:
    rows = [(*m, *d, *(centre or (math.nan, math.nan)), ALPHA) for m, d in zip(mass, disc, strict=True)]
    return Measured.of([Reading(row) for row in rows], at)


def zeros(measured: Measured, *kinds: object) -> np.ndarray:
    zero = zero_of(measured, *kinds)  # type: ignore[arg-type]
    assert not isinstance(zero, str)
    return zero.at(measured.places_nm, measured.centre)


def test_a_plane_is_found_exactly() -> None:
    at = places()
    found = fit_reference(at, [1.0, 2.0] + at @ SLOPES)
    np.testing.assert_allclose(found.slopes, SLOPES, atol=1e-9)
    np.testing.assert_allclose(found.at(np.zeros((1, 2))), [[1.0, 2.0]], atol=1e-9)


def test_a_minority_with_strong_fields_hardly_pulls_the_plane() -> None:
    at = places()
    values = [1.0, 2.0] + at @ SLOPES + np.random.default_rng(0).normal(0, 0.01, (60, 2))
    values[:9] += 5.0
    np.testing.assert_allclose(fit_reference(at, values).at(at[9:]), ([1.0, 2.0] + at @ SLOPES)[9:], atol=0.03)


@pytest.mark.parametrize("at", [places(7), np.column_stack([np.arange(20.0), np.zeros(20)])])
def test_slopes_are_not_invented_from_few_places_or_a_line(at: np.ndarray) -> None:
    assert not fit_reference(at, np.random.default_rng(0).normal(size=(len(at), 2))).slopes.any()


def test_a_constant_has_no_slopes() -> None:
    at = places()
    assert not fit_reference(at, at @ SLOPES, plane=False).slopes.any()


def test_one_place_is_its_own_reference() -> None:
    assert fit_reference(np.zeros((1, 2)), np.array([[3.0, 4.0]])).at(np.ones((1, 2))).tolist() == [[3.0, 4.0]]


def test_a_part_covers_the_field_when_it_spans_half_of_it_in_both_directions() -> None:
    at = places(200)
    assert covers(at[np.abs(at).max(axis=1) < 4], at)
    assert not covers(at[np.abs(at).max(axis=1) < 2], at)


def test_the_error_of_a_mean_is_that_of_independent_sites() -> None:
    rng = np.random.default_rng(1)
    errors = [error_of_mean(places(100), rng.normal(0, 0.3, (100, 2))).mean() for _ in range(50)]
    assert np.mean(errors) == pytest.approx(0.3**2 / 100, rel=0.2)


def test_neighbours_that_are_alike_count_less() -> None:
    at = np.argwhere(np.ones((40, 40))).astype(float)
    smooth = np.random.default_rng(1).normal(0, 0.3, (4, 4, 2))[at[:, 0].astype(int) // 10, at[:, 1].astype(int) // 10]
    assert (error_of_mean(at, smooth - smooth.mean(axis=(0,))) > 20 * smooth.var(axis=0) / 1600).all()


def test_nothing_is_known_of_the_mean_of_one_site() -> None:
    assert np.isinf(error_of_mean(np.zeros((1, 2)), np.zeros((1, 2)))).all()


def test_a_calibrated_centre_is_the_reference_where_all_patterns_have_one() -> None:
    at = places()
    discs = np.random.default_rng(0).normal((5.0, 6.0), 0.02, (60, 2))
    zero = zeros(readings(at, 9 * discs, discs, (5.01, 5.99)), "auto", "plane")
    np.testing.assert_array_equal(zero, [[5.01, 5.99]] * 60)


def test_a_calibrated_centre_that_the_discs_contradict_is_not_believed() -> None:
    at = places()
    discs = np.random.default_rng(0).normal((5.0, 6.0), 0.02, (60, 2))
    zero = zeros(readings(at, discs, discs, (6.3, 5.2)), "auto", "plane")
    np.testing.assert_allclose(zero, [[5.0, 6.0]] * 60, atol=0.02)


def test_descan_is_a_contradiction_too() -> None:
    at = places()
    discs = [5.0, 6.0] + at @ SLOPES * 5
    zero = zeros(readings(at, discs, discs, (5.0, 6.0)), "auto", "plane")
    np.testing.assert_allclose(zero, discs, atol=1e-6)


def test_what_is_asked_for_but_not_known_is_said() -> None:
    at = places()
    measured = readings(at, at, at)
    assert zero_of(measured, "calibrated", "plane") == "no calibrated centre is known; choose another reference"
    assert zero_of(measured, "vacuum", "plane") == "no site in vacuum has been measured; choose another reference"


def test_vacuum_in_a_corner_gives_the_level_and_the_discs_the_slopes() -> None:
    at = places(200)
    vacuum = (at > 2).all(axis=1)
    discs = [1.0, 2.0] + at @ SLOPES
    mass = discs + 0.05 + np.where(vacuum[:, None], 0, np.random.default_rng(0).normal(0.4, 0.3, (200, 2)))
    for kind in ("auto", "vacuum"):
        zero = zeros(readings(at, mass, discs), kind, "plane", vacuum)
        np.testing.assert_allclose(zero, discs + 0.05, atol=1e-6)


def test_vacuum_all_round_gives_the_slopes_itself() -> None:
    at = places(200)
    vacuum = np.abs(at).max(axis=1) > 4
    mass = [1.0, 2.0] + at @ SLOPES + np.where(vacuum[:, None], 0.0, 0.4)
    zero = zeros(readings(at, mass, np.zeros_like(at)), "auto", "plane", vacuum)
    np.testing.assert_allclose(zero, [1.0, 2.0] + at @ SLOPES, atol=1e-6)


def test_the_discs_are_the_reference_while_the_mean_is_poorly_known() -> None:
    at = places(20)
    discs = np.full((20, 2), 3.0)
    mass = discs + np.random.default_rng(0).normal(0.1, 0.4, (20, 2))
    zero = zeros(readings(at, mass, discs), "auto", "plane")
    np.testing.assert_allclose(zero, discs, atol=0.02)


def test_the_mean_is_the_reference_once_it_is_known_better_than_the_discs() -> None:
    at = places(4000)
    discs = np.full((4000, 2), 3.0)
    mass = discs + 0.02 + np.random.default_rng(0).normal(0, 0.1, (4000, 2))
    zero = zeros(readings(at, mass, discs), "auto", "plane")
    np.testing.assert_allclose(zero, discs + 0.02, atol=0.005)


def test_a_constant_reference_ignores_descan() -> None:
    at = places()
    zero = zeros(readings(at, at, at @ SLOPES), "disc", "constant")
    assert (zero == zero[0]).all()
