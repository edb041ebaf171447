"""The recorded sets of a window: which there are, and which are open."""

from __future__ import annotations

import gettext
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dkl_core.errors import DKLError, InputError
from nionswift_plugin.dkl.acquisition.main_loop import MainLoop
from nionswift_plugin.dkl.panel.choices import Choice
from nionswift_plugin.dkl.panel.lanes import Lane
from nionswift_plugin.dkl.replaying.sets import ITEM, RecordedSet, is_recorded, item_key, path_of

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController
    from nion.swift.model.DataItem import DataItem
    from nion.utils.Event import EventListener

    from nionswift_plugin.dkl.replaying.items import Stored

_ = gettext.gettext
# The project is looked through for 4D data items no more often than this, s.
_LOOK_EVERY_S = 2.0


class Library:
    """Lists and opens recorded sets; for the main thread.

    Args:
        main: Swift's main thread.
        document_controller: the window.
        changed: called when a set is open.
        complain: gets what went wrong.
    """

    def __init__(
        self,
        main: MainLoop,
        document_controller: DocumentController,
        changed: Callable[[], object],
        complain: Callable[[Exception], object],
    ) -> None:
        self._document_controller, self._changed, self._complain = document_controller, changed, complain
        self._lane = Lane(main, "dkl-opening")
        self._open: dict[str, RecordedSet] = {}
        self._held: dict[str, tuple[DataItem, EventListener]] = {}
        self._items: tuple[Choice, ...] = ()
        self._looked_s = float("-inf")
        self._opening: Choice | None = None

    @property
    def is_opening(self) -> bool:
        """Whether a set is being read."""
        return self._lane.is_busy

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The sets to choose from: 4D data items of the project, and the files that were opened."""
        if time.monotonic() > self._looked_s + _LOOK_EVERY_S:
            self._looked_s = time.monotonic()
            self._items = tuple(self._found())
        files = [Choice(one.key, _title(one.title)) for one in self._open.values() if path_of(one.key) is not None]
        if self._opening is not None and path_of(self._opening.key) is not None:
            files.append(self._opening)
        return (*self._items, *files)

    def get(self, key: str | None) -> RecordedSet | None:
        """The set that a choice means, None where it is not open or means none."""
        return None if key is None else self._open.get(key)

    def is_known(self, key: str | None) -> bool:
        """Whether a choice means a set that is open, or can be opened."""
        if key is None or not is_recorded(key):
            return False
        path = path_of(key)
        return key in self._open or (path.is_file() if path is not None else self._item(key) is not None)

    def open(
        self, key: str, then: Callable[[RecordedSet], object], otherwise: Callable[[], object] = lambda: None
    ) -> None:
        """Open a set beside the main thread; one that is being opened already is waited for by whoever asked first.

        Args:
            key: the choice.
            then: gets the set, on the main thread.
            otherwise: called where it cannot be opened.

        Raises:
            InputError: it is gone, or another one is being opened.
        """
        known = self._open.get(key)
        if known is not None:
            then(known)
            return
        if self._opening is not None:
            if self._opening.key != key:
                raise InputError(_("another set is being opened; wait until it is there"))
            return
        path = path_of(key)
        title, work = self._reading_item(key) if path is None else (path.name, _reading_file(path))
        self._opening = Choice(key, _title(title))
        # what is chosen has to be in the list
        self._looked_s = float("-inf")

        def done(found: RecordedSet) -> None:
            self._opening, self._open[found.key] = None, found
            then(found)
            self._changed()

        def failed(error: Exception) -> None:
            self._opening = None
            self._release(key)
            otherwise()
            self._complain(error)

        self._lane.run(work, done, failed)
        self._changed()

    def close(self, timeout_s: float) -> None:
        """Let go of all sets."""
        self._lane.close(timeout_s)
        for key in list(self._held):
            self._release(key)
        self._open.clear()

    def key_of_selected(self) -> str:
        """The choice that means the data item that is selected in the window.

        Raises:
            InputError: none is, or it is no 4D set.
        """
        from nionswift_plugin.dkl.replaying.items import is_4d

        shown = self._document_controller.selected_display_item
        item = None if shown is None else shown.data_item
        if item is None or not is_4d(item):
            raise InputError(_("no 4D data item is selected; click on the result of a synchronized scan"))
        return item_key(item.uuid)

    # ------------------------------------------------------------------ inside

    def _found(self) -> list[Choice]:
        from nionswift_plugin.dkl.replaying.items import is_4d

        items = self._document_controller.document_model.data_items
        return [Choice(item_key(item.uuid), _title(item.title)) for item in items if is_4d(item)]

    def _item(self, key: str) -> DataItem | None:
        wanted = key.removeprefix(ITEM)
        items = self._document_controller.document_model.data_items
        return next((item for item in items if str(item.uuid) == wanted), None)

    def _reading_item(self, key: str) -> tuple[str, Callable[[], RecordedSet]]:
        from nionswift_plugin.dkl.replaying.items import taken

        item = self._item(key)
        if item is None:
            raise InputError(_("the data item is no longer in the project; choose another set"))
        # the array stays readable for the threads until the set is let go
        item.increment_data_ref_count()
        self._held[key] = item, item.about_to_be_removed_event.listen(lambda: self._gone(key))
        try:
            stored = taken(item)
        except DKLError:
            self._release(key)
            raise
        return item.title, _reading_stored(stored)

    def _gone(self, key: str) -> None:
        """The user deletes the data item."""
        self._release(key)
        self._open.pop(key, None)
        self._looked_s = float("-inf")

    def _release(self, key: str) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            item, listener = held
            listener.close()
            item.decrement_data_ref_count()


def _title(title: str) -> str:
    return _("Recorded: {title}").format(title=title)


def _reading_file(path: Path) -> Callable[[], RecordedSet]:
    def work() -> RecordedSet:
        from nionswift_plugin.dkl.replaying.files import read_file

        return read_file(path)

    return work


def _reading_stored(stored: Stored) -> Callable[[], RecordedSet]:
    def work() -> RecordedSet:
        from nionswift_plugin.dkl.replaying.items import read_item

        return read_item(stored)

    return work
