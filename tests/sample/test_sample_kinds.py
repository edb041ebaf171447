import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.sample import SimulatedSurface, SurfaceSettings
from dkl_core.sample.kinds import defects_at, defects_of


@pytest.fixture(scope="module")
def surface():
    return SimulatedSurface(SurfaceSettings(seed=1))


@pytest.mark.parametrize("kind", ["adsorbate", "substitution", "vacancy"])
def test_a_position_on_a_defect_names_it(surface, kind):
    places = defects_of(surface, kind).positions
    found = defects_at(surface, kind, places + np.array([0.1, 0.0]), 0.5)
    assert np.abs(places[found] - places).max() < 0.8
    assert (found == np.arange(len(places))).mean() > 0.9


def test_of_two_defects_the_nearer_one_counts(surface):
    places = defects_of(surface, "vacancy").positions
    points = np.random.default_rng(0).uniform(0, 50, (500, 2))
    distances = np.linalg.norm(points[:, None] - places[None], axis=2)
    expected = np.where(distances.min(axis=1) <= 2.0, distances.argmin(axis=1), -1)
    assert (defects_at(surface, "vacancy", points, 2.0) == expected).all()


def test_the_answer_has_the_shape_of_the_positions(surface):
    assert defects_at(surface, "vacancy", np.zeros((3, 4, 2)), 1.0).shape == (3, 4)


def test_nothing_is_near_where_there_are_no_defects_within_reach(surface):
    assert (defects_at(surface, "vacancy", np.full((2, 2), 1e4), 1.0) == -1).all()


def test_other_kinds_and_shapes_are_refused(surface):
    with pytest.raises(InputError, match="'step' is no kind"):
        defects_of(surface, "step")
    with pytest.raises(InputError, match=r"shape \(3,\)"):
        defects_at(surface, "vacancy", np.zeros(3), 1.0)
