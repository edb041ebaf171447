"""Acquisition functions: what ranks the sites that are not measured yet.

All take the posterior mean and standard deviation of the scalar and return larger numbers for better sites, whatever
the goal. A standard deviation of zero gives the limit of the formula, never NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InputError
from dkl_core.goal import Goal
from dkl_core.survey import FloatArray

AcquisitionName = Literal["ei", "ucb", "pi", "uncertainty", "thompson"]
_TINY = 1e-300
_BEGINNINGS = 8


@dataclass(frozen=True)
class ConstantBeta:
    """The same beta at every step."""

    value: float = 4.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value >= 0):
            raise InputError(f"beta is {self.value}; give 0 (pure exploitation) or more")

    def __call__(self, _measured: int) -> float:
        """Beta, whatever the number of measurements."""
        return self.value


@dataclass(frozen=True)
class AnnealedBeta:
    """beta = start * decay^(n - offset), not below floor: explore first, exploit later (Narasimha et al. 2024).

    Attributes:
        start: beta at n = offset.
        decay: factor per measurement.
        offset: number of seeds.
        floor: smallest beta.
    """

    start: float = 10.0
    decay: float = 0.9
    offset: int = 20
    floor: float = 0.001

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and self.start >= 0 and math.isfinite(self.floor) and self.floor >= 0):
            raise InputError(f"beta starts at {self.start} and ends at {self.floor}; give 0 or more for both")
        if not 0 < self.decay <= 1:
            raise InputError(f"beta's decay is {self.decay}; give a factor per measurement above 0, 1 at most")

    def __call__(self, measured: int) -> float:
        """Beta after `measured` measurements."""
        return max(self.start * self.decay ** (measured - self.offset), self.floor)


BetaSchedule = ConstantBeta | AnnealedBeta


@dataclass(frozen=True)
class AcquisitionSettings:
    """Which acquisition function, and what else a site costs.

    Attributes:
        name: `ei`, `ucb`, `pi`, `uncertainty` or `thompson`.
        xi: least improvement that counts for EI and PI, in standard deviations of the measured scalars.
        beta: schedule of UCB's beta.
        travel_weight: how much distance counts: the acquisition, scaled to 0..1 over the open sites, less this weight
            times the distance from the last site in units of the frame's diagonal. 0 ignores distance.
    """

    name: AcquisitionName = "ucb"
    xi: float = 0.01
    beta: BetaSchedule = AnnealedBeta()
    travel_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in get_args(AcquisitionName):
            raise InputError(f"unknown acquisition {self.name!r}; choose one of {', '.join(get_args(AcquisitionName))}")
        if not math.isfinite(self.xi):
            raise InputError(f"xi is {self.xi}; give the least improvement that counts, 0.01 for instance")
        if not math.isfinite(self.travel_weight) or self.travel_weight < 0:
            raise InputError(f"travel_weight is {self.travel_weight}; give 0 (distance is free) or more")


def expected_improvement(mean: ArrayLike, std: ArrayLike, best: float, goal: Goal, xi: float = 0.0) -> FloatArray:
    """EI = E[max(merit(f) - merit(best) - xi, 0)] (Jones, Schonlau and Welch 1998, eq. 15).

    Maximise: (mu - best - xi) Phi(z) + sigma phi(z), z = (mu - best - xi) / sigma; minimise by symmetry; for a target
    t with reach d = |best - t| - xi it is the expectation of max(d - |f - t|, 0), in closed form. The reach is never
    less than xi: once the target is met as closely as counts, other sites that meet it are looked for.

    Args:
        mean: posterior mean (M,).
        std: posterior standard deviation (M,).
        best: best scalar measured so far.
        goal: maximise, minimise or target.
        xi: least improvement that counts, in the scalar's units.
    """
    mu, sigma = _checked(mean, std)
    if goal.direction == "target":
        assert goal.value is not None
        return _target_improvement(np.abs(mu - goal.value), sigma, _reach(best, goal.value, xi))
    sign = 1.0 if goal.direction == "maximise" else -1.0
    return _tail_mean(sign * (mu - best) - xi, sigma)


def probability_of_improvement(mean: ArrayLike, std: ArrayLike, best: float, goal: Goal, xi: float = 0.0) -> FloatArray:
    """PI = P(merit(f) > merit(best) + xi) (Kushner 1964); arguments, and reach of a target, as in EI."""
    mu, sigma = _checked(mean, std)
    if goal.direction == "target":
        assert goal.value is not None
        reach, offset = _reach(best, goal.value, xi), np.abs(mu - goal.value)
        inside: FloatArray = _cdf(_ratio(reach - offset, sigma)) - _cdf(_ratio(-reach - offset, sigma))
        return inside
    sign = 1.0 if goal.direction == "maximise" else -1.0
    return _cdf(_ratio(sign * (mu - best) - xi, sigma))


def upper_confidence_bound(mean: ArrayLike, std: ArrayLike, beta: float, goal: Goal) -> FloatArray:
    """UCB = merit(mu) + sqrt(beta) sigma (Srinivas et al. 2010, eq. 6)."""
    mu, sigma = _checked(mean, std)
    if beta < 0:
        raise InputError(f"beta is {beta}; give 0 (pure exploitation) or more")
    bound: FloatArray = goal.merit(mu) + math.sqrt(beta) * sigma
    return bound


def evaluate(
    settings: AcquisitionSettings, mean: ArrayLike, std: ArrayLike, measured: ArrayLike, goal: Goal
) -> FloatArray:
    """The acquisition of all sites; for `thompson` give a posterior sample as the mean.

    Args:
        settings: which function, and its parameters.
        mean: posterior mean (M,), or a sample for `thompson`.
        std: posterior standard deviation (M,).
        measured: valid scalars measured so far (n,), n of 1 or more; the incumbent is the best of them.
        goal: what is looked for.
    """
    scalars = np.asarray(measured, dtype=np.float64)
    match settings.name:
        case "ucb":
            return upper_confidence_bound(mean, std, settings.beta(len(scalars)), goal)
        case "uncertainty":
            return _checked(mean, std)[1].copy()
        case "thompson":
            return goal.merit(mean).copy()
    best = float(scalars[np.argmax(goal.merit(scalars))])
    function = expected_improvement if settings.name == "ei" else probability_of_improvement
    return function(mean, std, best, goal, settings.xi * float(scalars.std()))


def with_travel(
    acquisition: FloatArray, distance: FloatArray, open_sites: NDArray[np.bool_], weight: float
) -> FloatArray:
    """The acquisition less the cost of going there.

    Args:
        acquisition: (M,).
        distance: from the present position in units of the frame's diagonal (M,).
        open_sites: sites that may be chosen (M,).
        weight: see `AcquisitionSettings.travel_weight`.
    """
    if weight == 0 or not open_sites.any():
        return acquisition
    low, high = acquisition[open_sites].min(), acquisition[open_sites].max()
    scaled = (acquisition - low) / (high - low) if high > low else np.zeros_like(acquisition)
    cost: FloatArray = scaled - weight * distance
    return cost


def short_path(points: ArrayLike, start: ArrayLike | None = None) -> NDArray[np.int64]:
    """An order that visits points in a short open path: nearest neighbour from several beginnings, then 2-opt.

    Args:
        points: (n, 2).
        start: where the probe or tip is now (2,), None if it does not matter.

    Returns:
        Order of the points (n,).
    """
    places = np.asarray(points, dtype=np.float64)
    if len(places) < 2:
        return np.arange(len(places))
    legs = np.pad(np.linalg.norm(places[:, None] - places[None], axis=-1), 1)
    if start is not None:
        legs[0, 1:-1] = np.linalg.norm(places - np.asarray(start, dtype=float), axis=1)
    beginnings = np.argsort(legs[0, 1:-1], kind="stable")[:_BEGINNINGS] + 1
    paths = [_two_opt(_nearest_neighbour(int(first), legs), legs) for first in beginnings]
    return min(paths, key=lambda path: float(legs[path[:-1], path[1:]].sum()))[1:-1] - 1


def _nearest_neighbour(first: int, legs: FloatArray) -> NDArray[np.int64]:
    """From the start (node 0) by way of `first` through all points to the end (the last node, at no distance)."""
    path, left = [0, first], np.ones(len(legs), dtype=bool)
    left[[0, first, -1]] = False
    while left.any():
        path.append(int(np.argmin(np.where(left, legs[path[-1]], np.inf))))
        left[path[-1]] = False
    return np.array([*path, len(legs) - 1], dtype=np.int64)


def _two_opt(path: NDArray[np.int64], legs: FloatArray) -> NDArray[np.int64]:
    """Reverse the stretch between two legs while that shortens the path."""
    while True:
        here, there = path[:-1], path[1:]
        kept = legs[here, there]
        change = np.triu(legs[np.ix_(here, here)] + legs[np.ix_(there, there)] - kept[:, None] - kept, 1)
        first, last = divmod(int(np.argmin(change)), len(change))
        if change[first, last] >= -1e-12 * kept.sum():
            return path
        path[first + 1 : last + 1] = path[first + 1 : last + 1][::-1]


def _checked(mean: ArrayLike, std: ArrayLike) -> tuple[FloatArray, FloatArray]:
    mu, sigma = np.asarray(mean, dtype=np.float64), np.asarray(std, dtype=np.float64)
    if (sigma < 0).any():
        raise InputError(f"a standard deviation is {sigma.min():g}; it must be zero or positive")
    return mu, sigma


def _reach(best: float, target: float, xi: float) -> float:
    return max(abs(best - target) - xi, xi, 0.0)


def _ratio(gain: FloatArray, sigma: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        ratio: FloatArray = gain / np.maximum(sigma, _TINY)
    return ratio


def _tail_mean(gain: FloatArray, sigma: FloatArray) -> FloatArray:
    """E[max(x, 0)] for x normal with mean `gain`."""
    z = _ratio(gain, sigma)
    tail: FloatArray = np.maximum(gain * _cdf(z) + sigma * _pdf(z), 0.0)
    return tail


def _target_improvement(offset: FloatArray, sigma: FloatArray, reach: float) -> FloatArray:
    """E[max(reach - |x|, 0)] for x normal with mean `offset` of 0 or more: a tent is three ramps."""
    # Ramps that rise away from the mean are small where the tent is, so that their difference keeps its digits.
    ramps = _tail_mean(reach - offset, sigma) - 2 * _tail_mean(-offset, sigma) + _tail_mean(-reach - offset, sigma)
    return np.maximum(ramps, 0.0)


def _cdf(z: FloatArray) -> FloatArray:
    from scipy.special import ndtr

    probability: FloatArray = ndtr(z)
    return probability


def _pdf(z: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        density: FloatArray = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return density
