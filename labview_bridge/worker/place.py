"""The worker's place: the runs folder, its lock (one worker at a time), and the file by which clients find it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

WORKER_FILE = "worker.json"
LOCK_FILE = "worker.lock"
_OWNER_ONLY = 0o600
_TRIES = 20
_TRY_AGAIN_S = 0.05


class AlreadyServedError(Exception):
    """Another worker serves the folder."""


@dataclass
class Place:
    """A runs folder that is served by this process; use it in a `with` block.

    Attributes:
        folder: the runs folder, symbolic links resolved.
        wait_s: how long to wait for a worker that is just ending, s.
        token: what a client must know, new with every worker.
        started: when the worker started, s since 1970.
    """

    folder: Path
    wait_s: float = 5.0
    token: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    started: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.folder = Path(self.folder).resolve()
        self._lock = FileLock(self.folder / LOCK_FILE, timeout=self.wait_s, thread_local=False)

    def __enter__(self) -> Place:
        """Take the folder.

        Raises:
            AlreadyServedError: another worker has it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise AlreadyServedError(f"{self.folder} is served by another worker") from None
        return self

    def __exit__(self, *_: object) -> None:
        # A folder that was removed and made anew has another worker by now, whose file must stay.
        with suppress(OSError, ValueError, KeyError, TypeError):
            announced = self.folder / WORKER_FILE
            if json.loads(announced.read_text(encoding="ascii"))["token"] == self.token:
                announced.unlink()
        self._lock.release()

    def announce(self, port: int) -> None:
        """Write the file by which clients find the worker; only its owner may read it."""
        text = json.dumps({"port": port, "pid": os.getpid(), "started": self.started, "token": self.token})
        new = self.folder / (WORKER_FILE + ".new")
        with suppress(FileNotFoundError):
            new.unlink()
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        try:
            if os.name == "nt":
                _owner_only_on_windows(new)
            os.write(descriptor, text.encode("ascii"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _put(new, self.folder / WORKER_FILE)


def _put(new: Path, place: Path) -> None:
    """Windows refuses to replace a file at the moment that a client reads it."""
    for _ in range(_TRIES):
        with suppress(PermissionError):
            new.replace(place)
            return
        time.sleep(_TRY_AGAIN_S)
    new.replace(place)


def _owner_only_on_windows(path: Path) -> None:
    """Take the rights that the folder passes on away, and give the file to its owner alone."""
    user = f"{os.environ.get('USERDOMAIN', '.')}\\{os.environ.get('USERNAME', '')}"
    subprocess.run(
        ["icacls", str(path), "/inheritance:r", "/grant:r", f"{user}:F"],
        check=True,
        capture_output=True,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
