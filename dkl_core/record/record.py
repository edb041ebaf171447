"""Writing a run: every event is on the disk when `append` returns."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from dkl_core.errors import DKLError, InputError, RecordError
from dkl_core.record.appender import Appender
from dkl_core.record.events import Event, RunHeader
from dkl_core.record.folding import create_file, fold
from dkl_core.record.frames import Frame, frame_of
from dkl_core.record.header import check_header
from dkl_core.record.locking import WriterLock
from dkl_core.record.newfile import undisturbed
from dkl_core.record.runfile import RunFile

SUFFIX = ".h5"
JOURNAL_BYTES = 32 * 2**20
_NO_SPACE = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})


class RunRecord:
    """The file of a run while it is written; use it in a `with` block.

    The file can be opened with HDF5 at every moment. Events wait in its journal until `checkpoint`, `close` or a full
    journal puts them in order; `read_run` gives them wherever they are.
    """

    def __init__(self, path: Path, lock: WriterLock, journal_bytes: int) -> None:
        self._path = path
        self._writer: WriterLock | None = lock
        self._journal_bytes = journal_bytes
        self._appender: Appender | None = None
        self._identity: tuple[str, int] | None = None
        # Also held by what Ctrl-C has left to finish in the background.
        self._busy = threading.Lock()

    @classmethod
    def create(
        cls, path: str | Path, header: RunHeader, *, overwrite: bool = False, journal_bytes: int = JOURNAL_BYTES
    ) -> Self:
        """Start the record of a new run.

        Args:
            path: file to write; its name ends in .h5 and its folder exists.
            header: what is known of the run.
            overwrite: replace a file that is there.
            journal_bytes: least room for events between two times that the file is put in order, bytes.

        Raises:
            InputError: the header or the name cannot be used.
            RecordError: the file is there, is written by somebody else, or cannot be written.
        """
        target = Path(path).resolve()
        if target.suffix != SUFFIX:
            raise InputError(f"the record's name {target.name!r} must end in {SUFFIX}; call it {target.stem}{SUFFIX}")
        check_header(header)
        return cls._started(target, journal_bytes, lambda new: create_file(new, header, journal_bytes), over=overwrite)

    @classmethod
    def reopen(cls, path: str | Path, *, journal_bytes: int = JOURNAL_BYTES) -> Self:
        """Continue the record of a run that was finished, paused or killed.

        Args:
            path: the run's file.
            journal_bytes: as in `create`.

        Raises:
            RecordError: the file is not a run that this version can write, or is written by somebody else.
        """
        target = Path(path).resolve()
        with RunFile(target):
            pass
        return cls._started(target, journal_bytes, lambda new: fold(target, new, journal_bytes), over=True)

    @property
    def path(self) -> Path:
        """The run's file."""
        return self._path

    def append(self, event: Event) -> int:
        """Record an event; when this returns it is on the disk, whole.

        Returns:
            The event's number in the run, from 0.

        Raises:
            InputError: the event holds something that a record cannot keep.
            RecordError: the event could not be written, the disk being full for instance. Nothing of it is in the
                record, all earlier events are, and it can be appended again.
        """
        frame = frame_of(event)
        with _reported(self._path):
            while (number := self._appended(frame)) is None:
                undisturbed(lambda: self._put_in_order(max(self._journal_bytes, 2 * frame.size)))
            return number

    def checkpoint(self) -> None:
        """Put the file in order, so that any HDF5 reader finds every event so far in its tables.

        Raises:
            RecordError: the file could not be written anew; it stays as it was.
        """
        with _reported(self._path):
            undisturbed(lambda: self._put_in_order(self._journal_bytes))

    def close(self) -> None:
        """Put the file in order, without a journal, and let others write it. A second call does nothing.

        Raises:
            RecordError: the file could not be written anew. It stays as it was, with every event.
        """
        with _reported(self._path):
            undisturbed(self._finish)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @classmethod
    def _started(cls, path: Path, journal_bytes: int, write: Callable[[Path], None], *, over: bool) -> Self:
        if not path.parent.is_dir():
            raise RecordError(f"the folder {path.parent} does not exist; make it first")
        with _reported(path):
            record = cls(path, WriterLock(path), journal_bytes)
            try:
                undisturbed(lambda: record._start(write, over=over))
            except BaseException:
                record._give_up()
                raise
        return record

    def _start(self, write: Callable[[Path], None], *, over: bool) -> None:
        with self._busy:
            self._require_open()
            if self._path.exists() and not over:
                raise RecordError(f"{self._path} is there already; give another name, reopen that run, or overwrite it")
            self._replace(write)
            self._current()

    def _appended(self, frame: Frame) -> int | None:
        with self._busy:
            appender = self._current()
            if not appender.append(frame):
                return None
            self._identity = appender.run, appender.next
            return appender.next - 1

    def _put_in_order(self, journal_bytes: int | None) -> None:
        with self._busy:
            self._current()
            self._replace(lambda new: fold(self._path, new, journal_bytes))

    def _finish(self) -> None:
        with self._busy:
            if self._writer is None:
                return
            try:
                self._current()
                self._replace(lambda new: fold(self._path, new, None))
            finally:
                self._let_go()

    def _give_up(self) -> None:
        with self._busy:
            self._let_go()

    def _require_open(self) -> None:
        if self._writer is None:
            raise RecordError(f"the record {self._path} is closed; reopen it to continue the run")

    def _current(self) -> Appender:
        """The journal of the file that has the run's name now, which a sync program may have exchanged."""
        self._require_open()
        if self._appender is None or not self._appender.is_at(self._path):
            appender = Appender(self._path)
            if self._identity is not None and not _continues(self._identity, appender):
                appender.close()
                raise RecordError(
                    f"{self._path} was replaced by another file while the run was recorded; put the run's own file back"
                )
            self._drop_appender()
            self._appender, self._identity = appender, (appender.run, appender.next)
        return self._appender

    def _replace(self, write: Callable[[Path], None]) -> None:
        new = self._path.with_name(self._path.name + ".new")
        write(new)
        # From here to the end of the replacement nothing is held open: Windows would refuse it.
        self._drop_appender()
        try:
            new.replace(self._path)
        except OSError:
            new.unlink(missing_ok=True)
            raise
        _flush_folder(self._path.parent)

    def _drop_appender(self) -> None:
        if self._appender is not None:
            self._appender.close()
            self._appender = None

    def _let_go(self) -> None:
        self._drop_appender()
        if self._writer is not None:
            self._writer.release()
            self._writer = None


def _continues(identity: tuple[str, int], appender: Appender) -> bool:
    run, events = identity
    return appender.run == run and appender.next >= events


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except DKLError:
        raise
    except OSError as error:
        raise RecordError(_explained(path, error)) from error
    except (KeyError, RuntimeError, ValueError) as error:
        raise RecordError(f"{path} could not be put in order ({error}); keep a copy of it") from error


def _explained(path: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.errno in _NO_SPACE:
        return f"no space left for {path} ({reason}); free some and try again, what was recorded before is safe"
    if isinstance(error, FileNotFoundError):
        return f"{path} was moved or deleted while the run was recorded; put it back and try again"
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return f"{path} cannot be written ({reason}); choose another folder, or close the program that has it open"
    return f"{path} cannot be written ({reason}); check the disk and try again"


def _flush_folder(folder: Path) -> None:
    # Not every system can open a folder; the file itself is on the disk already.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
