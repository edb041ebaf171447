"""The panel as scripts use it: what its buttons do, with results as values and errors as exceptions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dkl_core.errors import InputError
from nionswift_plugin.dkl.panel.model import PanelSettings
from nionswift_plugin.dkl.panel.wording import property_of
from nionswift_plugin.dkl.scripting.results import Results, results_of
from nionswift_plugin.dkl.scripting.waiting import RunFailedError, Waiter

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController

    from dkl_core.experiment import Experiment
    from dkl_core.measurement import Scalar, Site
    from dkl_core.survey import SurveyImage
    from nionswift_plugin.dkl.panel.controller import Controller, Phase
    from nionswift_plugin.dkl.panel.estimate import Estimate
    from nionswift_plugin.dkl.panel.status import RunStatus
    from nionswift_plugin.dkl.session import Session

Result = TypeVar("Result")
_KNOWN = frozenset(item.name for item in fields(PanelSettings))


class ScriptedPanel:
    """Sets up, runs and steers the experiment of a window's panel, which shows everything as if it had been clicked.

    In a script every method waits until it is done. In the Python Console, which runs on Swift's main thread, nothing
    waits: a method returns at once, what goes wrong later is a notification, and what needs waiting raises `WaitError`.
    Every method raises `DKLError` with what the panel would have said.

    Args:
        document_controller: the window.
        controller: of its panel.
        is_cancelled: whether the user wants the script to end; any thread.
    """

    def __init__(
        self, document_controller: DocumentController, controller: Controller, is_cancelled: Callable[[], bool]
    ) -> None:
        self._controller = controller
        self._waiter = Waiter(document_controller, controller, is_cancelled)

    # ------------------------------------------------------------------ how things stand

    @property
    def settings(self) -> PanelSettings:
        """What the panel is set to."""
        return self._controller.settings

    @property
    def phase(self) -> Phase:
        """What goes on: `idle`, `busy` (survey, trial), `starting`, `preparing`, `running`, `paused` or `stopping`."""
        return self._waiter.call(lambda: self._controller.phase)

    @property
    def status(self) -> RunStatus | None:
        """How the present or the last run stands, None before the first."""
        return self._controller.status

    @property
    def path(self) -> Path | None:
        """The file of the present or the last run, None before the first."""
        return self._controller.run.path

    @property
    def estimate(self) -> Estimate | None:
        """What the experiment will cost, None before there are sites."""
        controller = self._controller
        return self._waiter.call(lambda: controller.setup.estimate(controller.settings))

    # ------------------------------------------------------------------ setting up

    def set_up(self, settings: PanelSettings | None = None, **changes: Any) -> PanelSettings:
        """Change settings, those of a run that goes on included where it can follow (aim, strategy, budget).

        Args:
            settings: all of them; None changes those that are there.
            **changes: by their names in `PanelSettings`, for instance `sites=60, exposure_ms=20.0`.

        Returns:
            The settings as they are now.

        Raises:
            InputError: an unknown name, or a value that cannot be used; nothing is changed then.
        """
        unknown = sorted(changes.keys() - _KNOWN)
        if unknown:
            raise InputError(f"there is no setting {', '.join(unknown)}; there are {', '.join(sorted(_KNOWN))}")
        wanted = (settings or self.settings).with_(**changes)
        before = self.settings
        differing = {name: value for name in _KNOWN if (value := getattr(wanted, name)) != getattr(before, name)}
        self._waiter.carry_out(lambda: self._controller.change(**differing), self._are_sites_laid)
        return self.settings

    def consent(self) -> None:
        """Agree that the probe of the chosen real instrument is moved and its beam switched."""
        self._waiter.carry_out(self._controller.consent)

    def survey(self, timeout_s: float | None = None) -> SurveyImage | None:
        """Take a survey frame.

        Returns:
            The image; None in the Python Console, where it is still to come.
        """
        self._waiter.carry_out(self._controller.acquire_survey, self._is_surveyed, timeout_s)
        ground = self._controller.setup.ground
        return ground.survey if ground is not None and self._waiter.may_wait else None

    def use_displayed(self) -> None:
        """Use the image that is selected in the window as the survey; it costs no dose."""
        self._waiter.carry_out(self._controller.use_displayed, self._are_sites_laid)

    def try_sites(self, timeout_s: float | None = None) -> Sequence[Scalar]:
        """Measure five sites from dark to bright, beside any run.

        Returns:
            What they gave; nothing in the Python Console, where they are still to come.
        """
        self._waiter.carry_out(self._controller.try_sites, self._is_idle, timeout_s)
        trial = self._controller.setup.trial
        return trial.scalars if trial is not None and self._waiter.may_wait else ()

    # ------------------------------------------------------------------ running

    def start(self, *, paused: bool = False, timeout_s: float | None = None) -> Path | None:
        """Begin a run with a new file; the survey comes first where there is none.

        Args:
            paused: measure nothing before `resume` or `step`.
            timeout_s: how long the preparations may take, s; None for ever.

        Returns:
            The run's file; None in the Python Console, where it is still to come.
        """
        return self._begin(lambda: self._controller.start(paused=paused), timeout_s)

    def start_again(self, path: Path | str, timeout_s: float | None = None) -> Path | None:
        """Go on with the file of an earlier run; see `start`."""
        return self._begin(lambda: self._controller.resume_file(Path(path)), timeout_s)

    def wait(self, timeout_s: float | None = None) -> Results:
        """Wait for the end of the run.

        Returns:
            What it found.

        Raises:
            RunFailedError: an error ended it; its file can be resumed.
            WaitError: it has not ended in time, or this is the Python Console.
        """
        self._waiter.require_waiting()
        self._require_run()
        self._waiter.wait_until(self._is_idle, timeout_s)
        self._raise_failure()
        return self.results()

    def pause(self) -> None:
        """Wait after the present site, the beam off the sample."""
        self._ordered(self._session().pause())
        self._settled("paused", "idle")

    def resume(self) -> None:
        """Go on after a pause."""
        self._ordered(self._session().resume())
        self._settled("running", "idle")

    def step(self, sites: int = 1) -> None:
        """Measure so many sites, then pause; begins a run where there is none.

        Raises:
            InputError: fewer than one.
        """
        if self._controller.run.session is None:
            self._waiter.require_waiting()
            self.start(paused=True)
        session = self._session()
        before = _count(session)
        self._ordered(session.step(sites))
        if self._waiter.may_wait:
            self._waiter.wait_until(lambda: _count(session) >= before + sites or session.state == "ended")
        self._settled("paused", "idle")

    def stop(self, *, at_once: bool = False) -> None:
        """End the run.

        Args:
            at_once: in the middle of the exposure; its file can then be resumed. Else after the present site, for good.
        """
        order = self._controller.run.leave if at_once else self._controller.stop
        self._waiter.carry_out(order, self._is_idle)

    # ------------------------------------------------------------------ steering

    def tell_next(self, row: float, col: float) -> Site | None:
        """Measure near a place of the survey image, in its pixels, next.

        Returns:
            The site that will be measured; None in the Python Console.

        Raises:
            InputError: no run goes on, or that site is measured or excluded already.
        """
        from nionswift_plugin.dkl.panel.steering import measure_next

        return self._ordered(self._session().call(lambda experiment: measure_next(experiment, row, col)))

    def reject(self) -> Site | None:
        """Learn nothing from the last measurement; returns its site."""
        from nionswift_plugin.dkl.panel.steering import reject_last

        return self._ordered(self._session().call(reject_last))

    def undo(self) -> Site | None:
        """Use the measurement again that was rejected last; returns its site."""
        from nionswift_plugin.dkl.panel.steering import undo_last

        return self._ordered(self._session().call(undo_last))

    def results(self) -> Results:
        """What the present or the last run has found so far.

        Raises:
            InputError: nothing was run yet.
            WaitError: a run goes on, and this is the Python Console.
        """
        path, session = self._require_run(), self._controller.run.session
        if session is None:
            return results_of(path)
        self._waiter.require_waiting()
        unit = property_of(self.settings.measured).unit

        def read(experiment: Experiment) -> Results:
            return Results.of(experiment, path, unit)

        return self._waiter.answer(session.call(read))

    # ------------------------------------------------------------------ inside

    def _begin(self, order: Callable[[], object], timeout_s: float | None) -> Path | None:
        def has_begun() -> bool:
            return self._controller.phase in ("running", "paused", "stopping", "idle")

        self._waiter.carry_out(order, has_begun, timeout_s)
        if not self._waiter.may_wait:
            return None
        self._raise_failure()
        return self.path

    def _raise_failure(self) -> None:
        outcome = self._controller.run.outcome
        if outcome is not None and outcome.ending == "failed":
            raise RunFailedError(f"{outcome.reason}; what was measured is in {self.path}") from outcome.error

    def _session(self) -> Session:
        session = self._controller.run.session
        if session is None:
            raise InputError("there is no run; call start() first")
        return session

    def _require_run(self) -> Path:
        if self.path is None:
            raise InputError("nothing was run yet; call start() first")
        return self.path

    def _ordered(self, answer: Future[Result]) -> Result | None:
        if self._waiter.may_wait:
            return self._waiter.answer(answer)
        self._controller.show_answer(answer)
        return None

    def _settled(self, *phases: Phase) -> None:
        if self._waiter.may_wait:
            self._waiter.wait_until(lambda: self._controller.phase in phases)

    def _is_idle(self) -> bool:
        return self._controller.phase == "idle"

    def _is_surveyed(self) -> bool:
        return self._is_idle() and self._are_sites_laid()

    def _are_sites_laid(self) -> bool:
        return self._controller.setup.is_settled


def _count(session: Session) -> int:
    return 0 if session.experiment is None else len(session.experiment.told)
