"""One writer per run."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from dkl_core.errors import RecordError


class WriterLock:
    """Held by whoever writes a run; the system takes it from a process that dies.

    Args:
        path: the run's file.

    Raises:
        RecordError: somebody else writes the run.
        OSError: the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        from filelock import FileLock, Timeout

        self._lock = FileLock(f"{path}.lock", timeout=0, thread_local=False)
        try:
            self._lock.acquire()
        except Timeout:
            raise RecordError(f"{path} is being written already; close the run there, or give another name") from None

    def release(self) -> None:
        """Let others write; the lock's own file goes."""
        # Removed while it is held: afterwards it could be another writer's. Windows removes it on release.
        with suppress(OSError):
            Path(self._lock.lock_file).unlink()
        self._lock.release()
