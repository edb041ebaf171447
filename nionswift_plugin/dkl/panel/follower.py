"""The run that the panel drives: its session, from the first order to the last page."""

from __future__ import annotations

import gettext
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nionswift_plugin.dkl.acquisition.main_loop import EventLoopMain
from nionswift_plugin.dkl.listening import Listener, Message, State
from nionswift_plugin.dkl.panel.ground import Ground
from nionswift_plugin.dkl.panel.lanes import Lane
from nionswift_plugin.dkl.panel.model import PanelSettings
from nionswift_plugin.dkl.panel.notices import RunActivity, notify
from nionswift_plugin.dkl.panel.runs import Begun, Place, new_path, new_session, resumed_session
from nionswift_plugin.dkl.panel.status import RunStatus
from nionswift_plugin.dkl.session import LEARNING

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController

    from dkl_core.experiment import Experiment, Progress
    from dkl_core.scalarizers.registry import NamedScalarizer
    from nionswift_plugin.dkl.display.live import ExperimentDisplay
    from nionswift_plugin.dkl.panel.runs import PanelMicroscope
    from nionswift_plugin.dkl.session import Outcome, Session

_ = gettext.gettext
RunPhase = Literal["idle", "starting", "preparing", "running", "paused", "stopping"]


class RunFollower:
    """Starts sessions, one at a time, and keeps what they tell; for the main thread.

    Args:
        main: Swift's main thread.
        document_controller: the window.
        changed: called, on the main thread, when something is new.
        complain: gets what went wrong.

    Attributes:
        session: the one that goes on, None where none does.
        outcome: how the last one ended.
        path: the file of the present or the last run.
        warning: what was last noticed and put right.
        note: what the user's last order did, while the run goes on.
        display: shows the present or the last run, None before the first.
        is_structural: whether structure drives the present or the last run.
    """

    def __init__(
        self,
        main: EventLoopMain,
        document_controller: DocumentController,
        changed: Callable[[], object],
        complain: Callable[[Exception], object],
    ) -> None:
        self._main, self._document_controller = main, document_controller
        self._changed, self._complain = changed, complain
        self._lane = Lane(main, "dkl-starting")
        self._begun: Begun | None = None
        self._activity: RunActivity | None = None
        self._stopping = False
        self._state: State = "idle"
        self._lock = threading.Lock()
        self._latest: RunStatus | None = None
        self._is_posted = False
        self.status: RunStatus | None = None
        self.outcome: Outcome | None = None
        self.path: Path | None = None
        self.warning = self.note = ""
        self.display: ExperimentDisplay | None = None
        self.is_structural = False

    @property
    def session(self) -> Session | None:
        """The one that goes on, None where none does."""
        return None if self._begun is None else self._begun.session

    @property
    def is_active(self) -> bool:
        """Whether a run goes on."""
        return self._begun is not None

    @property
    def phase(self) -> RunPhase:
        """What is going on."""
        if self._lane.is_busy:
            return "starting"
        session = self.session
        if session is None:
            return "idle"
        if self._stopping:
            return "stopping"
        # as it was told here, so that the phase and what the panel shows are of one moment
        state = self._state
        return "preparing" if state in ("idle", "preparing") else "running" if state == "ended" else state

    # ------------------------------------------------------------------ orders

    def start(
        self, place: Place, settings: PanelSettings, ground: Ground, *, paused: bool = False, steps: int = 0
    ) -> None:
        """Begin a new run.

        Args:
            place: where.
            settings: the experiment.
            ground: the survey.
            paused: measure nothing yet.
            steps: pause after so many sites; 0 does not.
        """
        folder = self._folder(settings)
        self.is_structural = settings.aim == "structure"
        self._begin(
            lambda: new_session(place, settings, ground, new_path(folder, settings), self._listen), paused, steps
        )

    def start_again(self, place: Place, path: Path) -> None:
        """Go on with the file of an earlier run."""
        self._begin(lambda: resumed_session(place, path, self._listen), paused=False, steps=0)

    def stop(self) -> None:
        """End the run after the present site; asked again, at once."""
        session = self.session
        if session is None:
            return
        if self._stopping or session.state == "preparing":
            session.leave()
        else:
            session.stop()
        self._stopping = True
        self._changed()

    def leave(self) -> None:
        """Leave the run at once; its file can be resumed."""
        if self.session is not None:
            self.session.leave()

    def close(self, timeout_s: float) -> None:
        """See the session to its end, after the main loop was closed."""
        self._lane.close(timeout_s)
        begun = self._begun
        if begun is not None:
            begun.session.wait(timeout_s)
            begun.microscope.release_items()
        if self.display is not None:
            self.display.close(window_closing=True)
        self._end_activity()

    # ------------------------------------------------------------------ inside

    def _begin(self, make: Callable[[], Begun], paused: bool, steps: int) -> None:
        self.outcome, self.status, self.warning, self.note, self._stopping = None, RunStatus(), "", "", False
        self._lane.run(make, lambda begun: self._made(begun, paused, steps), self._complain)

    def _made(self, begun: Begun, paused: bool, steps: int) -> None:
        self._begun, self.path, self._state = begun, begun.session.path, "preparing"
        self._activity = RunActivity(_("DKL experiment"))
        if self.display is not None:
            self.display.start(begun.session)
        begun.session.start(paused=paused or steps > 0)
        if steps:
            begun.session.step(steps)
        self._changed()

    def _folder(self, settings: PanelSettings) -> Path:
        if settings.folder:
            return Path(settings.folder).expanduser()
        project = Path(str(self._document_controller.project.storage_location_str or ""))
        if project.is_absolute() and project.exists():
            return project.parent / "DKL"
        documents = self._document_controller.ui.get_document_location()
        return (Path(documents) if documents else Path.home()) / "DKL"

    # ------------------------------------------------------------------ what the session tells, on its thread

    def _listen(self, scalarizer: NamedScalarizer, microscope: PanelMicroscope, host: Mapping[str, Any]) -> Listener:
        from nionswift_plugin.dkl.display.listeners import together
        from nionswift_plugin.dkl.display.live import ExperimentDisplay
        from nionswift_plugin.dkl.display.words import property_of

        self.display = ExperimentDisplay(
            self._document_controller, self._main, property_of(scalarizer), source=microscope, host=host
        )
        mine = Listener(
            state=self._hear_state, experiment=self._hear, progress=self._hear_progress, message=self._hear_message
        )
        return together(self.display.listener, mine)

    def _hear_state(self, state: State) -> None:
        self._main.post(self._ended if state == "ended" else lambda: self._entered(state))

    def _hear_progress(self, _progress: Progress) -> None:
        session = self.session
        if session is not None and session.experiment is not None:
            self._hear(session.experiment)

    def _hear(self, experiment: Experiment) -> None:
        status = RunStatus.of(experiment)
        self.is_structural = experiment.structure is not None
        with self._lock:
            self._latest = status
            is_posted, self._is_posted = self._is_posted, True
        if not is_posted:
            self._main.post(self._show_latest)

    def _hear_message(self, message: Message) -> None:
        if message.level == "error":
            self._main.post(lambda: notify(_("The experiment ended"), message.text))
        elif message.level == "warning":
            # the run goes on by itself, so that nobody needs to be called
            self._main.post(lambda: self._warned(message.text))
        elif message.text == LEARNING:
            self._main.post(lambda: self._noted(LEARNING))

    # ------------------------------------------------------------------ back on the main thread

    def _show_latest(self) -> None:
        with self._lock:
            self.status, self._is_posted = self._latest, False
        self._changed()

    def _entered(self, state: State) -> None:
        self._state = state
        if self.note == LEARNING:
            self.note = ""
        self._changed()

    def _noted(self, text: str) -> None:
        self.note = text
        self._changed()

    def _warned(self, text: str) -> None:
        self.warning = text
        self._changed()

    def _ended(self) -> None:
        session = self.session
        if session is None:
            return
        if not session.is_over:
            # its thread has said its last word and is about to end
            self._document_controller.event_loop.call_later(0.01, self._main.post, self._ended)
            return
        self.outcome, self._begun, self._stopping = session.outcome, None, False
        self._end_activity()
        self._changed()

    def _end_activity(self) -> None:
        activity, self._activity = self._activity, None
        if activity is not None:
            activity.close()
