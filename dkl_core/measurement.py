"""What a measurement is: the site, the raw data, the scalar and how it went."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Site:
    """A candidate position of the survey image.

    Attributes:
        index: position in the list of sites.
        row: row of the survey image in pixels, 0 at the top.
        col: column of the survey image in pixels.
    """

    index: int
    row: int
    col: int


@dataclass(frozen=True)
class Scalar:
    """What a scalarizer makes of one raw measurement.

    Attributes:
        value: the number; NaN when it could not be found.
        valid: whether the number may be used. An invalid one is never learned from.
        reason: why it is invalid, empty otherwise.
        noise_variance: variance of the value's own noise (value's units squared), None if unknown.
    """

    value: float
    valid: bool = True
    reason: str = ""
    noise_variance: float | None = None

    @classmethod
    def invalid(cls, reason: str, value: float = math.nan) -> Scalar:
        """A scalar that must not be used, and why."""
        return cls(value=value, valid=False, reason=reason)

    def to_json(self) -> dict[str, Any]:
        """Its fields by their names, JSON-compatible but for NaN."""
        return asdict(self)


@dataclass(frozen=True)
class Measurement:
    """Raw data, scalar and status at one site.

    Attributes:
        scalar: the number and whether it is valid.
        raw: pattern or spectrum as it was acquired, None where the host keeps it.
        seconds: how long the measurement took, s.
        dose: electrons per square angstrom received at this place, None if not applicable.
        details: anything else worth keeping (JSON-compatible values).
        electrons: how many hit the sample for it, those of scanning and settling too; None if not known.
    """

    scalar: Scalar
    raw: NDArray[np.generic] | None = None
    seconds: float = 0.0
    dose: float | None = None
    details: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    electrons: float | None = None

    @classmethod
    def of(cls, value: float, noise_variance: float | None = None) -> Measurement:
        """A measurement of which only the number is known."""
        return cls(Scalar(float(value), noise_variance=noise_variance))

    @classmethod
    def failed(cls, reason: str, raw: NDArray[np.generic] | None = None) -> Measurement:
        """A measurement that gave no usable number."""
        return cls(Scalar.invalid(reason), raw=raw)

    def revised(self, scalar: Scalar, measured: Scalar | None = None) -> Measurement:
        """The same measurement with another scalar; the first one is kept in the details as `original`.

        Args:
            scalar: what is learned from now.
            measured: what the scalarizer gives now, where something else is learned from.
        """
        kept = {} if measured is None else {"measured": measured.to_json()}
        return replace(self, scalar=scalar, details={"original": self.scalar.to_json(), **self.details, **kept})

    def driven_by(self, scalar: Scalar) -> Measurement:
        """The same measurement with a scalar that was not measured; what was is kept in the details as `measured`."""
        return replace(self, scalar=scalar, details={**self.details, "measured": self.scalar.to_json()})

    @property
    def measured(self) -> Scalar:
        """What the scalarizer made of the raw data: the scalar, unless something else drives the experiment."""
        kept = self.details.get("measured")
        return Scalar(**kept) if isinstance(kept, Mapping) else self.scalar

    @property
    def ok(self) -> bool:
        """Whether there is a finite, valid number to learn from."""
        return self.scalar.valid and math.isfinite(self.scalar.value)

    @property
    def reason(self) -> str:
        """Why the measurement cannot be used; empty when it can."""
        if self.ok:
            return ""
        return self.scalar.reason or f"the scalar is {self.scalar.value}, which is not a finite number"
