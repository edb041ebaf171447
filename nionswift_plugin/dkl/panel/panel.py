"""The panel as Swift knows it, and its registration."""

from __future__ import annotations

import gettext
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nion.swift import Panel, Workspace
from nion.ui import Declarative

from nionswift_plugin.dkl.panel import menu
from nionswift_plugin.dkl.panel.room import PANEL_ID, make_room
from nionswift_plugin.dkl.training import menu as training

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController
    from nion.ui.UserInterface import UserInterface

    from nionswift_plugin.dkl.panel.model import PanelSettings
    from nionswift_plugin.dkl.panel.view import View

_ = gettext.gettext
_REMEMBERED = "dkl/settings"
_logger = logging.getLogger(__name__)


class DKLPanel(Panel.Panel):
    """One panel per window.

    Attributes:
        view: what it shows.
    """

    def __init__(self, document_controller: DocumentController, panel_id: str, _properties: Mapping[str, Any]) -> None:
        super().__init__(document_controller, panel_id, _("DKL 4D-STEM"))
        self.view: View = _made_view(document_controller)
        self.widget = Declarative.DeclarativeWidget(document_controller.ui, document_controller.event_loop, self.view)


def run() -> None:
    """Let Swift know the panel."""
    Workspace.WorkspaceManager().register_panel(
        DKLPanel, PANEL_ID, _("DKL 4D-STEM"), ["left", "right"], "right", {"min-width": 340, "height": 600}
    )
    menu.add(make_room)
    training.run()


def stop() -> None:
    """Take it back."""
    training.stop()
    menu.remove()
    Workspace.WorkspaceManager().unregister_panel(PANEL_ID)


def _made_view(document_controller: DocumentController) -> View:
    from nionswift_plugin.dkl.panel.controller import Controller
    from nionswift_plugin.dkl.panel.view import View

    ui = document_controller.ui

    def remember(settings: PanelSettings) -> None:
        ui.set_persistent_string(_REMEMBERED, settings.to_text())

    return View(document_controller, Controller(document_controller, _remembered(ui), remember))


def _remembered(ui: UserInterface) -> PanelSettings | None:
    from dkl_core.errors import InputError
    from nionswift_plugin.dkl.panel.model import PanelSettings

    text = ui.get_persistent_string(_REMEMBERED, "")
    try:
        return PanelSettings.from_text(text) if text else None
    except InputError as error:
        _logger.warning("the remembered settings are not used: %s", error)
        return None
