"""Waiting that another thread can end at any moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from dkl_core.errors import InstrumentError

POLL_S = 0.002


class CancelledError(InstrumentError):
    """The user, or the end of the program, asked the acquisition to stop."""


class Cancellation:
    """A request to stop, made by any thread and noticed wherever the acquisition waits."""

    def __init__(self) -> None:
        self._requested = threading.Event()

    def request(self) -> None:
        """Ask for it, from any thread."""
        self._requested.set()

    def withdraw(self) -> None:
        """Start anew."""
        self._requested.clear()

    @property
    def is_requested(self) -> bool:
        """Whether somebody asked for it."""
        return self._requested.is_set()

    def check(self) -> None:
        """Go on only if nobody asked to stop.

        Raises:
            CancelledError: somebody did.
        """
        if self.is_requested:
            raise CancelledError("the acquisition was cancelled")

    def sleep(self, seconds: float) -> None:
        """Wait so long, s.

        Raises:
            CancelledError: somebody asked to stop, then or before.
        """
        if seconds > 0:
            self._requested.wait(seconds)
        self.check()

    def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait for a condition; False when it did not come true in time.

        Raises:
            CancelledError: somebody asked to stop, then or before.
        """
        return waited_until(condition, timeout_s, between=self.check)


def waited_until(condition: Callable[[], bool], timeout_s: float, *, between: Callable[[], None] | None = None) -> bool:
    """Whether a condition came true in time, s; `between` is called before each look."""
    deadline = time.monotonic() + timeout_s
    while True:
        if between is not None:
            between()
        if condition():
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
