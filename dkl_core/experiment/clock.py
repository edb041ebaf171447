"""How long an experiment has been active."""

from __future__ import annotations

import time


class ActiveClock:
    """A stopwatch that runs while an experiment is asked and told, not while it is paused, finished or closed."""

    def __init__(self) -> None:
        self._before = 0.0
        self._since: float | None = None

    @property
    def elapsed(self) -> float:
        """Active time so far, s."""
        return self._before + (0.0 if self._since is None else time.monotonic() - self._since)

    def run(self) -> None:
        """Go on; nothing changes where it runs already."""
        if self._since is None:
            self._since = time.monotonic()

    def hold(self) -> None:
        """Stop until `run`."""
        self.set(self.elapsed)

    def set(self, elapsed: float) -> None:
        """Stop at a time, s."""
        self._before, self._since = elapsed, None
