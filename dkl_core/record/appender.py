"""Appending to the journal of a run file by plain writes, so that the HDF5 around it never changes."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

from dkl_core.errors import RecordError
from dkl_core.record.frames import HEAD, Frame
from dkl_core.record.journal import NAME
from dkl_core.record.newfile import write_all
from dkl_core.record.runfile import RunFile


class Appender:
    """The journal of a file, opened behind its last whole frame.

    Attributes:
        run: the run's own name, the same in every copy of its file.
        next: number of the next event.
    """

    def __init__(self, path: Path) -> None:
        with RunFile(path) as run:
            if not run.has_journal:
                raise RecordError(f"{path} has been closed by another program; reopen the run to continue it")
            journal = run.h5[NAME]
            self._begin, self._capacity = int(journal.id.get_offset()), int(journal.size)
            self._salt = int(journal.attrs["salt"])
            self._position = run.places[-1].stop if run.places else 0
            self.run, self.next = run.name, len(run)
        self._file: io.FileIO = path.open("r+b", buffering=0)

    def is_at(self, path: Path) -> bool:
        """Whether the file of that name is still the one appended to."""
        return os.path.samestat(path.stat(), os.fstat(self._file.fileno()))

    def append(self, frame: Frame) -> bool:
        """Write an event and wait until it is on the disk.

        Returns:
            False when there is no room left, in which case nothing is written.

        Raises:
            OSError: it could not be written; the next attempt uses the same place.
        """
        data = frame.to_bytes(self.next, self._salt)
        if self._position + len(data) > self._capacity:
            return False
        try:
            self._write(data)
        except OSError:
            # After a failed flush the whole frame may yet be there, and would appear as an event nobody accepted.
            with contextlib.suppress(OSError):
                self._write(bytes(HEAD.size))
            raise
        self._position, self.next = self._position + len(data), self.next + 1
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        self._file.seek(self._begin + self._position)
        write_all(self._file, data)
        os.fsync(self._file.fileno())
