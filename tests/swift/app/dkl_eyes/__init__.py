"""A plug-in for Swift that writes down what is on the screen and where; it looks and touches nothing.

It goes into the PlugIns folder of the profile under test. What it sees is in the file that the environment names.
"""

from __future__ import annotations

import asyncio
import json
import os
import traceback
from pathlib import Path
from typing import Any

INTERVAL_S = 0.1
WIDGETS = ("_button", "_edit", "_combo", "_slider", "_check", "_label")


def run() -> None:
    """Called by Swift: look at every window that opens."""
    from nion.swift import Application

    Application.app.register_menu_handler(lambda window: window.event_loop.create_task(_watch(window)))


async def _watch(window: Any) -> None:
    path, count = Path(os.environ["DKL_EYES"]), 0
    shown = _MenuWatch(window)
    # none once the window closes
    while window.workspace_controller is not None:
        count += 1
        try:
            seen = {"count": count, "error": "", **_seen(window), "menu": shown.title}
        except Exception:  # noqa: BLE001 - whoever reads the file shall know of whatever went wrong
            seen = {"count": count, "error": traceback.format_exc()}
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps(seen), encoding="utf-8")
        unfinished.replace(path)
        await asyncio.sleep(INTERVAL_S)


class _MenuWatch:
    """Knows which menu of a window's menu bar hangs open."""

    def __init__(self, window: Any) -> None:
        self.title: str | None = None
        for menu in window._document_window.menus:
            self._follow(menu)

    def _follow(self, menu: Any) -> None:
        show, hide = menu.on_about_to_show, menu.on_about_to_hide

        def about_to_show() -> None:
            self.title = menu.title
            if callable(show):
                show()

        def about_to_hide() -> None:
            self.title = None
            if callable(hide):
                hide()

        menu.on_about_to_show, menu.on_about_to_hide = about_to_show, about_to_hide


def _seen(window: Any) -> dict[str, Any]:
    import nionswift_plugin.dkl
    from nionswift_plugin.dkl.panel.panel import PANEL_ID

    panel = window.find_dock_panel(PANEL_ID)
    is_open = panel is not None and bool(panel.dock_widget.visible)
    return {
        "plugin": nionswift_plugin.dkl.__file__,
        "window": _window(window._document_window),
        "menus": {menu.title: _entries(menu) for menu in window._document_window.menus},
        "panel": _rectangle(panel.widget) if is_open else None,
        "widgets": _widgets(panel.view) if is_open else {},
        "displays": {each.display_panel_id: _display(each) for each in window.workspace_controller.display_panels},
        "items": [item.title for item in window.document_model.data_items],
        "run": _run(panel.view) if panel is not None else {},
    }


def _rectangle(widget: Any) -> list[int]:
    from nion.utils import Geometry

    corner, size = widget.map_to_global(Geometry.IntPoint(0, 0)), widget.size
    return [corner.x, corner.y, size.width, size.height]


def _entries(menu: Any) -> list[dict[str, Any]]:
    found = []
    for item in menu.items:
        action, sub_menu = item.action, item.sub_menu
        if action is not None:
            found.append({"title": action.title, "enabled": action.enabled, "checked": action.checked})
        else:
            # a separating line has no title
            found.append({"title": "" if sub_menu is None else sub_menu.title, "enabled": False, "checked": False})
    return found


def _widgets(view: Any) -> dict[str, Any]:
    found = {}
    for name, widget in vars(view).items():
        behavior = getattr(widget, "_behavior", None)
        if behavior is None or not name.endswith(WIDGETS):
            continue
        found[name] = {
            "rectangle": _rectangle(widget),
            "enabled": bool(widget.enabled),
            "visible": bool(behavior.proxy.Widget_isVisible(behavior.widget)),
            "text": str(getattr(widget, "text", None) or ""),
            "choices": [str(each) for each in getattr(widget, "items", None) or ()],
            "index": getattr(widget, "current_index", None),
            "checked": getattr(widget, "checked", None),
        }
    return found


def _window(window: Any) -> list[int]:
    return [window.position.x, window.position.y, window.size.width, window.size.height]


def _display(display_panel: Any) -> dict[str, Any]:
    from nion.utils import Geometry

    canvas, shown = display_panel.display_canvas_item, display_panel.display_item
    rectangle = None
    if canvas is not None and canvas.canvas_size is not None:
        corner = canvas.map_to_global(Geometry.IntPoint(0, 0))
        rectangle = [corner.x, corner.y, canvas.canvas_size.width, canvas.canvas_size.height]
    return {"rectangle": rectangle, "title": "" if shown is None else shown.displayed_title}


def _run(view: Any) -> dict[str, Any]:
    controller = view.controller
    status, path = controller.status, controller.run.path
    return {
        "phase": controller.phase,
        "sites": controller.setup.sites,
        "settled": controller.setup.is_settled,
        "measured": 0 if status is None else status.measured,
        "message": view.text["message"].value or "",
        "warning": controller.run.warning,
        "path": "" if path is None else str(path),
        "trial": controller.setup.trial is not None,
    }
