"""The live data items of one experiment, by role."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nion.data.DataAndMetadata import DataAndMetadata

from dkl_core.scalarizers.pattern import Pattern
from nionswift_plugin.dkl.display import workspace
from nionswift_plugin.dkl.display.detector_shapes import DetectorShapes
from nionswift_plugin.dkl.display.markers import Marker
from nionswift_plugin.dkl.display.pattern_graphics import PatternGraphics
from nionswift_plugin.dkl.display.publish import LiveItem, Look, Stage

if TYPE_CHECKING:
    from nion.swift.model.DisplayItem import DisplayItem


class Views:
    """Live data items that come into being when there is something to show.

    What the user deletes does not come back. `show`, `mark` and `outline` may be called from any thread, the rest
    on the main one.

    Args:
        stage: where.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._lock = threading.Lock()
        self._items: dict[str, LiveItem] = {}
        self._new: dict[str, tuple[Look, DataAndMetadata]] = {}
        self._markers: dict[str, Marker] = {}
        self._outlines: dict[str, PatternGraphics] = {}
        self._closed = False

    @property
    def display_items(self) -> Mapping[str, DisplayItem]:
        """What is shown, by role."""
        found = {role: item.display_item for role, item in self._items.items()}
        return {role: item for role, item in found.items() if item is not None}

    def uuid_of(self, role: str) -> str | None:
        """Swift's name for the data item of a role, None before it is there."""
        item = self._items.get(role)
        return None if item is None else item.uuid

    def show(self, look: Look, xdata: DataAndMetadata) -> None:
        """Show something in its role."""
        with self._lock:
            item = self._items.get(look.role)
            if item is None:
                is_first = look.role not in self._new
                self._new[look.role] = look, xdata
        if item is not None:
            item.update(xdata)
        elif is_first:
            self._stage.main.post(lambda: self._create(look.role))

    def mark(self, role: str, fraction: tuple[float, float], label: str) -> None:
        """Put the marker of a role at (y, x), fractions of its image."""
        self._stage.main.post(lambda: self._mark(role, fraction, label))

    def outline(self, role: str, pattern: Pattern, shapes: DetectorShapes) -> None:
        """Draw what a scalarizer looks at on the pattern that is shown in a role."""
        self._stage.main.post(lambda: self._outline(role, pattern, shapes))

    def close(self, *, window_closing: bool = False) -> None:
        """Show what is pending and let Swift write all items; may be called again."""
        for role in list(self._new):
            self._create(role)
        self._closed = True
        self._markers.clear()
        for outline in self._outlines.values():
            outline.release()
        self._outlines.clear()
        for item in self._items.values():
            item.close(window_closing=window_closing)

    def _create(self, role: str) -> None:
        with self._lock:
            waiting = self._new.pop(role, None)
            if waiting is None or self._closed:
                return
            look, xdata = waiting
            self._items[role] = item = LiveItem(self._stage, xdata, look)
        display_item = item.display_item
        if display_item is not None:
            workspace.place(self._stage.document_controller, role, display_item)

    def _outline(self, role: str, pattern: Pattern, shapes: DetectorShapes) -> None:
        item = self._items.get(role)
        display_item = item.display_item if item is not None and item.is_open else None
        if display_item is None or self._closed:
            return
        if role not in self._outlines:
            self._outlines[role] = PatternGraphics(display_item, {}, locked=True)
        self._outlines[role].draw(pattern, shapes)

    def _mark(self, role: str, fraction: tuple[float, float], label: str) -> None:
        item = self._items.get(role)
        if item is None or not item.is_open:
            return
        marker = self._markers.get(role)
        if marker is None:
            display_item = item.display_item
            if display_item is None:
                return
            self._markers[role] = marker = Marker(display_item)
        marker.move(*fraction, label)
