"""A microscope over a small analytic sample, for runs that zoom."""

from __future__ import annotations

import numpy as np

from dkl_core.errors import MeasurementError
from dkl_core.frame import Frame
from dkl_core.measurement import Measurement, Site
from dkl_core.survey import SurveyImage

WHOLE = Frame((5.0, -10.0), (40.0, 40.0), (48, 48))
SPOT_NM = np.array([17.0, 18.0])


class Scope:
    """The scalar is a hill of several widths at one spot; the image shows the hill and other things.

    Attributes:
        log: what was asked of it: "image", "survey", "return", "park", and the place of each measurement in nm.
        fails_at: number of the call to measure or survey at which it breaks down, counted from 0.
    """

    def __init__(self, *, height: float = 1.0, fails_at: int | None = None, error: type[Exception] = OSError) -> None:
        self.height = height
        self.log: list[object] = []
        self.fails_at = fails_at
        self.error = error
        self.steps = 0
        self.seen: SurveyImage | None = None

    def image(self) -> SurveyImage:
        self.log.append("image")
        self.seen = self._scan(WHOLE)
        return self.seen

    def survey(self, frame: Frame) -> SurveyImage:
        self._step()
        self.log.append("survey")
        self.seen = self._scan(frame)
        return self.seen

    def return_to(self, image: SurveyImage) -> None:
        self.log.append("return")
        self.seen = image

    def measure(self, site: Site) -> Measurement:
        self._step()
        assert self.seen is not None
        place = self.seen.to_nm((site.row, site.col))
        self.log.append(tuple(place))
        return Measurement.of(self.height * float(hill(place)))

    def park(self) -> None:
        self.log.append("park")

    @property
    def measured_nm(self) -> np.ndarray:
        """Where it measured, in order (n, 2)."""
        return np.array([entry for entry in self.log if isinstance(entry, tuple)]).reshape(-1, 2)

    def _step(self) -> None:
        self.steps += 1
        if self.fails_at is not None and self.steps > self.fails_at:
            raise self.error("the microscope broke down")

    def _scan(self, frame: Frame) -> SurveyImage:
        places = frame.positions_nm()
        ripples = np.sin(places[..., 0] / 1.7) * np.cos(places[..., 1] / 2.3)
        return frame.survey(hill(places) + 0.1 * ripples)


class RefusingScope(Scope):
    """One that can measure nothing."""

    def measure(self, site: Site) -> Measurement:
        raise MeasurementError(f"no tip at {site}")


def hill(places_nm: np.ndarray) -> np.ndarray:
    """A multiple of 1/1024, so that sums do not depend on the order."""
    squared = ((places_nm - SPOT_NM) ** 2).sum(axis=-1)
    height = sum(np.exp(-squared / (2 * width**2)) for width in (8.0, 3.0, 1.0))
    return np.round(1024 * height) / 1024
