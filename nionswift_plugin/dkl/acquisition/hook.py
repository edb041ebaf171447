"""The microscope as an experiment sees it: any Swift STEM controller with a scan and a camera."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from dkl_core.errors import InstrumentError, MeasurementError
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.scalarizers.detector_care import DetectorCare
from dkl_core.scalarizers.registry import NamedScalarizer
from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.acquisition.calibration import PatternCalibration
from nionswift_plugin.dkl.acquisition.devices import Devices
from nionswift_plugin.dkl.acquisition.dose import Charge, DoseAccount
from nionswift_plugin.dkl.acquisition.drift import DriftPath
from nionswift_plugin.dkl.acquisition.main_loop import MainLoop
from nionswift_plugin.dkl.acquisition.notes import Note, Notebook
from nionswift_plugin.dkl.acquisition.position import FrameGeometry
from nionswift_plugin.dkl.acquisition.scalars import SiteScalars
from nionswift_plugin.dkl.acquisition.settings import HookSettings
from nionswift_plugin.dkl.acquisition.sites import SiteTaker, together
from nionswift_plugin.dkl.acquisition.station import Ready, Station
from nionswift_plugin.dkl.acquisition.surveying import Surveyor
from nionswift_plugin.dkl.acquisition.waiting import Cancellation

if TYPE_CHECKING:
    from nion.swift.model.DocumentModel import DocumentModel

    from dkl_core.experiment.journal import Told


@dataclass(frozen=True, eq=False)
class _Use:
    ready: Ready
    surveyor: Surveyor
    sites: SiteTaker


class SwiftMicroscope:
    """Measures sites with a Swift microscope: an `Instrument`, and a context manager for one worker thread.

    On entering it blanks the beam, stops live views, pins the scan frame and takes test frames without beam; on leaving
    it puts back what it changed and leaves the beam off the sample. `cancel`, `take_notes` and the properties may be
    used by any thread.

    Args:
        devices: instrument, scan and camera.
        settings: how to acquire.
        scalarizer: what is measured.
        main: Swift's main thread.
        care: corrects the patterns; None for dark frames as the settings say.
        document_model: the project whose channel items are kept in memory meanwhile; None leaves them alone.
        clock: monotonic time, s.
    """

    def __init__(
        self,
        devices: Devices,
        settings: HookSettings,
        scalarizer: NamedScalarizer,
        *,
        main: MainLoop,
        care: DetectorCare | None = None,
        document_model: DocumentModel | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._given_care, self._clock = settings, care, clock
        self._scalars = SiteScalars(scalarizer)
        self._cancellation = Cancellation()
        self._notebook = Notebook()
        tell = self._notebook.add_trouble
        self._station = Station(devices, settings, main, document_model, self._cancellation, tell)
        self._use: _Use | None = None
        self._failures = 0

    def __enter__(self) -> SwiftMicroscope:
        """Take the instrument over.

        Raises:
            InstrumentError: no consent to use real hardware, or the instrument does not do what it should.
            InputError: camera or scan cannot do what the settings ask for.
        """
        self._cancellation.withdraw()
        self._failures = 0
        ready = self._station.take_over(self._given_care)
        surveyor = Surveyor(ready, self._settings.drift, self._notebook, self._clock)
        sites = SiteTaker(ready, self._scalars, self._settings, surveyor.drift_nm, self._clock)
        self._use = _Use(ready, surveyor, sites)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the instrument back.

        Raises:
            InstrumentError: the beam may be on the sample, or something could not be put back.
        """
        problems = self._station.give_back()
        if problems:
            raise InstrumentError("; ".join(problems)) from error

    def image(self) -> SurveyImage:
        """The survey image: recorded, or the last one in Swift, as the settings say.

        Raises:
            MeasurementError: no usable image came.
            InstrumentError: the instrument cannot go on, or somebody asked to stop.
        """
        surveyor = self._in_use().surveyor
        survey = surveyor.survey()
        self._station.hold_items()
        return survey

    def adopt(self, survey: SurveyImage, told: Sequence[Told] = ()) -> None:
        """Go on with an earlier run; with drift correction on, the sample is looked for before the next site.

        Args:
            survey: its survey image.
            told: its measurements, which belong to the reference of a scalarizer that measures it with the run.

        Raises:
            InstrumentError: it is not an image of the present scan frame.
        """
        self._in_use().surveyor.adopt(survey)
        self._scalars.remember(told)

    def measure(self, site: Site) -> Measurement:
        """Take the pattern of a site, or its block of patterns, and make the scalar.

        Raises:
            MeasurementError: it could not be done undisturbed, or the site has left the frame.
            InstrumentError: the instrument cannot go on, the electrons are used up, or somebody asked to stop.
        """
        use = self._in_use()
        self._cancellation.check()
        self.account.permit(self.next_cost())
        if use.surveyor.look_if_due():
            self._station.hold_items()
        charges: list[Charge] = []
        try:
            measurement = use.sites.measure(site, charges)
        except MeasurementError as error:
            self._notebook.add_dose(f"failed site ({site.row}, {site.col})", together(charges))
            self._count_failure(error)
            raise
        use.surveyor.count_site()
        self._failures = 0
        return measurement

    def park(self) -> None:
        """Take the beam off the sample.

        Raises:
            BlankerError: the blanker does not respond.
        """
        if self._use is not None:
            self._use.ready.bench.beam.close()

    def revisions(self, told: Sequence[Told]) -> Mapping[int, Scalar]:
        """Scalars that change noticeably because the run's own reference is better known by now.

        Args:
            told: all measurements so far, in order.

        Returns:
            Number in `told` → the new scalar.
        """
        return self._scalars.revisions(told)

    def cancel(self) -> None:
        """Stop, from any thread: what is being done ends at once with a `CancelledError`, the beam off the sample."""
        self._cancellation.request()

    def release_items(self) -> None:
        """Let Swift write the channel items; for the main thread, when the window closes."""
        self._station.release_items()

    def take_notes(self) -> tuple[Note, ...]:
        """What happened beside the measurements since the last call, for the record."""
        return self._notebook.take()

    def next_cost(self) -> Charge:
        """What the next measurement will cost, a reference scan that is due included."""
        use = self._in_use()
        look, site = use.surveyor.cost_of_look(), use.sites.cost()
        return together([look, site])

    @property
    def account(self) -> DoseAccount:
        """The electrons so far, in all and per place."""
        return self._in_use().ready.account

    @property
    def drift_path(self) -> DriftPath | None:
        """Where the sample was; None before the survey, or when nothing follows it."""
        return self._in_use().surveyor.path

    @property
    def geometry(self) -> FrameGeometry:
        """The scan frame."""
        return self._in_use().ready.bench.context.geometry

    @property
    def calibration(self) -> PatternCalibration:
        """What the numbers of a pattern mean."""
        return self._in_use().ready.calibration

    @property
    def care(self) -> DetectorCare:
        """What corrects the patterns."""
        return self._in_use().ready.care

    def _in_use(self) -> _Use:
        if self._use is None:
            raise InstrumentError("the microscope is not in use; use it within a with statement")
        return self._use

    def _count_failure(self, error: MeasurementError) -> None:
        self._failures += 1
        if self._failures >= self._settings.pattern.give_up_after:
            raise InstrumentError(
                f"{self._failures} sites in a row could not be measured; the last: {error}"
            ) from error
