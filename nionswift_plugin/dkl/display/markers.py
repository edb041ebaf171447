"""A marker on a map; one that moves, as Swift's inspector needs seconds for a graphic per site."""

from __future__ import annotations

import gettext
from typing import TYPE_CHECKING

from nion.swift.model import Graphics
from nion.utils import Geometry

if TYPE_CHECKING:
    from nion.swift.model.DisplayItem import DisplayItem

_ = gettext.gettext
MARKER_ID = "dkl.marker"
_COLOUR = "#00E5FF"


class Marker:
    """One point on one display; all methods on the main thread.

    The user cannot move it, and may delete it: it then comes back with the next move.

    Args:
        display_item: where.
    """

    def __init__(self, display_item: DisplayItem) -> None:
        self._display_item = display_item
        self._graphic: Graphics.PointGraphic | None = None

    def move(self, y: float, x: float, label: str) -> None:
        """Put it at (y, x), fractions of the image."""
        graphic = self._present()
        position = Geometry.FloatPoint(y=y, x=x)
        if graphic.position != position:
            graphic.position = position
        if graphic.label != label:
            graphic.label = label

    def remove(self) -> None:
        """Take it away."""
        graphic, self._graphic = self._graphic, None
        if graphic is not None and graphic.container is not None:
            self._display_item.remove_graphic(graphic).close()

    def _present(self) -> Graphics.PointGraphic:
        if self._graphic is None or self._graphic.container is None:
            self._graphic = graphic = Graphics.PointGraphic()
            graphic.graphic_id = MARKER_ID
            graphic.stroke_color = _COLOUR
            graphic.is_position_locked = True
            self._display_item.add_graphic(graphic)
        return self._graphic
