"""Synthetic images whose scalar is known, kernels over random sites, and settings that fit within a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from dkl_core.patches import Patches, PatchSettings, make_patches
from dkl_core.surrogate import Surrogate, SurrogateSettings
from dkl_core.surrogate.kernel import AdditiveKernel
from dkl_core.survey import FloatArray, SurveyImage


@pytest.fixture(autouse=True)
def small_matrices(one_thread: None) -> None:
    """Every test here works on matrices of a few dozen rows."""


@dataclass(frozen=True)
class Problem:
    """A survey image with the scalar at every site, and a random order to measure the sites in."""

    patches: Patches
    truth: FloatArray
    order: NDArray[np.int64]

    def measured(self, count: int, first: int = 0) -> tuple[NDArray[np.int64], FloatArray]:
        chosen = self.order[first : first + count]
        return chosen, self.truth[chosen]


Laid = Callable[..., Patches]
Posed = Callable[..., Problem]
Fitted = Callable[..., Surrogate]


@pytest.fixture(scope="session")
def laid() -> Laid:
    """Patches of an image; random blobs when none is given."""

    def make(image: FloatArray | None = None, window: int = 8, stride: int = 4, edge: str = "inside") -> Patches:
        if image is None:
            image = gaussian_filter(np.random.default_rng(5).standard_normal((72, 72)), 2)
        return make_patches(SurveyImage(image), PatchSettings(window=window, stride=stride, edge=edge))

    return make


@pytest.fixture(scope="session")
def posed(laid: Laid) -> Posed:
    """A problem from a scalar given as an image, with noise in units of the scalar's standard deviation."""

    def make(image: FloatArray, scalar: FloatArray, noise: float = 0.1, seed: int = 0, **layout: int) -> Problem:
        patches = laid(image, **layout)
        rng = np.random.default_rng(seed)
        truth = scalar[tuple(patches.sites.positions.T)]
        truth = truth / truth.std() + noise * rng.standard_normal(len(patches))
        return Problem(patches, truth, rng.permutation(len(patches)))

    return make


@pytest.fixture(scope="session")
def problem(posed: Posed) -> Problem:
    """289 sites; the scalar depends on the patch and on the position."""
    image = gaussian_filter(np.random.default_rng(5).standard_normal((72, 72)), 2)
    rows = np.arange(72)[:, None] / 72
    return posed(image / image.std(), 2 + np.tanh(image / image.std()) + rows)


@pytest.fixture
def fitted(problem: Problem) -> Fitted:
    """A surrogate fitted to the first measurements of the problem."""

    def make(settings: SurrogateSettings, count: int = 40) -> Surrogate:
        surrogate = Surrogate(problem.patches, settings)
        surrogate.fit(*problem.measured(count))
        return surrogate

    return make


@pytest.fixture(scope="session")
def kernel() -> Callable[..., AdditiveKernel]:
    """A kernel of two terms, position and structure, over random sites."""

    def make(sites: int = 150, amplitudes: tuple[float, float] = (0.7, 0.4), seed: int = 0) -> AdditiveKernel:
        rng = np.random.default_rng(seed)
        place, structure = rng.uniform(-1, 1, (sites, 2)), rng.standard_normal((sites, 3))
        return AdditiveKernel(
            coordinates=(torch.as_tensor(place), torch.as_tensor(structure)),
            amplitudes=torch.tensor(amplitudes, dtype=torch.float64),
            structural=(False, True),
            names=("position", "components"),
            lengthscales=(torch.tensor([0.5, 0.8]).double(), torch.tensor([1.5, 2.0, 3.0]).double()),
        )

    return make
