"""Room for an experiment: on a new profile the panel gets the height of the window, and the views its width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from nion.ui import Window

from nionswift_plugin.dkl.display.workspace import PAGE, ROWS, show_page, view_id
from nionswift_plugin.dkl.panel import room
from nionswift_plugin.dkl.panel.menu import ACTION_ID


class Docked:
    """A panel of Swift's that is docked."""

    def __init__(self, panel_id: str) -> None:
        self.panel_id, self.is_shown = panel_id, panel_id != room.PANEL_ID

    def show(self) -> None:
        self.is_shown = True

    def hide(self) -> None:
        self.is_shown = False

    def close(self) -> None:
        pass

    def periodic(self) -> None:
        pass


def shown_after_making_room(open_panel: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, width: int) -> set[str]:
    window = open_panel().swift.document_controller
    docked = [Docked(name) for name in (*room.IN_THE_WAY, room.LIST, "somebody-elses-panel", room.PANEL_ID)]
    monkeypatch.setattr(room, "_width_px", lambda _window: width)
    with monkeypatch.context() as patched:
        patched.setattr(window.workspace_controller, "dock_panels", docked)
        room.make_room(window)
    assert {panel.display_panel_id for panel in window.workspace_controller.display_panels} == {
        view_id(role) for row in ROWS for role in row
    }
    return {panel.panel_id for panel in docked if panel.is_shown}


def test_on_a_laptop_all_that_swift_docks_steps_aside(open_panel, monkeypatch):
    assert shown_after_making_room(open_panel, monkeypatch, 1366) == {room.PANEL_ID, "somebody-elses-panel"}


def test_on_a_large_screen_the_list_of_data_stays(open_panel, monkeypatch):
    shown = shown_after_making_room(open_panel, monkeypatch, 1920)
    assert shown == {room.PANEL_ID, room.LIST, "somebody-elses-panel"}


def test_the_menu_entry_and_the_button_lay_the_window_out(open_panel):
    bench = open_panel()
    window = bench.swift.document_controller
    for lay_out in (lambda: window.perform_action(ACTION_ID), lambda: bench.click("workspace")):
        window.workspace_controller.ensure_workspace("one view", {"type": "image"}, "one-view")
        assert len(window.workspace_controller.display_panels) == 1
        lay_out()
        assert len(window.workspace_controller.display_panels) == 6


def test_the_menu_entry_goes_with_the_panel(open_panel):
    open_panel()
    assert ACTION_ID in Window.actions
    from nionswift_plugin.dkl.panel import panel

    panel.stop()
    assert ACTION_ID not in Window.actions
    panel.run()


def test_a_figure_has_the_window_to_itself_and_the_maps_come_back(open_panel):
    bench = open_panel()
    window = bench.swift.document_controller
    bench.click("workspace")
    bench.survey()
    shown = bench.controller.setup._grid.display_item
    show_page(window, shown)
    (view,) = window.workspace_controller.display_panels
    assert (view.display_panel_id, view.display_item) == (view_id(PAGE), shown)
    bench.click("workspace")
    assert any(panel.display_item is shown for panel in window.workspace_controller.display_panels)
