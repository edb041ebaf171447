"""The measurement table: its columns, and what a `tell` event must hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.record import jsontext

_LARGEST = 2**63
Type = Literal["integer", "number", "optional number", "flag", "text", "mapping"]


@dataclass(frozen=True)
class Column:
    """One column of the measurement table.

    Attributes:
        name: name in the event and in the file.
        type: what the event must hold.
        units: its units, empty if there are none.
        meaning: one line for whoever opens the file.
    """

    name: str
    type: Type
    units: str
    meaning: str


COLUMNS = (
    Column("site", "integer", "", "index of the site"),
    Column("row", "integer", "px", "row of the survey image, 0 at the top"),
    Column("col", "integer", "px", "column of the survey image"),
    Column("value", "optional number", "", "the scalar; NaN when there is none"),
    Column("valid", "flag", "", "whether the scalar may be learned from"),
    Column("reason", "text", "", "why the scalar is not valid"),
    Column("noise_variance", "optional number", "", "variance of the scalar's own noise; NaN when unknown"),
    Column("seconds", "number", "s", "how long the measurement took"),
    Column("dose", "optional number", "electrons/angstrom^2", "dose received at this place; NaN when unknown"),
    Column("time", "number", "s since 1970-01-01 UTC", "when the measurement was told"),
    Column("attempt", "integer", "", "number of the attempt at this site"),
    Column("details", "mapping", "JSON", "anything else"),
)


@dataclass(frozen=True, eq=False)
class MeasurementTable:
    """Every told measurement in order, one array element each; failed ones included.

    Attributes:
        site: index of the site.
        row: row of the survey image.
        col: column of the survey image.
        value: the scalar; NaN when there is none.
        valid: whether it may be learned from.
        reason: why it is not valid.
        noise_variance: variance of its own noise; NaN when unknown.
        seconds: how long it took, s.
        dose: electrons per square angstrom; NaN when unknown.
        time: when it was told, s since 1970-01-01 UTC.
        attempt: number of the attempt at the site.
        details: anything else.
    """

    site: NDArray[np.int64]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    value: NDArray[np.float64]
    valid: NDArray[np.bool_]
    reason: tuple[str, ...]
    noise_variance: NDArray[np.float64]
    seconds: NDArray[np.float64]
    dose: NDArray[np.float64]
    time: NDArray[np.float64]
    attempt: NDArray[np.int64]
    details: tuple[Mapping[str, Any], ...]

    def __len__(self) -> int:
        return len(self.reason)

    @classmethod
    def of(cls, tells: Iterable[Mapping[str, Any]]) -> MeasurementTable:
        """The table of the data of `tell` events."""
        rows = list(tells)
        return cls(**{column.name: _column([row[column.name] for row in rows], column) for column in COLUMNS})


def check_tell(data: Mapping[str, Any]) -> None:
    """Refuse a `tell` event that would not fit the table.

    Raises:
        InputError: a column is missing or has another type.
    """
    for column in COLUMNS:
        if column.name not in data:
            raise InputError(f"a tell event lacks {column.name!r}; give {', '.join(c.name for c in COLUMNS)}")
        if not _fits(data[column.name], column.type):
            raise InputError(f"a tell event has {column.name}={data[column.name]!r}; give {_a(column.type)}")


def cells(data: Mapping[str, Any]) -> dict[str, Any]:
    """The table's row of a `tell` event as HDF5 can hold it: None becomes NaN, mappings become JSON text."""
    return {column.name: _cell(data[column.name], column.type) for column in COLUMNS}


def array_type(column: Column) -> np.dtype[Any] | None:
    """The column's type in a file; None for text."""
    match column.type:
        case "integer":
            return np.dtype("<i8")
        case "number" | "optional number":
            return np.dtype("<f8")
        case "flag":
            return np.dtype(bool)
    return None


def _cell(value: Any, kind: Type) -> Any:
    match kind:
        case "optional number":
            return math.nan if value is None else value
        case "text":
            # HDF5 text can hold neither NUL nor half a surrogate pair; the event's own line keeps them.
            return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
        case "mapping":
            return jsontext.to_text(jsontext.encoded(value, "details"))
    return value


def _column(values: list[Any], column: Column) -> Any:
    dtype = array_type(column)
    if dtype is None:
        return tuple(values)
    return np.array([_cell(value, column.type) for value in values], dtype=dtype)


def _fits(value: object, kind: Type) -> bool:
    match kind:
        case "integer":
            return isinstance(value, Integral) and abs(int(value)) < _LARGEST
        case "number":
            return isinstance(value, Real) and (not isinstance(value, Integral) or abs(int(value)) < _LARGEST)
        case "optional number":
            return value is None or _fits(value, "number")
        case "flag":
            return isinstance(value, bool | np.bool_)
        case "text":
            return isinstance(value, str)
        case "mapping":
            return isinstance(value, Mapping)


def _a(kind: Type) -> str:
    match kind:
        case "optional number":
            return "a number or None"
        case "integer":
            return "an integer"
        case "flag":
            return "True or False"
        case "text":
            return "text"
    return f"a {kind}"
