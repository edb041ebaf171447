"""Room for an experiment: the panel in front, six views beside it, what else is docked put away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nionswift_plugin.dkl.display.workspace import open_workspace

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController

# Swift's own panels of a new profile: with them on a laptop's screen the panel is 70 pixels high, the views 220 wide.
PANEL_ID = "dkl-panel"
IN_THE_WAY = ("toolbar-panel", "histogram-panel", "info-panel", "inspector-panel")
LIST, WIDE_PX = "data-panel", 1600


def make_room(document_controller: DocumentController) -> None:
    """Show the panel and the six views; on the main thread. The menu Window brings back what is put away."""
    controller = document_controller.workspace_controller
    assert controller is not None
    away = {*IN_THE_WAY, LIST} if _width_px(document_controller) < WIDE_PX else set(IN_THE_WAY)
    for panel in controller.dock_panels:
        if panel.panel_id in away:
            panel.hide()
        elif panel.panel_id == PANEL_ID:
            panel.show()
    open_workspace(document_controller)


def _width_px(document_controller: DocumentController) -> int:
    width: int = document_controller._document_window.size.width  # noqa: SLF001 - there is no other way
    return width
