from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dkl_core.surrogate import MODELS, Surrogate, SurrogateSettings, to_gpytorch

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
SETTINGS = [
    MODELS["linear"],
    SurrogateSettings(depth="always", iterations=3),
    replace(MODELS["published"], iterations=3),
    SurrogateSettings(depth="always", extractor="conv", members=1, iterations=3),
]


@pytest.fixture
def twins(problem: Any) -> Callable[[SurrogateSettings], tuple[Surrogate, Surrogate]]:
    """The same solution on the processor and on the graphics card."""

    def make(settings: SurrogateSettings) -> tuple[Surrogate, Surrogate]:
        on_cpu = Surrogate(problem.patches, settings)
        on_cpu.fit(*problem.measured(40))
        on_cuda = Surrogate(problem.patches, replace(settings, device="cuda"))
        on_cuda.restore(on_cpu.state(), *problem.measured(40))
        return on_cpu, on_cuda

    return make


def assert_alike(left: Surrogate, right: Surrogate) -> None:
    for name in ("mean", "std", "gp_std", "ensemble_std"):
        assert np.abs(getattr(left.predict(), name) - getattr(right.predict(), name)).max() < 1e-6, name


@pytest.mark.parametrize("settings", SETTINGS)
def test_predictions_are_those_of_the_processor(twins: Any, settings: SurrogateSettings) -> None:
    on_cpu, on_cuda = twins(settings)
    assert_alike(on_cpu, on_cuda)
    for each in (on_cpu, on_cuda):
        each.update(3, 1.0, 0.1)
    assert_alike(on_cpu, on_cuda)
    for each in (on_cpu, on_cuda):
        with each.imagining([5, 6]):
            each.imagine(7)
    assert_alike(on_cpu, on_cuda)


def test_structure_and_samples_are_those_of_the_processor(twins: Any) -> None:
    on_cpu, on_cuda = twins(MODELS["linear"])
    assert on_cuda.structure_map() == pytest.approx(on_cpu.structure_map(), abs=1e-6)
    drawn = [each.sample(np.random.default_rng(0)) for each in (on_cpu, on_cuda)]
    assert drawn[1] == pytest.approx(drawn[0], abs=1e-6)


@pytest.mark.parametrize("settings", SETTINGS[:2])
def test_a_fit_finds_the_solution_of_the_processor(problem: Any, settings: SurrogateSettings) -> None:
    on_cpu, on_cuda = (Surrogate(problem.patches, replace(settings, device=name)) for name in ("cpu", "cuda"))
    for each in (on_cpu, on_cuda):
        each.fit(*problem.measured(40), iterations=3)
    assert_alike(on_cpu, on_cuda)


def test_the_exported_model_stays_on_its_device(twins: Any) -> None:
    _, on_cuda = twins(MODELS["linear"])
    expert = to_gpytorch(on_cuda)
    with torch.no_grad():
        mean = expert.model(expert.inputs).mean
    assert mean.is_cuda
    assert (
        np.abs((mean * expert.scale.factor + expert.scale.offset).cpu().numpy() - on_cuda.predict().mean).max() < 1e-6
    )
