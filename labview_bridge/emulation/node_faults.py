"""Faults inside the process of an emulated Python Node: files that are locked, exceptions in the user's module.

Runs under CPython 3.6 to 3.13.
"""

# ruff: noqa: PTH120

import builtins
import errno
import functools
import io
import os
import sys
from types import FrameType, TracebackType
from typing import Any

_OWN_FOLDER = os.path.dirname(os.path.realpath(__file__))


@functools.lru_cache(maxsize=None)  # noqa: UP033 - Python 3.6
def _real(path: str) -> str:
    return os.path.realpath(path)


class LockedFiles:
    """Files that no code of this process can open, as if another program had locked them."""

    def __init__(self) -> None:
        self._plain: Any = builtins.open
        self._low: Any = os.open
        self._paths: list[str] = []

    def lock(self, paths: "list[str]") -> None:
        """Lock these files, and no others; an empty list ends it."""
        self._paths = [os.path.realpath(path) for path in paths]
        opened, low = (self._opened, self._opened_low) if paths else (self._plain, self._low)
        builtins.open, io.open, os.open = opened, opened, low

    def _opened(self, file: Any, *rest: Any, **named: Any) -> Any:
        self._refuse(file)
        return self._plain(file, *rest, **named)

    def _opened_low(self, path: Any, *rest: Any, **named: Any) -> Any:
        self._refuse(path)
        return self._low(path, *rest, **named)

    def _refuse(self, path: Any) -> None:
        named = isinstance(path, (str, bytes)) or hasattr(path, "__fspath__")
        if named and os.path.realpath(os.fsdecode(path)) in self._paths:
            raise PermissionError(errno.EACCES, "The process cannot access the file: it is locked", path)


class InjectedError(RuntimeError):
    """The exception that a fault raises inside the module."""


class Raising:
    """Raises once, at the nth line that runs in a folder's files below the function that the VI calls."""

    def __init__(self, folder: str, line: "int | None") -> None:
        self.folder, self.left, self.done = os.path.realpath(folder), line, False

    def __enter__(self) -> "Raising":
        if self.left is not None:
            sys.settrace(self._entered)
        return self

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: "BaseException | None",
        traceback: "TracebackType | None",
    ) -> None:
        if self.left is not None:
            sys.settrace(None)

    def _entered(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        # The function itself has to be whole, as a VI calls it: a fault strikes what it relies on.
        ours = os.path.dirname(_real(frame.f_code.co_filename)) == self.folder
        below = frame.f_back is not None and os.path.dirname(_real(frame.f_back.f_code.co_filename)) != _OWN_FOLDER
        return self._line if ours and below and not self.done else None

    def _line(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line" and self.left is not None and not self.done:
            self.left -= 1
            if self.left < 0:
                self.done = True
                sys.settrace(None)
                raise InjectedError(f"injected at line {frame.f_lineno} of {frame.f_code.co_filename}")
        return self._line
