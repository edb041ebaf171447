"""How a script waits: not on Swift's main thread, and not for ever when that one does not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from dkl_core.errors import DKLError
from nionswift_plugin.dkl.acquisition.main_loop import EventLoopMain, MainLoopClosedError

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController

    from nionswift_plugin.dkl.panel.controller import Controller

Result = TypeVar("Result")
_LOOK_S, _POLL_S = 0.05, 0.01
# Closing the window of a script stops Swift's main thread until the script ends. The acquisition bears that for 10 s.
_ANSWER_S = 5.0


class WaitError(DKLError):
    """A script waited in vain, or where it must not wait."""


class ScriptCancelledError(DKLError):
    """The user pressed Cancel in the script's window; what the microscope does goes on."""


class RunFailedError(DKLError):
    """The run ended by an error; what was measured is in its file and can be resumed."""


class Waiter:
    """Calls the panel's controller from any thread, and waits for what comes of it.

    Args:
        document_controller: the window.
        controller: of its panel.
        is_cancelled: whether the user wants the script to end.
    """

    def __init__(
        self, document_controller: DocumentController, controller: Controller, is_cancelled: Callable[[], bool]
    ) -> None:
        self._main = EventLoopMain(document_controller.event_loop, _ANSWER_S)
        self._controller, self._is_cancelled = controller, is_cancelled

    @property
    def may_wait(self) -> bool:
        """Whether this thread may wait: Swift's main thread may not, or nothing would go on."""
        return threading.current_thread() is not threading.main_thread()

    def require_waiting(self) -> None:
        """See that this thread may wait.

        Raises:
            WaitError: it is Swift's main thread.
        """
        if not self.may_wait:
            raise WaitError(
                "the Python Console runs on Swift's main thread, and the experiment would stand still while it waits; "
                "look at status from time to time, or wait in a script (Scripts, Run)"
            )

    def call(self, function: Callable[[], Result]) -> Result:
        """What a function returns on Swift's main thread; what it raises is raised.

        Raises:
            WaitError: the window is closed, or its main thread does not answer.
            ScriptCancelledError: the user pressed Cancel.
        """
        self._check()
        try:
            return self._main.call(function)
        except MainLoopClosedError as error:
            raise WaitError(f"{error}; the run goes on by itself, and the panel shows it") from error

    def carry_out(
        self, action: Callable[[], object], until: Callable[[], bool] | None = None, timeout_s: float | None = None
    ) -> None:
        """Do something, and on a thread that may wait, wait until it is done.

        Args:
            action: called on the main thread.
            until: asked on the main thread whether it is done; None does not wait.
            timeout_s: how long to wait at most, s; None for ever.

        Raises:
            DKLError: what the panel complained of meanwhile, or the wait was in vain.
        """
        with self._complaints() as complaints:
            self.call(action)
            if until is not None and self.may_wait and not complaints:
                self.wait_until(lambda: bool(complaints) or until(), timeout_s)
            if complaints:
                raise complaints[0]

    def wait_until(self, done: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Wait until something is so, asked on the main thread.

        Raises:
            WaitError: it has not come true in time, or the main thread does not answer.
            ScriptCancelledError: the user pressed Cancel.
        """
        self.require_waiting()
        limit_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not self.call(done):
            if limit_s is not None and time.monotonic() > limit_s:
                raise WaitError(f"not done within {timeout_s:g} s; it goes on, wait again or call stop()")
            time.sleep(_LOOK_S)

    def answer(self, future: Future[Result]) -> Result:
        """What comes of an order to the session.

        Raises:
            WaitError: the window was closed meanwhile.
            ScriptCancelledError: the user pressed Cancel.
        """
        while not future.done():
            self._check()
            time.sleep(_POLL_S)
        return future.result()

    def _check(self) -> None:
        if self._is_cancelled():
            raise ScriptCancelledError("cancelled; the experiment goes on, the panel's Stop ends it")
        if self._controller.is_closed:
            raise WaitError("the window is closed; its run was left and can be resumed from its file")

    @contextmanager
    def _complaints(self) -> Iterator[list[Exception]]:
        heard: list[Exception] = []
        listener = self.call(lambda: self._controller.complained.listen(heard.append))
        try:
            yield heard
        finally:
            listener.close()
