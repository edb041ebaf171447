"""Descriptors as sums of a few components: principal components, non-negative factors, or end members."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dkl_core.discovery.nfindr import abundances, largest_simplex
from dkl_core.errors import InputError
from dkl_core.survey import FloatArray

DecompositionName = Literal["pca", "nmf", "nfindr"]
AGREEMENT = 0.9
"""A component that correlates with its partners in other starts by less than this is called not converged."""

_NMF_STEPS, _NMF_TOLERANCE = 200, 3e-3


@dataclass(frozen=True)
class Verdict:
    """Whether a decomposition may be believed.

    Attributes:
        agreements: correlation of each component with its partner in the other starts, the mean over them; 1 where
            nothing depends on the start, NaN where there was only one.
        rested: how many starts came to rest within their steps.
        starts: number of starts.
        explained: share of the descriptors' variance that the components explain, 0 to 1.
    """

    agreements: tuple[float, ...]
    rested: int
    starts: int
    explained: float

    def converged(self, component: int) -> bool:
        """Whether a component comes out whichever way one starts; of a single start, whether it came to rest."""
        agreement = self.agreements[component]
        return agreement >= AGREEMENT if self.starts > 1 else self.rested == 1

    def text(self, component: int) -> str:
        """The same in words."""
        share = f"; all components explain {self.explained:.0%} of the variance" if self.explained > 0 else ""
        if self.starts == 1 and self.agreements[component] == 1:
            return f"converged: nothing depends on a start{share}"
        words = "converged" if self.converged(component) else "did not converge"
        reason = f"{self.rested} of {self.starts} starts came to rest"
        if self.starts > 1:
            reason += f", and component {component} agrees by {self.agreements[component]:.2f} with that of the others"
        return f"{words}: {reason}{share}"


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Components learned from some windows, applicable to any other.

    Attributes:
        name: `pca`, `nmf` or `nfindr`.
        components: shape (p, d).
        offset: what is subtracted from a descriptor first, (d,); zero for `nmf`.
        basis: for `nfindr` the principal axes that shares are counted in, (p - 1, d); empty elsewhere.
        verdict: whether to believe it.
    """

    name: DecompositionName
    components: FloatArray
    offset: FloatArray
    basis: FloatArray
    verdict: Verdict

    def transform(self, rows: NDArray[np.floating]) -> FloatArray:
        """How much of each component is in each descriptor (n, d), shape (n, p)."""
        if len(rows) == 0:
            return np.empty((0, len(self.components)))
        centred = np.asarray(rows, dtype=np.float64) - self.offset
        if self.name == "nfindr":
            return abundances(centred @ self.basis.T, (self.components - self.offset) @ self.basis.T)
        if self.name == "nmf":
            return _non_negative(np.asarray(rows, dtype=np.float64), self.components)
        weights: FloatArray = centred @ self.components.T
        return weights


def decompose(
    rows: NDArray[np.floating], name: DecompositionName, count: int, *, starts: int = 3, seed: int = 0
) -> Decomposition:
    """Find the components of some descriptors.

    Args:
        rows: descriptors (n, d).
        name: `pca`; `nmf` (Lee and Seung 1999); `nfindr` (Winter 1999).
        count: number of components.
        starts: how often `nmf` and `nfindr` begin anew; the start that agrees best with the others is kept.
        seed: of the starts.

    Raises:
        InputError: unknown name, more components than descriptors, or descriptors that are all the same.
    """
    if name not in get_args(DecompositionName):
        raise InputError(f"unknown decomposition {name!r}; choose one of {', '.join(get_args(DecompositionName))}")
    data = np.asarray(rows, dtype=np.float64)
    _check(data, count, starts, least=2 if name == "nfindr" else 1)
    if name == "pca":
        return _pca(data, count)
    return _best_of([_START[name](data, count, seed + number) for number in range(starts)], data)


@dataclass(frozen=True, eq=False)
class _Start:
    name: DecompositionName
    components: FloatArray
    offset: FloatArray
    basis: FloatArray
    rested: bool

    def of(self, verdict: Verdict) -> Decomposition:
        return Decomposition(self.name, self.components, self.offset, self.basis, verdict)


def _pca(data: FloatArray, count: int) -> Decomposition:
    mean, axes, variances = _axes(data, count)
    explained = float(variances[:count].sum() / variances.sum())
    verdict = Verdict((1.0,) * count, 1, 1, explained)
    return Decomposition("pca", axes, mean, np.empty((0, data.shape[1])), verdict)


def _nmf(data: FloatArray, count: int, seed: int) -> _Start:
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    model = NMF(count, init="random", random_state=seed, max_iter=_NMF_STEPS, tol=_NMF_TOLERANCE)
    with warnings.catch_warnings():
        # Said by the verdict.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(_without_noise(data, count).astype(np.float32))
    components = np.asarray(model.components_, dtype=np.float64)
    length = np.linalg.norm(components, axis=1, keepdims=True)
    rested = int(model.n_iter_) < _NMF_STEPS and bool((length > 0).all())
    none = np.zeros(data.shape[1])
    return _Start("nmf", components / np.where(length > 0, length, 1.0), none, np.empty((0, len(none))), rested)


def _without_noise(data: FloatArray, count: int) -> FloatArray:
    """What the mean and the first principal components give of the data, where it is positive.

    Noise is as large as the structure and everywhere; the factors would share it among them, each start otherwise.
    """
    mean, axes, _ = _axes(data, count)
    smooth: FloatArray = np.maximum(mean + (data - mean) @ axes.T @ axes, 0.0)
    return smooth


def _end_members(data: FloatArray, count: int, seed: int) -> _Start:
    mean, axes, _ = _axes(data, count - 1)
    chosen, rested = largest_simplex((data - mean) @ axes.T, np.random.default_rng(seed))
    return _Start("nfindr", data[chosen], mean, axes, rested)


_START = {"nmf": _nmf, "nfindr": _end_members}


def _best_of(starts: Sequence[_Start], data: FloatArray) -> Decomposition:
    agreements = [_agreements(number, starts) for number in range(len(starts))]
    start = starts[int(np.argmax([np.nan_to_num(each).mean() for each in agreements]))]
    each = tuple(float(value) for value in agreements[starts.index(start)])
    rested = sum(one.rested for one in starts)
    unjudged = start.of(Verdict(each, rested, len(starts), 0.0))
    return start.of(Verdict(each, rested, len(starts), _explained(unjudged, data)))


def _explained(decomposition: Decomposition, data: FloatArray) -> float:
    weights = decomposition.transform(data)
    rest = data - weights @ decomposition.components
    return max(0.0, 1 - float((rest**2).sum() / ((data - data.mean(axis=0)) ** 2).sum()))


def _agreements(number: int, starts: Sequence[_Start]) -> FloatArray:
    """How well each component of a start is met by the others, paired so that the sum is largest; (p,)."""
    from scipy.optimize import linear_sum_assignment

    one = starts[number].components
    others = [start.components for index, start in enumerate(starts) if index != number]
    if not others:
        return np.full(len(one), np.nan)
    found = []
    for other in others:
        with np.errstate(invalid="ignore"):
            table = np.nan_to_num(np.corrcoef(one, other)[: len(one), len(one) :])
        rows, columns = linear_sum_assignment(-table)
        found.append(table[rows, columns])
    mean: FloatArray = np.mean(found, axis=0)
    return mean


def _axes(data: FloatArray, count: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean (d,), principal axes (count, d) and all variances, largest first, by the smaller of both Gram matrices."""
    mean = data.mean(axis=0)
    centred = data - mean
    if data.shape[0] < data.shape[1]:
        variances, left = np.linalg.eigh(centred @ centred.T)
        axes = left[:, ::-1][:, :count].T @ centred
        axes /= np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), 1e-300)
    else:
        variances, right = np.linalg.eigh(centred.T @ centred)
        axes = right[:, ::-1][:, :count].T
    return mean, axes, np.maximum(variances[::-1], 0.0)


def _non_negative(rows: FloatArray, components: FloatArray) -> FloatArray:
    """Weights of 0 or more that best give the rows, (n, p): the exact solution, set of active components by set."""
    from scipy.optimize import nnls

    # In the span of the components the problem is the same and small.
    span, triangle = np.linalg.qr(components.T)
    reduced = rows @ span
    weights: FloatArray = np.linalg.lstsq(triangle, reduced.T, rcond=None)[0].T
    for index in np.flatnonzero((weights < 0).any(axis=1)):
        weights[index] = nnls(triangle, reduced[index])[0]
    return weights


def _check(data: FloatArray, count: int, starts: int, least: int) -> None:
    if data.ndim != 2 or len(data) == 0:
        raise InputError(f"there are no descriptors to decompose (shape {data.shape}); give at least one window")
    if not np.isfinite(data).all():
        raise InputError("the descriptors hold NaN or infinite numbers; leave such windows out, or fill their pixels")
    if starts < 1:
        raise InputError(f"starts is {starts}; give 1 or more")
    most = min(data.shape)
    if not least <= count <= most:
        raise InputError(f"{count} components are asked of {data.shape[0]} windows; give {least} to {most}")
    spread = data.std(axis=0).max()
    if spread <= 1e-9 * max(float(np.abs(data).max()), 1e-300):
        raise InputError("all windows look the same, so there is nothing to tell apart; take another image or window")
