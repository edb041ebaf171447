from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dkl_core.errors import DataFileError, InputError
from dkl_core.surrogate import MODELS, Surrogate, SurrogateSettings

Fitted = Callable[..., Surrogate]
DEEP = SurrogateSettings(depth="always", iterations=10, warm_iterations=4)
PUBLISHED = replace(MODELS["published"], iterations=10)
MODELS_TRIED = [MODELS["dkl"], MODELS["linear"], DEEP, PUBLISHED]


def grown(fitted: Fitted, problem: Any, settings: SurrogateSettings) -> tuple[Surrogate, tuple[Any, Any, Any]]:
    """A surrogate after a fit, a refit and updates, and all that was told to it."""
    surrogate = fitted(settings, 30)
    sites, values = problem.measured(50)
    noise = np.where(np.arange(50) % 4 == 0, 0.2, np.nan)
    surrogate.fit(sites[:40], values[:40], noise[:40])
    for site, value, variance in zip(sites[40:], values[40:], noise[40:], strict=True):
        surrogate.update(int(site), float(value), float(variance))
    return surrogate, (sites, values, noise)


def assert_same_predictions(left: Surrogate, right: Surrogate) -> None:
    one, other = left.predict(), right.predict()
    for name in ("mean", "std", "gp_std", "ensemble_std", "noise_std"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.parametrize("settings", MODELS_TRIED)
def test_a_restored_surrogate_predicts_the_same_to_the_last_bit(
    fitted: Fitted, problem: Any, settings: SurrogateSettings
) -> None:
    surrogate, told = grown(fitted, problem, settings)
    again = Surrogate(problem.patches, settings)
    again.restore(surrogate.state(), *told)
    assert (again.fitted_to, again.count) == (40, 50)
    assert_same_predictions(again, surrogate)


@pytest.mark.parametrize("settings", MODELS_TRIED)
def test_so_does_one_read_from_a_file(
    fitted: Fitted, problem: Any, settings: SurrogateSettings, tmp_path: Path
) -> None:
    surrogate, told = grown(fitted, problem, settings)
    surrogate.save(tmp_path / "model.pt")
    again = Surrogate(problem.patches, settings)
    again.load(tmp_path / "model.pt", *told)
    assert_same_predictions(again, surrogate)


def test_a_restored_surrogate_goes_on_as_the_saved_one_would(fitted: Fitted, problem: Any) -> None:
    surrogate, (sites, values, noise) = grown(fitted, problem, DEEP)
    again = Surrogate(problem.patches, DEEP)
    again.restore(surrogate.state(), sites, values, noise)
    for each in (surrogate, again):
        each.fit(sites, values, noise)
    assert np.array_equal(again.predict().mean, surrogate.predict().mean)
    assert again.judgement == surrogate.judgement


def test_what_was_judged_comes_back(fitted: Fitted, problem: Any) -> None:
    surrogate = fitted(DEEP)
    again = Surrogate(problem.patches, DEEP)
    again.restore(surrogate.state(), *problem.measured(40))
    assert again.judgement == surrogate.judgement
    assert np.isfinite(again.judgement.r2)


def test_the_file_holds_plain_tensors(fitted: Fitted, tmp_path: Path) -> None:
    fitted(DEEP).save(tmp_path / "model.pt")
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    assert all(tensor.dtype == torch.float64 for tensor in content.values())


def test_a_state_taken_over_is_where_the_next_fit_starts(fitted: Fitted, problem: Any) -> None:
    surrogate = fitted(MODELS["linear"])
    fresh = Surrogate(problem.patches, MODELS["linear"])
    fresh.take_over(surrogate.state())
    assert not fresh.is_fitted
    assert (fresh.fitted_to, fresh.count) == (40, 0)
    for each in (surrogate, fresh):
        each.fit(*problem.measured(45))
    assert np.array_equal(fresh.predict().mean, surrogate.predict().mean)


def test_a_state_taken_over_leaves_nothing_of_what_was_known_before(fitted: Fitted, problem: Any) -> None:
    surrogate = fitted(MODELS["linear"])
    sites, values = problem.measured(40)
    other = Surrogate(problem.patches, MODELS["linear"])
    other.fit(sites, 100 * values)
    surrogate.predict()
    surrogate.take_over(other.state())
    with pytest.raises(InputError, match="call fit"):
        surrogate.predict()


@pytest.mark.parametrize("settings", [MODELS["position"], MODELS["pca"], DEEP, replace(MODELS["linear"], components=3)])
def test_the_state_of_another_model_is_refused(fitted: Fitted, problem: Any, settings: SurrogateSettings) -> None:
    state = fitted(settings).state()
    with pytest.raises(InputError, match="belongs to another model"):
        Surrogate(problem.patches, MODELS["linear"]).restore(state, *problem.measured(40))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("fit", np.zeros(2)),
        ("fit", np.array([np.nan, 0, 1])),
        ("judgement", np.zeros(2)),
        ("judgement", np.zeros(4)),
        ("vector_linear_fold1", np.zeros(3)),
        ("vector_linear", None),
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(
    fitted: Fitted, problem: Any, name: str, content: np.ndarray | None
) -> None:
    surrogate, other = fitted(MODELS["linear"]), fitted(MODELS["linear"], 60)
    before, state = surrogate.state(), other.state()
    if content is None:
        del state[name]
    else:
        state[name] = content
    with pytest.raises(InputError, match="belongs to another model"):
        surrogate.take_over(state)
    after = surrogate.state()
    assert all(np.array_equal(before[key], after[key], equal_nan=True) for key in before)
    assert surrogate.predict() is not None


def test_a_state_needs_the_measurements_it_was_fitted_to(fitted: Fitted, problem: Any) -> None:
    state = fitted(MODELS["linear"]).state()
    with pytest.raises(InputError, match="fitted to 40 measurements; only 39 are given"):
        Surrogate(problem.patches, MODELS["linear"]).restore(state, *problem.measured(39))


@pytest.mark.parametrize("content", [b"", b"a text file\n", b"\x80\x04K\x01.", b"PK\x03\x04 no archive"])
def test_a_foreign_file_is_refused_by_name(problem: Any, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=r"notes.txt is no saved surrogate: \S") as caught:
        Surrogate(problem.patches, MODELS["linear"]).load(path, *problem.measured(40))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused_by_name(problem: Any, tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"nowhere\.pt is no saved surrogate: .*No such file"):
        Surrogate(problem.patches, MODELS["linear"]).load(tmp_path / "nowhere.pt", *problem.measured(40))


@pytest.mark.parametrize("content", [[torch.zeros(3)], {"fit": [1, 2, 3]}, torch.zeros(3)])
def test_a_file_of_other_tensors_is_refused(problem: Any, tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(DataFileError, match="other things than tensors by name"):
        Surrogate(problem.patches, MODELS["linear"]).load(tmp_path / "other.pt", *problem.measured(40))


def test_a_file_that_would_run_code_is_refused(problem: Any, tmp_path: Path) -> None:
    torch.save({"fit": torch.nn.Linear(1, 1)}, tmp_path / "code.pt")
    with pytest.raises(DataFileError, match="no saved surrogate"):
        Surrogate(problem.patches, MODELS["linear"]).load(tmp_path / "code.pt", *problem.measured(40))
