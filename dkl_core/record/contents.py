"""Reading a run: finished, still running or killed, without changing it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path

from dkl_core.errors import InputError
from dkl_core.record.events import Array, Event, RunHeader
from dkl_core.record.header import read_header
from dkl_core.record.runfile import RunFile, damage_reported
from dkl_core.record.tells import MeasurementTable, latest_tells


class RunContents:
    """A run as it was recorded up to the moment of opening; use it in a `with` block.

    Attributes:
        path: the file.
        header: what was known before the first measurement.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = RunFile(path)
        try:
            with damage_reported(path):
                self.header: RunHeader = read_header(self._file.h5)
        except BaseException:
            self._file.close()
            raise

    @property
    def closed_properly(self) -> bool:
        """Whether the run's last writer closed it: neither still running nor killed."""
        return not self._file.has_journal

    def __len__(self) -> int:
        return len(self._file)

    def events(self) -> Iterator[Event]:
        """Every event in the order it was recorded; its arrays are read when asked for, while this is open.

        A `tell` comes as it was told, whatever was revised later. Of the older `fit` events the arrays are no longer
        there.
        """
        with damage_reported(self.path):
            yield from self._file.events()

    @cached_property
    def measurements(self) -> MeasurementTable:
        """The measurement table, failed measurements included, with the latest scalars."""
        with damage_reported(self.path):
            return MeasurementTable.of(latest_tells(self.events()))

    def raw(self, number: int) -> Array | None:
        """Raw data of a measurement, by its number in the order of telling; None where it has none.

        Raises:
            InputError: there is no such measurement.
        """
        tells = (event for event in self.events() if event.kind == "tell")
        event = next(islice(tells, number, None), None)
        if event is None:
            raise InputError(f"there is no measurement {number} in {self.path}; they are counted from 0")
        return event.arrays.get("raw")

    @cached_property
    def latest_fit(self) -> Event | None:
        """The last `fit` event that has arrays; None before the first."""
        latest = None
        for event in self.events():
            latest = event if event.kind == "fit" and event.arrays else latest
        return latest

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> RunContents:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_run(path: str | Path) -> RunContents:
    """Open the record of a run for reading.

    Args:
        path: the run's .h5 file; it may be finished, paused, killed or still being written.

    Raises:
        RecordError: there is no such file, it is not a run, it is damaged, or a newer version wrote it.
    """
    return RunContents(Path(path))
