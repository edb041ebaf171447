from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dkl_core.errors import InputError
from dkl_core.surrogate import Surrogate, SurrogateSettings, extractor_of
from dkl_core.surrogate.extractors import get_weights, mlp, patch_mlp, trainable, weight_prior

CPU = torch.device("cpu")


@pytest.fixture
def user_module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """The dotted path of a factory in the user's module beside these tests."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return "user_extractors:{}".format


def network(name: str, size: int = 8, seed: int = 0) -> torch.nn.Module:
    return extractor_of(name).network(size, seed, CPU)


def layer_shapes(module: torch.nn.Module) -> list[tuple[int, ...]]:
    return [tuple(parameter.shape) for parameter in module.parameters() if parameter.ndim == 2]


def test_the_network_on_features_has_layers_of_64_64_and_2() -> None:
    assert layer_shapes(network("mlp", 40)) == [(40, 64), (64, 64), (64, 2)]


def test_the_published_network_takes_every_pixel_to_64_64_and_2() -> None:
    published = network("patch-mlp", 30)
    assert layer_shapes(published) == [(900, 64), (64, 64), (64, 2)]
    assert sum(isinstance(layer, torch.nn.ReLU) for layer in published) == 2


@pytest.mark.parametrize("window", [*range(1, 12), 16, 23, 24, 25, 30, 41])
def test_the_convolutional_network_takes_windows_of_any_size(window: int) -> None:
    patches = torch.randn(5, 1, window, window, dtype=torch.float64)
    assert network("conv", window)(patches).shape == (5, 2)


@pytest.mark.parametrize("name", ["patch-mlp", "conv"])
def test_the_embedding_of_a_patch_does_not_depend_on_its_company(name: str) -> None:
    module = network(name)
    patches = torch.randn(9, 1, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        together, apart = module(patches), torch.cat([module(patch[None]) for patch in patches])
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["mlp", "patch-mlp", "conv"])
def test_networks_are_float64_and_follow_from_their_seed(name: str) -> None:
    weights = [get_weights(network(name, seed=seed)) for seed in (1, 1, 2)]
    assert {parameter.dtype for parameter in network(name).parameters()} == {torch.float64}
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


@pytest.mark.parametrize("build", [mlp, patch_mlp])
def test_embeddings_start_with_a_spread_of_about_one(build: Callable[[int], torch.nn.Module]) -> None:
    spreads = []
    for seed in range(10):
        torch.manual_seed(seed)
        module = build(20)
        inputs = torch.randn(500, 20 if build is mlp else 400)
        spreads.append(float(module(inputs).detach().std(dim=0).mean()))
    assert 0.5 < np.mean(spreads) < 2


def test_all_weights_of_the_networks_share_one_prior() -> None:
    mean, spread = weight_prior(network("mlp", 40))
    assert not mean.any()
    assert spread[:2560] == pytest.approx(np.ones(2560), rel=0.05)


@pytest.mark.parametrize("name", ["mlp", "patch-mlp", "conv"])
def test_a_surrogate_learns_with_each_network(problem: Any, name: str) -> None:
    surrogate = Surrogate(problem.patches, SurrogateSettings(depth="always", extractor=name, iterations=15, members=1))
    surrogate.fit(*problem.measured(60))
    rest = problem.order[60:]
    assert np.corrcoef(surrogate.predict().mean[rest], problem.truth[rest])[0, 1] > 0.8


@pytest.mark.parametrize("name", ["good", "with_batch_statistics", "partly_frozen", "Unused"])
def test_a_surrogate_learns_with_the_users_network(problem: Any, user_module: Callable[[str], str], name: str) -> None:
    settings = SurrogateSettings(depth="always", extractor=user_module(name), iterations=15, members=1)
    surrogate = Surrogate(problem.patches, settings)
    before = surrogate.state()["vector_deep_fold0"]
    surrogate.fit(*problem.measured(60))
    rest = problem.order[60:]
    assert np.corrcoef(surrogate.predict().mean[rest], problem.truth[rest])[0, 1] > 0.8
    assert not np.array_equal(surrogate.state()["vector_deep_fold0"], before)


def test_an_embedding_may_have_any_number_of_dimensions(problem: Any, user_module: Callable[[str], str]) -> None:
    surrogate = Surrogate(
        problem.patches, SurrogateSettings(depth="always", extractor=user_module("good"), iterations=3, members=1)
    )
    surrogate.fit(*problem.measured(30))
    (_, posterior), *_ = surrogate.posteriors
    assert posterior.kernel.coordinates[-1].shape == (289, 3)


def test_the_users_network_embeds_each_patch_by_itself(user_module: Callable[[str], str]) -> None:
    module = network(user_module("with_batch_statistics"))
    patches = torch.randn(9, 1, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(module(patches)[:1], module(patches)[:1])
        torch.testing.assert_close(module(patches)[:1], module(patches[:1]), rtol=0, atol=1e-12)


def test_frozen_parameters_stay_as_they_are(user_module: Callable[[str], str]) -> None:
    module = network(user_module("partly_frozen"))
    assert [tuple(parameter.shape) for parameter in trainable(module)] == [(2, 3), (2,)]
    assert len(get_weights(module)) == 8


BAD = {
    "no_module": "made a str; it must return a torch.nn.Module",
    "image_to_image": r"turned patches \(2, 1, 8, 8\) into \(2, 1, 8, 8\); return embeddings \(n, d\)",
    "mixes_patches": r"into \(1, 4\); return embeddings \(n, d\)",
    "ManyOutputs": r"into tuple; return embeddings \(n, d\)",
    "SinglePrecision": "turned float64 patches into torch.float32; keep the input's type",
    "wrong_size": r"failed on patches \(2, 1, 8, 8\) of torch.float32: RuntimeError",
    "raising": "failed to make a network for 8: LookupError.*no weights at home",
    "without_window": "failed to make a network for 8: TypeError",
    "frozen": "has no parameter to train; leave requires_grad on",
    "without_parameters": "has no parameter to train",
    "not_callable": "is a int; give a function of the window",
    "misspelled": "cannot be imported: AttributeError",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_network_is_refused_with_the_reason(user_module: Callable[[str], str], name: str) -> None:
    with pytest.raises(InputError, match=BAD[name]) as caught:
        network(user_module(name))
    assert f"'user_extractors:{name}'" in str(caught.value)


def test_a_bad_network_is_refused_before_anything_is_measured(problem: Any, user_module: Callable[[str], str]) -> None:
    with pytest.raises(InputError, match="no_module"):
        Surrogate(problem.patches, SurrogateSettings(extractor=user_module("no_module")))


@pytest.mark.parametrize("name", ["resnet", "mlp2", "", ":good", "module:", "user_extractors"])
def test_an_unknown_extractor_is_refused_with_the_choice(name: str) -> None:
    with pytest.raises(InputError, match=f"unknown extractor '{name}'; choose mlp, patch-mlp, conv or package"):
        extractor_of(name)


@pytest.mark.parametrize("name", ["no_such_module:net", "..relative:net"])
def test_a_module_that_cannot_be_imported_is_named(name: str) -> None:
    with pytest.raises(InputError, match=f"extractor '{name}' cannot be imported: "):
        extractor_of(name)
