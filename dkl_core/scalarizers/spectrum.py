"""A tunnelling spectrum: bias and the channels recorded along it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InputError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_USUAL_ORDER = ("bias", "current", "didv", "lockin_y")
_UNITS = {"bias": "V", "current": "A"}
_LOCKIN_Y = "lockin_y"


@dataclass(frozen=True, eq=False)
class Spectrum:
    """What was recorded while the bias was swept once, sorted so that the bias ascends.

    Attributes:
        bias_v: bias in V, shape (S,), at least two finite values, strictly rising or falling as given.
        current_a: current in A, shape (S,), None if not recorded.
        didv: differential conductance or lock-in signal in its own units, shape (S,), None if not recorded.
        extra: further channels by name, each of shape (S,). NaN marks lost samples in every channel.
    """

    bias_v: FloatArray
    current_a: FloatArray | None = None
    didv: FloatArray | None = None
    extra: Mapping[str, FloatArray] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        bias = _checked_bias(self.bias_v)
        order = slice(None) if bias[1] > bias[0] else slice(None, None, -1)
        for attribute in ("current_a", "didv"):
            values = getattr(self, attribute)
            if values is not None:
                object.__setattr__(self, attribute, _checked_channel(attribute, values, bias.size, order))
        extra = {
            _checked_name(name): _checked_channel(name, values, bias.size, order) for name, values in self.extra.items()
        }
        object.__setattr__(self, "extra", MappingProxyType(extra))
        object.__setattr__(self, "bias_v", _frozen(bias[order]))

    @classmethod
    def from_array(cls, values: ArrayLike, channels: Sequence[str] | None = None) -> Spectrum:
        """A spectrum from an array with one row per channel, as instruments and files deliver it.

        Args:
            values: shape (channels, S); V for the bias, A for the current.
            channels: name of each row, `bias` among them; by default the first ones of
                bias, current, didv, lockin_y. Names other than bias, current and didv go to `extra`.

        Raises:
            InputError: wrong shape, names that do not match the rows, or values that `Spectrum` refuses.
        """
        rows = _real_array("the spectrum", values)
        if rows.ndim != 2:
            raise InputError(f"the spectrum has shape {rows.shape}; give a two-dimensional array (channels, samples)")
        names = _USUAL_ORDER[: len(rows)] if channels is None else tuple(channels)
        if len(names) != len(rows) or len(set(names)) != len(names) or "bias" not in names:
            raise InputError(
                f"the channel names {', '.join(names) or 'are empty and'} do not fit {len(rows)} rows; "
                "give one different name per row, 'bias' among them"
            )
        named = dict(zip(names, rows, strict=True))
        return cls(named.pop("bias"), named.pop("current", None), named.pop("didv", None), named)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the recorded channels, without the bias."""
        usual = (("current", self.current_a), ("didv", self.didv))
        return (*(name for name, values in usual if values is not None), *self.extra)

    def channel(self, name: str) -> FloatArray:
        """The values of a channel, shape (S,); `bias` gives the bias.

        Raises:
            InputError: the channel was not recorded.
        """
        known = {"bias": self.bias_v, "current": self.current_a, "didv": self.didv, **self.extra}
        values = known.get(name)
        if values is None:
            raise InputError(f"the spectrum has no channel {name!r}; it has {', '.join(self.channel_names) or 'none'}")
        return values

    def as_array(self) -> FloatArray:
        """Bias and channels as rows, in the order of `("bias", *channel_names)`; the inverse of `from_array`."""
        return np.stack([self.channel(name) for name in ("bias", *self.channel_names)])


def checked_spectrum(raw: object) -> Spectrum:
    """The raw measurement, if it is a spectrum.

    Raises:
        InputError: it is something else.
    """
    if isinstance(raw, Spectrum):
        return raw
    shape = f" of shape {raw.shape}" if isinstance(raw, np.ndarray) else ""
    raise InputError(f"got {type(raw).__name__}{shape}; give a Spectrum, for instance Spectrum.from_array(values)")


def unit(channel: str) -> str:
    """The unit of a channel with a blank before it, empty where the channel has its own."""
    return f" {_UNITS[channel]}" if channel in _UNITS else ""


def shifted_samples(spectrum: Spectrum, saturated_a: float = 1.00014e-8) -> BoolArray:
    """Samples of the published STM runs in which the current was written into the wrong channel.

    Their signature: the saturated current stands in dI/dV while current and lock-in Y are exactly zero.

    Args:
        spectrum: with current, didv and lockin_y.
        saturated_a: the saturated current in A, met within 1e-4 of itself.

    Returns:
        A mask, shape (S,).
    """
    at_limit = np.abs(spectrum.channel("didv") - saturated_a) <= 1e-4 * saturated_a
    mask: BoolArray = at_limit & (spectrum.channel("current") == 0) & (spectrum.channel(_LOCKIN_Y) == 0)
    return mask


def repair_shifted_samples(spectrum: Spectrum, saturated_a: float = 1.00014e-8) -> Spectrum:
    """The spectrum with the current of shifted samples put back; for replaying the published STM runs.

    The current is restored from dI/dV. The dI/dV of these samples is not in the file: zero is put in its place, which
    is about what the lock-in shows wherever else the current is pinned at its limit. With it every stored scalar of
    Figures 3 and 7 (DKL1) is met, but it is an assumption, and the samples remain saturated: their integral is a lower
    bound. Spectra without the signature come back unchanged; do not use this on other data.

    Args:
        spectrum: with current, didv and lockin_y.
        saturated_a: the saturated current in A.
    """
    mask = shifted_samples(spectrum, saturated_a)
    if not mask.any():
        return spectrum
    current, didv = spectrum.channel("current"), spectrum.channel("didv")
    return replace(spectrum, current_a=np.where(mask, didv, current), didv=np.where(mask, 0.0, didv))


def _real_array(what: str, values: ArrayLike) -> NDArray[np.generic]:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{what} holds {array.dtype} values; give real numbers")
    return array


def _frozen(values: NDArray[np.generic]) -> FloatArray:
    copy = np.array(values, dtype=np.float64)
    copy.setflags(write=False)
    return copy


def _checked_bias(values: ArrayLike) -> FloatArray:
    bias = _frozen(_real_array("the bias", values))
    if bias.ndim != 1 or bias.size < 2:
        raise InputError(f"the bias has shape {bias.shape}; give a one-dimensional sweep of at least two values")
    if not np.isfinite(bias).all():
        raise InputError("the bias holds NaN or infinite values; give the finite bias of every sample")
    steps = np.diff(bias)
    if not ((steps > 0).all() or (steps < 0).all()):
        turn = int(np.argmax(steps * steps[0] <= 0))
        raise InputError(
            f"the bias turns or stops after sample {turn} ({bias[turn]:g} V); give one sweep, forward or backward"
        )
    return bias


def _checked_channel(name: str, values: ArrayLike, samples: int, order: slice) -> FloatArray:
    channel = _frozen(_real_array(f"channel {name}", values))
    if channel.shape != (samples,):
        raise InputError(f"channel {name} has shape {channel.shape}; give one value for each of {samples} bias samples")
    if np.isinf(channel).any():
        raise InputError(f"channel {name} holds infinite values; give numbers, NaN where a sample was lost")
    return _frozen(channel[order])


def _checked_name(name: str) -> str:
    if not name.isidentifier() or name in _USUAL_ORDER[:3]:
        raise InputError(f"{name!r} cannot name an extra channel; use letters, digits and _, not bias, current or didv")
    return name
