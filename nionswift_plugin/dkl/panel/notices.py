"""What the user is told outside the panel: Swift's notifications, and its list of activities."""

from __future__ import annotations

import gettext

from nion.swift.model import Activity, Notification

from dkl_core.errors import DKLError

_ = gettext.gettext


def words_for(error: Exception) -> str:
    """An error as the user reads it: what happened and what to do."""
    return str(error) if isinstance(error, DKLError) else f"{type(error).__name__}: {error}"


def notify(title: str, text: str) -> None:
    """Show a notification; on the main thread."""
    Notification.notify(Notification.Notification("dkl.notice", "\N{WARNING SIGN} DKL", title, text))


class RunActivity:
    """An entry in Swift's list of activities; any thread."""

    def __init__(self, title: str) -> None:
        self._activity: Activity.Activity | None = Activity.Activity("dkl-experiment", title)
        Activity.append_activity(self._activity)

    def close(self) -> None:
        """It is over; may be called again."""
        activity, self._activity = self._activity, None
        if activity is not None:
            Activity.activity_finished(activity)
