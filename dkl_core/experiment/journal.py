"""What happened in an experiment, and where it is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.measurement import Measurement, Scalar, Site

_STEADY = 0.2
EventSink = Callable[[str, Mapping[str, Any], Mapping[str, NDArray[Any]]], None]
"""Takes (kind, data, arrays) of every event before the experiment acts on it; raises to refuse it."""


def no_sink(kind: str, data: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keeps nothing."""


@dataclass(frozen=True)
class Told:
    """A measurement as the experiment took it in.

    Attributes:
        site: where.
        measurement: what.
        attempt: how often the site had been tried, this time included.
        predicted_mean: what the model expected just before, NaN if it had not been fitted.
        predicted_std: how sure it was (noise included), NaN if it had not been fitted.
        time: when it was told, s since 1970 (UTC).
        elapsed: how long the experiment had been active then, s; pauses do not count.
    """

    site: Site
    measurement: Measurement
    attempt: int = 1
    predicted_mean: float = float("nan")
    predicted_std: float = float("nan")
    time: float = field(default_factory=lambda: datetime.now(UTC).timestamp())
    elapsed: float = 0.0

    def revised(self, scalar: Scalar, measured: Scalar | None = None) -> Told:
        """The same measurement with another scalar; the first one is kept in its details."""
        return replace(self, measurement=self.measurement.revised(scalar, measured))

    def without_raw(self) -> Told:
        """The same measurement without its raw data."""
        return replace(self, measurement=replace(self.measurement, raw=None))

    def to_event(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The data and arrays of a `tell` event."""
        scalar, taken = self.measurement.scalar, self.measurement
        data = {
            "site": self.site.index,
            "row": self.site.row,
            "col": self.site.col,
            "value": scalar.value,
            "valid": taken.ok,
            "reason": taken.reason,
            "noise_variance": scalar.noise_variance,
            "seconds": taken.seconds,
            "dose": taken.dose,
            "electrons": taken.electrons,
            "time": self.time,
            "attempt": self.attempt,
            "details": {
                **taken.details,
                "predicted_mean": self.predicted_mean,
                "predicted_std": self.predicted_std,
                "elapsed": self.elapsed,
            },
        }
        return data, {} if taken.raw is None else {"raw": np.asarray(taken.raw)}

    @classmethod
    def from_event(cls, data: Mapping[str, Any], raw: NDArray[Any] | None = None) -> Told:
        """The inverse of `to_event`."""
        details = dict(data["details"] or {})
        mean, std = details.pop("predicted_mean", float("nan")), details.pop("predicted_std", float("nan"))
        elapsed = details.pop("elapsed", 0.0)
        measurement = Measurement(
            scalar_from_event(data), raw, data["seconds"], data["dose"], details, data.get("electrons")
        )
        site = Site(int(data["site"]), int(data["row"]), int(data["col"]))
        return cls(
            site, measurement, int(data["attempt"]), float(mean), float(std), float(data["time"]), float(elapsed)
        )


@dataclass(frozen=True)
class Revision:
    """What a measurement becomes.

    Attributes:
        scalar: what is learned from now.
        measured: what the scalarizer gives now; None where that is the same.
    """

    scalar: Scalar
    measured: Scalar | None = None

    def to_json(self, number: int) -> dict[str, Any]:
        """One change of a `revise` event.

        Args:
            number: of the measurement, from 0.
        """
        measured = {} if self.measured is None else {"measured": self.measured.to_json()}
        return {"told": number, **self.scalar.to_json(), **measured}

    @classmethod
    def from_json(cls, change: Mapping[str, Any]) -> Revision:
        """The inverse of `to_json`."""
        measured = change.get("measured")
        return cls(scalar_from_event(change), None if measured is None else scalar_from_event(measured))


def revision_event(changes: Mapping[int, Revision]) -> dict[str, Any]:
    """The data of a `revise` event."""
    return {
        "changes": [revision.to_json(number) for number, revision in changes.items()],
        "time": datetime.now(UTC).timestamp(),
    }


def scalar_from_event(data: Mapping[str, Any]) -> Scalar:
    """The scalar in the data of a `tell` event, or in one change of a `revise` event."""
    return Scalar(float(data["value"]), bool(data["valid"]), data["reason"], data["noise_variance"])


def usable_scalar(scalar: Scalar) -> Scalar:
    """The scalar, or an invalid one where its value or its noise variance would upset the model."""
    if not scalar.valid:
        return scalar
    if not math.isfinite(scalar.value):
        return Scalar.invalid(f"the scalar is {scalar.value}, which is not a finite number", scalar.value)
    variance = scalar.noise_variance
    if variance is None or math.isnan(variance) or 0 <= variance < math.inf:
        return scalar
    reason = f"its noise variance is {variance}, which must be zero or positive and finite"
    return Scalar.invalid(reason, scalar.value)


def with_steady_noise(scalar: Scalar, before: Scalar) -> Scalar:
    """The scalar with the noise variance from before where it is nearly the same; the model then follows quickly."""
    new, old = scalar.noise_variance, before.noise_variance
    if new is None or old is None or not abs(new - old) <= _STEADY * old:
        return scalar
    return replace(scalar, noise_variance=old)


def check_note(data: Mapping[str, Any]) -> None:
    """Refuse a note that the electron limit could not count.

    Raises:
        InputError: the electrons of a dose are no number, or negative.
    """
    electrons = data.get("electrons")
    if data["kind"] != "dose" or electrons is None:
        return
    if not isinstance(electrons, Real) or not 0 <= float(electrons) < math.inf:
        raise InputError(f"a dose of {electrons!r} electrons cannot be counted; give a number, zero or positive")
