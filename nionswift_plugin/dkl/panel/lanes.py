"""Work beside the main thread, one thing at a time, its result brought back to the main thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from nionswift_plugin.dkl.acquisition.main_loop import MainLoop

Result = TypeVar("Result")


class Lane:
    """Does one thing at a time on a thread of its own; every method is for the main thread.

    Args:
        main: Swift's main thread.
        name: of the threads.
    """

    def __init__(self, main: MainLoop, name: str) -> None:
        self._main, self._name = main, name
        self._thread: threading.Thread | None = None
        self._waiting: Callable[[], object] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being done, or its result has not arrived yet."""
        return self._thread is not None

    def run(
        self,
        work: Callable[[], Result],
        done: Callable[[Result], object],
        failed: Callable[[Exception], object],
    ) -> bool:
        """Do something unless the lane is busy.

        Args:
            work: done on the lane's thread.
            done: gets what it returned, on the main thread.
            failed: gets what it raised, on the main thread.

        Returns:
            Whether it was begun.
        """
        if self.is_busy:
            return False

        def act() -> None:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - whatever it is, the user is told
                trouble = error
                self._main.post(lambda: self._finish(lambda: failed(trouble)))
            else:
                self._main.post(lambda: self._finish(lambda: done(result)))

        self._thread = threading.Thread(target=act, name=self._name, daemon=True)
        self._thread.start()
        return True

    def run_latest(
        self,
        work: Callable[[], Result],
        done: Callable[[Result], object],
        failed: Callable[[Exception], object],
    ) -> None:
        """Do something as soon as the lane is free; what waits already is forgotten."""
        if not self.run(work, done, failed):
            self._waiting = lambda: self.run(work, done, failed)

    def close(self, timeout_s: float) -> None:
        """Wait for what is being done, at most so long, s; its result is dropped with the main loop."""
        self._waiting = None
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _finish(self, deliver: Callable[[], object]) -> None:
        self._thread = None
        waiting, self._waiting = self._waiting, None
        deliver()
        if waiting is not None:
            waiting()
