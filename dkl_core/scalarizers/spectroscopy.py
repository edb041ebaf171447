"""Scalarizers of tunnelling spectra that are areas, after the published STM runs (Narasimha et al. 2024).

Each is called with a `Spectrum` and returns a `Scalar`: the number by the published definition, whether it may be used
and, where it can honestly be told, the variance of its noise. The published runs maximised k - s (15000 - area,
3.1 - gap, 2.1 - E_V) in order to find small values of s: minimising s is the same search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dkl_core.errors import InputError
from dkl_core.measurement import Scalar
from dkl_core.scalarizers.quality import SpectrumChecks, coverage_problem, sample_noise
from dkl_core.scalarizers.registry import register
from dkl_core.scalarizers.spectrum import BoolArray, FloatArray, Spectrum, checked_spectrum


@register("area", raw_kind="spectrum")
@dataclass(frozen=True, kw_only=True)
class AreaInRange(SpectrumChecks):
    """Area under a channel between two biases: trapezoids over the samples with low_v ≤ V ≤ high_v, none interpolated.

    A last sample at 2.4000001 V is outside a range that ends at 2.4 V. Invalid when the sweep does not cover the range
    to within a step, and by every check of `SpectrumChecks`.

    Attributes:
        channel: name of the channel.
        low_v: lower end of the range in V.
        high_v: upper end of the range in V.
    """

    channel: str = "current"
    low_v: float
    high_v: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_range(self.low_v, self.high_v)

    def __call__(self, raw: Spectrum) -> Scalar:
        """The area in the channel's units times V, with the variance of its noise."""
        spectrum = checked_spectrum(raw)
        used = within(spectrum, self.low_v, self.high_v)
        weights, values = trapezoid_weights(spectrum.bias_v, used), spectrum.channel(self.channel)
        problems = (coverage_problem(spectrum, self.low_v, self.high_v), self.problem(spectrum, self.channel, used))
        return self.verdict(weighted_sum(weights, values), problems, propagated_variance(weights, values))


@register("positive_area", raw_kind="spectrum")
@dataclass(frozen=True, kw_only=True)
class PositiveArea(SpectrumChecks):
    """Area under a channel over all samples with V > 0, in the channel's units times V.

    Attributes:
        channel: name of the channel.
    """

    channel: str = "current"

    def __call__(self, raw: Spectrum) -> Scalar:
        """The area, with the variance of its noise."""
        spectrum = checked_spectrum(raw)
        used = spectrum.bias_v > 0
        weights, values = trapezoid_weights(spectrum.bias_v, used), spectrum.channel(self.channel)
        problems = (self.problem(spectrum, self.channel, used),)
        return self.verdict(weighted_sum(weights, values), problems, propagated_variance(weights, values))


@register("in_gap_ratio", raw_kind="spectrum")
@dataclass(frozen=True, kw_only=True)
class InGapRatio(SpectrumChecks):
    """Share of the states that lie in the gap: area(low_v, gap_v) / area(low_v, high_v), without unit.

    Beyond the checks of `SpectrumChecks` it is invalid when the area it divides by is not three times its own noise.

    Attributes:
        channel: name of the channel.
        low_v: where both ranges begin, V.
        gap_v: where the range in the gap ends, V.
        high_v: where the whole range ends, V.
        offset: added to the ratio; the published runs stored 0.005 + ratio because their loop dropped values that are
            not positive.
    """

    channel: str = "didv"
    low_v: float = 0.0
    gap_v: float = 0.5
    high_v: float = 1.5
    offset: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_range(self.low_v, self.gap_v)
        _check_range(self.gap_v, self.high_v)

    def __call__(self, raw: Spectrum) -> Scalar:
        """The ratio, with the variance of its noise to first order."""
        spectrum = checked_spectrum(raw)
        values, used = spectrum.channel(self.channel), within(spectrum, self.low_v, self.high_v)
        part = trapezoid_weights(spectrum.bias_v, within(spectrum, self.low_v, self.gap_v))
        whole = trapezoid_weights(spectrum.bias_v, used)
        area = weighted_sum(whole, values)
        ratio = weighted_sum(part, values) / area if area != 0 else float("nan")
        problems = (
            coverage_problem(spectrum, self.low_v, self.high_v),
            self.problem(spectrum, self.channel, used),
            _indistinct(area, propagated_variance(whole, values)),
        )
        # to first order d(p/w) = (dp - ratio dw) / w
        variance = propagated_variance((part - ratio * whole) / area, values) if area != 0 else None
        return self.verdict(self.offset + ratio, problems, variance)


def within(spectrum: Spectrum, low_v: float, high_v: float) -> BoolArray:
    """Which samples have low_v ≤ V ≤ high_v, shape (S,)."""
    inside: BoolArray = (spectrum.bias_v >= low_v) & (spectrum.bias_v <= high_v)
    return inside


def trapezoid_weights(bias_v: FloatArray, used: BoolArray) -> FloatArray:
    """Weights in V, shape (S,), whose product with a channel is its area over the used samples (zero elsewhere)."""
    weights = np.zeros_like(bias_v)
    half = np.diff(bias_v[used]) / 2.0
    if half.size:
        weights[used] = np.concatenate((half, [0.0])) + np.concatenate(([0.0], half))
    return weights


def weighted_sum(weights: FloatArray, values: FloatArray) -> float:
    """The sum of weight times value over the samples that have weight; NaN elsewhere does no harm."""
    kept = weights != 0
    return float(weights[kept] @ values[kept])


def propagated_variance(weights: FloatArray, values: FloatArray) -> float | None:
    """Variance of a weighted sum from the noise of its samples (`sample_noise`), None where that cannot be told."""
    noise = sample_noise(values)
    return None if noise is None else float(np.sum((weights * noise) ** 2))


def _indistinct(area: float, variance: float | None) -> str:
    if area > 3.0 * (variance or 0.0) ** 0.5:
        return ""
    return f"too noisy: the area over the whole range, {area:.3g}, is not three times its noise"


def _check_range(low_v: float, high_v: float) -> None:
    if not low_v < high_v:
        raise InputError(f"the bias range runs from {low_v} to {high_v} V; give a lower end below the upper end")
