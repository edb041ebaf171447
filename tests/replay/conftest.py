"""A small recorded map whose scalar follows from the image, with one best place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from dkl_core.acquisition import AcquisitionSettings
from dkl_core.datasets import RecordedData
from dkl_core.datasets.recorded import of_map
from dkl_core.experiment import ExperimentSettings, SeedSettings, StopRules
from dkl_core.patches import PatchSettings
from dkl_core.replay import ReplayProblem, replay_problem
from dkl_core.surrogate import SurrogateSettings
from dkl_core.survey import SurveyImage

PATCHES = PatchSettings(window=6, stride=4)
QUICK = SurrogateSettings(components=4, depth="never", iterations=15, warm_iterations=4)


@pytest.fixture(scope="session")
def planted() -> RecordedData:
    """An image of 56 x 64 px with bright spots; the scalar is largest at the brightest, planted off the centre."""
    image = gaussian_filter(np.random.default_rng(8).standard_normal((56, 64)), 3)
    rows, cols = np.indices(image.shape)
    image = image / image.std() + 4 * np.exp(-((rows - 40) ** 2 + (cols - 16) ** 2) / 30)
    return of_map(SurveyImage(image), "brightness", np.tanh(image / 3))


@pytest.fixture
def problem(planted: RecordedData) -> ReplayProblem:
    return replay_problem(planted, PATCHES)


@pytest.fixture
def settings() -> Callable[..., ExperimentSettings]:
    """Settings of a quick replay; any field can be replaced."""

    def make(budget: int = 20, **changes: Any) -> ExperimentSettings:
        quick = ExperimentSettings(
            patches=PATCHES,
            surrogate=QUICK,
            acquisition=AcquisitionSettings("ei"),
            seeds=SeedSettings(6),
            stop=StopRules(budget),
            seed=5,
        )
        return replace(quick, **changes)

    return make


@pytest.fixture
def at_sites() -> Callable[..., RecordedData]:
    """Recorded data of single places, each with its value."""

    def make(places: list[tuple[int, int]], values: list[float], **changes: Any) -> RecordedData:
        survey = SurveyImage(gaussian_filter(np.random.default_rng(2).standard_normal((40, 40)), 2))
        positions: NDArray[np.int64] = np.array(places)
        return replace(RecordedData(survey, "gap", np.array(values), positions), **changes)

    return make
