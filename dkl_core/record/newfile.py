"""A new HDF5 file that is whole and on the disk, or not there at all."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import h5py
    from _typeshed import ReadableBuffer, WriteableBuffer


@contextmanager
def new_file(path: Path) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    """A file to be filled; closed and flushed to the disk at the end, removed if anything failed.

    Args:
        path: where it is written; what is there is replaced.

    Yields:
        The open file, and a function that raises if writing has failed so far, which HDF5 itself is not told.

    Raises:
        OSError: the file could not be written.
    """
    whole = False
    try:
        with path.open("w+b", buffering=0) as file:
            yield from _filled(_Sink(file))
            os.fsync(file.fileno())
        whole = True
    finally:
        if not whole:
            path.unlink(missing_ok=True)


def _filled(sink: _Sink) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    import h5py

    try:
        with h5py.File(sink, "w") as h5:
            yield h5, sink.check
    finally:
        # Whatever HDF5 raised after a dropped write is only its consequence.
        sink.check()


class _Sink(io.RawIOBase):
    """A file that hides from HDF5 that writing failed.

    After a failed write HDF5 can neither close the file nor forget it, and crashes the process when it ends. So nothing
    more is written after the first failure, and whoever fills the file asks `check`.
    """

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._failure: OSError | None = None

    def check(self) -> None:
        """Raise what stopped the writing, if anything did."""
        if self._failure is not None:
            raise self._failure

    def write(self, data: ReadableBuffer, /) -> int:
        rest = memoryview(data).cast("B")
        self._attempt(lambda: write_all(self._file, rest))
        return len(rest)

    def truncate(self, size: int | None = None, /) -> int:
        self._attempt(lambda: self._file.truncate(size))
        return size or 0

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        return self._file.readinto(buffer) or 0

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        """Nothing is buffered."""

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def _attempt(self, action: Callable[[], object]) -> None:
        if self._failure is not None:
            return
        try:
            action()
        except OSError as failure:
            self._failure = failure


def undisturbed(action: Callable[[], None]) -> None:
    """Do something that Ctrl-C must not stop half way, because it would come up inside a call of HDF5's.

    Python raises it in the main thread only, so the work is done in another. The first Ctrl-C takes effect when it is
    done; a second one leaves it to be finished in the background.
    """
    if threading.current_thread() is not threading.main_thread():
        action()
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=1) as pool:
        try:
            work = pool.submit(action)
        except RuntimeError:  # the interpreter is ending and starts no more threads
            action()
        else:
            work.result()


def write_all(file: io.FileIO, data: bytes | memoryview) -> None:
    """Write every byte to an unbuffered file, which alone may stop half way."""
    rest = memoryview(data)
    while len(rest):
        rest = rest[file.write(rest) :]
