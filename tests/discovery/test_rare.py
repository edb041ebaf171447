"""What counts as rare: the choice of a component round atoms, what is usual, and the verdict of latent maps."""

from __future__ import annotations

import numpy as np
import pytest

from dkl_core.discovery.components import Choice, choose_rare, usual_spread
from dkl_core.discovery.descriptors import Descriptor, round_taper
from dkl_core.discovery.invariant import InvariantDecomposition, InvariantVerdict, map_agreement
from dkl_core.discovery.metrics import scattered_similarity
from dkl_core.discovery.planted import turned_molecules
from dkl_core.discovery.target import _usual
from dkl_core.errors import InputError
from dkl_core.representation.rvae import InvariantSettings

pytestmark = pytest.mark.usefixtures("one_thread")
FIRST = Choice(0, 1.0, True, (1.0,), True)


def with_foreign(rng: np.random.Generator, count: int, foreign: int, height: float = 20.0) -> np.ndarray:
    weights = rng.standard_normal(count)
    weights[:foreign] += height
    return weights


def test_few_foreign_atoms_are_chosen_before_noise_waves_and_halves(rng: np.random.Generator) -> None:
    count = 1400
    halves = np.where(np.arange(count) % 2, 1.0, -1.0) + 0.1 * rng.standard_normal(count)
    waves = np.cos(np.linspace(0, 60, count))
    maps = np.stack([rng.standard_normal(count), halves, waves, -with_foreign(rng, count, 15)], axis=1)
    choice = choose_rare(maps, signed=True)
    assert (choice.component, choice.sign, choice.automatic, choice.clear) == (3, -1.0, True, True)
    assert max(choice.scores[:3]) < 0.05
    assert not choose_rare(maps[:, :3], signed=True).clear
    assert choose_rare(maps, wanted=0).component == 0
    with pytest.raises(InputError, match="component 4 is asked for"):
        choose_rare(maps, wanted=4)


@pytest.mark.parametrize(("count", "foreign"), [(140, 6), (2700, 10), (3000, 1)])
def test_foreign_atoms_are_unusual_however_few(count: int, foreign: int, rng: np.random.Generator) -> None:
    weights = with_foreign(rng, count, foreign)[:, None]
    target = np.maximum(weights[:, 0] - _usual(FIRST, weights, rare=True), 0)
    assert (target[:foreign] > 10).all()
    assert (target[foreign:] > 0).mean() < 0.01
    assert choose_rare(weights).clear


def test_where_none_is_foreign_the_highest_fifth_is_unusual(rng: np.random.Generator) -> None:
    weights = rng.uniform(size=(500, 1))
    assert (weights > _usual(FIRST, weights, rare=True)).mean() == pytest.approx(0.2, abs=0.01)
    assert not choose_rare(weights).clear
    constant = np.ones((50, 1))
    assert not choose_rare(constant).clear


def test_the_spread_does_not_see_what_is_foreign(rng: np.random.Generator) -> None:
    middle, spread = usual_spread(with_foreign(rng, 2000, 100, 1e6))
    assert (middle, spread) == (pytest.approx(0, abs=0.15), pytest.approx(1, abs=0.15))


def test_round_atoms_the_middle_counts_and_turning_hides_nothing() -> None:
    taper = round_taper(9)
    assert taper[4, 4] == 1
    assert taper[0, 0] < 1e-6
    np.testing.assert_allclose(taper, taper[::-1].T, atol=1e-6)
    assert (np.diff(taper[4, 4:]) < 0).all()
    described = Descriptor("atoms", 9).describe(np.ones((2, 9, 9), dtype=np.float32))
    np.testing.assert_allclose(described, np.tile(taper.ravel(), (2, 1)))


def test_similarity_of_scattered_maps_is_one_for_the_same_and_falls_with_noise(rng: np.random.Generator) -> None:
    places = rng.uniform(0, 100, (300, 2))
    wave = np.sin(places[:, 0] / 10) * np.cos(places[:, 1] / 12)
    assert scattered_similarity(wave, wave, places) == pytest.approx(1)
    little, much = (scattered_similarity(wave, wave + s * rng.standard_normal(300), places) for s in (0.1, 1.0))
    assert 1 > little > much > -1
    assert scattered_similarity(wave[:3], wave[:3], places[:3]) == pytest.approx(1)


def test_latent_maps_agree_whichever_way_the_axes_point(rng: np.random.Generator) -> None:
    latent = rng.standard_normal((400, 2))
    turned = np.stack([2 * latent[:, 1] - latent[:, 0], 0.3 * latent[:, 0] + latent[:, 1]], axis=1)
    assert map_agreement(latent, turned) == pytest.approx([1, 1])
    bent = np.stack([latent[:, 0] ** 2 + 0.1 * latent[:, 1], latent[:, 1]], axis=1)
    assert map_agreement(bent, latent) == pytest.approx([1, 1])
    assert (map_agreement(latent, rng.standard_normal((400, 2))) < 0.3).all()
    assert map_agreement(np.ones((9, 2)), latent[:9]) == pytest.approx([0, 0])


def test_the_verdict_says_which_of_angles_and_maps_agree() -> None:
    round_atoms = InvariantVerdict((0.98, 0.4), 3, 3, 0.6, angles=0.3, maps=(0.98, 0.4), of_maps=True)
    assert round_atoms.converged(0)
    assert not round_atoms.converged(1)
    assert round_atoms.text(0).startswith("converged: 3 of 3 starts came to rest and agree on the map of component 0")
    assert "do not read the angles" in round_atoms.text(0)
    windows = InvariantVerdict((0.97, 0.97), 3, 3, 0.6, angles=0.97, maps=(0.5, 0.95))
    assert windows.converged(0)
    assert "the map depends on the start" in windows.text(0)
    assert "(" not in windows.text(1)
    assert InvariantVerdict((float("nan"),) * 2, 1, 1, 0.6).text(0).startswith("converged: 1 of 1")


def test_latent_axes_point_to_the_few_that_differ() -> None:
    pictures, _, _ = turned_molecules(100, np.random.default_rng(0), noise=0.1)
    foreign = np.arange(100) < 5
    pictures[foreign] *= 4
    patch = Descriptor("patch", 20, offset=float(pictures.min()))
    settings = InvariantSettings(epochs=8, starts=2, rate=5e-3, batch=32, angles=8)
    found = InvariantDecomposition.learn(patch.describe(pictures), patch, settings, rare=True)
    weights = found.transform(patch.describe(pictures))
    choice = choose_rare(weights, signed=True)
    assert (choice.component, choice.sign) == (0, 1.0)
    assert set(np.argsort(-weights[:, 0])[:5]) == set(range(5))
    assert isinstance(found.verdict, InvariantVerdict)
    assert found.verdict.of_maps
