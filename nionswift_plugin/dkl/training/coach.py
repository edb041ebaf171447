"""Training in a window: sets the microscope up, waits for the run to end, and then shows what was missed."""

from __future__ import annotations

import gettext
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dkl_core.errors import DKLError, InputError
from nionswift_plugin.dkl.acquisition.main_loop import EventLoopMain
from nionswift_plugin.dkl.display.publish import Stage
from nionswift_plugin.dkl.display.workspace import show_page
from nionswift_plugin.dkl.panel.lanes import Lane
from nionswift_plugin.dkl.panel.room import make_room
from nionswift_plugin.dkl.training.lessons import lesson_of

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController

    from nionswift_plugin.dkl.panel.controller import Controller
    from nionswift_plugin.dkl_simulator.settings import SimulatorSettings

_ = gettext.gettext
_SEEDS = 2**31


@dataclass(frozen=True)
class Revealed:
    """What was shown after a training.

    Attributes:
        run: the run.
        sentence: what was found and missed.
        picture: the figure's file.
        uuid: of its data item.
    """

    run: Path
    sentence: str
    picture: Path
    uuid: str


class Coach:
    """Trains the user of one window; for the main thread.

    Args:
        controller: sets up and runs.
        document_controller: the window.
        main: Swift's main thread.
        changed: called when something is new.
        complain: gets what went wrong.

    Attributes:
        revealed: what the last training came to, None before its run has ended.
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
        self._stage = Stage(document_controller, main)
        self._changed, self._complain = changed, complain
        self._lane = Lane(main, "dkl-training")
        self._settings: SimulatorSettings | None = None
        self._looked_at: Path | None = None
        self._listener = controller.changed.listen(self._follow)
        self.revealed: Revealed | None = None

    @property
    def is_busy(self) -> bool:
        """Whether what was missed is being worked out."""
        return self._lane.is_busy

    def start(self, sample: str, difficulty: str, seed: int | None = None) -> None:
        """Put a sample into the simulated microscope and set the panel up for it; the user presses Start.

        Args:
            sample: kind of the sample, see `lessons.LESSONS`.
            difficulty: `clean`, `realistic` or `hostile`.
            seed: of sample and noise; None for one that nobody has seen.
        """
        try:
            self._start(sample, difficulty, secrets.randbelow(_SEEDS) if seed is None else seed)
        except DKLError as error:
            self._complain(error)
        self._changed()

    def close(self, timeout_s: float) -> None:
        """The window closes."""
        self._listener.close()
        self._lane.close(timeout_s)

    # ------------------------------------------------------------------ inside

    def _start(self, sample: str, difficulty: str, seed: int) -> None:
        from nionswift_plugin.dkl_simulator.camera import CAMERA_ID
        from nionswift_plugin.dkl_simulator.instrument import INSTRUMENT_ID
        from nionswift_plugin.dkl_simulator.registration import switch

        controller, simulator = self._controller, switch()
        if simulator is None:
            raise InputError(_("the simulated microscope is not installed in Swift; install the project's extension"))
        if controller.phase != "idle":
            raise InputError(_("a run goes on in this window; stop it before you begin a training"))
        lesson = lesson_of(sample)
        settings = lesson.simulator(difficulty, seed)
        simulator.turn_off()
        controller.setup.forget()
        simulator.turn_on(settings)
        self._settings, self.revealed, self._looked_at = settings, None, controller.run.path
        make_room(self._document_controller)
        controller.adopt(lesson.settings(controller.settings, INSTRUMENT_ID, CAMERA_ID))
        controller.message = _("Training: {task} Press Start; what you missed is shown at the end.").format(
            task=lesson.task
        )

    def _follow(self) -> None:
        """Once a run on the training's microscope is finished, and not before, tell the truth."""
        run = self._controller.run
        if self._settings is None or self._lane.is_busy or run.is_active or run.path in (None, self._looked_at):
            return
        if run.outcome is None or run.outcome.ending != "finished" or not self._is_on():
            return
        path = run.path
        assert path is not None
        self._looked_at = path
        self._lane.run(lambda: _reveal(self._stage, path), self._show, self._complain)

    def _is_on(self) -> bool:
        from nionswift_plugin.dkl_simulator.registration import switch

        simulator = switch()
        return simulator is not None and simulator.settings is self._settings

    def _show(self, revealed: Revealed | None) -> None:
        if revealed is None:
            return
        self.revealed = revealed
        self._controller.message = revealed.sentence
        model = self._document_controller.document_model
        item = next((item for item in model.data_items if str(item.uuid) == revealed.uuid), None)
        shown = None if item is None else model.get_display_item_for_data_item(item)
        if shown is not None:
            show_page(self._document_controller, shown)
        self._changed()


def _reveal(stage: Stage, run: Path) -> Revealed | None:
    """Work out what a run has missed, and put it into the document; None for a run on something else."""
    from nionswift_plugin.dkl.display.maps import SiteRaster
    from nionswift_plugin.dkl.display.page import keep_figure
    from nionswift_plugin.dkl.display.provenance import Provenance
    from nionswift_plugin.dkl.display.publish import Look, calibrated, new_item
    from nionswift_plugin.dkl.display.words import looked_for, property_of
    from nionswift_plugin.dkl.replaying.runs import reopened
    from nionswift_plugin.dkl.training.figure import missed_figure
    from nionswift_plugin.dkl.training.missed import missed_of
    from nionswift_plugin.dkl.training.simulation import microscope_of

    experiment, host = reopened(run)
    microscope = microscope_of(host)
    if microscope is None:
        return None
    missed = missed_of(experiment, microscope, str(host["target"]))
    shown = looked_for(experiment.settings.structure, property_of(str(host["target"])))
    provenance = Provenance(run, shown, host)
    raster = SiteRaster(experiment.sites)
    axes, words = raster.raster.calibrations(experiment.survey), missed.sentence
    truth = calibrated(raster.image(missed.truth), axes, metadata=provenance.of("truth", experiment, sentence=words))
    look = Look("truth", _("{run}: true {property}").format(run=run.stem, property=shown.name), "viridis")
    stage.main.call(lambda: new_item(stage, truth, look))
    path = run.with_name(f"{run.stem}-missed.png")
    figure = missed_figure(experiment, missed, shown)
    uuid = keep_figure(stage, figure, path, provenance.of("missed", experiment, sentence=words), _("what was missed"))
    return Revealed(run, words, path, uuid)
