"""Sums of squared-exponential kernels on blocks of coordinates, and their derivatives in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

_CHUNK = 16384


@dataclass(frozen=True)
class AdditiveKernel:
    """k(s, t) = sum over terms q of a_q exp(-|u_q(s) - u_q(t)|^2 / 2) over all sites, with u_q = x_q / l_q.

    Attributes:
        coordinates: x_q of all sites, each (M, d_q).
        amplitudes: a_q, shape (Q,).
        structural: whether each term describes structure (rather than position).
        names: what each term looks at, a block's name or `network`.
        lengthscales: l_q, each (d_q,).
    """

    coordinates: tuple[Tensor, ...]
    amplitudes: Tensor
    structural: tuple[bool, ...]
    names: tuple[str, ...]
    lengthscales: tuple[Tensor, ...]

    @cached_property
    def half_norms(self) -> tuple[Tensor, ...]:
        """|u_q(s)|^2 / 2 of all sites, each (M,)."""
        return tuple(
            torch.cat([half_norm(x[start : start + _CHUNK] / scale) for start in range(0, len(x), _CHUNK)])
            for x, scale in zip(self.coordinates, self.lengthscales, strict=True)
        )

    def __len__(self) -> int:
        return len(self.coordinates[0])

    @property
    def diagonal(self) -> Tensor:
        """k(s, s), the same for all sites: shape ()."""
        return self.amplitudes.sum()

    def between(self, left: Tensor, right: Tensor | slice) -> Tensor:
        """Covariance of two sets of sites, shape (left, right)."""
        total = self.term(0, left, right)
        for q in range(1, len(self.coordinates)):
            total += self.term(q, left, right)
        return total

    def term(self, q: int, left: Tensor, right: Tensor | slice) -> Tensor:
        """Covariance of one term, shape (left, right)."""
        x, norm = self.coordinates[q], self.half_norms[q]
        # Both length scales on the one side that is small: a scaled copy of all sites would be held per expert.
        return _rbf(x[left] / self.lengthscales[q] ** 2, x[right], norm[left], norm[right], self.amplitudes[q])


def scaled_rbf(u: Tensor, v: Tensor, amplitude: Tensor) -> Tensor:
    """Kernel a exp(-|u - v|^2 / 2) of scaled coordinates (n, d) and (m, d), shape (n, m)."""
    return _rbf(u, v, half_norm(u), half_norm(v), amplitude)


def half_norm(u: Tensor) -> Tensor:
    """|u|^2 / 2 of each row, shape (n,)."""
    return 0.5 * (u * u).sum(1)


def _rbf(u: Tensor, v: Tensor, half_u: Tensor, half_v: Tensor, amplitude: Tensor) -> Tensor:
    exponent = torch.addmm(half_u[:, None] + half_v, u, v.T, beta=-1.0)
    return exponent.clamp_(max=0.0).exp_().mul_(amplitude)


def lengthscale_gradient(weighted: Tensor, u: Tensor) -> Tensor:
    """Derivative of sum_ij G_ij K_ij with respect to the log length scales of one term.

    Args:
        weighted: G * K of the term, symmetric, shape (n, n).
        u: scaled coordinates (n, d).

    Returns:
        shape (d,); from d K_ij / d log l_k = K_ij (u_ik - u_jk)^2.
    """
    return 2 * ((weighted.sum(1, keepdim=True) * u * u).sum(0) - (u * (weighted @ u)).sum(0))


def coordinate_gradient(weighted: Tensor, u: Tensor) -> Tensor:
    """Derivative of sum_ij G_ij K_ij with respect to the scaled coordinates, shape (n, d)."""
    return -2 * (weighted.sum(1, keepdim=True) * u - weighted @ u)


def sum_of(terms: Sequence[Tensor]) -> Tensor:
    """Sum of matrices without a copy of the first."""
    total = terms[0].clone()
    for term in terms[1:]:
        total += term
    return total
