"""The entry of Swift's menu DKL that makes a window ready for an experiment."""

from __future__ import annotations

import gettext
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import TYPE_CHECKING, cast

from nion.swift import Application
from nion.ui import Window

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController

_ = gettext.gettext
ACTION_ID, MENU_ID = "dkl.experiment", "dkl_menu"


class ExperimentAction(Window.Action):
    """Shows the panel and lays the window out.

    Args:
        make_room: does it, in a window.
    """

    action_id = ACTION_ID
    action_name = _("4D-STEM Experiment")

    def __init__(self, make_room: Callable[[DocumentController], object]) -> None:
        super().__init__()
        self._make_room = make_room

    def execute(self, context: Window.ActionContext) -> Window.ActionResult:
        """Do it."""
        self._make_room(cast("DocumentController", context.window))
        return Window.ActionResult(Window.ActionStatus.FINISHED)


def add(make_room: Callable[[DocumentController], object]) -> None:
    """Let every window that opens have the entry."""
    Window.register_action(ExperimentAction(make_room))
    application: Application.Application | None = Application.app
    if application is not None:
        application.register_menu_handler(_add_to_menu)


def remove() -> None:
    """Undo `add`."""
    cast(MutableMapping[str, Window.Action], Window.actions).pop(ACTION_ID, None)
    application: Application.Application | None = Application.app
    if application is not None and _add_to_menu in application.menu_handlers:
        application.unregister_menu_handler(_add_to_menu)


def _add_to_menu(window: DocumentController) -> None:
    menu = window.get_or_create_menu(MENU_ID, _("DKL"), "window_menu")
    menu.add_menu_item(ExperimentAction.action_name, partial(window.perform_action, ACTION_ID), action_id=ACTION_ID)
