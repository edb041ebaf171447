"""What is made of a run when it is over: its figure on one page, and how it compares with random sites and a grid."""

from __future__ import annotations

import gettext
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dkl_core.errors import DKLError, InputError
from nionswift_plugin.dkl.acquisition.main_loop import EventLoopMain
from nionswift_plugin.dkl.display.publish import Stage
from nionswift_plugin.dkl.display.workspace import show_page
from nionswift_plugin.dkl.panel.lanes import Lane
from nionswift_plugin.dkl.panel.runs import host_in
from nionswift_plugin.dkl.replaying.place import PROVENANCE
from nionswift_plugin.dkl.replaying.sets import FILE, ITEM

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController
    from nion.swift.model.DisplayItem import DisplayItem

    from nionswift_plugin.dkl.panel.controller import Controller
    from nionswift_plugin.dkl.replaying.comparing import Comparison
    from nionswift_plugin.dkl.replaying.sets import RecordedSet
    from nionswift_plugin.dkl.replaying.truth import Truth

_ = gettext.gettext


@dataclass(frozen=True)
class Drawn:
    """A figure that is in the document.

    Attributes:
        path: its file, for print.
        uuid: of its data item.
        sentence: what it says.
    """

    path: Path
    uuid: str
    sentence: str = ""


class Afterwards:
    """Makes figures and comparisons of finished runs, one at a time, beside the main thread; for the main thread.

    Args:
        controller: knows the last run.
        document_controller: the window.
        main: Swift's main thread.
        changed: called when something is new.
        complain: gets what went wrong.

    Attributes:
        doing: what is being made, empty while nothing is.
        said: the last comparison in a sentence.
        drawn: the last figure.
    """

    def __init__(
        self,
        controller: Controller,
        document_controller: DocumentController,
        main: EventLoopMain,
        changed: Callable[[], object],
        complain: Callable[[Exception], object],
    ) -> None:
        self._controller, self._document_controller = controller, document_controller
        self._main, self._changed, self._complain = main, changed, complain
        self._stage = Stage(document_controller, main)
        self._lane = Lane(main, "dkl-afterwards")
        self._closing = threading.Event()
        self.doing = ""
        self.said = ""
        self.drawn: Drawn | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being made."""
        return self._lane.is_busy

    @property
    def path(self) -> Path | None:
        """The run of this window that ended last; None before the first, and while one goes on."""
        run = self._controller.run
        return run.path if run.outcome is not None and not run.is_active else None

    def figure(self, path: Path) -> None:
        """Draw a run on one page: PNG and PDF beside its file, and a data item."""
        from nionswift_plugin.dkl.display.page import draw_page

        def work() -> Drawn:
            page, uuid = draw_page(self._stage, path)
            return Drawn(page, uuid)

        self._begin(_("drawing the figure…"), work, self._figure_done)

    def compare(self, path: Path) -> None:
        """Replay a run offline against random sites and a grid."""

        def begin() -> None:
            host = host_in(path)
            self._with_recorded(host.get(PROVENANCE), lambda recorded: self._compare(path, recorded))

        self._attempt(begin)

    def close(self, timeout_s: float) -> None:
        """The window closes: what is being made is given up."""
        self._closing.set()
        self._lane.close(timeout_s)

    # ------------------------------------------------------------------ inside

    def _compare(self, path: Path, recorded: RecordedSet | None) -> None:
        def work() -> Drawn:
            from nionswift_plugin.dkl.replaying.comparing import compared, draw
            from nionswift_plugin.dkl.replaying.runs import reopened
            from nionswift_plugin.dkl.replaying.truth import truth_of

            experiment, host = reopened(path)
            truth: Truth = truth_of(experiment, host, recorded)
            result: Comparison = compared(experiment, truth, self._step)
            picture, uuid = draw(self._stage, path, host, experiment, result)
            return Drawn(picture, uuid, result.sentence)

        self._begin(_("comparing with random sites and a grid…"), work, self._compared)

    def _with_recorded(self, made_on: object, then: Callable[[RecordedSet | None], object]) -> None:
        """Open the recorded data that a run was made on; without them what was measured has to do."""
        library = self._controller.places.library
        key = _key_of(made_on)
        if key is None or not library.is_known(key):
            then(None)
        else:
            library.open(key, then)

    def _step(self, what: str, done: float) -> None:
        if self._closing.is_set():
            raise InputError(_("the window closed"))
        if self._controller.run.is_active:
            raise InputError(_("the comparison was given up because a run began; ask for it again afterwards"))
        text = _("comparing: {what}, {share:.0%}").format(what=what, share=done)
        self._main.post(lambda: self._tell(text))

    def _tell(self, text: str) -> None:
        if self.is_busy:
            self.doing = text
            self._changed()

    def _begin(self, what: str, work: Callable[[], Drawn], done: Callable[[Drawn], object]) -> None:
        if self._lane.is_busy:
            self._complain(InputError(_("wait until the last one is finished: {what}").format(what=self.doing)))
            return
        self.doing = what
        self._lane.run(work, lambda drawn: self._finished(drawn, done), self._failed)
        self._changed()

    def _finished(self, drawn: Drawn, done: Callable[[Drawn], object]) -> None:
        self.doing, self.drawn = "", drawn
        shown = self._shown(drawn.uuid)
        if shown is not None:
            show_page(self._document_controller, shown)
        done(drawn)
        self._changed()

    def _failed(self, error: Exception) -> None:
        self.doing = ""
        self._complain(error)

    def _figure_done(self, drawn: Drawn) -> None:
        self._controller.message = _("figure: {path}, also as PDF").format(path=drawn.path)

    def _compared(self, drawn: Drawn) -> None:
        self.said = drawn.sentence

    def _shown(self, uuid: str) -> DisplayItem | None:
        model = self._document_controller.document_model
        item = next((item for item in model.data_items if str(item.uuid) == uuid), None)
        return None if item is None else model.get_display_item_for_data_item(item)

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except DKLError as error:
            self._complain(error)
        self._changed()


def _key_of(made_on: object) -> str | None:
    if not isinstance(made_on, dict):
        return None
    if made_on.get("kind") == "item":
        return f"{ITEM}{made_on.get('uuid')}"
    return f"{FILE}{made_on['path']}" if made_on.get("path") else None
