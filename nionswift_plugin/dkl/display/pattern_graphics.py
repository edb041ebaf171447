"""The parameters of a scalarizer as graphics on a diffraction pattern, which the user may move."""

from __future__ import annotations

import gettext
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, get_args

from nion.swift.model import Graphics
from nion.utils import Geometry

from dkl_core.scalarizers.pattern import Pattern
from nionswift_plugin.dkl.display.detector_shapes import Circle, DetectorShapes, Edge

if TYPE_CHECKING:
    from nion.swift.model.DisplayItem import DisplayItem
    from nion.utils.Event import EventListener

_ = gettext.gettext
Pair = tuple[float, float]
GRAPHIC_ID = "dkl.{edge}"
_COLOURS: Mapping[Edge, str] = {"disc": "#00E5FF", "inner": "#FFC400", "outer": "#FFC400", "bragg": "#69F0AE"}


class PatternGraphics:
    """Circles on one display: the bright disc, inner and outer edge of a virtual detector, first-order discs.

    All methods on the main thread. What the user drags or deletes comes back as options: a disc that is deleted is
    found in the pattern again.

    Args:
        display_item: shows the pattern.
        options: of the scalarizer, defaults included.
        changed: is called with the new options when the user has moved something.
        locked: whether the user can only look at them.
    """

    def __init__(
        self,
        display_item: DisplayItem,
        options: Mapping[str, Any],
        changed: Callable[[dict[str, Any]], object] | None = None,
        *,
        locked: bool = False,
    ) -> None:
        self._display_item = display_item
        self._options, self._changed, self._locked = dict(options), changed, locked
        self._graphics: dict[Edge, Graphics.EllipseGraphic] = {}
        self._listeners: dict[Edge, tuple[EventListener, EventListener]] = {}
        self._shapes: DetectorShapes | None = None
        self._pattern: Pattern | None = None
        self._is_drawing = False

    @property
    def options(self) -> dict[str, Any]:
        """The options as the graphics say them."""
        return dict(self._options)

    def show(self, pattern: Pattern, options: Mapping[str, Any] | None = None, bragg_mrad: float | None = None) -> None:
        """Draw what the options mean on a pattern.

        Args:
            pattern: the live one.
            options: new ones; None keeps those of before.
            bragg_mrad: distance of the first-order discs, where it was measured.
        """
        if options is not None:
            self._options = dict(options)
        self.draw(pattern, DetectorShapes.of(self._options, pattern, bragg_mrad))

    def draw(self, pattern: Pattern, shapes: DetectorShapes) -> None:
        """Draw circles that are known already.

        Args:
            pattern: what they are drawn on.
            shapes: the circles.
        """
        self._pattern = pattern
        self._draw(shapes)

    def release(self) -> None:
        """Leave the graphics where they are."""
        for edge in list(self._graphics):
            self._forget(edge)

    def close(self) -> None:
        """Take all graphics away."""
        for edge in list(self._graphics):
            self._remove(edge)

    # ------------------------------------------------------------------ drawing

    def _draw(self, shapes: DetectorShapes, *, besides: Edge | None = None) -> None:
        self._shapes, self._is_drawing = shapes, True
        try:
            for edge in get_args(Edge):
                circle = shapes.circles.get(edge)
                if circle is None:
                    self._remove(edge)
                elif edge != besides:
                    self._place(edge, circle, shapes.centre_px)
        finally:
            self._is_drawing = False

    def _place(self, edge: Edge, circle: Circle, centre_px: Pair) -> None:
        assert self._pattern is not None
        rows, cols = self._pattern.shape
        radius_px = circle.radius / self._pattern.mrad_per_px
        row, col = centre_px
        bounds = Geometry.FloatRect.from_center_and_size(
            Geometry.FloatPoint(y=(row + 0.5) / rows, x=(col + 0.5) / cols),
            Geometry.FloatSize(h=2 * radius_px / rows, w=2 * radius_px / cols),
        )
        graphic = self._graphics.get(edge) or self._added(edge)
        if graphic.bounds != bounds:
            graphic.bounds = bounds
        label = _label(edge, circle)
        if graphic.label != label:
            graphic.label = label

    def _added(self, edge: Edge) -> Graphics.EllipseGraphic:
        graphic = Graphics.EllipseGraphic()
        graphic.graphic_id = GRAPHIC_ID.format(edge=edge)
        graphic.stroke_color = _COLOURS[edge]
        graphic.is_position_locked = graphic.is_rotation_locked = True
        graphic.is_shape_locked = self._locked or edge == "bragg"
        self._display_item.add_graphic(graphic)
        self._graphics[edge] = graphic
        self._listeners[edge] = (
            graphic.property_changed_event.listen(lambda key: self._moved(edge, key)),
            graphic.about_to_be_removed_event.listen(lambda: self._deleted(edge)),
        )
        return graphic

    def _remove(self, edge: Edge) -> None:
        graphic = self._forget(edge)
        if graphic is not None and graphic.container is not None:
            self._display_item.remove_graphic(graphic).close()

    def _forget(self, edge: Edge) -> Graphics.EllipseGraphic | None:
        for listener in self._listeners.pop(edge, ()):
            listener.close()
        return self._graphics.pop(edge, None)

    # ------------------------------------------------------------------ the user's hand

    def _moved(self, edge: Edge, key: str) -> None:
        if key == "bounds" and not self._is_drawing and self._shapes is not None:
            self._take(self._shapes.dragged(edge, self._radius_mrad(edge), self._options), besides=edge)

    def _deleted(self, edge: Edge) -> None:
        # not closed: their event is being fired
        self._listeners.pop(edge, None)
        self._graphics.pop(edge, None)
        if self._shapes is not None:
            self._take(self._shapes.deleted(edge, self._options), besides=edge)

    def _take(self, options: dict[str, Any], besides: Edge) -> None:
        if options == self._options:
            return
        self._options = options
        assert self._pattern is not None
        # the one in the user's hand is left alone
        self._draw(DetectorShapes.of(options, self._pattern), besides=besides)
        if self._changed is not None:
            self._changed(dict(options))

    def _radius_mrad(self, edge: Edge) -> float:
        """Half of the mean of height and width: an ellipse stands for a circle."""
        assert self._pattern is not None
        size = self._graphics[edge].bounds.size
        rows, cols = self._pattern.shape
        return float(size.height * rows + size.width * cols) / 4 * self._pattern.mrad_per_px


def _label(edge: Edge, circle: Circle) -> str:
    names = {
        "disc": _("bright disc") if circle.is_set else _("bright disc (found)"),
        "inner": _("inner edge"),
        "outer": _("outer edge"),
        "bragg": _("first-order discs"),
    }
    return f"{names[edge]} {circle.radius:.3g} mrad"
