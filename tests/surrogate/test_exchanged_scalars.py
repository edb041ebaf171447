"""Scalars exchanged after they were learned: the posterior is that of learning them at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.surrogate import MODELS, Surrogate, SurrogateSettings
from dkl_core.surrogate import posterior as posterior_module
from dkl_core.surrogate import threads as threads_module

Fitted = Callable[..., Surrogate]
DEEP = SurrogateSettings(depth="always", members=2, folds=2, components=4, iterations=10, warm_iterations=3)


def assert_predict_alike(left: Surrogate, right: Surrogate) -> None:
    first, second = left.predict(), right.predict()
    np.testing.assert_allclose(first.mean, second.mean, atol=1e-8)
    np.testing.assert_allclose(first.std, second.std, atol=1e-8)


@pytest.fixture(params=[True, False], ids=["in memory", "in chunks"])
def cache(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the posterior keeps of all sites, and without."""
    if not request.param:
        monkeypatch.setattr(posterior_module, "_CACHE_BYTES", 0)


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("settings", [MODELS["linear"], DEEP])
def test_exchanged_scalars_give_the_posterior_of_learning_them_at_once(
    fitted: Fitted, problem: Any, settings: SurrogateSettings
) -> None:
    surrogate = fitted(settings)
    site, value = (int(problem.order[45]), 1.5)
    surrogate.update(site, value)
    sites, values = problem.measured(40)
    new = np.append(values + np.linspace(-1, 1, 40), 2.0)
    surrogate.revalue(new)
    again = Surrogate(problem.patches, settings)
    again.restore(surrogate.state(), np.append(sites, site), new)
    assert_predict_alike(surrogate, again)


@pytest.mark.parametrize("settings", [MODELS["linear"], DEEP])
def test_other_measurements_give_the_posterior_of_learning_them_at_once(
    fitted: Fitted, problem: Any, settings: SurrogateSettings
) -> None:
    surrogate = fitted(settings)
    sites, values = problem.measured(50)
    noise = np.linspace(0, 0.5, 50)
    surrogate.recondition(sites, values, noise)
    again = Surrogate(problem.patches, settings)
    again.restore(surrogate.state(), sites, values, noise, conditioned=50)
    assert (surrogate.count, surrogate.fitted_to) == (50, 40)
    assert_predict_alike(surrogate, again)


def test_each_measurement_has_a_scalar_in_an_exchange(fitted: Fitted) -> None:
    with pytest.raises(InputError, match="39 scalars are given for 40 measurements; give one for each"):
        fitted(MODELS["linear"]).revalue(np.zeros(39))


def test_a_scalar_that_is_not_finite_is_refused_in_an_exchange(fitted: Fitted) -> None:
    with pytest.raises(InputError, match="not a finite number"):
        fitted(MODELS["linear"]).revalue(np.full(40, np.nan))


def test_work_in_the_background_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads_module, "_WORKERS", 2)
    begun, release = threading.Event(), threading.Event()

    def long() -> None:
        begun.set()
        release.wait(10)

    def background() -> None:
        threads_module.work_in_background()
        threads_module.side_by_side([long] * 8)

    worker = threading.Thread(target=background)
    worker.start()
    begun.wait(10)
    start = time.perf_counter()
    assert threads_module.side_by_side([lambda: 1, lambda: 2]) == [1, 2]
    assert time.perf_counter() - start < 5
    release.set()
    worker.join()
