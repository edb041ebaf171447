"""What a session tells those who watch it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from dkl_core.experiment import Experiment, Progress

State = Literal["idle", "preparing", "running", "paused", "ended"]
Level = Literal["info", "warning", "error"]
Heard = TypeVar("Heard")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Message:
    """Something the user should know.

    Attributes:
        level: `info`, `warning` (the run goes on) or `error` (it ended).
        text: one line.
        time: when, s since 1970 (UTC).
    """

    level: Level
    text: str
    time: float


@dataclass(frozen=True)
class Listener:
    """Callbacks of a session, called on its thread; one that raises is logged and does not disturb the run.

    Attributes:
        state: the session stands somewhere else.
        experiment: the survey is taken and the experiment begins.
        progress: a site was measured.
        message: something the user should know.
    """

    state: Callable[[State], object] | None = None
    experiment: Callable[[Experiment], object] | None = None
    progress: Callable[[Progress], object] | None = None
    message: Callable[[Message], object] | None = None

    def hear_state(self, state: State) -> None:
        """Pass it on."""
        _told(self.state, state)

    def hear_experiment(self, experiment: Experiment) -> None:
        """Pass it on."""
        _told(self.experiment, experiment)

    def hear_progress(self, progress: Progress) -> None:
        """Pass it on."""
        _told(self.progress, progress)

    def hear_message(self, message: Message) -> None:
        """Pass it on."""
        _told(self.message, message)


def _told(callback: Callable[[Heard], object] | None, news: Heard) -> None:
    if callback is None:
        return
    try:
        callback(news)
    except Exception:  # a view that fails must not end an experiment
        _logger.exception("a listener of the session failed")
