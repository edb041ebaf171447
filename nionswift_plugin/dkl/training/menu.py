"""The menu DKL → Training: a sample, and how hard it is made."""

from __future__ import annotations

import gettext
from collections.abc import MutableMapping
from functools import partial
from typing import TYPE_CHECKING, cast

from nion.swift import Application
from nion.ui import Window

from nionswift_plugin.dkl.panel.notices import notify
from nionswift_plugin.dkl.panel.room import PANEL_ID
from nionswift_plugin.dkl.training.lessons import DIFFICULTIES, LESSONS, Lesson

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController

    from nionswift_plugin.dkl.panel.panel import DKLPanel

_ = gettext.gettext
MENU_ID = "dkl_menu"


def action_id(sample: str, difficulty: str) -> str:
    """How the action of a menu item is called."""
    return f"dkl.training.{sample}.{difficulty}"


class TrainingAction(Window.Action):
    """Begins a training in the window.

    Args:
        lesson: the sample and what to look for.
        difficulty: how hard it is made.
        title: of that.
    """

    def __init__(self, lesson: Lesson, difficulty: str, title: str) -> None:
        super().__init__()
        self.action_id = action_id(lesson.sample, difficulty)
        self.action_name = title
        self._lesson, self._difficulty = lesson, difficulty

    def execute(self, context: Window.ActionContext) -> Window.ActionResult:
        """Set the window up for the training."""
        window = cast("DocumentController", context.window)
        panel = cast("DKLPanel", window.find_dock_panel(PANEL_ID))
        if panel is None:
            notify(_("Training"), _("this window has no DKL panel; open it with Window → DKL 4D-STEM and try again"))
            return Window.ActionResult(Window.ActionStatus.FINISHED)
        panel.view.controller.modes.coach.start(self._lesson.sample, self._difficulty)
        return Window.ActionResult(Window.ActionStatus.FINISHED)


def run() -> None:
    """Add the menu."""
    for lesson in LESSONS:
        for difficulty, title in DIFFICULTIES:
            Window.register_action(TrainingAction(lesson, difficulty, title))
    application: Application.Application | None = Application.app
    if application is not None:
        application.register_menu_handler(add_to_menu)


def stop() -> None:
    """Undo `run`."""
    actions = cast(MutableMapping[str, Window.Action], Window.actions)
    for lesson in LESSONS:
        for difficulty, _title in DIFFICULTIES:
            actions.pop(action_id(lesson.sample, difficulty), None)
    application: Application.Application | None = Application.app
    if application is not None and add_to_menu in application.menu_handlers:
        application.unregister_menu_handler(add_to_menu)


def add_to_menu(window: DocumentController) -> None:
    """Put the samples into a window's menu, each with its difficulties."""
    menu = window.get_or_create_menu(MENU_ID, _("DKL"), "window_menu")
    training = window.create_sub_menu(_("Training"))
    for lesson in LESSONS:
        of_sample = window.create_sub_menu(lesson.title)
        for difficulty, title in DIFFICULTIES:
            name = action_id(lesson.sample, difficulty)
            of_sample.add_menu_item(title, partial(window.perform_action, name), action_id=name)
        training.add_sub_menu(lesson.title, of_sample)
    menu.add_sub_menu(_("Training"), training)
