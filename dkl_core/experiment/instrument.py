"""The instrument as the core sees it, and a loop that drives one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dkl_core.errors import MeasurementError
from dkl_core.experiment.experiment import Experiment
from dkl_core.experiment.journal import Told
from dkl_core.measurement import Measurement, Site
from dkl_core.survey import SurveyImage


class Instrument(Protocol):
    """Anything that can be sent to a site and measure there."""

    def image(self) -> SurveyImage:
        """The survey image."""
        ...

    def measure(self, site: Site) -> Measurement:
        """Go to a site and measure.

        Raises:
            MeasurementError: it could not be done; the site counts as failed and the run goes on.
        """
        ...

    def park(self) -> None:
        """Make the sample safe: blank the beam, retract the tip. Called whenever `run` ends, whatever the reason."""
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
) -> str:
    """Drive an instrument until the experiment is finished.

    Args:
        experiment: new, or resumed.
        instrument: what measures.
        progress: called after each measurement; it may pause, stop or change the experiment, exclude sites and ask for
            some of its own.
        batch: sites asked for at once.

    Returns:
        Why it ended.

    Raises:
        Exception: what the instrument or the record raised; the instrument is parked first.
    """
    try:
        while sites := _next_sites(experiment, batch):
            for site in sites:
                if not _is_wanted(experiment, site):
                    break
                told = experiment.tell(site, _measured(instrument, site))
                if progress is not None:
                    budget = experiment.settings.stop.budget
                    progress(Progress(told, len(experiment.told), budget, experiment.best))
    finally:
        instrument.park()
    return experiment.stop_reason or "paused"


def _next_sites(experiment: Experiment, batch: int) -> list[Site]:
    if not experiment.is_active:
        return []
    # Pending are sites of the user's choice, and what an earlier run left when it was paused or interrupted.
    return list(experiment.pending) or experiment.ask(batch)


def _is_wanted(experiment: Experiment, site: Site) -> bool:
    """Whether a site that was asked for is still to be measured: the observer may have interfered."""
    return experiment.is_active and site in experiment.pending


def _measured(instrument: Instrument, site: Site) -> Measurement:
    try:
        return instrument.measure(site)
    except MeasurementError as error:
        return Measurement.failed(str(error))
