"""What the panel does, without any of its looks: the same controller serves scripts."""

from __future__ import annotations

import gettext
import logging
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakSet

from nion.utils import Event

from dkl_core.errors import DKLError, InputError
from nionswift_plugin.dkl.acquisition.devices import Devices
from nionswift_plugin.dkl.acquisition.main_loop import EventLoopMain
from nionswift_plugin.dkl.display.site_area import Shape
from nionswift_plugin.dkl.panel.choices import Choice, DeviceWatch
from nionswift_plugin.dkl.panel.follower import RunFollower
from nionswift_plugin.dkl.panel.model import PanelSettings
from nionswift_plugin.dkl.panel.modes import Modes
from nionswift_plugin.dkl.panel.notices import notify, words_for
from nionswift_plugin.dkl.panel.places import Places
from nionswift_plugin.dkl.panel.runs import Place, settings_in
from nionswift_plugin.dkl.panel.setup import Setup
from nionswift_plugin.dkl.panel.status import RunStatus

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController
    from nion.swift.model.DisplayItem import DisplayItem
    from nion.utils import Geometry

    from dkl_core.experiment import Experiment

_ = gettext.gettext
# What may be changed while a run goes on.
CHANGEABLE = frozenset({"aim", "value", "strategy", "sites", "minutes", "million_electrons"})
Phase = Literal["idle", "busy", "starting", "preparing", "running", "paused", "stopping"]
_CLOSE_S = 5.0
_logger = logging.getLogger(__name__)
# Those of all windows, which share the microscope.
_open: WeakSet[Controller] = WeakSet()


class Controller:
    """Sets up, runs and steers experiments in a window of Swift; every method is for its main thread.

    Nothing here waits for the microscope: what takes long happens on threads of its own, and `changed` fires when the
    panel should look again. What goes wrong is shown to the user; `complained` fires with it, for scripts.

    Args:
        document_controller: the window.
        settings: to begin with.
        remember: gets the settings whenever they change.
    """

    def __init__(
        self,
        document_controller: DocumentController,
        settings: PanelSettings | None = None,
        remember: Callable[[PanelSettings], object] = lambda _settings: None,
    ) -> None:
        self.changed, self.complained = Event.Event(), Event.Event()
        self._document_controller, self._remember = document_controller, remember
        self._main = EventLoopMain(document_controller.event_loop)
        self.places = Places(self._main, document_controller, self._tell_changed, self._complain)
        self.message = ""
        self.settings = settings or PanelSettings()
        self.setup = Setup(
            self._main, document_controller, self._tell_changed, self._complain, self._drawn, self._options_chosen
        )
        self.run = RunFollower(self._main, document_controller, self._tell_changed, self._complain)
        self._watch = DeviceWatch(lambda: self._main.post(self._devices_changed))
        self.modes = Modes(self, document_controller, self._main, self._tell_changed, self._complain)
        self.setup.lay(self.settings)
        _open.add(self)
        self._main.post(self.modes.open_remembered)

    def close(self) -> None:
        """The window closes: leave the run, its file can be resumed, and see the beam off the sample."""
        _open.discard(self)
        self._watch.close()
        self.run.leave()
        self.setup.cancel()
        self._main.close()
        self.modes.close(_CLOSE_S)
        self.run.close(_CLOSE_S)
        self.setup.close(_CLOSE_S)
        self.places.close(_CLOSE_S)

    # ------------------------------------------------------------------ what the panel shows

    @property
    def is_closed(self) -> bool:
        """Whether the window is gone."""
        return self._main.is_closed

    @property
    def phase(self) -> Phase:
        """What is going on."""
        return "busy" if self.setup.is_measuring else self.run.phase

    @property
    def status(self) -> RunStatus | None:
        """How the present or the last run stands; None before the first."""
        return self.run.status

    @property
    def instruments(self) -> tuple[Choice, ...]:
        """Instruments to choose from."""
        return self.places.instruments

    @property
    def cameras(self) -> tuple[Choice, ...]:
        """Cameras of the chosen instrument."""
        return self.places.cameras(self.settings)

    @property
    def devices(self) -> Devices | None:
        """The chosen devices, None where there are none, or recorded data stand for them."""
        return self.places.devices(self.settings)

    @property
    def needs_consent(self) -> bool:
        """Whether the instrument may be real and the user has not agreed to its use."""
        return self.places.needs_consent(self.settings)

    @property
    def uses_microscope(self) -> bool:
        """Whether something is measured, or will be, on the devices of Swift."""
        return self.phase != "idle" and self.devices is not None

    # ------------------------------------------------------------------ setting up

    def change(self, **changes: Any) -> None:
        """Change settings; those that a run can follow are passed on to it.

        Raises:
            InputError: they cannot be used; nothing is changed then.
        """
        before, settings = self.settings, self.settings.with_(**changes)
        if settings == before:
            return
        follows = self.run.is_active and bool(CHANGEABLE & changes.keys())
        if follows and self.run.is_structural != (settings.aim == "structure"):
            raise InputError(
                _("a run cannot change between its property and structure; stop it, then start another one")
            )
        self._adopt(settings)
        if follows:
            self._pass_on(settings)

    def adopt(self, settings: PanelSettings) -> None:
        """Use other settings, of a file or a preset."""
        self._adopt(settings)

    def consent(self) -> None:
        """The user agrees that the probe of the chosen instrument is moved and its beam switched."""
        self.places.consent(self.settings)
        self._tell_changed()

    def acquire_survey(self) -> None:
        """Take a survey frame."""
        self._guarded(lambda place: self.setup.acquire(place, self.settings))

    def use_displayed(self) -> None:
        """Use the image that is displayed as the survey."""
        self._attempt(lambda: self.modes.use_displayed(self.settings))

    def draw_region(self) -> None:
        """Draw a rectangle on the survey that sites lie in."""
        self._attempt(lambda: self.setup.draw("region"))

    def draw_forbidden(self) -> None:
        """Draw a rectangle on the survey that sites must not lie in."""
        self._attempt(lambda: self.setup.draw("forbidden"))

    def clear_drawn(self) -> None:
        """Use the whole image again."""
        self._attempt(lambda: self.change(region=None, forbidden=()))

    def try_live(self) -> None:
        """What the pattern that the camera shows gives."""
        self._attempt(lambda: self.modes.try_live(self.settings))

    def try_sites(self) -> None:
        """Measure a few sites to see what the property gives."""
        self._guarded(lambda place: self.setup.try_sites(place, self.settings))

    def save(self, path: Path) -> None:
        """Write the settings to a small text file."""
        self._attempt(lambda: self.settings.save(path))

    def load(self, path: Path) -> None:
        """Read the settings of a text file, or those of an earlier run."""
        read = settings_in if path.suffix == ".h5" else PanelSettings.load
        self._attempt(lambda: self._adopt(read(path)))

    # ------------------------------------------------------------------ running

    def start(self, *, paused: bool = False) -> None:
        """Begin an experiment with a new file.

        Args:
            paused: measure nothing before `resume` or `step`.
        """
        self._begin(paused=paused)

    def resume_file(self, path: Path) -> None:
        """Go on with the file of an earlier run."""
        self._guarded(lambda place: self.run.start_again(place, path))

    def pause(self) -> None:
        """Wait after the present site, or go on after a pause."""
        session = self.run.session
        if session is not None:
            self.show_answer(session.resume() if self.phase == "paused" else session.pause())

    def step(self) -> None:
        """Measure one site, then pause; begins a run where there is none."""
        if self.run.session is None:
            self._begin(steps=1)
        else:
            self.show_answer(self.run.session.step())

    def stop(self) -> None:
        """End the run after the present site; asked again, at once."""
        if self.setup.is_measuring:
            self.setup.cancel()
        else:
            self.run.stop()

    def accept(self) -> None:
        """Keep the last measurement, and go on by one."""
        self.step()

    def reject(self) -> None:
        """Learn nothing from the last measurement."""
        from nionswift_plugin.dkl.panel.steering import reject_last

        self._order(reject_last, _("rejected"))

    def undo(self) -> None:
        """Use the measurement again that was rejected last."""
        from nionswift_plugin.dkl.panel.steering import undo_last

        self._order(undo_last, _("used again"))

    def measure_at(self, row: float, col: float) -> None:
        """Measure near a place of the survey, in pixels, next."""
        from nionswift_plugin.dkl.panel.steering import measure_next

        self._order(lambda experiment: measure_next(experiment, row, col), _("comes next"))

    def place_on_survey(self, item: DisplayItem, position: Geometry.FloatPoint) -> tuple[float, float] | None:
        """Where a click on an image is on the survey of the run, in pixels; None if it is no image of the run.

        Args:
            item: what was clicked on.
            position: in pixels of that image.
        """
        display, data_item = self.run.display, item.data_item
        shape = None if data_item is None else data_item.data_shape
        if display is None or not self.run.is_active or shape is None or len(shape) < 2:
            return None
        rows, cols = shape[:2]
        return display.survey_position(item, position.y / rows, position.x / cols)

    # ------------------------------------------------------------------ inside

    def _begin(self, *, paused: bool = False, steps: int = 0) -> None:
        def begin(place: Place) -> None:
            self.setup.pattern.clear()
            if self.setup.ground is None:
                # the sites are chosen on the survey, so that it comes first
                self.setup.acquire(place, self.settings, then=lambda: self._begin(paused=paused, steps=steps))
            else:
                self.run.start(place, self.settings, self.setup.ground, paused=paused, steps=steps)

        self._guarded(begin)

    def _adopt(self, settings: PanelSettings) -> None:
        before, self.settings = self.settings, settings
        self._remember(settings)
        self.setup.lay(settings)
        self.modes.follow_microscope(before)
        self._tell_changed()

    def _drawn(self, *, region: Shape | None, forbidden: tuple[Shape, ...]) -> None:
        self._attempt(lambda: self.change(region=region, forbidden=forbidden))

    def _options_chosen(self, options: dict[str, Any]) -> None:
        from dkl_core.scalarizers import get_scalarizer

        usual = get_scalarizer(self.settings.measured).options
        changes = {name: value for name, value in options.items() if value != usual.get(name)}
        self._attempt(lambda: self.change(options=changes))

    def _pass_on(self, settings: PanelSettings) -> None:
        goal, ranking, rules = settings.goal, settings.ranking, settings.stop_rules
        self._order(lambda experiment: experiment.change(goal=goal, acquisition=ranking, stop=rules), "")

    def _order(self, function: Callable[[Experiment], Any], done: str) -> None:
        session = self.run.session
        if session is None:
            self._complain(InputError(_("there is no run; start one first")))
            return

        def work(experiment: Experiment) -> str:
            site = function(experiment)
            return f"({site.row}, {site.col}) {done}" if done else ""

        self.show_answer(session.call(work))

    def show_answer(self, answer: Future[Any]) -> None:
        """Show what became of an order, whenever that is."""

        def arrived(future: Future[Any]) -> None:
            if future.cancelled():
                return
            error, text = future.exception(), ""
            if error is None and isinstance(future.result(), str):
                text = future.result()
            self._main.post(lambda: self._show_answer(error, text))

        answer.add_done_callback(arrived)

    def _show_answer(self, error: BaseException | None, text: str) -> None:
        if isinstance(error, Exception):
            self._complain(error)
            return
        if self.phase == "paused" and self.run.display is not None:
            # no site comes that would show what has changed
            self.run.display.refresh()
        if text:
            self.run.note = text
            self._tell_changed()

    def _guarded(self, action: Callable[[Place], object]) -> None:
        """Do something with the microscope if it is free and may be used."""

        def act() -> None:
            if self.phase != "idle":
                raise InputError(_("the microscope is in use; stop what is going on first"))
            if self.devices is not None and any(other.uses_microscope for other in _open if other is not self):
                raise InputError(_("an experiment uses the microscope from another window; stop that one first"))
            if self.needs_consent:
                raise InputError(_("this microscope may be real: read what will happen to it, then press I agree"))
            self.message = ""
            action(self.places.place(self.settings))

        self._attempt(act)

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except DKLError as error:
            self._complain(error)
        self._tell_changed()

    def _devices_changed(self) -> None:
        self.setup.forget_current()
        self._tell_changed()

    def _complain(self, error: Exception) -> None:
        if not isinstance(error, DKLError):
            _logger.error("the panel failed", exc_info=error)
        self.message = words_for(error)
        notify(_("Experiment"), self.message)
        self.complained.fire(error)
        self._tell_changed()

    def _tell_changed(self) -> None:
        self.changed.fire()
