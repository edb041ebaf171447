from __future__ import annotations

import gpytorch
import numpy as np
import pytest
import torch

from dkl_core.discovery.process import Hyper, PositionKernel, ProcessSettings, initial, learned
from dkl_core.errors import InputError

OTHERS = {
    "rbf": gpytorch.kernels.RBFKernel(),
    "matern52": gpytorch.kernels.MaternKernel(nu=2.5),
    "rq": gpytorch.kernels.RQKernel(),
}


@pytest.mark.parametrize("form", OTHERS)
def test_kernels_agree_with_gpytorch(form: str, rng: np.random.Generator) -> None:
    places = rng.uniform(0, 30, (12, 2))
    kernel = PositionKernel.of(places, form, Hyper(3.7, amplitude=1.9, mixture=0.8))  # type: ignore[arg-type]
    other = OTHERS[form].double()
    other.lengthscale = 3.7
    if form == "rq":
        other.alpha = 0.8
    expected = 1.9 * other(torch.as_tensor(places)).to_dense().detach()
    everything = torch.arange(12)
    torch.testing.assert_close(kernel.between(everything, slice(None)), expected, rtol=1e-5, atol=1e-7)
    assert float(kernel.diagonal) == pytest.approx(1.9)


@pytest.mark.parametrize("form", OTHERS)
def test_the_correlation_length_is_learned(form: str) -> None:
    rng = np.random.default_rng(2)
    places = rng.uniform(0, 60, (150, 2))
    truth = Hyper(6.0, mixture=1.0)
    covariance = PositionKernel.of(places, form, truth).between(torch.arange(150), slice(None)).numpy()  # type: ignore[arg-type]
    target = np.linalg.cholesky(covariance + 0.01 * np.eye(150)) @ rng.standard_normal(150)
    settings = ProcessSettings(form)  # type: ignore[arg-type]
    found = learned(settings, places, target, initial(settings))
    assert 3.5 < found.length < 10
    assert found.noise < 0.2


def test_the_length_stays_in_its_bounds_or_as_given() -> None:
    rng = np.random.default_rng(0)
    places, noise = rng.uniform(0, 60, (60, 2)), rng.standard_normal(60)
    bounded = ProcessSettings("rbf", bounds=(2.0, 3.0))
    assert 2.0 <= learned(bounded, places, noise, initial(bounded)).length <= 3.0
    fixed = ProcessSettings("rbf", length=7.0)
    assert learned(fixed, places, noise, initial(fixed)).length == pytest.approx(7.0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kernel": "cubic"}, "unknown kernel 'cubic'"),
        ({"length": 0.0}, "correlation length is 0.0"),
        ({"bounds": (5.0, 5.0)}, "bounds"),
    ],
)
def test_settings_without_sense_are_refused(given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ProcessSettings(**given)
