"""The pattern that the camera shows: what the property makes of it, and the property's circles drawn on it."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dkl_core.errors import InputError
from nionswift_plugin.dkl.acquisition.devices import Devices
from nionswift_plugin.dkl.acquisition.main_loop import MainLoop
from nionswift_plugin.dkl.display import workspace
from nionswift_plugin.dkl.panel.lanes import Lane
from nionswift_plugin.dkl.panel.model import PanelSettings
from nionswift_plugin.dkl.panel.runs import scalarizer_for
from nionswift_plugin.dkl.panel.wording import property_of

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController
    from nion.swift.model.DataItem import DataItem
    from nion.swift.model.DisplayItem import DisplayItem

    from nionswift_plugin.dkl.display.pattern_graphics import PatternGraphics
    from nionswift_plugin.dkl.panel.trial import LiveValue

_ = gettext.gettext


class LivePattern:
    """Looks at the camera's live pattern; for the main thread.

    Args:
        main: Swift's main thread.
        document_controller: the window.
        changed: called when something is new.
        complain: gets what went wrong.
        chosen: gets all options when the user moves a circle.

    Attributes:
        words: what the pattern gave.
    """

    def __init__(
        self,
        main: MainLoop,
        document_controller: DocumentController,
        changed: Callable[[], object],
        complain: Callable[[Exception], object],
        chosen: Callable[[dict[str, Any]], object],
    ) -> None:
        self._document_controller = document_controller
        self._changed, self._complain, self._chosen = changed, complain, chosen
        self._lane = Lane(main, "dkl-trying")
        self._graphics: PatternGraphics | None = None
        self._drawn_on: DisplayItem | None = None
        self.words = ""

    def look(self, devices: Devices, settings: PanelSettings) -> None:
        """Look at the pattern.

        Raises:
            InputError: the camera shows none.
        """
        model = self._document_controller.document_model
        item = model.get_data_item_channel_reference(devices.camera.hardware_source_id, None).data_item
        if item is None or item.xdata is None:
            raise InputError(_("the camera shows no pattern; press Play on its panel first"))
        self.look_at(item, settings)

    def look_at(self, item: DataItem, settings: PanelSettings) -> None:
        """Look at a pattern that is a data item."""
        xdata = item.xdata
        if xdata is None:
            return
        display_item = self._document_controller.document_model.get_display_item_for_data_item(item)

        def work() -> LiveValue:
            from nionswift_plugin.dkl.panel.trial import live_value

            return live_value(scalarizer_for(settings), xdata, settings.acquisition().pattern)

        self._lane.run_latest(work, lambda value: self._show(value, settings, display_item), self._complain)

    def clear(self) -> None:
        """Take the circles away."""
        graphics, self._graphics = self._graphics, None
        if graphics is not None:
            graphics.close()

    def close(self, timeout_s: float) -> None:
        """See everything to its end."""
        self._lane.close(timeout_s)
        self.clear()

    def _show(self, value: LiveValue, settings: PanelSettings, display_item: DisplayItem | None) -> None:
        from nionswift_plugin.dkl.display.pattern_graphics import PatternGraphics

        self.words = value.words(property_of(settings.measured).unit)
        if self._drawn_on is not display_item:
            self.clear()
        if self._graphics is None and display_item is not None:
            workspace.place(self._document_controller, "pattern", display_item)
            self._graphics = PatternGraphics(display_item, value.options, self._moved)
            self._drawn_on = display_item
        if self._graphics is not None:
            self._graphics.show(value.pattern, value.options)
        self._changed()

    def _moved(self, options: dict[str, Any]) -> None:
        self._chosen(options)
