"""The main thread of Swift as a worker sees it: a place to run small things, and to let Swift catch up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from dkl_core.errors import InstrumentError
from nionswift_plugin.dkl.acquisition.waiting import POLL_S, Cancellation

Result = TypeVar("Result")


class MainLoopClosedError(InstrumentError):
    """The window, and with it the main loop, is gone."""


class MainLoop(Protocol):
    """What the acquisition needs of the main thread."""

    def call(self, function: Callable[[], Result], /) -> Result:
        """Run a function on the main thread and wait for what it returns.

        Raises:
            MainLoopClosedError: the main loop is closed.
        """
        ...

    def post(self, function: Callable[[], object], /) -> None:
        """Run a function on the main thread soon; does nothing when the main loop is closed."""
        ...


class EventLoopMain:
    """The main loop of a Swift window, `document_controller.event_loop`.

    It runs when Swift's user interface does, or, without one, when the main thread calls
    `document_controller.periodic()`.

    Args:
        event_loop: the window's.
        timeout_s: how long `call` waits, s.
    """

    def __init__(self, event_loop: asyncio.AbstractEventLoop, timeout_s: float = 30.0) -> None:
        self._loop = event_loop
        self._timeout_s = timeout_s
        self._closed = threading.Event()

    def close(self) -> None:
        """Call when the window closes: nothing runs from now on, and whoever waits is told."""
        self._closed.set()

    @property
    def is_closed(self) -> bool:
        """Whether the window is gone."""
        return self._closed.is_set()

    def post(self, function: Callable[[], object], /) -> None:
        """Run a function on the main thread soon; does nothing when the main loop is closed."""
        if not self.is_closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._run, function)

    def call(self, function: Callable[[], Result], /) -> Result:
        """Run a function on the main thread and wait for what it returns; on the main thread itself just run it.

        Raises:
            MainLoopClosedError: the window closed meanwhile, or the main thread did not answer in time.
        """
        if threading.current_thread() is threading.main_thread():
            return function()
        return _answer(self, function, self._wait)

    def _run(self, function: Callable[[], object]) -> None:
        if not self.is_closed:
            function()

    def _wait(self, done: threading.Event) -> None:
        for _ in range(int(self._timeout_s / 0.02)):
            if done.wait(0.02):
                return
            if self.is_closed:
                raise MainLoopClosedError("the window closed before its main thread had answered")
        raise MainLoopClosedError(f"the main thread of Swift did not answer within {self._timeout_s:g} s")


def catch_up(main: MainLoop, cancellation: Cancellation, timeout_s: float = 10.0) -> None:
    """Return once the main thread has worked off what was queued.

    Swift's probe graphic follows each move of the probe later, on the main thread, and writes the position it then
    shows back to the instrument. Before the next move it has to be done with the last one, or the beam jumps back.

    Raises:
        CancelledError: somebody asked to stop.
        MainLoopClosedError: the main thread did not answer in time.
    """
    on_main(main, cancellation, lambda: None, timeout_s)


def on_main(
    main: MainLoop, cancellation: Cancellation, function: Callable[[], Result], timeout_s: float = 10.0
) -> Result:
    """What `MainLoop.call` does, but a cancellation ends the wait.

    Raises:
        CancelledError: somebody asked to stop.
        MainLoopClosedError: the main thread did not answer in time.
    """
    if threading.current_thread() is threading.main_thread():
        return function()

    def wait(done: threading.Event) -> None:
        for _ in range(int(timeout_s / POLL_S)):
            cancellation.check()
            if done.wait(POLL_S):
                return
        raise MainLoopClosedError(f"the main thread of Swift did not answer within {timeout_s:g} s; is a dialog open?")

    return _answer(main, function, wait)


def _answer(main: MainLoop, function: Callable[[], Result], wait: Callable[[threading.Event], None]) -> Result:
    done, results, errors = threading.Event(), list[Result](), list[BaseException]()

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)
            if not isinstance(error, Exception):
                raise
        finally:
            done.set()

    main.post(run)
    wait(done)
    if errors:
        raise errors[0]
    return results[0]
