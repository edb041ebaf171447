"""Everything that a running experiment shows in Swift."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from dkl_core.experiment import Experiment, Progress
from nionswift_plugin.dkl.acquisition.main_loop import MainLoop
from nionswift_plugin.dkl.display.painter import Painter
from nionswift_plugin.dkl.display.patterns import PatternView
from nionswift_plugin.dkl.display.provenance import Provenance
from nionswift_plugin.dkl.display.publish import INTERVAL_S, Stage
from nionswift_plugin.dkl.display.snapshot import Snapshot
from nionswift_plugin.dkl.display.views import Views
from nionswift_plugin.dkl.display.words import Property, looked_for
from nionswift_plugin.dkl.listening import Listener, State
from nionswift_plugin.dkl.session import Session

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController
    from nion.swift.model.DisplayItem import DisplayItem

    from nionswift_plugin.dkl.display.patterns import PatternSource

Pair = tuple[float, float]
# Maps may take so much of the session's time: the microscope waits meanwhile.
_SHARE_OF_TIME = 0.05
_logger = logging.getLogger(__name__)


class ExperimentDisplay:
    """Shows an experiment as live data items of a window.

    A session gets its listener when it is made, so the display comes first::

        display = ExperimentDisplay(document_controller, main, property_of(scalarizer), source=microscope, host=host)
        session = Session(microscope, plan, listener=together(display.listener, mine))
        display.start(session)
        session.start()

    Items appear once the survey image is there, and in the views of their roles where the workspace of
    `workspace.open_workspace` is shown. They close, and are written, when the session ends. The session's thread, where
    the microscope waits, only takes the numbers; pictures are made of them on a thread of the display's own, and the
    main thread gets finished arrays.

    Args:
        document_controller: the window.
        main: its main loop.
        shown: what is measured.
        source: knows what the numbers of a pattern mean while a session runs, as `SwiftMicroscope` does; None shows
            patterns in pixels.
        host: how the run is set up, for the items' metadata; see `plan.host_of`.
        interval_s: nothing is shown more often than this, s.
    """

    def __init__(
        self,
        document_controller: DocumentController,
        main: MainLoop,
        shown: Property,
        *,
        source: PatternSource | None = None,
        host: Mapping[str, Any] | None = None,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._stage = Stage(document_controller, main)
        self._shown, self._host, self._source = shown, dict(host or {}), source
        self._views = Views(self._stage)
        self._interval_s, self._due_s = interval_s, 0.0
        self._session: Session | None = None
        self._painter: Painter | None = None
        self._painting = ThreadPoolExecutor(1, "dkl-display")
        self._painted: Future[None] | None = None
        self._is_closed = False
        self._raw: NDArray[Any] | None = None
        self._experiment: Experiment | None = None

    @property
    def listener(self) -> Listener:
        """What the session tells this."""
        return Listener(state=self._enter_state, experiment=self._begin, progress=self._follow)

    @property
    def display_items(self) -> Mapping[str, DisplayItem]:
        """What is shown, by role; one comes when there is something to show, and goes when the user deletes it.

        The roles are `survey`, `visited`, `mean`, `std`, `acquisition`, `pattern`, `learning` and `structure`.
        """
        return self._views.display_items

    @property
    def is_closed(self) -> bool:
        """Whether everything is shown and nothing follows any more."""
        return self._is_closed

    def start(self, session: Session) -> None:
        """Follow a session; on the main thread, before the session starts."""
        self._session = session

    def refresh(self) -> None:
        """Show the maps anew, after the goal was changed in a pause for instance; from any thread."""
        session = self._session
        if session is not None and session.state not in ("idle", "ended"):
            session.call(self._publish)

    def survey_position(self, display_item: DisplayItem, y: float, x: float) -> Pair | None:
        """The place in pixels of the survey image, (row, column), that a click on one of the maps means.

        Args:
            display_item: where was clicked.
            y: fraction of its height.
            x: fraction of its width.

        Returns:
            None where that display shows no place of the sample.
        """
        role = next((role for role, shown in self.display_items.items() if shown == display_item), None)
        raster = None if self._painter is None or role is None else self._painter.raster(role)
        return None if raster is None else raster.from_fraction(y, x)

    def close(self, *, window_closing: bool = False) -> None:
        """End all live items, on the main thread; may be called again.

        Args:
            window_closing: the window is on its way out.
        """
        # it never waits for the main thread
        self._painting.shutdown()
        self._is_closed = True
        self._views.close(window_closing=window_closing)

    # ------------------------------------------------------------------ on the session's thread

    def _begin(self, experiment: Experiment) -> None:
        self._experiment = experiment
        session = self._session
        assert session is not None, "call start(session) before the session starts"
        provenance = Provenance(session.path, looked_for(experiment.settings.structure, self._shown), self._host)
        self._painter = Painter(self._views, provenance, experiment, PatternView(self._source))
        self._publish(experiment)

    def _follow(self, progress: Progress) -> None:
        raw = progress.told.measurement.raw
        if raw is not None:
            self._raw = raw
        is_free = self._painted is None or self._painted.done()
        if self._experiment is not None and is_free and time.monotonic() >= self._due_s:
            self._publish(self._experiment)

    def _enter_state(self, state: State) -> None:
        if state in ("paused", "ended") and self._experiment is not None:
            self._publish(self._experiment)
        if state == "ended":
            self._submit(lambda: self._stage.main.post(self.close))

    def _publish(self, experiment: Experiment) -> None:
        painter, began_s = self._painter, time.monotonic()
        if painter is None:
            return
        raw, self._raw = self._raw, None
        now = Snapshot.of(experiment)
        self._submit(lambda: painter.paint(experiment, now, raw))
        took_s = time.monotonic() - began_s
        self._due_s = began_s + max(self._interval_s, took_s / _SHARE_OF_TIME)

    def _submit(self, work: Callable[[], None]) -> None:
        def act() -> None:
            try:
                work()
            except Exception:  # a picture that fails must not end those to come
                _logger.exception("the display failed")

        try:
            self._painted = self._painting.submit(act)
        except RuntimeError:
            _logger.debug("the display is closed already")
