"""The survey image and the reference scans that follow the sample through a run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InstrumentError, MeasurementError
from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.acquisition.dose import NOTHING, Charge, Region
from nionswift_plugin.dkl.acquisition.drift import DriftError, DriftFollower, DriftPath
from nionswift_plugin.dkl.acquisition.notes import Notebook
from nionswift_plugin.dkl.acquisition.settings import DriftSettings
from nionswift_plugin.dkl.acquisition.station import Ready

FloatArray = NDArray[np.float64]


class Surveyor:
    """Takes the survey image, and knows where the sample is later on.

    Args:
        ready: the instrument.
        settings: when to look for the sample.
        notebook: where dose and drift are written down.
        clock: monotonic time, s.
    """

    def __init__(self, ready: Ready, settings: DriftSettings, notebook: Notebook, clock: Callable[[], float]) -> None:
        self._ready, self._settings, self._notebook, self._clock = ready, settings, notebook, clock
        self._follower: DriftFollower | None = None

    @property
    def path(self) -> DriftPath | None:
        """Where the sample was, None before the survey or when nothing follows it."""
        return None if self._follower is None else self._follower.path

    def survey(self) -> SurveyImage:
        """Record the survey image, or take the last one.

        Raises:
            MeasurementError: no usable image came.
            InstrumentError: the instrument cannot go on, or somebody asked to stop.
        """
        values, middle_s = self._ready.last_image, self._clock()
        if values is None:
            values, middle_s = self._scanned(Region(), "survey")
        self._begin(values, middle_s)
        geometry = self._ready.bench.context.geometry
        return SurveyImage(values, (geometry.pixel_nm, geometry.pixel_nm), geometry.origin_nm)

    def adopt(self, survey: SurveyImage) -> None:
        """Go on with an earlier survey image; the sample is looked for before the next site.

        Raises:
            InstrumentError: it is not an image of the present scan frame.
        """
        geometry = self._ready.bench.context.geometry
        pixel_nm = survey.pixel_nm or (0.0, 0.0)
        if survey.shape != geometry.shape or not np.allclose(pixel_nm, geometry.pixel_nm, rtol=1e-3):
            raise InstrumentError(
                f"the survey image has {survey.shape} pixels of {pixel_nm} nm, the scan {geometry.shape} of "
                f"{geometry.pixel_nm:g} nm; set the scan as it was"
            )
        self._begin(survey.values, self._clock())
        if self._follower is not None:
            self._follower.demand()

    def look_if_due(self) -> bool:
        """Find the sample again if it is time to; returns whether it was.

        Raises:
            InstrumentError: it is not found, or somebody asked to stop.
        """
        follower = self._follower
        if follower is None or not follower.is_due(self._clock()):
            return False
        self._look(follower)
        return True

    def count_site(self) -> None:
        """One more site was measured."""
        if self._follower is not None:
            self._follower.count_site()

    def drift_nm(self) -> FloatArray:
        """How far the sample has moved by now (y, x) along the frame's axes, nm."""
        return np.zeros(2) if self._follower is None else self._follower.path.at(self._clock())

    def cost_of_look(self) -> Charge:
        """What the reference scan costs that is due now; nothing if none is."""
        follower, now_s = self._follower, self._clock()
        if follower is None or not follower.is_due(now_s):
            return NOTHING
        context, scan, region = self._ready.bench.context, self._ready.bench.devices.scan, follower.region(now_s)
        seconds = float(scan.calculate_frame_time(follower.parameters(context.parameters, region)))
        return self._ready.account.cost_of_scan(seconds, region)

    def _begin(self, values: FloatArray, middle_s: float) -> None:
        if self._settings.is_on:
            self._follower = DriftFollower(self._settings, self._ready.bench.context.geometry, values, middle_s)

    def _look(self, follower: DriftFollower) -> None:
        problems: list[str] = []
        for _ in range(self._settings.tries):
            try:
                region = follower.region(self._clock())
                image, middle_s = self._scanned(region, "reference scan")
                point = follower.follow(image, region, middle_s)
            except DriftError as error:
                problems.append(str(error))
                continue
            except MeasurementError as error:
                raise InstrumentError(f"the sample cannot be followed: {error}") from error
            self._notebook.add(
                "drift",
                seconds_since_survey=middle_s - follower.path.points[0].time_s,
                drift_nm=list(point.drift_nm),
                score=point.score,
                refused=problems,
            )
            return
        raise InstrumentError(f"the sample is lost: {'; '.join(dict.fromkeys(problems))}")

    def _scanned(self, region: Region, what: str) -> tuple[FloatArray, float]:
        """An image of a region and the time of its middle, s."""
        account, context = self._ready.account, self._ready.bench.context
        parameters = context.parameters
        if self._follower is not None:
            parameters = self._follower.parameters(parameters, region)
        charges = [NOTHING]
        cost = account.cost_of_scan(float(self._ready.bench.devices.scan.calculate_frame_time(parameters)), region)
        try:
            image = self._ready.scans.take(
                parameters, lambda: account.permit(cost), lambda s: charges.append(account.add_scan(s, region))
            )
        finally:
            self._notebook.add_dose(what, sum(charges[1:], charges[0]))
        return image, self._clock() - charges[-1].seconds / 2
