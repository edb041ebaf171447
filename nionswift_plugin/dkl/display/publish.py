"""Data items that a running experiment fills: live, updated seldom enough, and written to disk when they close."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from nion.data.Calibration import Calibration
from nion.data.DataAndMetadata import DataAndMetadata, DataDescriptor, new_data_and_metadata
from nion.swift.model import DataItem
from numpy.typing import ArrayLike

from nionswift_plugin.dkl.acquisition.main_loop import MainLoop

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController
    from nion.swift.model.DisplayItem import DisplayItem
    from nion.swift.model.DocumentModel import DocumentModel

# A map takes Swift up to 30 ms of its main thread; more often than this and the window feels it, s.
INTERVAL_S = 0.5
METADATA_KEY = "dkl"


@dataclass(frozen=True)
class Stage:
    """Where data items are shown.

    Attributes:
        document_controller: a window of Swift.
        main: its main loop.
    """

    document_controller: DocumentController
    main: MainLoop

    @property
    def document_model(self) -> DocumentModel:
        """The project."""
        model: DocumentModel = self.document_controller.document_model
        return model

    def later(self, seconds: float, function: Callable[[], object]) -> None:
        """Run a function on the main thread after a while, from the main thread; not after the main loop closed."""
        self.document_controller.event_loop.call_later(seconds, self.main.post, function)


@dataclass(frozen=True)
class Look:
    """How a data item presents itself.

    Attributes:
        role: what it is for, the same in every run: `survey`, `mean` and so on.
        title: its title.
        colour_map: name of one of Swift's colour maps, None for its default.
    """

    role: str
    title: str
    colour_map: str | None = None


def calibrated(
    values: ArrayLike,
    axes: tuple[Calibration, ...] | None = None,
    *,
    intensity: Calibration | None = None,
    metadata: Mapping[str, Any] | None = None,
    descriptor: DataDescriptor | None = None,
) -> DataAndMetadata:
    """Data as Swift takes it.

    Args:
        values: the data; a last axis of three bytes (uint8) is blue, green, red.
        axes: calibration of each axis; None for pixels.
        intensity: what the values mean.
        metadata: kept under `dkl`; JSON-compatible values.
        descriptor: what the axes are, where it does not follow from their number.
    """
    return new_data_and_metadata(
        np.ascontiguousarray(values),
        intensity_calibration=intensity,
        dimensional_calibrations=axes,
        metadata={METADATA_KEY: dict(metadata or {})},
        data_descriptor=descriptor,
    )


def new_item(stage: Stage, xdata: DataAndMetadata, look: Look) -> DataItem.DataItem:
    """A data item in the project, on the main thread."""
    assert threading.current_thread() is threading.main_thread()
    item = DataItem.new_data_item(xdata)
    item.title = look.title
    stage.document_model.append_data_item(item)
    stage.document_model.update_data_item_session(item)
    shown = stage.document_model.get_display_item_for_data_item(item)
    if look.colour_map and shown is not None and shown.display_data_channel is not None:
        shown.display_data_channel.color_map_id = look.colour_map
    return item


class LiveItem:
    """One data item that is updated while something runs.

    It is in a transaction until `close`, so that updates cost the main thread little; Swift writes it then. The user
    may delete it at any time, and nothing more happens to it.

    Args:
        stage: where.
        xdata: what it shows first.
        look: how.
        interval_s: updates that come faster than this are merged, s.
    """

    def __init__(self, stage: Stage, xdata: DataAndMetadata, look: Look, *, interval_s: float = INTERVAL_S) -> None:
        self.look = look
        self._stage, self._interval_s = stage, interval_s
        self._lock = threading.Lock()
        self._pending: DataAndMetadata | None = None
        self._shown_s = time.monotonic()
        self._item: DataItem.DataItem | None = new_item(stage, xdata, look)
        self._uuid = str(self._item.uuid)
        self._removal = self._item.about_to_be_removed_event.listen(self._release)
        # Otherwise every update would unload and read the data again.
        self._item.increment_data_ref_count()
        self._transaction = stage.document_model.item_transaction(self._item)
        stage.document_model.begin_data_item_live(self._item)

    @property
    def is_open(self) -> bool:
        """Whether it still follows: neither closed nor deleted."""
        return self._item is not None

    @property
    def uuid(self) -> str:
        """Swift's name for the item, for other items to refer to."""
        return self._uuid

    @property
    def data_item(self) -> DataItem.DataItem | None:
        """The item, also after it is closed; None when it was deleted."""
        items = self._stage.document_model.data_items
        return self._item or next((item for item in items if str(item.uuid) == self._uuid), None)

    @property
    def display_item(self) -> DisplayItem | None:
        """What shows it; None when it was deleted."""
        item = self.data_item
        return None if item is None else self._stage.document_model.get_display_item_for_data_item(item)

    def update(self, xdata: DataAndMetadata) -> None:
        """Show something else soon, from any thread; of several, the last."""
        with self._lock:
            is_first, self._pending = self._pending is None, xdata
        if is_first:
            self._stage.main.post(self._show_when_due)

    def close(self, *, window_closing: bool = False) -> None:
        """Show the last update and let Swift write the item; on the main thread.

        Args:
            window_closing: the window is on its way out, which has ended the live state already.
        """
        assert threading.current_thread() is threading.main_thread()
        self._show()
        self._release(window_closing=window_closing)

    def _show_when_due(self) -> None:
        left_s = self._shown_s + self._interval_s - time.monotonic()
        if left_s > 0 and self.is_open:
            self._stage.later(left_s, self._show)
        else:
            self._show()

    def _show(self) -> None:
        with self._lock:
            xdata, self._pending = self._pending, None
        if xdata is not None and self._item is not None:
            # `set_data_and_metadata` would show the same, but within a transaction never write it.
            self._item.set_xdata(xdata)
            self._shown_s = time.monotonic()

    def _release(self, *, window_closing: bool = False) -> None:
        item, self._item = self._item, None
        if item is None:
            return
        self._removal.close()
        self._transaction.close()
        if not window_closing:
            self._stage.document_model.end_data_item_live(item)
        item.decrement_data_ref_count()
