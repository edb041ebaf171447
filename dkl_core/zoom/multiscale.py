"""Several levels of zoom in one run: measure in a frame, choose the next one within it, go there, and so on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dkl_core.errors import InputError
from dkl_core.experiment import Experiment, ExperimentSettings, Instrument, Progress, RecordedExperiment, Told, run
from dkl_core.frame import Frame
from dkl_core.survey import SurveyImage
from dkl_core.zoom.choose import ZoomDecision
from dkl_core.zoom.levelfiles import EVENT, LevelFiles, StoredLevel, decision_event, level_path
from dkl_core.zoom.plan import ZoomPlan, decide
from dkl_core.zoom.sizes import ZoomRules, ZoomSize


class ZoomInstrument(Instrument, Protocol):
    """An instrument that can also look at a part of its field.

    Its `image` is the survey of the outermost frame; once called, sites are counted in that one again. It is parked
    between levels: going on after `park` is its own affair.
    """

    def survey(self, frame: Frame) -> SurveyImage:
        """Take the survey image of a frame; sites given to `measure` are counted in it from now on.

        Its calibration says where it lies, in the coordinates of the outermost frame, even where that is not quite what
        was asked for: `frame.survey(values)` where it is.
        """
        ...

    def return_to(self, image: SurveyImage) -> None:
        """Count sites in a survey image taken before, without taking it again (dose); after an interruption."""
        ...


@dataclass(frozen=True)
class LevelProgress:
    """What a run through several levels tells its observer after each measurement.

    Attributes:
        frame: the frame; its `level` counts from 0.
        experiment: its experiment. `pause` ends the run, to be resumed; `stop` ends the level.
        at: the measurement, as a run in one frame tells it.
    """

    frame: Frame
    experiment: Experiment
    at: Progress


@dataclass(frozen=True, eq=False)
class ZoomLevel:
    """What was done in one frame.

    Attributes:
        frame: the frame as it was imaged, with those it is nested in.
        experiment: its experiment, with the survey image, the measurements and the model.
        reason: why measuring in it ended.
        decision: where to go next, or why nowhere; None at the innermost level and where the run was paused.
        path: its record, None without one.
    """

    frame: Frame
    experiment: Experiment
    reason: str
    decision: ZoomDecision | None = None
    path: Path | None = None

    @property
    def survey(self) -> SurveyImage:
        """The survey image of the frame."""
        return self.experiment.survey

    @property
    def told(self) -> tuple[Told, ...]:
        """All measurements in the frame, failed ones included."""
        return self.experiment.told


@dataclass(frozen=True, eq=False)
class MultiscaleResult:
    """A run through several levels.

    Attributes:
        levels: what was done, the outermost first.
        reason: why it ended where it did.
    """

    levels: tuple[ZoomLevel, ...]
    reason: str


def run_multiscale(
    instrument: ZoomInstrument,
    settings: ExperimentSettings | Sequence[ExperimentSettings],
    sizes: Sequence[ZoomSize],
    rules: ZoomRules | None = None,
    folder: Path | str | None = None,
    *,
    host: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    progress: Callable[[LevelProgress], None] | None = None,
) -> MultiscaleResult:
    """Measure in the outermost frame, then in the window that promises most, and so on inwards.

    A level ends as its stop rules say, or by `Experiment.stop`; then the window with the largest sum of the *predicted*
    merit becomes the next frame (see `next_frame`). Where none qualifies the run ends there; what was measured is kept.

    Args:
        instrument: what images and measures; it is parked whenever the run ends, whatever the reason.
        settings: of the experiments; one for all levels, or one for each.
        sizes: of the frames below the outermost; each smaller than the one before.
        rules: what a window must fulfil.
        folder: where the records `level0.h5`, `level1.h5` and so on are kept; None keeps none.
        host: JSON-compatible values by which the host recognises its instrument and scalarizer.
        overwrite: replace a run that is in the folder.
        progress: called after each measurement.

    Returns:
        The levels, and why there are no more.

    Raises:
        InputError: sizes or settings that cannot be used, or a survey image without calibration; found out before
            anything is measured.
        RecordError: a run is in the folder already, or it cannot be written.
        Exception: what the instrument raised; see `resume_multiscale`.

    Source: Narasimha et al. 2024.
    """
    plan = ZoomPlan.of(settings, sizes, rules)
    files = None if folder is None else LevelFiles.new(folder, plan, host, overwrite=overwrite)
    with _parked(instrument):
        survey = instrument.image()
        plan.check(survey)
        descent = _Descent(instrument, plan, files, progress)
        descent.begin(Frame.of_image(survey), survey)
        return descent.go_down()


def resume_multiscale(
    instrument: ZoomInstrument, folder: Path | str, *, progress: Callable[[LevelProgress], None] | None = None
) -> MultiscaleResult:
    """Go on with a run that was paused, interrupted or killed; its next sites and frames are those it would have had.

    Finished levels are read back. The innermost one goes on in the survey image it began with. Where a level was given
    more measurements since no window qualified, it is decided anew.

    Args:
        instrument: as in `run_multiscale`.
        folder: of the records.
        progress: called after each measurement.

    Raises:
        RecordError: the folder holds no such run, or a file of it cannot be read or is being written.
        Exception: what the instrument raised.
    """
    files = LevelFiles.found(folder)
    descent = _Descent(instrument, files.plan, files, progress)
    *finished, last = files.levels()
    for level in finished:
        experiment = level.experiment()
        reason = experiment.stop_reason or "paused"
        descent.levels.append(ZoomLevel(level.frame, experiment, reason, level.decision, level.path))
    with _parked(instrument):
        descent.resume(last)
        return descent.go_down()


@dataclass
class _Descent:
    """A run on its way inwards."""

    instrument: ZoomInstrument
    plan: ZoomPlan
    files: LevelFiles | None
    progress: Callable[[LevelProgress], None] | None
    levels: list[ZoomLevel] = field(default_factory=list)

    def go_down(self) -> MultiscaleResult:
        """On from the last level."""
        while (decision := self.levels[-1].decision) is not None and decision.frame is not None:
            survey = self.instrument.survey(decision.frame)
            self.begin(_seen(decision.frame, survey), survey)
        last = self.levels[-1]
        return MultiscaleResult(tuple(self.levels), last.reason if last.decision is None else last.decision.reason)

    def begin(self, frame: Frame, survey: SurveyImage) -> None:
        """Measure in a frame from the start."""
        if self.files is None:
            self._explore(frame, Experiment(survey, self.plan.settings_of(frame.level)))
            return
        with self.files.start(frame, survey) as recorded:
            self._explore(frame, recorded.experiment, level_path(self.files.folder, frame.level))

    def resume(self, level: StoredLevel) -> None:
        """Go on measuring in a frame."""
        with RecordedExperiment.resume(level.path) as recorded:
            experiment = recorded.experiment
            if experiment.phase == "paused":
                experiment.resume()
            self.instrument.return_to(experiment.survey)
            known = level.decision if level.measured == len(experiment.told) else None
            self._explore(level.frame, experiment, level.path, known)

    def _explore(
        self, frame: Frame, experiment: Experiment, path: Path | None = None, decision: ZoomDecision | None = None
    ) -> None:
        reason = run(experiment, self.instrument, progress=lambda at: self._report(frame, experiment, at))
        if decision is None and frame.level < len(self.plan.sizes) and experiment.stop_reason is not None:
            decision = decide(experiment, frame, self.plan.sizes[frame.level], self.plan.rules)
            experiment.sink(EVENT, decision_event(experiment, decision), {})
        self.levels.append(ZoomLevel(frame, experiment, reason, decision, path))

    def _report(self, frame: Frame, experiment: Experiment, at: Progress) -> None:
        if self.progress is not None:
            self.progress(LevelProgress(frame, experiment, at))


@contextmanager
def _parked(instrument: ZoomInstrument) -> Iterator[None]:
    try:
        yield
    finally:
        instrument.park()


def _seen(frame: Frame, survey: SurveyImage) -> Frame:
    """The frame as it was imaged.

    Raises:
        InputError: it is another place altogether.
    """
    seen = Frame.of_image(survey, frame.parent)
    if (np.abs(np.subtract(seen.centre_nm, frame.centre_nm)) > np.divide(frame.size_nm, 2)).any():
        raise InputError(
            f"the survey image lies round {seen.centre_nm} nm but was asked for round {frame.centre_nm} nm; give it "
            "pixel_nm and origin_nm in the coordinates of the outermost frame, as Frame.survey does"
        )
    return seen
