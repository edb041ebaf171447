"""Sample paths of a posterior over many sites without their covariance matrix."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dkl_core.surrogate.posterior import SitePosterior

_FEATURES = 512
_CHUNK = 8192


def pathwise_sample(posterior: SitePosterior, rng: np.random.Generator) -> Tensor:
    """One draw of the noise-free scalar at all sites, shape (M,), standardised units.

    A prior path of random Fourier features (Rahimi and Recht, NIPS 2007) is corrected at the measured sites:
    f + K(., X) K^-1 (y - f(X) - noise) (Matheron's rule; Wilson et al., ICML 2020, eq. 12).
    """
    prior = _prior_path(posterior, rng)
    factor, indices = posterior.factor, posterior.indices
    noise = torch.as_tensor(rng.standard_normal(len(indices)), device=prior.device) * posterior.noise_variance.sqrt()
    correction = torch.cholesky_solve((posterior.target - prior[indices] - noise)[:, None], factor)[:, 0]
    return prior + torch.cat(
        [correction @ posterior.kernel.between(indices, part) for part in _parts(len(posterior.kernel))]
    )


def _prior_path(posterior: SitePosterior, rng: np.random.Generator) -> Tensor:
    kernel = posterior.kernel
    path = torch.zeros(len(kernel), dtype=torch.float64, device=kernel.amplitudes.device)
    for coordinates, lengths, amplitude in zip(kernel.coordinates, kernel.lengthscales, kernel.amplitudes, strict=True):
        normal = torch.as_tensor(rng.standard_normal((coordinates.shape[1], _FEATURES)), device=path.device)
        frequency = normal / lengths[:, None]
        phase = torch.as_tensor(rng.uniform(0, 2 * np.pi, _FEATURES), device=path.device)
        weight = torch.as_tensor(rng.standard_normal(_FEATURES), device=path.device)
        scale = (2 * amplitude / _FEATURES).sqrt()
        for part in _parts(len(kernel)):
            path[part] += scale * torch.cos(coordinates[part] @ frequency + phase) @ weight
    return path


def _parts(length: int) -> list[slice]:
    return [slice(start, min(start + _CHUNK, length)) for start in range(0, length, _CHUNK)]
