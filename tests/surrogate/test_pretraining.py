"""A model whose encoder has learned from all patches before anything is measured."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import replace
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch

from dkl_core.errors import InputError
from dkl_core.experiment import Experiment, ExperimentSettings, SeedSettings, StopRules
from dkl_core.experiment.beside import Refitter
from dkl_core.patches import PatchSettings
from dkl_core.representation import pretrained as module
from dkl_core.representation.pretrained import pretrained
from dkl_core.surrogate import MODELS, Surrogate, SurrogateSettings, features, to_gpytorch
from dkl_core.surrogate.expert import Bench, Expert
from dkl_core.surrogate.mixture import observations
from dkl_core.surrogate.objective import LogPosterior
from dkl_core.survey import SurveyImage

Fitted = Callable[..., Surrogate]
FROZEN = SurrogateSettings(pretrain="autoencoder", codes=3, iterations=10, warm_iterations=2)
TUNED = replace(FROZEN, pretrained="finetuned", depth="always")
CHOICES = [
    FROZEN,
    TUNED,
    replace(TUNED, pretrain="pca"),
    replace(TUNED, pretrain="invariant"),
    replace(FROZEN, pretrain="invariant", depth="always"),
]


@pytest.fixture(autouse=True)
def short_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here does not depend on how well an encoder was trained."""
    monkeypatch.setattr(module, "_EPOCHS", 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pretrain": "vae"}, "unknown pre-training 'vae'; choose one of none, pca, autoencoder, invariant"),
        ({"pretrained": "thawed"}, "unknown use of what was pre-trained 'thawed'; choose one of frozen, finetuned"),
        ({"pretrain": "pca"}, "part of every model already.*choose pretrained 'finetuned'"),
        ({"pretrained": "finetuned"}, "nothing pre-trained; choose pretrain 'pca'"),
        ({"pretrain": "pca", "pretrained": "finetuned", "depth": "never"}, "no network to fine-tune"),
        ({"pretrain": "pca", "pretrained": "finetuned", "extractor": "conv"}, "extractor 'conv' cannot both be"),
        ({"pretrain": "autoencoder", "codes": 0}, "codes is 0; give 1 to 64"),
        ({"pretrain": "autoencoder", "codes": 65}, "codes is 65; give 1 to 64"),
    ],
)
def test_choices_that_contradict_each_other_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SurrogateSettings(**changes)


def test_frozen_codes_alone_are_a_model() -> None:
    bare = SurrogateSettings(
        position=False, components=0, invariants=False, gradients=False, depth="never", pretrain="autoencoder"
    )
    assert bare.has_structure


def test_settings_of_runs_from_before_load_as_the_model_they_meant() -> None:
    data = ExperimentSettings().to_json()
    for name in ("pretrain", "pretrained", "codes"):
        del data["surrogate"][name]
    assert ExperimentSettings.from_json(data).surrogate == SurrogateSettings()
    kept = ExperimentSettings(surrogate=TUNED)
    assert ExperimentSettings.from_json(kept.to_json()) == kept


def test_frozen_codes_are_a_term_of_the_kernel_and_seen_by_the_network(problem: Any) -> None:
    surrogate = Surrogate(problem.patches, FROZEN)
    plain = Surrogate(problem.patches, SurrogateSettings())
    *others, codes = surrogate.features.blocks
    assert tuple(others) == plain.features.blocks
    assert (codes.name, codes.width, codes.structural) == ("codes", 3, True)
    table, bare = surrogate.features.table, plain.features.table
    assert np.array_equal(table[:, : bare.shape[1]], bare)
    assert surrogate.features.network_columns == slice(2, table.shape[1])
    assert table[:, codes.columns].std(axis=0) == pytest.approx(1)


def test_a_network_to_be_fine_tuned_is_the_pre_trained_encoder_and_held_to_it(problem: Any) -> None:
    surrogate = Surrogate(problem.patches, TUNED)
    learned = pretrained("autoencoder", problem.patches, 3, 0)
    expert = Expert(Bench(surrogate.features, problem.patches, TUNED, torch.device("cpu")), (), 1)
    weights = expert.layout.network_weights(expert.vector)
    encoder = np.concatenate([p.detach().numpy().reshape(-1) for p in learned.network().parameters()])
    head = len(weights) - len(encoder)
    assert head > 0
    assert np.array_equal(weights[: len(encoder)], encoder)
    mean, spread = (part[-len(weights) :] for part in (expert.prior.mean, expert.prior.spread))
    assert np.array_equal(mean[: len(encoder)], encoder)
    assert not mean[len(encoder) :].any()
    assert (spread > 0).all()


def test_the_gradient_of_a_fine_tuned_network_is_that_of_finite_differences(problem: Any) -> None:
    surrogate = Surrogate(problem.patches, TUNED)
    bench = Bench(surrogate.features, problem.patches, TUNED, torch.device("cpu"))
    expert = Expert(bench, surrogate.features.blocks, 1)
    sites, values = problem.measured(15)
    data = observations(sites, values - values.mean(), np.zeros(15), torch.device("cpu"))
    objective = LogPosterior(expert.layout, expert.prior, expert._training_set(data), expert.network)
    _, gradient = objective(expert.vector)
    rng = np.random.default_rng(0)
    for at in rng.choice(len(expert.vector), 12, replace=False):
        step = np.zeros_like(expert.vector)
        step[at] = 1e-5
        slope = (objective(expert.vector + step)[0] - objective(expert.vector - step)[0]) / 2e-5
        assert gradient[at] == pytest.approx(slope, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("settings", CHOICES)
def test_fitted_restored_exported_and_never_sure_of_less_than_nothing(
    fitted: Fitted, problem: Any, settings: SurrogateSettings
) -> None:
    surrogate = fitted(settings, 30)
    sites, values = problem.measured(40)
    surrogate.fit(sites[:35], values[:35])
    for site, value in zip(sites[35:], values[35:], strict=True):
        surrogate.update(int(site), float(value))
    again = Surrogate(problem.patches, settings)
    again.restore(surrogate.state(), sites, values)
    one, other = surrogate.predict(), again.predict()
    assert np.array_equal(one.mean, other.mean)
    assert np.array_equal(one.std, other.std)
    assert (one.std >= 0).all()
    for at, (_, posterior) in enumerate(surrogate.posteriors):
        exported = to_gpytorch(surrogate, at)
        with torch.no_grad():
            believed = exported.model(exported.inputs)
        assert np.abs(believed.mean.numpy() - posterior.mean.numpy()).max() < 1e-8
        assert np.abs(believed.variance.numpy() - posterior.variance.numpy()).max() < 1e-8


@pytest.mark.parametrize("settings", [TUNED, replace(TUNED, pretrain="invariant")])
def test_predictions_do_not_depend_on_how_the_sites_are_cut_into_parts(
    fitted: Fitted, settings: SurrogateSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dkl_core.surrogate import expert

    whole = fitted(settings).predict()
    monkeypatch.setattr(expert, "_PICTURE_CHUNK", 17)
    cut = fitted(settings).predict()
    assert cut.mean == pytest.approx(whole.mean, abs=1e-9)
    assert cut.std == pytest.approx(whole.std, abs=1e-9)


def test_a_restored_surrogate_is_fine_tuned_on_as_the_saved_one_would_be(fitted: Fitted, problem: Any) -> None:
    surrogate = fitted(TUNED, 30)
    again = Surrogate(problem.patches, TUNED)
    again.restore(surrogate.state(), *problem.measured(30))
    for each in (surrogate, again):
        each.fit(*problem.measured(40))
    assert np.array_equal(again.predict().mean, surrogate.predict().mean)


def test_the_same_encoder_is_learned_however_many_threads_torch_has(problem: Any) -> None:
    tables = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        tables.append(Surrogate(problem.patches, FROZEN).features.table)
    assert np.array_equal(*tables)


def test_an_experiment_learns_its_encoder_once_and_before_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).standard_normal((40, 40)).cumsum(axis=0)
    settings = ExperimentSettings(
        patches=PatchSettings(window=6, stride=4), surrogate=FROZEN, seeds=SeedSettings(6), stop=StopRules(14)
    )
    learned: list[str] = []

    def counted(kind: Any, *rest: Any) -> Any:
        learned.append(kind)
        return pretrained(kind, *rest)

    monkeypatch.setattr(features, "pretrained", counted)
    experiment, shares = Experiment(SurveyImage(image), settings), []
    experiment.prepare(shares.append)
    assert shares[-1] == pytest.approx(1)
    while sites := experiment.ask():
        experiment.tell(sites[0], float(image[sites[0].row, sites[0].col]))
    assert experiment.surrogate is not None
    assert learned == ["autoencoder"]


def test_a_cancelled_pre_training_leaves_the_experiment_as_it_was() -> None:
    image = np.random.default_rng(0).standard_normal((40, 40)).cumsum(axis=0)
    settings = ExperimentSettings(
        patches=PatchSettings(window=6, stride=4), surrogate=FROZEN, seeds=SeedSettings(6), stop=StopRules(8)
    )
    experiment = Experiment(SurveyImage(image), settings)

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        experiment.prepare(stop)
    while sites := experiment.ask():
        experiment.tell(sites[0], float(image[sites[0].row, sites[0].col]))
    assert experiment.surrogate is not None


def test_a_run_that_is_closed_does_not_wait_for_the_pre_training(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, released = Event(), Event()

    def training(*given: Any) -> Any:
        begun.set()
        released.wait(60)
        given[-1](0.5)
        raise AssertionError("the training went on after the run was closed")

    monkeypatch.setattr(features, "pretrained", training)
    image = np.random.default_rng(0).standard_normal((40, 40)).cumsum(axis=0)
    settings = ExperimentSettings(patches=PatchSettings(window=6, stride=4), surrogate=FROZEN)
    refitter = Refitter(Experiment(SurveyImage(image), settings), 1.0)
    assert begun.wait(60)
    refitter._closing.set()
    released.set()
    refitter.close()
    assert isinstance(refitter._ready.exception(), CancelledError)


def test_the_models_to_compare_hold_every_choice_once() -> None:
    chosen = {(model.pretrain, model.pretrained) for model in MODELS.values() if model.pretrain != "none"}
    assert chosen == {
        ("pca", "finetuned"),
        ("autoencoder", "frozen"),
        ("autoencoder", "finetuned"),
        ("invariant", "frozen"),
        ("invariant", "finetuned"),
    }
