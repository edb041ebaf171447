"""Several listeners of one session."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nionswift_plugin.dkl.listening import Listener

News = TypeVar("News")


def together(*listeners: Listener) -> Listener:
    """A listener that tells all of these, in order; one that fails does not keep the news from the others."""
    return Listener(
        state=_each([one.hear_state for one in listeners]),
        experiment=_each([one.hear_experiment for one in listeners]),
        progress=_each([one.hear_progress for one in listeners]),
        message=_each([one.hear_message for one in listeners]),
    )


def _each(hearers: list[Callable[[News], None]]) -> Callable[[News], None]:
    def hear(news: News) -> None:
        for hearer in hearers:
            hearer(news)

    return hear
