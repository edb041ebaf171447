"""The instrument as the core sees it, and a loop that drives one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args, runtime_checkable

from dkl_core.errors import InputError, MeasurementError, ScalarizerError
from dkl_core.experiment.beside import Refitter
from dkl_core.experiment.experiment import Experiment
from dkl_core.experiment.journal import Told
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.survey import SurveyImage

REVISION_FAILED = "revision_failed"
Refit = Literal["wait", "beside"]


class Instrument(Protocol):
    """Anything that can be sent to a site and measure there."""

    def image(self) -> SurveyImage:
        """The survey image."""
        ...

    def measure(self, site: Site) -> Measurement:
        """Go to a site and measure.

        Raises:
            MeasurementError: it could not be done; the site counts as failed and the run goes on.
            InstrumentError: nothing can be measured any more; the run ends.
        """
        ...

    def park(self) -> None:
        """Make the sample safe: blank the beam, retract the tip. Called whenever `run` ends, whatever the reason."""
        ...


@runtime_checkable
class Revising(Protocol):
    """An instrument whose scalars need a reference that becomes known, or better known, during the run."""

    def revisions(self, told: Sequence[Told]) -> Mapping[int, Scalar]:
        """The scalars that have changed since they were told.

        Args:
            told: all measurements so far, with their latest scalars.

        Returns:
            Number of the measurement in `told` → its new scalar; empty if none has changed.

        Raises:
            ScalarizerError: it could not be found out; this is noted as `revision_failed` and the run goes on.
        """
        ...


@dataclass(frozen=True)
class Progress:
    """What a run tells its observer after each measurement.

    Attributes:
        told: the measurement.
        measured: measurements so far, failed ones included.
        budget: measurements in all.
        best: the best valid measurement so far.
    """

    told: Told
    measured: int
    budget: int
    best: Told | None


def run(
    experiment: Experiment,
    instrument: Instrument,
    *,
    progress: Callable[[Progress], None] | None = None,
    batch: int = 1,
    refit: Refit = "wait",
    deadline_s: float = 0.25,
) -> str:
    """Drive an instrument until the experiment is finished.

    Args:
        experiment: new, or resumed.
        instrument: what measures. One that is `Revising` is asked after each measurement which scalars have changed.
        progress: called after each measurement; it may pause, stop or change the experiment, exclude sites and ask for
            some of its own.
        batch: sites asked for at once.
        refit: `wait` decides with the model refitted whenever that is due, so that sites follow from the measurements
            alone. `beside` refits in a thread while the instrument measures and decides meanwhile with the exact
            posterior of the last refit; one that fails is noted as `refit_failed` and tried again.
        deadline_s: how long `beside` waits for a refit under way before a decision, s; the first one it waits for.

    Returns:
        Why it ended.

    Raises:
        Exception: what the instrument or the record raised; the instrument is parked first. An `InstrumentError` is
            how an instrument ends the run.
    """
    if refit not in get_args(Refit):
        raise InputError(f"unknown way to refit {refit!r}; choose one of {', '.join(get_args(Refit))}")
    fits: Refitter | None = None
    try:
        try:
            if experiment.is_active:
                # Not beside a thread that draws random numbers, too.
                experiment.learn_structure()
            fits = Refitter(experiment, deadline_s) if refit == "beside" else None
            _measure_all(experiment, instrument, progress, batch, fits)
        finally:
            experiment.rest()
            instrument.park()
        if fits is not None:
            fits.adopt(timeout_s=None)
    finally:
        if fits is not None:
            fits.close()
    return experiment.stop_reason or "paused"


def _measure_all(
    experiment: Experiment,
    instrument: Instrument,
    progress: Callable[[Progress], None] | None,
    batch: int,
    fits: Refitter | None,
) -> None:
    while sites := _next_sites(experiment, batch, fits):
        for site in sites:
            if not _is_wanted(experiment, site):
                break
            told = experiment.tell(site, _measured(instrument, site))
            if isinstance(instrument, Revising):
                told = _revised(experiment, instrument, told)
            if fits is not None:
                fits.adopt()
                fits.begin()
            if progress is not None:
                budget = experiment.settings.stop.budget
                progress(Progress(told, len(experiment.told), budget, experiment.best))


def _next_sites(experiment: Experiment, batch: int, fits: Refitter | None) -> list[Site]:
    if not experiment.is_active:
        return []
    # Pending are sites of the user's choice, and what an earlier run left when it was paused or interrupted.
    if experiment.pending:
        return list(experiment.pending)
    if fits is not None:
        fits.before_decision()
    return experiment.ask(batch, refit=fits is None)


def _is_wanted(experiment: Experiment, site: Site) -> bool:
    """Whether a site that was asked for is still to be measured: the observer may have interfered."""
    return experiment.is_active and site in experiment.pending


def _revised(experiment: Experiment, instrument: Revising, told: Told) -> Told:
    """The measurement just told, after the instrument has revised the scalars."""
    try:
        experiment.revise(instrument.revisions(experiment.told))
    except ScalarizerError as error:
        experiment.note(REVISION_FAILED, {"reason": str(error)})
    latest = experiment.told[-1].measurement
    return replace(told, measurement=replace(latest, raw=told.measurement.raw))


def _measured(instrument: Instrument, site: Site) -> Measurement:
    try:
        return instrument.measure(site)
    except MeasurementError as error:
        return Measurement.failed(str(error))
