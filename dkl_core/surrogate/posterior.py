"""Exact posterior at all sites, extended by one measurement at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from dkl_core.errors import DKLError
from dkl_core.surrogate.kernel import AdditiveKernel

_CACHE_BYTES = 128 * 2**20
_CHUNK_ELEMENTS = 2**18
_JITTERS = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
_GROWTH = 64


class SitePosterior:
    """Gaussian-process posterior over all sites for fixed hyper-parameters, in standardised units.

    The Cholesky factor L of the measured sites' covariance grows by a row per measurement (Rasmussen and Williams
    2006, A.3); V = L^-1 K(measured, all) is kept where it fits into memory, so that a measurement costs
    O(n^2 + n M), and recomputed in chunks where it does not.

    Attributes:
        mean: posterior mean at all sites, shape (M,).
        variance: posterior variance of the noise-free scalar, shape (M,), never negative.
        jitter: what had to be added to the diagonal to factorise it, beyond the noise.
    """

    def __init__(self, kernel: AdditiveKernel, noise: float) -> None:
        self.kernel = kernel
        self.noise = noise
        self.jitter = 0.0
        device = kernel.amplitudes.device
        self._n = 0
        self._indices = torch.empty(0, dtype=torch.long, device=device)
        self._factor = torch.empty((0, 0), dtype=torch.float64, device=device)
        self._whitened = torch.empty(0, dtype=torch.float64, device=device)
        self._cache: Tensor | None = None
        self.mean = torch.zeros(len(kernel), dtype=torch.float64, device=device)
        self.variance = kernel.diagonal.expand(len(kernel)).clone()

    def __len__(self) -> int:
        """Number of measurements, imagined ones included."""
        return self._n

    @property
    def indices(self) -> Tensor:
        """Measured sites in order, shape (n,)."""
        return self._indices[: self._n]

    @property
    def factor(self) -> Tensor:
        """Cholesky factor of the measured sites' covariance with noise, shape (n, n)."""
        return self._factor[: self._n, : self._n]

    @property
    def alpha(self) -> Tensor:
        """K^-1 y, shape (n,)."""
        whitened = self._whitened[: self._n, None]
        alpha: Tensor = torch.linalg.solve_triangular(self.factor.T, whitened, upper=True)[:, 0]
        return alpha

    @property
    def target(self) -> Tensor:
        """The measured values that the posterior knows, shape (n,)."""
        return self.factor @ self._whitened[: self._n]

    @property
    def noise_variance(self) -> Tensor:
        """Noise variance of each measurement, its own known noise and the jitter included, shape (n,)."""
        return ((self.factor**2).sum(1) - self.kernel.diagonal).clamp_(min=0.0)

    def condition(self, indices: Tensor, target: Tensor, extra_noise: Tensor) -> None:
        """Forget everything and learn from these measurements.

        Args:
            indices: measured sites (n,), repeats allowed.
            target: standardised scalars (n,).
            extra_noise: known noise variances (n,).

        Raises:
            DKLError: the covariance cannot be factorised even with the largest jitter.
        """
        n = len(indices)
        capacity = n + _GROWTH
        covariance = self.kernel.between(indices, indices)
        covariance.diagonal().add_(extra_noise + self.noise)
        factor = self._factorised(covariance)
        self._n = n
        self._indices = _grown(indices, (capacity,))
        self._factor = _grown(factor, (capacity, capacity))
        whitened = torch.linalg.solve_triangular(factor, target[:, None], upper=False)[:, 0]
        self._whitened = _grown(whitened, (capacity,))
        fits = capacity * len(self.kernel) * 8 <= _CACHE_BYTES
        self._cache = factor.new_empty((capacity, len(self.kernel))) if fits else None
        self._predict_all()

    def append(self, index: int, target: float, extra_noise: float = 0.0) -> None:
        """Learn from one more measurement: O(n^2 + n M)."""
        self._extend(index, extra_noise)
        row = self._factor[self._n - 1, : self._n - 1]
        pivot = self._factor[self._n - 1, self._n - 1]
        step = (target - row @ self._whitened[: self._n - 1]) / pivot
        self._whitened[self._n - 1] = step
        self.mean = self.mean + self._last_row * step

    def imagine(self, index: int) -> None:
        """Treat a site as if it had been measured with the value predicted: only the uncertainty shrinks."""
        self._extend(index, 0.0)
        self._whitened[self._n - 1] = 0.0

    def retarget(self, target: Tensor) -> None:
        """Exchange all measured values, at the same sites and with the same noise: O(n^2 + n M).

        Args:
            target: standardised scalars (n,).
        """
        whitened = torch.linalg.solve_triangular(self.factor, target[:, None], upper=False)[:, 0]
        self._whitened[: self._n] = whitened
        self.mean = self._explained_by(whitened)

    def forget(self, kept: int, mean: Tensor, variance: Tensor) -> None:
        """Take back all but the first `kept` measurements, with the mean and variance from when there were so many."""
        self._n = kept
        self.mean, self.variance = mean, variance

    def structure_mean(self, sites: slice) -> Tensor:
        """The part of the mean that structure explains at some sites, shape (sites,)."""
        alpha = self.alpha
        total = torch.zeros(len(self.mean[sites]), dtype=torch.float64, device=alpha.device)
        for q, structural in enumerate(self.kernel.structural):
            if structural:
                total += alpha @ self.kernel.term(q, self.indices, sites)
        return total

    def _extend(self, index: int, extra_noise: float) -> None:
        n = self._n
        if n == len(self._indices):
            self._reserve(n + max(_GROWTH, n // 2))
        new = torch.tensor([index], device=self._factor.device)
        row = self._whitened_covariance(index)
        rest = self.kernel.diagonal + self.noise + extra_noise + self.jitter - row @ row
        pivot = rest.clamp(min=1e-9).sqrt()
        self._factor[n, :n] = row
        self._factor[n, n] = pivot
        self._indices[n] = index
        explained = self._explained_by(row)
        self._last_row = (self.kernel.between(new, slice(None))[0] - explained) / pivot
        if self._cache is not None:
            self._cache[n] = self._last_row
        self._n = n + 1
        self.variance = (self.variance - self._last_row**2).clamp_(min=0.0)

    def _whitened_covariance(self, index: int) -> Tensor:
        """Column of V at one site, shape (n,)."""
        if self._cache is not None:
            return self._cache[: self._n, index].clone()
        column = self.kernel.between(self.indices, torch.tensor([index], device=self._factor.device))
        row: Tensor = torch.linalg.solve_triangular(self.factor, column, upper=False)[:, 0]
        return row

    def _explained_by(self, row: Tensor) -> Tensor:
        """Sum of the rows of V with these weights, over all sites, shape (M,)."""
        if self._cache is not None:
            return row @ self._cache[: self._n]
        weights = torch.linalg.solve_triangular(self.factor.T, row[:, None], upper=True)[:, 0]
        parts = [weights @ self.kernel.between(self.indices, part) for part in self._chunks()]
        return torch.cat(parts)

    def _predict_all(self) -> None:
        mean, variance = [], []
        whitened = self._whitened[: self._n]
        for part in self._chunks():
            cross = self.kernel.between(self.indices, part)
            solved = torch.linalg.solve_triangular(self.factor, cross, upper=False)
            if self._cache is not None:
                self._cache[: self._n, part] = solved
            mean.append(whitened @ solved)
            variance.append(self.kernel.diagonal - (solved * solved).sum(0))
        self.mean = torch.cat(mean)
        self.variance = torch.cat(variance).clamp_(min=0.0)

    def _chunks(self) -> list[slice]:
        size = max(_CHUNK_ELEMENTS // max(self._n, 1), 1)
        return [slice(start, min(start + size, len(self.kernel))) for start in range(0, len(self.kernel), size)]

    def _reserve(self, capacity: int) -> None:
        self._indices = _grown(self._indices, (capacity,))
        self._factor = _grown(self._factor, (capacity, capacity))
        self._whitened = _grown(self._whitened, (capacity,))
        if self._cache is not None:
            fits = capacity * len(self.kernel) * 8 <= _CACHE_BYTES
            self._cache = _grown(self._cache, (capacity, len(self.kernel))) if fits else None

    def _factorised(self, covariance: Tensor) -> Tensor:
        for jitter in _JITTERS:
            factor: Tensor
            factor, failed = torch.linalg.cholesky_ex(covariance + jitter * torch.eye(len(covariance)).to(covariance))
            if not int(failed):
                self.jitter = jitter
                return factor
        raise DKLError(
            f"the covariance of {len(covariance)} measurements cannot be factorised, even with {_JITTERS[-1]} added; "
            "check the scalars and the survey image for extreme values"
        )


def _grown(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    larger = tensor.new_zeros(shape)
    larger[tuple(slice(length) for length in tensor.shape)] = tensor
    return larger
