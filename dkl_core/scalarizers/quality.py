"""Whether a spectrum can be trusted where it is used, and how noisy it is there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from dkl_core.errors import InputError
from dkl_core.measurement import Scalar
from dkl_core.scalarizers.spectrum import BoolArray, FloatArray, Spectrum, unit

MIN_SAMPLES = 3
_NOISE_SAMPLES = 12
_NOISE_WINDOW = 9
# with it the mean square of the estimate is the variance of white noise (found by simulation)
_NOISE_SCALE = 0.804
_SAME = 1e-6
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class SpectrumChecks:
    """When a number made of a spectrum may be used; the options that every spectroscopic scalarizer shares.

    The number itself is always computed by its definition, whatever the checks say.

    Attributes:
        strict: whether a failed check makes the scalar invalid. False keeps every finite number, as the published runs
            did.
        saturation_level: magnitude at which the channel is clipped, in the channel's units; None if unknown.
        current_limit_a: magnitude in A at which the current is clipped; None if unknown. It also concerns dI/dV, which
            reads zero, not its own limit, while the current is pinned.
        saturated_samples: how often the extreme value must occur to count as saturation where no level is given (see
            `saturated`); 0 switches this detection off.
        max_noise: largest noise of a sample (root mean square of `sample_noise` where the spectrum is used), as a
            fraction of the channel's peak-to-peak value over the whole sweep. Pure noise has more than 0.12.
    """

    strict: bool = True
    saturation_level: float | None = None
    current_limit_a: float | None = None
    saturated_samples: int = 3
    max_noise: float = 0.1

    def __post_init__(self) -> None:
        for name, level in (("saturation_level", self.saturation_level), ("current_limit_a", self.current_limit_a)):
            if level is not None and not level > 0:
                raise InputError(f"{name} is {level}; give a positive magnitude or None")
        if self.saturated_samples < 0 or self.saturated_samples == 1:
            raise InputError(f"saturated_samples is {self.saturated_samples}; give 2 or more, or 0 for no detection")
        if not self.max_noise > 0:
            raise InputError(f"max_noise is {self.max_noise}; give a positive fraction of the peak-to-peak value")

    def verdict(self, value: float, problems: Iterable[str], noise_variance: float | None = None) -> Scalar:
        """The scalar with the first problem found, if any."""
        problem = next((text for text in problems if text), "")
        if not math.isfinite(value):
            return Scalar.invalid(problem or f"the result is {value}, which is not a finite number", value)
        if problem and self.strict:
            return Scalar.invalid(problem, value)
        return Scalar(value, noise_variance=None if problem else noise_variance)

    def problem(self, spectrum: Spectrum, channel: str, used: BoolArray) -> str:
        """The first reason not to trust a channel where it is used; empty if there is none.

        Args:
            spectrum: the measurement.
            channel: name of the channel.
            used: which samples are used, shape (S,).
        """
        values, count = spectrum.channel(channel), int(used.sum())
        if count < MIN_SAMPLES:
            return f"only {count} samples in the bias range; at least {MIN_SAMPLES} are needed"
        lost = int(np.isnan(values[used]).sum())
        if lost:
            return f"{lost} of {count} samples of the {channel} in the bias range are NaN"
        if np.nanmax(values) == np.nanmin(values):
            return f"the {channel} is constant ({values[used][0]:g}{unit(channel)}); is the channel connected?"
        return self._saturation(spectrum, channel, used) or self._noise(values, channel, used)

    def _saturation(self, spectrum: Spectrum, channel: str, used: BoolArray) -> str:
        for name, level in self._limits(spectrum, channel):
            values = spectrum.channel(name)
            hit = used & saturated(values, level, self.saturated_samples)
            if hit.any():
                worst = values[hit][np.argmax(np.abs(values[hit]))]
                return (
                    f"the {name} is saturated in {int(hit.sum())} of {int(used.sum())} samples in the bias range "
                    f"(at {worst:.6g}{unit(name)}); narrow the range, lower the gain, or accept it with strict=False"
                )
        return ""

    def _limits(self, spectrum: Spectrum, channel: str) -> Iterator[tuple[str, float | None]]:
        own = self.saturation_level
        if channel == "current":
            own = min((x for x in (own, self.current_limit_a) if x is not None), default=None)
        elif channel == "didv" and spectrum.current_a is not None:
            yield "current", self.current_limit_a
        yield channel, own

    def _noise(self, values: FloatArray, channel: str, used: BoolArray) -> str:
        noise = sample_noise(values)
        if noise is None:
            return ""
        level, span = float(np.sqrt(np.mean(noise[used] ** 2))), float(np.nanmax(values) - np.nanmin(values))
        if span > 0 and level <= self.max_noise * span:
            return ""
        return (
            f"too noisy: a sample of the {channel} has a noise of {level:.3g}{unit(channel)}, "
            f"more than {self.max_noise:g} of its peak-to-peak value {span:.3g}{unit(channel)}"
        )


def coverage_problem(spectrum: Spectrum, low_v: float, high_v: float) -> str:
    """Why the sweep does not cover a bias range, to within one step at each end; empty if it does."""
    bias = spectrum.bias_v
    if bias[0] <= low_v + (bias[1] - bias[0]) and bias[-1] >= high_v - (bias[-1] - bias[-2]):
        return ""
    return f"the sweep from {bias[0]:g} to {bias[-1]:g} V does not cover the range from {low_v:g} to {high_v:g} V"


def saturated(values: FloatArray, level: float | None = None, flat_samples: int = 3) -> BoolArray:
    """Clipped samples of a channel.

    With a level: every sample whose magnitude reaches it. Without one: every sample equal (to 1e-6) to the channel's
    maximum or minimum, if that extreme occurs `flat_samples` times, two of them side by side, and is at least half of
    the channel's largest magnitude. Where other values are repeated too, the digits are coarse, and the extreme must
    stand more than two of their steps from the samples next to it, so that the rounded top of a peak does not pass for
    clipping. A converter whose clipped output is noisy, or a sweep clipped in a sample or two, needs the level.

    Args:
        values: the channel, shape (S,); NaN is never saturated.
        level: magnitude of the clipped signal, in the channel's units.
        flat_samples: how often the extreme must occur; 0 switches the detection without a level off.

    Returns:
        A mask, shape (S,).
    """
    magnitude = np.abs(values)
    mask: BoolArray = np.zeros(values.shape, dtype=np.bool_) if level is None else magnitude >= level
    finite = values[np.isfinite(values)]
    if flat_samples == 0 or finite.size == 0:
        return mask
    largest = float(np.abs(finite).max())
    rails = [(end, np.abs(values - end) <= _SAME * abs(end)) for end in (float(finite.max()), float(finite.min()))]
    for end, at_end in rails:
        often = abs(end) >= 0.5 * largest > 0 and int(at_end.sum()) >= flat_samples
        if often and _clipped(values, end, at_end, rails[0][1] | rails[1][1]):
            mask = mask | at_end
    return mask


def sample_noise(values: FloatArray) -> FloatArray | None:
    """Standard deviation of the noise of each sample, from how the channel jitters around it.

    Third differences remove the smooth signal; the median of their magnitude over nine samples resists single jumps and
    follows noise that grows with the signal. It sees noise that is independent from sample to sample: slow drift
    is not in it, a lock-in slower than the sampling makes it too small, features of a few samples make it too large.

    Args:
        values: the channel, shape (S,).

    Returns:
        Shape (S,), or None where it cannot be told: fewer than 12 samples without NaN, or no jitter beyond rounding.
    """
    present = np.flatnonzero(~np.isnan(values))
    if present.size < _NOISE_SAMPLES:
        return None
    jitter = np.abs(np.diff(values[present], 3)) / math.sqrt(20.0)
    windows = np.lib.stride_tricks.sliding_window_view(jitter, _NOISE_WINDOW)
    local = np.median(windows, axis=1) / _NOISE_SCALE
    first = (present.size - local.size) // 2
    noise: FloatArray = np.interp(np.arange(values.size), present[first : first + local.size], local)
    return noise if noise.max() > _ROUNDING * np.nanmax(np.abs(values)) else None


def _clipped(values: FloatArray, end: float, at_end: BoolArray, at_any_end: BoolArray) -> bool:
    if not (at_end[1:] & at_end[:-1]).any() or at_end.all():
        return False
    coarse = (values[1:] == values[:-1]) & ~at_any_end[1:] & (values[1:] != 0)
    return not coarse.any() or _stands_apart(values, end, at_end)


def _stands_apart(values: FloatArray, end: float, at_end: BoolArray) -> bool:
    border = at_end[1:] != at_end[:-1]
    beside = np.concatenate((values[1:][border & ~at_end[1:]], values[:-1][border & ~at_end[:-1]]))
    step = np.diff(np.unique(values[~np.isnan(values)])).min()
    return not (np.abs(beside - end) <= 2.0 * step).any()
