"""Sums of squared-exponential kernels on blocks of coordinates, and their derivatives in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class AdditiveKernel:
    """k(s, t) = sum over terms q of a_q exp(-|u_q(s) - u_q(t)|^2 / 2) over all sites.

    Attributes:
        coordinates: u_q of all sites, each (M, d_q), divided by its length scales.
        amplitudes: a_q, shape (Q,).
        structural: whether each term describes structure (rather than position).
    """

    coordinates: tuple[Tensor, ...]
    amplitudes: Tensor
    structural: tuple[bool, ...]

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
        u = self.coordinates[q]
        return scaled_rbf(u[left], u[right], self.amplitudes[q])


def scaled_rbf(u: Tensor, v: Tensor, amplitude: Tensor) -> Tensor:
    """Kernel a exp(-|u - v|^2 / 2) of scaled coordinates (n, d) and (m, d), shape (n, m)."""
    distance = torch.addmm((u * u).sum(1, keepdim=True) + (v * v).sum(1), u, v.T, beta=0.5, alpha=-1.0)
    return distance.clamp_(min=0.0).neg_().exp_().mul_(amplitude)


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
