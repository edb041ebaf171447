"""A workspace of Swift for running experiments: six views, each for a role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController
    from nion.swift.model.DisplayItem import DisplayItem

NAME, WORKSPACE_ID = "DKL", "org.dkl.workspace"
PAGE_NAME, PAGE_WORKSPACE_ID, PAGE = "DKL figure", "org.dkl.workspace.page", "page"
ROWS = (("visited", "mean", "std"), ("acquisition", "pattern", "learning"))


def open_workspace(document_controller: DocumentController) -> None:
    """Show the workspace, made anew where the project has none; on the main thread."""
    controller = document_controller.workspace_controller
    assert controller is not None
    controller.ensure_workspace(NAME, layout(), WORKSPACE_ID)


def place(document_controller: DocumentController, role: str, display_item: DisplayItem) -> bool:
    """Show a display in the view of its role; on the main thread.

    Returns:
        Whether the present workspace has one.
    """
    controller = document_controller.workspace_controller
    for panel in controller.display_panels if controller is not None else ():
        if panel.display_panel_id == view_id(role):
            panel.set_display_item(display_item)
            return True
    return False


def show_page(document_controller: DocumentController, display_item: DisplayItem) -> None:
    """Show a figure, which wants the whole window, in a workspace of its own; on the main thread."""
    controller = document_controller.workspace_controller
    assert controller is not None
    controller.ensure_workspace(PAGE_NAME, {**_view(PAGE), "selected": True}, PAGE_WORKSPACE_ID)
    place(document_controller, PAGE, display_item)


def view_id(role: str) -> str:
    """How the view of a role is called in the workspace."""
    return f"dkl-{role}"


def layout() -> dict[str, Any]:
    """Two rows of three views."""
    rows = [_split("vertical", [_view(role) for role in row]) for row in ROWS]
    rows[0]["children"][0]["selected"] = True
    return _split("horizontal", rows)


def _split(orientation: str, children: list[dict[str, Any]]) -> dict[str, Any]:
    share = 1 / len(children)
    return {
        "type": "splitter",
        "orientation": orientation,
        "splits": [share] * len(children),
        "children": children,
    }


def _view(role: str) -> dict[str, Any]:
    return {"type": "image", "display_panel_id": view_id(role)}
