"""The group `measurements` of a run file: one column per quantity, and stacks of raw data of the same kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dkl_core.record.arrays import PackedArray
from dkl_core.record.growing import Growing
from dkl_core.record.nsid import Axis, Title, mark_main
from dkl_core.record.tells import COLUMNS, OPTIONAL, REVISED, array_type, cell, cells, from_cells, revised_tell

if TYPE_CHECKING:
    import h5py

GROUP = "measurements"
_STACK = "raw_{:03d}"
_STACK_NAME = re.compile(r"raw_\d{3,}")
_SKIP_FILTERS = 0b11
_INTEGER = np.dtype("<i8")


class Measured:
    """Fills the measurement table of a file that is being put in order."""

    def __init__(self, h5: h5py.File) -> None:
        self._group = h5.require_group(GROUP)
        self._columns = {
            column.name: Growing(
                self._group, column.name, array_type(column), units=column.units, meaning=column.meaning
            )
            for column in COLUMNS
        }
        meaning = "number of the stack raw_NNN that holds the raw data; -1 when there is none"
        self._raw_group = Growing(self._group, "raw_group", _INTEGER, units="", meaning=meaning)
        self._raw_row = Growing(self._group, "raw_row", _INTEGER, units="", meaning="row of the stack; -1 when none")
        # Columns that the file's writer did not know yet.
        for name in OPTIONAL:
            for _ in range(len(self._columns["site"]) - len(self._columns[name])):
                self._columns[name].add(cell({}, name))
        self._changes: list[Mapping[str, Any]] = []
        self._stacks: list[h5py.Dataset] = []
        while (name := _STACK.format(len(self._stacks))) in self._group:
            self._stacks.append(self._group[name]["raw"])

    def add(self, data: Mapping[str, Any], raw: PackedArray | None) -> dict[str, Any] | None:
        """Append a measurement.

        Args:
            data: data of the `tell` event.
            raw: its raw data, if any.

        Returns:
            Where the raw data lies: dataset `at` and `row`.
        """
        for name, value in cells(data).items():
            self._columns[name].add(value)
        number, row = (-1, -1) if raw is None else self._stacked(raw)
        self._raw_group.add(number)
        self._raw_row.add(row)
        return None if raw is None else {"at": self._stacks[number].name, "row": row}

    def revise(self, changes: Iterable[Mapping[str, Any]]) -> None:
        """Exchange scalars; it shows after `finish`.

        Args:
            changes: those of a `revise` event.
        """
        self._changes += changes

    def finish(self) -> None:
        """Write what waits and label the stacks."""
        for column in (*self._columns.values(), self._raw_group, self._raw_row):
            column.flush()
        if self._changes:
            self._apply_changes()
        groups = self._raw_group.dataset[()]
        for number, stack in enumerate(self._stacks):
            _label(stack, np.flatnonzero(groups == number))

    def _apply_changes(self) -> None:
        columns = {name: self._columns[name].dataset for name in (*REVISED, "details")}
        values = {name: dataset[()] for name, dataset in columns.items()}
        rows: dict[int, dict[str, Any]] = {}
        for change in self._changes:
            number = change["told"]
            if 0 <= number < len(values["value"]):
                row = rows.get(number) or from_cells({name: column[number] for name, column in values.items()})
                rows[number] = revised_tell(row, change)
        for number, row in rows.items():
            for name, column in values.items():
                column[number] = cell(row, name)
        for name, dataset in columns.items():
            dataset[...] = values[name]
        self._changes = []

    def _stacked(self, raw: PackedArray) -> tuple[int, int]:
        number = self._number(raw)
        stack = self._stacks[number]
        row = len(stack)
        stack.resize(row + 1, axis=0)
        if raw.data:
            mask = 0 if raw.deflated else _SKIP_FILTERS
            stack.id.write_direct_chunk((row,) + (0,) * len(raw.shape), raw.data, mask)
        return number, row

    def _number(self, raw: PackedArray) -> int:
        for number, stack in enumerate(self._stacks):
            if stack.shape[1:] == raw.shape and stack.dtype == np.dtype(raw.dtype):
                return number
        self._stacks.append(_new_stack(self._group, _STACK.format(len(self._stacks)), raw))
        return len(self._stacks) - 1


def copy_measured(old: h5py.File, new: h5py.File) -> None:
    """Copy the table and its stacks, compressed chunks as they are."""
    group = new.create_group(GROUP)
    for name, item in old[GROUP].items():
        if _STACK_NAME.fullmatch(name):
            # The labels are made anew: the stack may grow, and references do not survive a copy.
            old.copy(item["raw"], group.create_group(name), "raw", without_attrs=True)
        else:
            old.copy(item, group, name)


def _new_stack(group: h5py.Group, name: str, raw: PackedArray) -> h5py.Dataset:
    # One chunk per row: the journal's bytes become the chunk, and a row is read alone.
    return group.create_group(name).create_dataset(
        "raw",
        shape=(0, *raw.shape),
        maxshape=(None, *(size or None for size in raw.shape)),
        chunks=(1, *(max(size, 1) for size in raw.shape)),
        dtype=raw.dtype,
        shuffle=True,
        compression="gzip",
        compression_opts=1,
    )


def _label(stack: h5py.Dataset, rows: np.ndarray[Any, np.dtype[np.int64]]) -> None:
    if not stack.size:
        return  # the readers of NSID refuse an axis without values
    axes = [Axis("measurement", rows, "row of the measurement table", "generic", "temporal")]
    axes += [
        Axis(f"axis_{number}", np.arange(size), "index", "generic", "unknown")
        for number, size in enumerate(stack.shape[1:], start=1)
    ]
    mark_main(stack, axes, Title(f"raw data {stack.parent.name.rsplit('/', 1)[-1]}", "raw", "unknown"))
