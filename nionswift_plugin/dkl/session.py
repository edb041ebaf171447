"""One experiment on a microscope, in a thread of its own: started, paused, stepped, stopped, resumed from its file."""

from __future__ import annotations

import atexit
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, TypeVar

from dkl_core.errors import DKLError, InputError, InstrumentError
from dkl_core.experiment import Experiment, Instrument, Progress, RecordedExperiment, Refit, run
from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.acquisition.notes import Note
from nionswift_plugin.dkl.listening import Level, Listener, Message, State
from nionswift_plugin.dkl.plan import NewRun

Result = TypeVar("Result")
Order = Callable[[Experiment], object]
Ending = Literal["finished", "left", "failed"]
# A fit takes many times as long as a site: waiting for it costs each site, and hardly ever brings the fit.
DEADLINE_S = 0.0
LEARNING = "learning what is unusual in the survey image"
_EXIT_S = 60.0
_logger = logging.getLogger(__name__)


class Microscope(Instrument, Protocol):
    """What a session drives: `SwiftMicroscope`, or something that behaves like it."""

    def __enter__(self) -> Self:
        """Take the instrument over."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        """Give it back, the beam off the sample."""
        ...

    def adopt(self, survey: SurveyImage, /) -> None:
        """Go on with a survey image that was taken before."""
        ...

    def take_notes(self) -> tuple[Note, ...]:
        """What happened beside the measurements since the last call."""
        ...

    def cancel(self) -> None:
        """End what is being done at once; from any thread."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How a session ended.

    Attributes:
        ending: `finished`: nothing is left to measure or the user stopped it; `left`: it can be resumed from its file;
            `failed`: an error ended it, and what was measured can be resumed from its file.
        reason: why, in words.
        error: what was raised, None if nothing was.
    """

    ending: Ending
    reason: str
    error: Exception | None = None


class Session:
    """An experiment that runs beside Swift's main thread. Every method may be called from any thread.

    Whatever happens, what was measured is in the run's file before the next site is asked for, and the microscope is
    given back with its beam off the sample.

    Args:
        microscope: what measures.
        plan: the new run, or the file of one to go on with.
        listener: is told what happens, on the session's thread.
        refit: see `dkl_core.experiment.run`.
        deadline_s: how long the microscope waits for the model before a decision, s.
    """

    def __init__(
        self,
        microscope: Microscope,
        plan: NewRun | Path,
        *,
        listener: Listener | None = None,
        refit: Refit = "beside",
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._microscope, self._plan = microscope, plan
        self._listener = listener or Listener()
        self._refit, self._deadline_s = refit, deadline_s
        self._orders: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._state: State = "idle"
        self._steps: int | None = None
        self._leaving = False
        self._experiment: Experiment | None = None
        self._outcome: Outcome | None = None
        self._thread = threading.Thread(target=self._work, name="dkl-session", daemon=True)

    # ------------------------------------------------------------------ what others see

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._state

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended and the microscope is given back."""
        return self._state == "ended" and not self._thread.is_alive()

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None while it has not."""
        return self._outcome

    @property
    def experiment(self) -> Experiment | None:
        """The experiment, for reading; None before its survey. To change it use `call`."""
        return self._experiment

    @property
    def path(self) -> Path:
        """The run's file."""
        return self._plan if isinstance(self._plan, Path) else self._plan.path

    # ------------------------------------------------------------------ orders

    def start(self, *, paused: bool = False) -> None:
        """Begin, with the survey or with what a resumed run had left.

        Args:
            paused: measure nothing before `resume` or `step`.

        Raises:
            InputError: it was started already; make a new session to go on with its file.
        """
        with self._lock:
            if self._state != "idle":
                raise InputError("the session was started already; make a new one to go on with its file")
            self._state = "preparing"
        if paused:
            self.pause()
        self._listener.hear_state("preparing")
        # an interpreter that ends while this thread writes would wait for its file's lock for ever
        atexit.register(self._end_with_interpreter)
        self._thread.start()

    def pause(self) -> Future[None]:
        """Wait after the site that is being measured, the beam off the sample and the instrument reserved."""
        return self.call(self._pause)

    def resume(self) -> Future[None]:
        """Go on after a pause."""
        return self.call(lambda experiment: self._go_on(experiment, None))

    def step(self, sites: int = 1) -> Future[None]:
        """Measure so many sites, then pause."""
        if sites < 1:
            raise InputError(f"{sites} sites cannot be measured; give 1 or more")
        return self.call(lambda experiment: self._go_on(experiment, sites))

    def stop(self, reason: str = "stopped by the user") -> Future[None]:
        """End the experiment for good after the site that is being measured."""
        return self.call(lambda experiment: experiment.stop(reason))

    def leave(self) -> None:
        """End the session at once, in the middle of an exposure if need be; its file can be resumed."""
        self._leaving = True
        self._microscope.cancel()
        self._orders.put(lambda: None)

    def call(self, function: Callable[[Experiment], Result]) -> Future[Result]:
        """Use or change the experiment between two measurements: exclude sites, ask for one, predict, change the goal.

        Args:
            function: gets the experiment, on the session's thread; on the caller's when the session has ended.

        Returns:
            What it returns, or raises, as soon as there is an experiment.
        """
        answer: Future[Result] = Future()
        with self._lock:
            ended = self._state == "ended"
            if not ended:
                self._orders.put(lambda: self._answer(function, answer))
        if ended:
            self._answer(function, answer)
        return answer

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end, not on Swift's main thread: the session needs that one to go on.

        Returns:
            Whether it has ended.
        """
        self._thread.join(timeout_s)
        return self.is_over

    # ------------------------------------------------------------------ the thread

    def _end_with_interpreter(self) -> None:
        self.leave()
        self._thread.join(_EXIT_S)

    def _work(self) -> None:
        try:
            self._outcome = outcome = self._ended_well()
        except DKLError as error:
            self._outcome = outcome = self._ended_by(error)
        except Exception as error:  # whatever went wrong, the user is told and the file is kept
            _logger.exception("the session failed")
            self._outcome = outcome = self._ended_by(error)
        self._tell_rest()
        self._say("error" if outcome.ending == "failed" else "info", outcome.reason)
        with self._lock:
            self._state = "ended"
        while self._obey(block=False):
            pass
        self._listener.hear_state("ended")
        atexit.unregister(self._end_with_interpreter)

    def _ended_well(self) -> Outcome:
        with self._microscope as microscope, ExitStack() as files:
            self._check_leaving()
            recorded = files.enter_context(self._recorded(microscope))
            self._experiment = experiment = recorded.experiment
            self._listener.hear_experiment(experiment)
            try:
                self._drive(experiment, microscope)
            finally:
                self._write_notes(experiment, microscope)
            reason = experiment.stop_reason
            return Outcome("left", "the run can be resumed") if reason is None else Outcome("finished", reason)

    def _ended_by(self, error: Exception) -> Outcome:
        if self._leaving and isinstance(error, InstrumentError) and error.__cause__ is None:
            return Outcome("left", f"{error}; the run can be resumed", error)
        return Outcome("failed", _told(error), error)

    def _recorded(self, microscope: Microscope) -> RecordedExperiment:
        plan = self._plan
        if isinstance(plan, Path):
            recorded = RecordedExperiment.resume(plan)
            try:
                microscope.adopt(recorded.experiment.survey)
                if recorded.experiment.phase == "paused":
                    recorded.experiment.resume()
            except BaseException:
                recorded.close()
                raise
            return recorded
        if plan.survey is None:
            survey = microscope.image()
        else:
            survey = plan.survey
            microscope.adopt(survey)
        return plan.begun(survey)

    def _drive(self, experiment: Experiment, microscope: Microscope) -> None:
        self._write_notes(experiment, microscope)
        while self._obey(block=False):
            pass
        while not self._leaving:
            if experiment.is_active:
                self._learn_structure(experiment, microscope)
                self._enter_state("running")
                run(
                    experiment,
                    microscope,
                    progress=lambda at: self._measured(at, experiment, microscope),
                    refit=self._refit,
                    deadline_s=self._deadline_s,
                )
            if experiment.stop_reason is not None:
                return
            if experiment.phase == "paused":
                self._enter_state("paused")
                self._obey(block=True)

    def _learn_structure(self, experiment: Experiment, microscope: Microscope) -> None:
        """What drives the experiment where it is not what is measured; it takes seconds, the beam off the sample."""
        if experiment.structure is None or experiment.structure.is_known:
            return
        microscope.park()
        self._say("info", LEARNING)
        experiment.learn_structure(lambda _share: self._check_leaving())
        self._check_leaving()
        for notice in experiment.structure_notices:
            self._say("warning", notice)

    def _measured(self, at: Progress, experiment: Experiment, microscope: Microscope) -> None:
        self._write_notes(experiment, microscope)
        site, measurement = at.told.site, at.told.measurement
        if not measurement.ok:
            self._say("warning", f"site ({site.row}, {site.col}) gave no number: {measurement.reason}")
        self._listener.hear_progress(at)
        if self._steps is not None:
            self._steps -= 1
            if self._steps <= 0:
                self._pause(experiment)
        while self._obey(block=False):
            pass
        self._check_leaving()

    def _write_notes(self, experiment: Experiment, microscope: Microscope) -> None:
        for note in microscope.take_notes():
            self._tell_trouble(note)
            experiment.note(note.kind, note.data)

    def _tell_rest(self) -> None:
        # what happened before there was a file, or after it was closed
        for note in self._microscope.take_notes():
            self._tell_trouble(note)

    def _tell_trouble(self, note: Note) -> None:
        if note.kind == "trouble":
            self._say("warning", str(note.data.get("what", note.data)))

    def _obey(self, *, block: bool) -> bool:
        try:
            order = self._orders.get(block=block)
        except queue.Empty:
            return False
        order()
        return True

    def _answer(self, function: Callable[[Experiment], Result], answer: Future[Result]) -> None:
        if not answer.set_running_or_notify_cancel():
            return
        try:
            if self._experiment is None:
                raise InstrumentError("the session ended before there was an experiment")
            answer.set_result(function(self._experiment))
        except BaseException as error:
            # it belongs to the caller
            answer.set_exception(error)
            if not isinstance(error, Exception):
                raise

    def _pause(self, experiment: Experiment) -> None:
        self._steps = None
        if experiment.is_active:
            experiment.pause()

    def _go_on(self, experiment: Experiment, steps: int | None) -> None:
        self._steps = steps
        if experiment.phase == "paused":
            experiment.resume()

    def _check_leaving(self) -> None:
        if self._leaving:
            raise InstrumentError("the session was left")

    def _enter_state(self, state: State) -> None:
        if state != self._state:
            self._state = state
            self._listener.hear_state(state)

    def _say(self, level: Level, text: str) -> None:
        self._listener.hear_message(Message(level, text, time.time()))


def _told(error: BaseException) -> str:
    """What went wrong first, and what else in consequence."""
    texts: list[str] = []
    link: BaseException | None = error
    while link is not None:
        text = str(link) if isinstance(link, DKLError) else f"{type(link).__name__}: {link}"
        # many an error repeats the one that it comes from
        if not any(text in later for later in texts) and (isinstance(link, DKLError) or not texts):
            texts.insert(0, text)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "; ".join(texts)
