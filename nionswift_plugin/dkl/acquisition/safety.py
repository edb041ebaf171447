"""Taking the beam off the sample when the program ends, however it ends."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable

_LOOK_EVERY_S = 0.1


class ExitGuard:
    """Calls a function when the interpreter exits, unless it is disarmed before.

    `atexit` alone comes too late: the interpreter first waits for all threads that are not daemons, an experiment's
    among them. So a thread also watches for the end of the main thread.

    Args:
        secure: called once or more, on any thread; must not raise.
    """

    def __init__(self, secure: Callable[[], object]) -> None:
        self._secure = secure
        self._disarmed = threading.Event()
        self._disarmed.set()
        self._watcher: threading.Thread | None = None

    def arm(self) -> None:
        """From now on the function is called at the end."""
        self._disarmed.clear()
        atexit.register(self._secure)
        # not a daemon: the interpreter has to wait until it has done its work
        self._watcher = threading.Thread(target=self._watch, name="dkl-exit-guard", daemon=False)
        self._watcher.start()

    def disarm(self) -> None:
        """From now on it is not called any more."""
        self._disarmed.set()
        atexit.unregister(self._secure)
        watcher, self._watcher = self._watcher, None
        if watcher is not None and watcher is not threading.current_thread():
            watcher.join()

    def _watch(self) -> None:
        while not self._disarmed.wait(_LOOK_EVERY_S):
            if not threading.main_thread().is_alive():
                self._secure()
                return
