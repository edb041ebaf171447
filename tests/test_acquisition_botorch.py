"""The acquisition functions against BoTorch's analytic ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from botorch.acquisition.analytic import ExpectedImprovement, ProbabilityOfImprovement, UpperConfidenceBound
from botorch.utils.testing import MockModel, MockPosterior

from dkl_core.acquisition import expected_improvement, probability_of_improvement, upper_confidence_bound
from dkl_core.goal import Goal
from dkl_core.survey import FloatArray

pytestmark = pytest.mark.filterwarnings("ignore:ExpectedImprovement has known numerical issues")
BEST = 0.3
GRID = np.meshgrid(np.linspace(-3, 3, 25), np.geomspace(1e-3, 5, 15))
MEAN, STD = GRID[0].ravel(), GRID[1].ravel()


def botorch(function: Any, goal: Goal, **options: Any) -> FloatArray:
    mean, variance = (torch.from_numpy(values).reshape(-1, 1, 1) for values in (MEAN, STD**2))
    model = MockModel(MockPosterior(mean=mean, variance=variance))
    values = function(model, maximize=goal.direction == "maximise", **options)(
        torch.zeros(len(MEAN), 1, 1, dtype=torch.float64)
    )
    return np.asarray(values.numpy(), dtype=np.float64)


@pytest.mark.parametrize("goal", [Goal(), Goal("minimise")], ids=str)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(expected_improvement, ExpectedImprovement), (probability_of_improvement, ProbabilityOfImprovement)],
)
def test_improvement_is_botorchs(ours: Any, theirs: Any, goal: Goal) -> None:
    expected = botorch(theirs, goal, best_f=torch.tensor(BEST, dtype=torch.float64))
    np.testing.assert_allclose(ours(MEAN, STD, BEST, goal), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("goal", [Goal(), Goal("minimise")], ids=str)
@pytest.mark.parametrize("beta", [0.001, 10.0])
def test_the_confidence_bound_is_botorchs(goal: Goal, beta: float) -> None:
    expected = botorch(UpperConfidenceBound, goal, beta=torch.tensor(beta, dtype=torch.float64))
    np.testing.assert_allclose(upper_confidence_bound(MEAN, STD, beta, goal), expected, rtol=1e-12)
