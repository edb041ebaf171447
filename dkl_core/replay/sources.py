"""Where the scalars of a replay come from: the file, its raw data one by one, or the raw data of the whole field."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dkl_core.datasets import RawData, RecordedData
from dkl_core.errors import DataFileError, MeasurementError, ScalarizerError
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.scalarizers import NamedScalarizer, Spectrum
from dkl_core.scalarizers.pattern import Pattern
from dkl_core.scalarizers.reading import FieldScalarizer, Reading, field_scalarizer
from dkl_core.survey import FloatArray

_NOTHING = "nothing was recorded here"


class Source(Protocol):
    """Gives the scalar of any recorded place."""

    @property
    def target(self) -> str:
        """Name of the scalar."""

    def value(self, row: int, col: int) -> float:
        """The scalar at a pixel of a full map, NaN where there is none."""

    def value_of(self, number: int) -> float:
        """The scalar of a recorded place by its number, NaN where there is none."""

    def measure(self, site: Site) -> Measurement:
        """What a measurement gives there.

        Raises:
            MeasurementError: nothing was recorded there.
        """


def source_of(data: RecordedData, scalarizer: NamedScalarizer | None) -> Source:
    """The source of recorded data.

    Args:
        data: what was recorded.
        scalarizer: makes the scalars of the raw data anew; None takes the recorded ones.

    Raises:
        DataFileError: the scalarizer needs raw data that are not there.
    """
    if scalarizer is None:
        return _Recorded(data)
    kind = "pattern" if scalarizer.raw_kind == "block" else scalarizer.raw_kind
    if data.raw is None or kind not in (data.raw.kind, "any"):
        has = "no raw data" if data.raw is None else f"a {data.raw.kind} per site"
        raise DataFileError(
            f"{data.name} has {has}; the scalarizer {scalarizer.name!r} takes a {scalarizer.raw_kind}: "
            "leave --scalarizer out, or give a file that has one"
        )
    if scalarizer.raw_kind == "block":
        # Imported here because it builds on this module.
        from dkl_core.replay.blocks import BlockSource

        return BlockSource(data, data.raw, scalarizer)
    field = field_scalarizer(scalarizer)
    if field is None:
        return _Single(data, data.raw, scalarizer)
    return _Field(data, data.raw, field, scalarizer.name)


class _Recorded:
    """The scalars of the file."""

    def __init__(self, data: RecordedData) -> None:
        self._data = data
        self.target = data.target_name

    def value(self, row: int, col: int) -> float:
        return self._data.value_at(row, col)

    def value_of(self, number: int) -> float:
        return float(self._data.values[number])

    def measure(self, site: Site) -> Measurement:
        value = self._data.value_at(site.row, site.col)
        if not np.isfinite(value):
            raise MeasurementError(f"nothing was recorded at row {site.row}, column {site.col}")
        return Measurement(Scalar(value), self._data.raw_at(site.row, site.col))


class _Single:
    """Each scalar of the raw data of its own place."""

    def __init__(self, data: RecordedData, raw: RawData, scalarizer: NamedScalarizer) -> None:
        self._data, self._raw, self._scalarizer = data, raw, scalarizer
        self.target = scalarizer.name

    def value(self, row: int, col: int) -> float:
        return value_or_nan(self._scalar(self._data.raw_at(row, col)))

    def value_of(self, number: int) -> float:
        return value_or_nan(self._scalar(self._raw.at(number)))

    def measure(self, site: Site) -> Measurement:
        raw = self._data.raw_at(site.row, site.col)
        return Measurement(self._scalar(raw), raw)

    def _scalar(self, raw: FloatArray | None) -> Scalar:
        if raw is None:
            return Scalar.invalid(_NOTHING)
        return guarded_scalar(self._scalarizer, given_to_scalarizer(raw, self._raw))


class _Field:
    """Scalars that need a reference, which the whole field gives."""

    def __init__(self, data: RecordedData, raw: RawData, scalarizer: FieldScalarizer, name: str) -> None:
        self._data, self._raw, self._scalarizer = data, raw, scalarizer
        self.target = name

    def value(self, row: int, col: int) -> float:
        return value_or_nan(self._scalars[self._number(row, col)])

    def value_of(self, number: int) -> float:
        return value_or_nan(self._scalars[number])

    def measure(self, site: Site) -> Measurement:
        number = self._number(site.row, site.col)
        details = {"reading": self._readings[number].to_json()}
        return Measurement(self._scalars[number], self._data.raw_at(site.row, site.col), details=details)

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """(row, column) of everything that was recorded, shape (N, 2)."""
        if self._data.positions is not None:
            return self._data.positions
        return np.argwhere(np.ones(self._data.survey.shape)).astype(np.int64)

    @cached_property
    def _readings(self) -> list[Reading]:
        is_map = self._data.positions is None
        where = [(int(row), int(col)) if is_map else number for number, (row, col) in enumerate(self._places)]
        return [self._scalarizer.reading(self._raw.pattern(one)) for one in where]

    @cached_property
    def _scalars(self) -> list[Scalar]:
        survey, vacuum = self._data.survey, self._data.vacuum
        places_nm = self._places.astype(float) if survey.pixel_nm is None else survey.to_nm(self._places)
        known = None if vacuum is None else vacuum[tuple(self._places.T)]
        return self._scalarizer.scalars(self._readings, places_nm, known)

    def _number(self, row: int, col: int) -> int:
        if self._data.positions is None:
            return row * self._data.survey.shape[1] + col
        return int(np.flatnonzero((self._places == (row, col)).all(axis=1))[0])


def given_to_scalarizer(raw: FloatArray, kept: RawData) -> Spectrum | Pattern | FloatArray:
    """Raw data as a scalarizer takes them: a pattern whose file tells no angles is the plain array."""
    if kept.kind == "spectrum":
        return Spectrum.from_array(raw, kept.channels)
    return kept.calibrated(raw) if kept.is_calibrated else raw


def guarded_scalar(scalarizer: Callable[[Any], Scalar], raw: object) -> Scalar:
    """The scalar of raw data; an invalid one where the scalarizer raises."""
    try:
        return scalarizer(raw)
    except ScalarizerError as error:
        return Scalar.invalid(str(error))


def value_or_nan(scalar: Scalar) -> float:
    """The value of a valid scalar, NaN of another."""
    return scalar.value if scalar.valid else math.nan
