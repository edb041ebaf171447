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
from dkl_core.record.events import Event

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
    Column("value", "optional number", "", "the scalar, as it was last revised; NaN when there is none"),
    Column("valid", "flag", "", "whether the scalar may be learned from"),
    Column("reason", "text", "", "why the scalar is not valid"),
    Column("noise_variance", "optional number", "", "variance of the scalar's own noise; NaN when unknown"),
    Column("seconds", "number", "s", "how long the measurement took"),
    Column("dose", "optional number", "electrons/angstrom^2", "dose received at this place; NaN when unknown"),
    Column("electrons", "optional number", "", "electrons that hit the sample for it; NaN when unknown"),
    Column("time", "number", "s since 1970-01-01 UTC", "when the measurement was told"),
    Column("attempt", "integer", "", "number of the attempt at this site"),
    Column(
        "details",
        "mapping",
        "JSON",
        "anything else; the scalar as it was told is `original` where it was revised, what the scalarizer gave is "
        "`measured` where something else is learned from",
    ),
)
REVISED = ("value", "valid", "reason", "noise_variance")
_CHANGE = (
    Column("told", "integer", "", "number of the measurement, from 0"),
    *(column for column in COLUMNS if column.name in REVISED),
)
# Runs of before this column was there lack it.
OPTIONAL = frozenset({"electrons"})
_BY_NAME = {column.name: column for column in COLUMNS}


@dataclass(frozen=True, eq=False)
class MeasurementTable:
    """Every told measurement in order, one array element each; failed ones included, scalars as last revised.

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
        electrons: electrons that hit the sample for it; NaN when unknown.
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
    electrons: NDArray[np.float64]
    time: NDArray[np.float64]
    attempt: NDArray[np.int64]
    details: tuple[Mapping[str, Any], ...]

    def __len__(self) -> int:
        return len(self.reason)

    @classmethod
    def of(cls, tells: Iterable[Mapping[str, Any]]) -> MeasurementTable:
        """The table of the data of `tell` events."""
        rows = list(tells)
        return cls(**{column.name: _column([_value(row, column) for row in rows], column) for column in COLUMNS})


def latest_tells(events: Iterable[Event]) -> list[Mapping[str, Any]]:
    """The data of all `tell` events in order, with what later `revise` events changed."""
    rows: list[Mapping[str, Any]] = []
    for event in events:
        if event.kind == "tell":
            rows.append(event.data)
        elif event.kind == "revise":
            for change in event.data["changes"]:
                if 0 <= change["told"] < len(rows):
                    rows[change["told"]] = revised_tell(rows[change["told"]], change)
    return rows


def revised_tell(data: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a `tell` event after one change of a `revise` event; the first scalar stays in the details."""
    details = {"original": {name: data[name] for name in REVISED}, **(data["details"] or {})}
    if "measured" in change:
        details["measured"] = change["measured"]
    return {**data, **{name: change[name] for name in REVISED}, "details": details}


def check_tell(data: Mapping[str, Any]) -> None:
    """Refuse a `tell` event that would not fit the table.

    Raises:
        InputError: a column is missing or has another type.
    """
    _check(data, COLUMNS, "a tell event")


def check_revision(data: Mapping[str, Any]) -> None:
    """Refuse a `revise` event that would not fit the table.

    Args:
        data: the event's data; each of its `changes` has the number `told` of a measurement and its new scalar.

    Raises:
        InputError: a change lacks something or has another type.
    """
    for change in data.get("changes", [{}]):
        _check(change, _CHANGE, "a change of a revise event")


def cells(data: Mapping[str, Any]) -> dict[str, Any]:
    """The table's row of a `tell` event as HDF5 can hold it: None becomes NaN, mappings become JSON text."""
    return {name: cell(data, name) for name in _BY_NAME}


def cell(data: Mapping[str, Any], name: str) -> Any:
    """One column of `cells`."""
    column = _BY_NAME[name]
    return _cell(_value(data, column), column.type)


def from_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a `tell` event, as far as the columns given tell; the inverse of `cells` as HDF5 reads them."""
    return {name: _uncell(value, _BY_NAME[name]) for name, value in row.items()}


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


def _check(data: Mapping[str, Any], columns: Iterable[Column], what: str) -> None:
    for column in columns:
        if column.name not in data and column.name not in OPTIONAL:
            raise InputError(f"{what} lacks {column.name!r}; give {', '.join(c.name for c in columns)}")
        if not _fits(_value(data, column), column.type):
            raise InputError(f"{what} has {column.name}={data[column.name]!r}; give {_a(column.type)}")


def _value(data: Mapping[str, Any], column: Column) -> Any:
    return data.get(column.name) if column.name in OPTIONAL else data[column.name]


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


def _uncell(value: Any, column: Column) -> Any:
    match column.type:
        case "optional number":
            return None if math.isnan(value) and column.name != "value" else float(value)
        case "flag":
            return bool(value)
        case "text":
            return value.decode("utf-8")
        case "mapping":
            return jsontext.decoded(jsontext.from_text(value))
    return value.item()


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
