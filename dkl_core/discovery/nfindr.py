"""N-FINDR: the purest windows of an image as end members, and how much of each is in every window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dkl_core.survey import FloatArray

IntArray = NDArray[np.int64]
_MAX_SWEEPS = 50
_SUM_WEIGHT = 1e3


def largest_simplex(points: FloatArray, rng: np.random.Generator) -> tuple[IntArray, bool]:
    """The points that span the largest simplex (Winter, Proc. SPIE 3753, 266 (1999)).

    Each vertex in turn is replaced by the point that gives the largest volume, until none is. By Cramer's rule the
    volumes of all replacements follow from one inverse: that with vertex k replaced by x is |b_k(x)| times the old one,
    b the barycentric coordinates of x.

    Args:
        points: (n, p - 1) for p vertices.
        rng: draws the vertices to begin with.

    Returns:
        Indices of the vertices (p,), and whether the search came to rest.
    """
    augmented = np.column_stack([points, np.ones(len(points))])
    size = augmented.shape[1]
    chosen = _spanning(augmented, rng)
    for _ in range(_MAX_SWEEPS):
        before = chosen.copy()
        for vertex in range(size):
            ratio = np.abs(augmented @ np.linalg.pinv(augmented[chosen])[:, vertex])
            best = int(np.argmax(ratio))
            if ratio[best] > 1 + 1e-9:
                chosen[vertex] = best
        if np.array_equal(before, chosen):
            return chosen, True
    return chosen, False


def abundances(points: FloatArray, vertices: FloatArray) -> FloatArray:
    """Fully constrained least squares: shares that are not negative and sum to 1 (Heinz and Chang, 2001).

    Args:
        points: (n, d).
        vertices: the end members (p, d).

    Returns:
        Share of each end member in each point, (n, p).
    """
    from scipy.optimize import nnls

    weight = _SUM_WEIGHT * max(float(np.abs(vertices).max()), 1e-12)
    system = np.vstack([vertices.T, np.full(len(vertices), weight)])
    shares = np.linalg.lstsq(system, np.column_stack([points, np.full(len(points), weight)]).T, rcond=None)[0].T
    # What lies inside the simplex needs no constraint; only the rest is solved one by one.
    for outside in np.flatnonzero((shares < 0).any(axis=1)):
        shares[outside] = nnls(system, np.append(points[outside], weight))[0]
    normalised: FloatArray = shares / shares.sum(axis=1, keepdims=True)
    return normalised


def _spanning(augmented: FloatArray, rng: np.random.Generator) -> IntArray:
    """Vertices to begin with: a random point, then those farthest from the span of the ones before."""
    chosen = [int(rng.integers(len(augmented)))]
    rest = augmented.copy()
    for _ in range(augmented.shape[1] - 1):
        direction = rest[chosen[-1]] / max(float(np.linalg.norm(rest[chosen[-1]])), 1e-300)
        rest = rest - np.outer(rest @ direction, direction)
        chosen.append(int(np.argmax(np.linalg.norm(rest, axis=1) * rng.uniform(0.5, 1.0, len(rest)))))
    return np.array(chosen, dtype=np.int64)
