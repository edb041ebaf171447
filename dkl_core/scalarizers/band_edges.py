"""Scalarizers of the gap in a tunnelling spectrum: band gap, valence and conduction edge (Narasimha et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dkl_core.errors import InputError
from dkl_core.measurement import Scalar
from dkl_core.scalarizers.edge_fit import Edge, EdgeRule, find_edge, trailing_mean
from dkl_core.scalarizers.quality import SpectrumChecks, sample_noise
from dkl_core.scalarizers.registry import register
from dkl_core.scalarizers.spectrum import BoolArray, FloatArray, Spectrum, checked_spectrum


@dataclass(frozen=True)
class _Side:
    """The samples on one side of zero bias; those of the valence band are turned round so that |V| ascends."""

    name: str
    used: BoolArray
    turned: bool

    def of(self, values: FloatArray) -> FloatArray:
        kept: FloatArray = values[self.used]
        return kept[::-1] if self.turned else kept


@dataclass(frozen=True, kw_only=True)
class _SlopeFit(SpectrumChecks):
    """The sum of the edges on the sides that the subclass names."""

    channel: str = "didv"
    window_v: float = 0.2
    threshold: float = 0.2
    min_slope_per_v: float = 0.1
    smoothing_samples: int = 4
    noise_draws: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.window_v > 0:
            raise InputError(f"window_v is {self.window_v}; give the length of the fitted piece in V, above 0")
        if not 0 < self.threshold < 1:
            raise InputError(f"threshold is {self.threshold}; give a fraction of the span of dI/dV between 0 and 1")
        if self.smoothing_samples < 1:
            raise InputError(f"smoothing_samples is {self.smoothing_samples}; give 1 (no smoothing) or more")
        if self.noise_draws < 0 or self.noise_draws == 1:
            raise InputError(f"noise_draws is {self.noise_draws}; give 2 or more, or 0 to leave the noise unknown")

    def __call__(self, raw: Spectrum) -> Scalar:
        spectrum = checked_spectrum(raw)
        sides, values = self._sides(spectrum.bias_v), spectrum.channel(self.channel)
        edges = self._edges(spectrum.bias_v, values, sides)
        variance = self._variance(spectrum.bias_v, values, sides) if self.noise_draws else None
        return self.verdict(_total(edges), self._problems(spectrum, sides, edges), variance)

    def _sides(self, bias_v: FloatArray) -> tuple[_Side, ...]:
        raise NotImplementedError

    def _edges(self, bias_v: FloatArray, values: FloatArray, sides: tuple[_Side, ...]) -> tuple[Edge, ...]:
        rule = EdgeRule(self.threshold, self.window_v, self.min_slope_per_v)
        smooth = trailing_mean(values, self.smoothing_samples)
        return tuple(find_edge(np.abs(side.of(bias_v)), side.of(smooth), rule) for side in sides)

    def _problems(self, spectrum: Spectrum, sides: tuple[_Side, ...], edges: tuple[Edge, ...]) -> Iterator[str]:
        values = spectrum.channel(self.channel)
        for side, edge in zip(sides, edges, strict=True):
            yield self.problem(spectrum, self.channel, side.used)
            yield self._noisy_gap(values, side)
            yield edge.problem and f"{side.name}: {edge.problem}"

    def _noisy_gap(self, values: FloatArray, side: _Side) -> str:
        noise = sample_noise(values)
        if noise is None:
            return ""
        band = 6.0 * float(np.median(side.of(noise))) / self.smoothing_samples**0.5
        allowed = self.threshold * float(np.ptp(side.of(values)))
        if band <= allowed:
            return ""
        return f"too noisy: the band of ±3 σ of the smoothed noise, {band:.3g}, is wider than the onset, {allowed:.3g}"

    def _variance(self, bias_v: FloatArray, values: FloatArray, sides: tuple[_Side, ...]) -> float | None:
        noise = sample_noise(values)
        if noise is None:
            return None
        # a fixed seed: the same spectrum must always give the same scalar
        draws = np.random.default_rng(0).standard_normal((self.noise_draws, values.size))
        again = [self._edges(bias_v, values + noise * draw, sides) for draw in draws]
        if any(edge.problem for edges in again for edge in edges):
            return None
        return float(np.var([_total(edges) for edges in again], ddof=1))


@register("band_gap", raw_kind="spectrum")
@dataclass(frozen=True, kw_only=True)
class BandGap(_SlopeFit):
    """Band gap E_V + E_C in V, each edge from a straight line fitted to the onset of dI/dV on its side of zero bias.

    The smoothing looks back only, so it moves both onsets by 1.5 samples towards higher bias; in the gap this cancels.
    Invalid when a side has no edge in the sweep, when the band of ±3 σ of the noise after smoothing (median over the
    side) is wider than the threshold, and by every check of `SpectrumChecks`. The number is -4 (per side) where no line
    rises and 0 where dI/dV rises at once, as the published definition has it; both are invalid.

    Attributes:
        channel: dI/dV by name.
        window_v: length of the fitted piece in V.
        threshold: fraction of the span of dI/dV on a side up to which it counts as onset.
        min_slope_per_v: smallest slope of the onset, fractions of the span per V.
        smoothing_samples: length of the trailing mean; 1 for none.
        noise_draws: how many times the fit is repeated with the estimated noise added once more, to find the variance
            of the value (a parametric bootstrap; on synthetic gaps the median of its standard deviation was 0.8 to 1.2
            times the true one). 0 leaves the variance unknown; it stays unknown where a repetition finds no edge.
    """

    def _sides(self, bias_v: FloatArray) -> tuple[_Side, ...]:
        return _Side("E_C", bias_v >= 0, turned=False), _Side("E_V", bias_v < 0, turned=True)


@register("valence_edge", raw_kind="spectrum")
@dataclass(frozen=True, kw_only=True)
class ValenceEdge(_SlopeFit):
    """Valence edge E_V, the distance in V from zero bias to the onset of dI/dV at V ≤ 0 (a positive number).

    Options and validity are those of `BandGap`; the trailing mean makes E_V smaller by 1.5 samples.
    """

    def _sides(self, bias_v: FloatArray) -> tuple[_Side, ...]:
        return (_Side("E_V", bias_v <= 0, turned=True),)


@register("conduction_edge", raw_kind="spectrum")
@dataclass(frozen=True, kw_only=True)
class ConductionEdge(_SlopeFit):
    """Conduction edge E_C, the distance in V from zero bias to the onset of dI/dV at V ≥ 0.

    Options and validity are those of `BandGap`, with the published threshold of 0.1; the trailing mean makes E_C larger
    by 1.5 samples.
    """

    threshold: float = 0.1

    def _sides(self, bias_v: FloatArray) -> tuple[_Side, ...]:
        return (_Side("E_C", bias_v >= 0, turned=False),)


def _total(edges: tuple[Edge, ...]) -> float:
    return sum(edge.magnitude_v for edge in edges)
