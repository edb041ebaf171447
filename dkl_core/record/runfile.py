"""An HDF5 file of a run, opened for reading and checked."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dkl_core.errors import DKLError, RecordError
from dkl_core.record import jsontext
from dkl_core.record.events import Array, Event
from dkl_core.record.frames import Place, StoredFrame
from dkl_core.record.header import check_format
from dkl_core.record.journal import NAME, journal_places, journal_reader

if TYPE_CHECKING:
    import h5py

LOG = "events/log"
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_LINES = 1024


class RunFile:
    """An open run file: the events put in order, then those of the journal.

    Attributes:
        path: the file.
        h5: the open HDF5 file.
        logged: number of events put in order.
        places: the whole frames of the journal.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _opened(path)
        try:
            self.h5 = _as_hdf5(self._file, path)
        except BaseException:
            self._file.close()
            raise
        with damage_reported(path):
            try:
                check_format(self.h5, path)
                self.logged = len(self.h5[LOG])
                self.places: tuple[Place, ...] = journal_places(self.h5)
            except BaseException:
                self.close()
                raise

    @property
    def has_journal(self) -> bool:
        """Whether the file is being written, or its last writer was killed."""
        return NAME in self.h5

    @property
    def name(self) -> str:
        """The run's own name, the same in every copy of its file."""
        return str(self.h5.attrs["run"])

    def __len__(self) -> int:
        return self.logged + len(self.places)

    def __enter__(self) -> RunFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self.h5.close()
        self._file.close()

    def frame(self, place: Place) -> StoredFrame:
        """One frame of the journal."""
        return StoredFrame.at(place, journal_reader(self.h5))

    def events(self) -> Iterator[Event]:
        """Every event in order; arrays are read when asked for."""
        self.require_open()
        for start in range(0, self.logged, _LINES):
            for line in self.h5[LOG][start : start + _LINES]:
                yield self._logged_event(jsontext.from_text(line))
        for place in self.places:
            yield self._waiting_event(self.frame(place))

    def require_open(self) -> None:
        """Raise if the file has been closed.

        Raises:
            RecordError: it has.
        """
        if not self.h5:
            raise RecordError(f"{self.path} was closed after reading; read what you need before")

    def _waiting_event(self, frame: StoredFrame) -> Event:
        load = {name: partial(_unpacked, frame, name) for name in frame.names}
        return Event(frame.kind, jsontext.decoded(frame.data), LazyArrays(load, self))

    def _logged_event(self, line: dict[str, Any]) -> Event:
        links = {name: link for name, link in line["arrays"].items() if link["at"] in self.h5}
        load = {name: partial(self._from_dataset, link) for name, link in links.items()}
        return Event(line["kind"], jsontext.decoded(line["data"]), LazyArrays(load, self))

    def _from_dataset(self, link: dict[str, Any]) -> Array:
        return np.asarray(self.h5[link["at"]][link.get("row", ())])


@dataclass(frozen=True, eq=False)
class LazyArrays(Mapping[str, Array]):
    """Arrays by name, each read from the open file when it is asked for."""

    load: Mapping[str, Callable[[], Array]]
    file: RunFile

    def __getitem__(self, name: str) -> Array:
        load = self.load[name]
        self.file.require_open()
        with damage_reported(self.file.path):
            return load()

    def __iter__(self) -> Iterator[str]:
        return iter(self.load)

    def __len__(self) -> int:
        return len(self.load)


@contextmanager
def damage_reported(path: Path) -> Iterator[None]:
    """Turn what HDF5 raises on a damaged file into one line for the user.

    Raises:
        RecordError: the file cannot be read.
    """
    try:
        yield
    except DKLError:
        raise
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise RecordError(f"{path} is damaged ({_first_line(error)}); use another copy of it") from error


def _opened(path: Path) -> io.FileIO:
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}; check the path") from error
    if file.read(len(_SIGNATURE)) != _SIGNATURE:
        file.close()
        raise RecordError(f"{path} is not an HDF5 file; give the .h5 file of a run")
    return file


def _as_hdf5(file: io.FileIO, path: Path) -> h5py.File:
    import h5py

    try:
        # Opened by its name, it would have to agree on locks and modes with whoever else in this process has it open.
        return h5py.File(file, "r")
    except OSError as error:
        raise RecordError(
            f"{path} is incomplete or damaged ({_first_line(error)}); copy it again from where it was written"
        ) from error


def _unpacked(frame: StoredFrame, name: str) -> Array:
    return frame.packed(name).array()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
