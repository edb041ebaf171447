"""Scalarizers whose numbers need a reference that is measured with the run: a reading per site, scalars for all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from dkl_core.measurement import Scalar
from dkl_core.scalarizers.pattern import BoolArray, FloatArray, Pattern
from dkl_core.scalarizers.registry import NamedScalarizer

# A scalar is worth revising when it changes by so much of its own noise, or of the spread where the noise is unknown.
OF_NOISE, OF_SPREAD = 0.1, 1e-3


@dataclass(frozen=True)
class Reading:
    """What one pattern says by itself, before it is compared with a reference.

    Attributes:
        values: the quantities of the scalarizer, in its units; NaN where one is not known.
        variances: their noise variances, None where the pattern has no counts.
        valid: whether they may be used.
        reason: why not.
        electrons: electrons in the pattern, None if unknown.
    """

    values: tuple[float, ...]
    variances: tuple[float, ...] | None = None
    valid: bool = True
    reason: str = ""
    electrons: float | None = None

    @classmethod
    def invalid(cls, reason: str, electrons: float | None = None) -> Self:
        """A reading that must not be used, and why."""
        return cls((), None, False, reason, electrons)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        variances = data.get("variances")
        return cls(
            tuple(math.nan if value is None else float(value) for value in data["values"]),
            None if variances is None else tuple(float(value) for value in variances),
            bool(data.get("valid", True)),
            str(data.get("reason", "")),
            data.get("electrons"),
        )

    def to_json(self) -> dict[str, Any]:
        """The reading as JSON-compatible values; null where a value is not known."""
        return {**asdict(self), "values": [None if math.isnan(value) else value for value in self.values]}


@runtime_checkable
class FieldScalarizer(Protocol):
    """Makes scalars of the readings of a whole run."""

    def reading(self, pattern: Pattern, /) -> Reading:
        """What one pattern says by itself."""

    def scalars(
        self, readings: Sequence[Reading], positions_nm: FloatArray, vacuum: BoolArray | None = None
    ) -> list[Scalar]:
        """The scalars of all readings, with the reference that they give together.

        Args:
            readings: one for each site.
            positions_nm: where, (N, 2) as (y, x).
            vacuum: which are known to be of vacuum, (N,); None if it is not known.
        """


class Judge(Protocol):
    """Makes the scalar of a reading, relative to a reference that is known."""

    def __call__(self, reading: Reading, place_nm: FloatArray, /) -> Scalar:
        """The scalar of a reading that was taken at (y, x), nm."""


@runtime_checkable
class Judging(Protocol):
    """A field scalarizer whose reference, once found, serves further readings too: finding it takes longer."""

    def judge(self, readings: Sequence[Reading], positions_nm: FloatArray, vacuum: BoolArray | None = None) -> Judge:
        """What makes scalars relative to the reference that these readings give together.

        Of the readings it was found from it makes what `FieldScalarizer.scalars` does.

        Args:
            readings: one for each site.
            positions_nm: where, (N, 2) as (y, x).
            vacuum: which are known to be of vacuum, (N,); None if it is not known.
        """


def field_scalarizer(scalarizer: NamedScalarizer) -> FieldScalarizer | None:
    """The part of a scalarizer that makes use of the whole run; None for one that needs no reference."""
    function: object = scalarizer.function
    return function if isinstance(function, FieldScalarizer) else None


def revised(
    scalarizer: FieldScalarizer,
    readings: Sequence[Reading],
    positions_nm: FloatArray,
    current: Sequence[Scalar],
    vacuum: BoolArray | None = None,
) -> dict[int, Scalar]:
    """The scalars that the present reference changes noticeably.

    Args:
        scalarizer: makes them.
        readings: one for each measurement.
        positions_nm: where, (N, 2) as (y, x).
        current: the scalars as they are known now.
        vacuum: which are known to be of vacuum, (N,); None if it is not known.

    Returns:
        Number of the measurement → the new scalar, where it differs by more than a tenth of its own noise (a thousandth
        of the spread where the noise is unknown), or in validity.
    """
    if not readings:
        return {}
    new = scalarizer.scalars(readings, positions_nm, vacuum)
    values = np.array([scalar.value for scalar in new if scalar.valid])
    spread = float(values.std()) if values.size else 0.0
    return {
        number: after
        for number, (before, after) in enumerate(zip(current, new, strict=True))
        if _differs(before, after, spread)
    }


def _differs(before: Scalar, after: Scalar, spread: float) -> bool:
    if not (before.valid and after.valid):
        return before.valid != after.valid
    variance = after.noise_variance
    known = variance is not None and math.isfinite(variance)
    threshold = OF_NOISE * math.sqrt(variance) if variance is not None and known else OF_SPREAD * spread
    return not abs(after.value - before.value) <= threshold
