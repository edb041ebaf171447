from __future__ import annotations

import itertools

import numpy as np
import pytest

from dkl_core.discovery.decompose import decompose
from dkl_core.discovery.nfindr import abundances, largest_simplex
from dkl_core.errors import InputError

COMPONENTS = np.array([[1.0, 0, 0, 2, 0, 0, 3, 1], [0, 2, 0, 0, 1, 0, 0, 1], [0, 0, 3, 0, 0, 1, 0, 1]])


@pytest.fixture
def shares(rng: np.random.Generator) -> np.ndarray:
    """Mixtures of three things, the three pure ones among them."""
    return np.concatenate([np.eye(3), rng.dirichlet(np.ones(3), 200)])


def test_principal_components_agree_with_scikit_learn(shares: np.ndarray, rng: np.random.Generator) -> None:
    from sklearn.decomposition import PCA

    for columns in (8, 90):
        rows = shares[:60] @ rng.standard_normal((3, columns)) + 0.05 * rng.standard_normal((60, columns))
        ours, theirs = decompose(rows, "pca", 3), PCA(3, svd_solver="full").fit(rows)
        assert np.abs((ours.components * theirs.components_).sum(axis=1)) == pytest.approx(np.ones(3), abs=1e-6)
        assert ours.verdict.explained == pytest.approx(theirs.explained_variance_ratio_.sum(), abs=1e-6)
        assert np.abs(ours.transform(rows)) == pytest.approx(np.abs(theirs.transform(rows)), abs=1e-6)


def test_non_negative_factors_find_the_parts_and_say_that_they_converged(shares: np.ndarray) -> None:
    found = decompose(shares @ COMPONENTS, "nmf", 3)
    likeness = np.corrcoef(found.components, COMPONENTS)[:3, 3:].max(axis=0)
    assert likeness.min() > 0.9
    assert all(found.verdict.converged(number) for number in range(3))
    assert "converged: " in found.verdict.text(0)
    weights = found.transform(shares @ COMPONENTS)
    assert weights.min() >= 0
    assert weights @ found.components == pytest.approx(shares @ COMPONENTS, abs=0.1)


def test_factors_that_differ_from_start_to_start_are_said_not_to_have_converged(rng: np.random.Generator) -> None:
    found = decompose(rng.uniform(size=(300, 60)), "nmf", 8)
    assert not all(found.verdict.converged(number) for number in range(8))
    worst = int(np.argmin(found.verdict.agreements))
    assert found.verdict.text(worst).startswith("did not converge: ")


def test_end_members_are_the_pure_windows_and_shares_are_the_mixture(shares: np.ndarray) -> None:
    rows = shares @ COMPONENTS
    found = decompose(rows, "nfindr", 3)
    order = [int(np.argmin(((found.components - pure) ** 2).sum(axis=1))) for pure in COMPONENTS]
    assert sorted(order) == [0, 1, 2]
    assert found.transform(rows)[:, order] == pytest.approx(shares, abs=1e-3)
    assert all(found.verdict.converged(number) for number in range(3))


def test_the_simplex_is_the_largest_of_all(rng: np.random.Generator) -> None:
    points = rng.uniform(size=(14, 2))
    chosen, rested = largest_simplex(points, rng)

    def volume(which: tuple[int, ...]) -> float:
        return abs(float(np.linalg.det(np.column_stack([points[list(which)], np.ones(3)]))))

    assert rested
    assert volume(tuple(chosen)) == pytest.approx(max(map(volume, itertools.combinations(range(14), 3))))


def test_abundances_are_shares_even_outside_the_simplex() -> None:
    vertices = np.array([[0.0, 0], [1, 0], [0, 1]])
    found = abundances(np.array([[0.25, 0.25], [2.0, -1.0], [-1.0, -1.0]]), vertices)
    assert found[0] == pytest.approx([0.5, 0.25, 0.25], abs=1e-4)
    assert found[1] == pytest.approx([0, 1, 0], abs=1e-4)
    assert found[2] == pytest.approx([1, 0, 0], abs=1e-4)


def test_a_start_is_repeatable(shares: np.ndarray) -> None:
    one, other = (decompose(shares @ COMPONENTS, "nmf", 3, seed=5) for _ in range(2))
    np.testing.assert_array_equal(one.components, other.components)


@pytest.mark.parametrize(
    ("rows", "name", "count", "message"),
    [
        (np.zeros((0, 5)), "pca", 1, "no descriptors"),
        (np.zeros((9, 5)), "nmf", 1, "look the same"),
        (np.ones((9, 5)), "nfindr", 2, "look the same"),
        (np.eye(5), "nmf", 6, "give 1 to 5"),
        (np.eye(5), "nfindr", 1, "give 2 to 5"),
        (np.full((9, 5), np.nan), "pca", 2, "NaN"),
        (np.eye(5), "ica", 2, "unknown decomposition 'ica'"),
    ],
)
def test_what_cannot_be_decomposed_is_refused(rows: np.ndarray, name: str, count: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decompose(rows, name, count)  # type: ignore[arg-type]
