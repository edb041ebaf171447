"""Where to measure, set up by hand: a live preview of the sites with a region and forbidden shapes to draw."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

from nion.swift.model import Graphics
from nion.utils import Geometry

from dkl_core.patches import PatchSettings
from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.display import workspace
from nionswift_plugin.dkl.display.pictures import SurveyPicture
from nionswift_plugin.dkl.display.publish import LiveItem, Look, Stage, calibrated
from nionswift_plugin.dkl.display.site_area import Mask, Outline, Preview, Shape, SiteArea, preview

if TYPE_CHECKING:
    from nion.swift.model.DisplayItem import DisplayItem
    from nion.utils.Event import EventListener

_ = gettext.gettext
Purpose = Literal["region", "forbidden"]
Drawn = Graphics.RectangleTypeGraphic
GRAPHIC_ID = "dkl.{purpose}"
_COLOURS: dict[Purpose, str] = {"region": "#00E5FF", "forbidden": "#FF5252"}
_SIZES: dict[Purpose, float] = {"region": 0.6, "forbidden": 0.25}


class GridPreview:
    """A data item that shows the survey image with the sites as they would be; shapes are drawn on it.

    All methods on the main thread. The sites are laid and drawn on a thread of its own.

    Args:
        stage: where.
        survey: the survey image.
        patches: window and stride.
        changed: is called on the main thread with every new preview.
        interval_s: new pictures that come faster than this are merged, s.
        allowed: pixels where sites may be at all, None for everywhere.
    """

    def __init__(
        self,
        stage: Stage,
        survey: SurveyImage,
        patches: PatchSettings,
        changed: Callable[[Preview], object] | None = None,
        *,
        interval_s: float = 0.2,
        allowed: Mask | None = None,
    ) -> None:
        self._stage, self._survey, self._patches, self._changed = stage, survey, patches, changed
        self._allowed = allowed
        self._picture = SurveyPicture(survey)
        self._threshold: float | None = None
        self._pool = ThreadPoolExecutor(1, "dkl-preview")
        self._running: Future[Preview] | None = None
        self._is_stale = False
        self._preview: Preview | None = None
        self._drawn: dict[Drawn, tuple[Purpose, EventListener, EventListener]] = {}
        look = Look("sites", _("DKL: where to measure"))
        xdata = calibrated(self._picture.blank(), self._picture.raster.calibrations(survey), metadata={"role": "sites"})
        self._item = LiveItem(stage, xdata, look, interval_s=interval_s)
        display_item = self._item.display_item
        if display_item is not None:
            workspace.place(stage.document_controller, "visited", display_item)
        self._renew()

    @property
    def display_item(self) -> DisplayItem | None:
        """What shows it; None when the user has deleted it."""
        return self._item.display_item

    @property
    def latest(self) -> Preview | None:
        """The latest preview, None before the first."""
        return self._preview

    @property
    def is_settled(self) -> bool:
        """Whether the latest preview is that of the present settings."""
        return self._running is None and not self._is_stale

    @property
    def area(self) -> SiteArea:
        """Where sites may be, as it is drawn."""
        shapes = [(purpose, shape_of(graphic)) for graphic, (purpose, *_listeners) in self._drawn.items()]
        region = next((shape for purpose, shape in shapes if purpose == "region"), None)
        forbidden = tuple(shape for purpose, shape in shapes if purpose == "forbidden")
        return SiteArea(region, forbidden, self._threshold, allowed=self._allowed)

    def set_patches(self, patches: PatchSettings) -> None:
        """Other windows or strides."""
        self._patches = patches
        self._renew()

    def set_threshold(self, darkest: float | None) -> None:
        """Leave out what is darker, in the image's units; None leaves out nothing."""
        self._threshold = darkest
        self._renew()

    def draw(self, purpose: Purpose, shape: Shape | None = None, outline: Outline = "rectangle") -> None:
        """Add a shape for the user to move: the region, of which there is one, or a forbidden zone.

        Args:
            purpose: what it is for.
            shape: where; None puts one in the middle.
            outline: of one in the middle.
        """
        if purpose == "region":
            self.clear("region")
        size = _SIZES[purpose]
        self._add(purpose, shape or Shape(outline, (0.5, 0.5), (size, size)))
        self._renew()

    def clear(self, purpose: Purpose | None = None) -> None:
        """Take the shapes of a purpose away, None for all."""
        for graphic in [graphic for graphic, drawn in self._drawn.items() if purpose in (None, drawn[0])]:
            self._forget(graphic)
            display_item = self._item.display_item
            if display_item is not None:
                display_item.remove_graphic(graphic).close()
        self._renew()

    def close(self, *, window_closing: bool = False) -> None:
        """End it; the item stays in the project with the sites as they were chosen."""
        self._changed = None
        self._pool.shutdown(wait=False, cancel_futures=True)
        for graphic in list(self._drawn):
            self._forget(graphic)
        self._item.close(window_closing=window_closing)

    # ------------------------------------------------------------------ shapes

    def _add(self, purpose: Purpose, shape: Shape) -> None:
        display_item = self._item.display_item
        if display_item is None:
            return
        graphic = Graphics.RectangleGraphic() if shape.outline == "rectangle" else Graphics.EllipseGraphic()
        graphic.bounds = Geometry.FloatRect.from_center_and_size(
            Geometry.FloatPoint(*shape.centre), Geometry.FloatSize(*shape.size)
        )
        graphic.rotation = shape.rotation_rad
        graphic.graphic_id = GRAPHIC_ID.format(purpose=purpose)
        graphic.label = _("region") if purpose == "region" else _("forbidden")
        graphic.stroke_color = _COLOURS[purpose]
        display_item.add_graphic(graphic)
        self._drawn[graphic] = (
            purpose,
            graphic.property_changed_event.listen(self._moved),
            graphic.about_to_be_removed_event.listen(lambda: self._deleted(graphic)),
        )

    def _moved(self, key: str) -> None:
        if key in ("bounds", "rotation"):
            self._renew()

    def _deleted(self, graphic: Drawn) -> None:
        # not closed: their event is being fired
        self._drawn.pop(graphic)
        self._renew()

    def _forget(self, graphic: Drawn) -> None:
        _purpose, *listeners = self._drawn.pop(graphic)
        for listener in listeners:
            listener.close()

    # ------------------------------------------------------------------ the picture

    def _renew(self) -> None:
        if not self._item.is_open:
            return
        if self._running is not None:
            self._is_stale = True
            return
        self._is_stale = False
        self._running = future = self._pool.submit(preview, self._survey, self._picture, self._patches, self.area)
        future.add_done_callback(lambda _done: self._stage.main.post(self._take))

    def _take(self) -> None:
        future, self._running = self._running, None
        if future is None or future.cancelled() or not self._item.is_open:
            return
        self._preview = found = future.result()
        axes = self._picture.raster.calibrations(self._survey)
        metadata = {
            "role": "sites",
            "sites": found.count,
            "window": self._patches.window,
            "stride": self._patches.stride,
        }
        self._item.update(calibrated(found.picture, axes, metadata=metadata))
        if self._changed is not None:
            self._changed(found)
        if self._is_stale:
            self._renew()


def shape_of(graphic: Drawn) -> Shape:
    """A rectangle or ellipse of Swift as a shape."""
    bounds = graphic.bounds
    outline: Outline = "rectangle" if isinstance(graphic, Graphics.RectangleGraphic) else "ellipse"
    size = float(bounds.height), float(bounds.width)
    return Shape(outline, (float(bounds.center.y), float(bounds.center.x)), size, float(graphic.rotation))
