from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dkl_core.surrogate import MODELS, Surrogate, SurrogateSettings
from dkl_core.surrogate.mixture import stacking_weight

DEFAULT = MODELS["dkl"]
SIZE = 96


def blobs(seed: int) -> np.ndarray:
    image = gaussian_filter(np.random.default_rng(seed).standard_normal((SIZE, SIZE)), 1.5)
    return image / image.std()


def slopes() -> np.ndarray:
    rows, cols = np.mgrid[:SIZE, :SIZE] / SIZE
    return np.sin(2 * np.pi * rows) + np.cos(2 * np.pi * cols)


def fitted_to(problem: Any, settings: SurrogateSettings, count: int = 100) -> Surrogate:
    surrogate = Surrogate(problem.patches, settings)
    surrogate.fit(*problem.measured(count))
    return surrogate


@pytest.fixture
def by_place(posed: Callable[..., Any]) -> Any:
    """A scalar that depends on the position and not on the image."""
    return posed(blobs(0), slopes())


@pytest.fixture
def by_patch(posed: Callable[..., Any]) -> Any:
    """A scalar that depends on the image and not on the position."""
    return posed(blobs(0), np.tanh(blobs(0)))


@pytest.fixture
def by_both(posed: Callable[..., Any]) -> Any:
    """A scalar that owes as much to the one as to the other."""
    return posed(blobs(0), np.tanh(blobs(0)) / np.tanh(blobs(0)).std() + slopes() / slopes().std())


@pytest.mark.parametrize("model", ["dkl", "linear"])
def test_a_scalar_of_the_position_owes_nothing_to_structure(by_place: Any, model: str) -> None:
    judged = fitted_to(by_place, MODELS[model]).judgement
    assert judged.structure_share < 0.05
    assert judged.r2 > 0.9


@pytest.mark.parametrize("model", ["dkl", "linear"])
def test_a_scalar_of_the_patch_owes_everything_to_structure(by_patch: Any, model: str) -> None:
    judged = fitted_to(by_patch, MODELS[model]).judgement
    assert judged.structure_share > 0.95
    assert judged.r2 > 0.8


def test_a_scalar_of_both_is_shared(by_both: Any) -> None:
    assert 0.3 < fitted_to(by_both, MODELS["linear"]).judgement.structure_share < 0.7


def test_a_model_of_the_position_has_no_structure_and_one_of_the_patch_nothing_else(by_both: Any) -> None:
    assert fitted_to(by_both, MODELS["position"]).judgement.structure_share == 0
    assert fitted_to(by_both, MODELS["pca"]).judgement.structure_share == 1


def test_what_only_a_network_sees_of_the_image_is_structure(by_patch: Any) -> None:
    judged = fitted_to(by_patch, replace(MODELS["position"], depth="auto")).judgement
    assert judged.depth_weight > 0.5
    assert judged.structure_share > 0.8


def test_a_constant_scalar_owes_nothing_to_anything(by_both: Any) -> None:
    surrogate = Surrogate(by_both.patches, DEFAULT)
    surrogate.fit(by_both.order[:40], np.full(40, 0.1))
    assert surrogate.judgement.structure_share == 0
    assert np.isnan(surrogate.judgement.r2)


def test_a_share_of_next_to_nothing_tells_nothing(by_both: Any, rng: np.random.Generator) -> None:
    surrogate = Surrogate(by_both.patches, DEFAULT)
    assert surrogate.judgement.telling_share is None
    surrogate.fit(by_both.order[:60], rng.normal(size=60))
    assert np.isfinite(surrogate.judgement.structure_share)
    assert surrogate.judgement.telling_share is None
    told = fitted_to(by_both, DEFAULT).judgement
    assert told.telling_share == told.structure_share


def test_the_held_out_score_is_what_new_sites_confirm(by_both: Any) -> None:
    surrogate = fitted_to(by_both, MODELS["linear"], 150)
    rest = by_both.order[150:]
    errors = by_both.truth[rest] - surrogate.predict().mean[rest]
    assert surrogate.judgement.r2 == pytest.approx(1 - errors.var() / by_both.truth[rest].var(), abs=0.15)


def test_the_structure_map_is_the_patch_part_of_the_scalar(by_both: Any) -> None:
    surrogate = fitted_to(by_both, MODELS["linear"], 150)
    places = tuple(by_both.patches.sites.positions.T)
    found = surrogate.structure_map()
    assert np.corrcoef(found, np.tanh(blobs(0))[places])[0, 1] > 0.9
    assert abs(np.corrcoef(found, slopes()[places])[0, 1]) < 0.2
    assert found.mean() == pytest.approx(0, abs=1e-9)
    assert found.std() == pytest.approx(by_both.truth.std() / np.sqrt(2), rel=0.3)


@pytest.mark.parametrize("count", [1, 5, 11, 15])
def test_a_few_measurements_pay_for_no_depth(by_patch: Any, count: int) -> None:
    surrogate = fitted_to(by_patch, DEFAULT, count)
    linear = fitted_to(by_patch, MODELS["linear"], count)
    assert surrogate.judgement.depth_weight == 0
    assert len(surrogate.posteriors) == 1
    assert surrogate.predict().mean == pytest.approx(linear.predict().mean, abs=1e-9)
    assert np.isnan(surrogate.judgement.structure_share)


def test_where_depth_counts_for_nothing_the_model_is_the_linear_one(by_place: Any) -> None:
    surrogate = fitted_to(by_place, replace(DEFAULT, seed=0))
    assert surrogate.judgement.depth_weight == 0
    linear = fitted_to(by_place, MODELS["linear"])
    assert surrogate.predict().mean == pytest.approx(linear.predict().mean, abs=1e-9)


def test_the_weights_of_the_experts_add_up_to_one(by_patch: Any) -> None:
    for settings in (DEFAULT, MODELS["linear"], SurrogateSettings(depth="always", members=3, iterations=5)):
        surrogate = fitted_to(by_patch, settings, 60)
        assert sum(weight for weight, _ in surrogate.posteriors) == pytest.approx(1)


@pytest.mark.parametrize("depth", ["auto", "always"])
@pytest.mark.parametrize("members", [1, 3])
def test_any_number_of_members_is_judged(by_patch: Any, depth: Any, members: int) -> None:
    surrogate = fitted_to(by_patch, SurrogateSettings(depth=depth, members=members, iterations=10), 60)
    assert 0 <= surrogate.judgement.depth_weight <= 1
    assert surrogate.judgement.r2 > 0.5
    assert np.isfinite(surrogate.predict().mean).all()


def test_without_folds_nothing_is_judged(by_patch: Any) -> None:
    surrogate = fitted_to(by_patch, replace(MODELS["published"], iterations=10), 60)
    assert surrogate.judgement.depth_weight == 1
    assert np.isnan(surrogate.judgement.structure_share)
    assert len(surrogate.posteriors) == 1


def test_equal_models_leave_the_simpler_one_alone(rng: np.random.Generator) -> None:
    densities = rng.standard_normal(40)
    assert stacking_weight(densities, densities) == 0


def test_a_hair_better_is_not_better(rng: np.random.Generator) -> None:
    densities = rng.standard_normal(40)
    assert stacking_weight(densities, densities + 0.005) == 0


def test_a_clearly_better_network_takes_nearly_all_the_weight(rng: np.random.Generator) -> None:
    densities = rng.standard_normal(40)
    assert stacking_weight(densities, densities + 1) > 0.9


def test_a_clearly_worse_network_gets_none(rng: np.random.Generator) -> None:
    densities = rng.standard_normal(40)
    assert stacking_weight(densities, densities - 1) == 0


def test_models_that_are_right_in_different_places_share_the_weight() -> None:
    here, there = np.where(np.arange(40) % 2 == 0, 0.0, -5.0), np.where(np.arange(40) % 2 == 0, -5.0, 0.0)
    assert stacking_weight(here, there) == pytest.approx(0.5, abs=0.02)


def test_a_weight_that_would_hardly_count_is_none_at_all() -> None:
    rarely = np.where(np.arange(60) < 3, 1.5, -3.0)
    assert stacking_weight(np.zeros(60), rarely) == 0


@pytest.mark.parametrize("shift", [-1e4, 1e4])
def test_the_weight_depends_on_the_ratio_of_densities_only(rng: np.random.Generator, shift: float) -> None:
    linear, deep = rng.standard_normal((2, 40))
    assert stacking_weight(linear + shift, deep + shift) == pytest.approx(stacking_weight(linear, deep), abs=1e-9)


def test_impossible_measurements_do_not_break_the_weighing() -> None:
    assert stacking_weight(np.full(20, -1e6), np.full(20, -10.0)) > 0.9
