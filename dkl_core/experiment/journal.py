"""What happened in an experiment, and where it is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.measurement import Measurement, Scalar, Site

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
    """

    site: Site
    measurement: Measurement
    attempt: int = 1
    predicted_mean: float = float("nan")
    predicted_std: float = float("nan")
    time: float = field(default_factory=lambda: datetime.now(UTC).timestamp())

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
            "time": self.time,
            "attempt": self.attempt,
            "details": {
                **taken.details,
                "predicted_mean": self.predicted_mean,
                "predicted_std": self.predicted_std,
            },
        }
        return data, {} if taken.raw is None else {"raw": np.asarray(taken.raw)}

    @classmethod
    def from_event(cls, data: Mapping[str, Any], raw: NDArray[Any] | None = None) -> Told:
        """The inverse of `to_event`."""
        details = dict(data["details"] or {})
        mean, std = details.pop("predicted_mean", float("nan")), details.pop("predicted_std", float("nan"))
        scalar = Scalar(float(data["value"]), bool(data["valid"]), data["reason"], data["noise_variance"])
        measurement = Measurement(scalar, raw, data["seconds"], data["dose"], details)
        site = Site(int(data["site"]), int(data["row"]), int(data["col"]))
        return cls(site, measurement, int(data["attempt"]), float(mean), float(std), float(data["time"]))
