"""The append-only journal of a run: one JSON object a line, on the disk before the VI gets its answer."""

import contextlib
import json
import os
from typing import Any, Dict, List, Optional

Event = Dict[str, Any]


class Journal:
    """Events of one run. Several Python sessions may append in turn; each sees what the others wrote.

    What cannot be written stays in memory and is written before the next event that can be.

    Args:
        path: the file; None keeps the events in memory only.
    """

    def __init__(self, path: Optional[str]) -> None:
        self.path = path
        self._read: List[Event] = []
        self._unsaved: List[Event] = []
        self._offset = 0

    @property
    def events(self) -> List[Event]:
        """All events, those of other sessions too; a last line that is not finished is left out."""
        self._catch_up()
        return self._read + self._unsaved

    def append(self, event: Event) -> str:
        """Keep an event.

        Returns:
            Why it is not on the disk; empty when it is.
        """
        self._unsaved.append(event)
        if self.path is None:
            return "the run has no folder; its journal is in memory only"
        self._catch_up()
        # A journal that was taken away is written anew: nothing that was measured may be lost.
        events = self._unsaved if _size(self.path) >= self._offset else self._read + self._unsaved
        content = "".join(json.dumps(item, allow_nan=False) + "\n" for item in events).encode("utf-8")
        try:
            self._offset = _append(self.path, content)
        except OSError as error:
            return f"the journal {self.path} cannot be written: {error.strerror or error}"
        self._read += self._unsaved
        self._unsaved = []
        return ""

    def _catch_up(self) -> None:
        if self.path is None:
            return
        try:
            with open(self.path, "rb") as file:
                file.seek(self._offset)
                content = file.read()
        except OSError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        self._read.extend(event for event in map(_event, whole.splitlines()) if event is not None)


def _event(line: bytes) -> Optional[Event]:
    try:
        event = json.loads(line.decode("utf-8"))
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _append(path: str, content: bytes) -> int:
    """Write whole lines; the new length of the file."""
    with open(path, "ab+") as file:
        end = file.seek(0, os.SEEK_END)
        start = _end_of_last_line(file, end)
        try:
            if start < end:
                file.truncate(start)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            return start + len(content)
        except OSError:
            _cut(path, start)
            raise


def _cut(path: str, size: int) -> None:
    with contextlib.suppress(OSError):
        os.truncate(path, size)


def _end_of_last_line(file: Any, end: int) -> int:
    """Where a line that a kill or a full disk cut short begins; the end of the file when there is none."""
    at = end
    while at > 0:
        start = max(0, at - 65536)
        file.seek(start)
        found = file.read(at - start).rfind(b"\n")
        if found >= 0:
            return int(start + found + 1)
        at = start
    return 0
