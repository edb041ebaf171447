"""The journal of a run: one JSON line per event, on the disk before the event takes effect."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dkl_core.errors import RecordError
from dkl_core.record.jsontext import decoded, encoded, from_text, to_text
from dkl_core.record.locking import WriterLock


class Journal:
    """An append-only file of events, written by one process at a time; use it in a `with` block.

    A half last line, left by a process that was killed while it wrote, is cut off when the journal is opened again: it
    never took effect. Floats come back exactly; NaN and infinity are kept as {"$float": "nan"}.

    Args:
        path: the file; it is made if it is not there, its folder must be.

    Raises:
        RecordError: another process writes it, it is damaged before its last line, or it cannot be written.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._mutex = threading.Lock()
        if not self.path.parent.is_dir():
            raise RecordError(f"{self.path} cannot be written: its folder is not there; make it first")
        try:
            self._lock = WriterLock(self.path)
        except OSError as error:
            raise RecordError(f"{self.path} cannot be written: {error}; check folder and disk") from error
        try:
            self._end = _whole_lines(self.path)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            os.ftruncate(self._file, self._end)
            self._is_open = True
        except OSError as error:
            self._lock.release()
            raise RecordError(f"{self.path} cannot be written: {error}; check folder and disk") from error
        except BaseException:
            self._lock.release()
            raise

    def append(self, event: Mapping[str, Any]) -> None:
        """Write an event; when this returns it is on the disk, whole.

        Args:
            event: JSON-compatible values, NumPy scalars and non-finite floats among them.

        Raises:
            InputError: the event holds something else.
            RecordError: it could not be written, the disk being full for instance. Nothing of it is kept, and it can be
                appended again.
        """
        line = to_text(encoded(event, "event")).encode("ascii") + b"\n"
        with self._mutex:
            if not self._is_open:
                raise RecordError(f"the journal {self.path} is closed; open the run again")
            try:
                self._write(line)
            except OSError as error:
                os.ftruncate(self._file, self._end)
                raise RecordError(f"{self.path} cannot be written: {error}; nothing before it is lost") from error
            self._end += len(line)

    def events(self) -> Iterator[dict[str, Any]]:
        """All events in order, those of earlier processes included."""
        return read_journal(self.path)

    def close(self) -> None:
        """Let go of the file. A second call does nothing."""
        with self._mutex:
            if self._is_open:
                self._is_open = False
                os.close(self._file)
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, line: bytes) -> None:
        os.lseek(self._file, self._end, os.SEEK_SET)
        view = memoryview(line)
        while len(view):
            view = view[os.write(self._file, view) :]
        os.fsync(self._file)


def read_journal(path: Path | str) -> Iterator[dict[str, Any]]:
    """The events of a journal in order, whoever writes it; a half last line is left out.

    Raises:
        RecordError: there is no such file, or it is damaged before its last line.
    """
    try:
        with Path(path).open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    yield _event(path, number, line)
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error}") from error


def _event(path: Path | str, number: int, line: bytes) -> dict[str, Any]:
    try:
        event = decoded(from_text(line))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"line {number} of {path} is no event ({error}); mend it from a copy") from error
    if not isinstance(event, dict):
        raise RecordError(f"line {number} of {path} is no event; mend it from a copy")
    return event


def _whole_lines(path: Path) -> int:
    """Bytes up to the end of the last whole line; 0 where there is no file."""
    if not path.exists():
        return 0
    end = 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                end += len(line)
    return end
