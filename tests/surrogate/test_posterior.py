from collections.abc import Callable
from dataclasses import replace

import gpytorch
import numpy as np
import pytest
import torch
from torch import Tensor

from dkl_core.errors import DKLError
from dkl_core.surrogate import posterior as module
from dkl_core.surrogate.kernel import AdditiveKernel
from dkl_core.surrogate.posterior import SitePosterior

NOISE = 0.05
Kernels = Callable[..., AdditiveKernel]


def told(count: int, sites: int = 150, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, sites, count)
    return (
        torch.as_tensor(chosen),
        torch.as_tensor(rng.standard_normal(count)),
        torch.as_tensor(rng.uniform(0, 1, count)),
    )


def conditioned(kernel: AdditiveKernel, data: tuple[Tensor, Tensor, Tensor], noise: float = NOISE) -> SitePosterior:
    posterior = SitePosterior(kernel, noise)
    posterior.condition(*data)
    return posterior


def extended(kernel: AdditiveKernel, data: tuple[Tensor, Tensor, Tensor], first: int) -> SitePosterior:
    posterior = conditioned(kernel, tuple(part[:first] for part in data))
    for index, target, extra in zip(*(part[first:].tolist() for part in data), strict=True):
        posterior.append(index, target, extra)
    return posterior


def assert_same(left: SitePosterior, right: SitePosterior, tolerance: float) -> None:
    for name in ("mean", "variance", "alpha", "factor", "target", "noise_variance"):
        torch.testing.assert_close(getattr(left, name), getattr(right, name), rtol=0, atol=tolerance)
    assert torch.equal(left.indices, right.indices)


def covariance(kernel: AdditiveKernel) -> Tensor:
    """Of all sites, by GPyTorch."""
    dense = torch.zeros(len(kernel), len(kernel), dtype=torch.float64)
    for x, scale, amplitude in zip(kernel.coordinates, kernel.lengthscales, kernel.amplitudes, strict=True):
        rbf = gpytorch.kernels.RBFKernel(ard_num_dims=x.shape[1]).double()
        rbf.lengthscale = scale
        dense += amplitude * rbf(x).to_dense().detach()
    return dense


def test_the_kernel_is_that_of_gpytorch(kernel: Kernels) -> None:
    ours = kernel()
    everything = torch.arange(len(ours))
    torch.testing.assert_close(ours.between(everything, slice(None)), covariance(ours), rtol=0, atol=1e-12)


def test_mean_and_variance_at_all_sites_are_those_of_the_textbook(kernel: Kernels) -> None:
    ours = kernel()
    indices, target, extra = told(40)
    posterior = conditioned(ours, (indices, target, extra))
    prior = covariance(ours)
    inverse = torch.linalg.inv(prior[indices][:, indices] + torch.diag(extra + NOISE))
    cross = prior[indices]
    torch.testing.assert_close(posterior.mean, cross.T @ inverse @ target, rtol=0, atol=1e-8)
    variance = prior.diagonal() - ((inverse @ cross) * cross).sum(0)
    torch.testing.assert_close(posterior.variance, variance, rtol=0, atol=1e-8)


def test_before_any_measurement_the_prior_is_believed(kernel: Kernels) -> None:
    posterior = SitePosterior(kernel(amplitudes=(0.7, 0.4)), NOISE)
    assert not posterior.mean.any()
    assert posterior.variance.tolist() == pytest.approx([1.1] * 150)


def test_a_measurement_told_later_counts_as_one_told_at_once(kernel: Kernels) -> None:
    data = told(40)
    assert_same(extended(kernel(), data, first=25), conditioned(kernel(), data), 1e-10)


def test_the_same_holds_when_the_buffers_have_to_grow(kernel: Kernels) -> None:
    data = told(5 + 3 * module._GROWTH)
    assert_same(extended(kernel(), data, first=5), conditioned(kernel(), data), 1e-10)


def test_the_same_holds_without_the_cache(kernel: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    data = told(40)
    expected = conditioned(kernel(), data)
    monkeypatch.setattr(module, "_CACHE_BYTES", 0)
    uncached = extended(kernel(), data, first=25)
    assert uncached._cache is None
    assert_same(uncached, expected, 1e-10)


def test_the_same_holds_when_the_cache_gets_too_large_on_the_way(
    kernel: Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = told(5 + 2 * module._GROWTH)
    expected = conditioned(kernel(), data)
    monkeypatch.setattr(module, "_CACHE_BYTES", (5 + module._GROWTH) * 150 * 8)
    posterior = conditioned(kernel(), tuple(part[:5] for part in data))
    assert posterior._cache is not None
    for index, target, extra in zip(*(part[5:].tolist() for part in data), strict=True):
        posterior.append(index, target, extra)
    assert posterior._cache is None
    assert_same(posterior, expected, 1e-10)


@pytest.mark.parametrize("elements", [1, 40 * 7, 10**9])
@pytest.mark.parametrize("cache", [0, 2**28])
def test_predictions_do_not_depend_on_how_sites_are_chunked(
    kernel: Kernels, monkeypatch: pytest.MonkeyPatch, elements: int, cache: int
) -> None:
    data = told(40)
    expected = conditioned(kernel(), data)
    monkeypatch.setattr(module, "_CHUNK_ELEMENTS", elements)
    monkeypatch.setattr(module, "_CACHE_BYTES", cache)
    assert_same(extended(kernel(), data, first=30), expected, 1e-12)


def test_predictions_of_a_site_do_not_depend_on_which_other_sites_exist(kernel: Kernels) -> None:
    whole = kernel()
    indices, target, extra = told(20, sites=60)
    part = replace(whole, coordinates=tuple(x[:60] for x in whole.coordinates))
    alone, among = conditioned(part, (indices, target, extra)), conditioned(whole, (indices, target, extra))
    torch.testing.assert_close(alone.mean, among.mean[:60], rtol=0, atol=1e-12)
    torch.testing.assert_close(alone.variance, among.variance[:60], rtol=0, atol=1e-12)


def test_the_variance_is_never_negative(kernel: Kernels) -> None:
    everywhere = torch.arange(150).repeat(3)
    posterior = conditioned(kernel(), (everywhere, torch.zeros(450).double(), torch.zeros(450).double()), noise=1e-12)
    for index in range(150):
        posterior.append(index, 0.0)
    assert bool((posterior.variance >= 0).all())
    assert float(posterior.variance.max()) < 1e-5


def test_nor_does_rounding_make_it_negative_after_many_updates(kernel: Kernels) -> None:
    posterior = conditioned(kernel(amplitudes=(1e6, 1e6)), told(3), noise=1e-9)
    for index in 2 * list(range(150)):
        posterior.append(index, 0.0)
        assert float(posterior.variance.min()) >= 0


def test_no_jitter_is_added_where_none_is_needed(kernel: Kernels) -> None:
    assert conditioned(kernel(), told(40)).jitter == 0


def test_a_singular_covariance_gets_the_least_jitter_that_helps(kernel: Kernels) -> None:
    same_site = torch.zeros(30, dtype=torch.long), torch.ones(30).double(), torch.zeros(30).double()
    jitters = [
        conditioned(kernel(amplitudes=(size, size)), same_site, noise=0.0).jitter for size in (1.0, 1e10, 1e11, 1e12)
    ]
    assert jitters[0] == 1e-6
    assert jitters == sorted(jitters)
    assert 1e-6 < jitters[-1] <= 1e-2


def test_a_later_measurement_gets_the_same_jitter(kernel: Kernels) -> None:
    zeros = torch.zeros(30).double()
    posterior = conditioned(kernel(), (torch.zeros(30, dtype=torch.long), zeros, zeros), noise=0.0)
    posterior.append(7, 1.0)
    assert posterior.noise_variance.tolist() == pytest.approx([1e-6] * 31, rel=1e-6)


def test_a_hopeless_covariance_is_reported_with_what_to_check(kernel: Kernels) -> None:
    data = torch.zeros(30, dtype=torch.long), torch.ones(30).double(), torch.zeros(30).double()
    with pytest.raises(DKLError, match=r"30 measurements cannot be factorised.*extreme values"):
        conditioned(kernel(amplitudes=(1e30, 1e30)), data, noise=0.0)


def test_it_remembers_what_was_measured_and_how_noisy_it_was(kernel: Kernels) -> None:
    indices, target, extra = told(40)
    posterior = extended(kernel(), (indices, target, extra), first=25)
    torch.testing.assert_close(posterior.target, target, rtol=0, atol=1e-10)
    torch.testing.assert_close(posterior.noise_variance, extra + NOISE, rtol=0, atol=1e-12)


def test_structure_and_position_add_up_to_the_mean(kernel: Kernels) -> None:
    ours = kernel()
    data = told(40)
    structure = conditioned(ours, data).structure_mean(slice(None))
    other = conditioned(ours, data)
    other.kernel = replace(ours, structural=(True, False))
    torch.testing.assert_close(structure + other.structure_mean(slice(None)), other.mean, rtol=0, atol=1e-10)
    assert float(structure.std()) > 0.05


def test_what_is_forgotten_leaves_no_trace(kernel: Kernels) -> None:
    data = told(40)
    posterior, expected = conditioned(kernel(), data), extended(kernel(), told(40), first=40)
    before = posterior.mean, posterior.variance
    for index in (3, 9, 3):
        posterior.imagine(index)
    posterior.forget(40, *before)
    posterior.append(11, 0.5)
    expected.append(11, 0.5)
    assert_same(posterior, expected, 0.0)
