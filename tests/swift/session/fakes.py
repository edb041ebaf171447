"""A microscope without Swift, whose every move the test decides."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np

from dkl_core.errors import InstrumentError
from dkl_core.experiment import ExperimentSettings, SeedSettings, StopRules
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.patches import PatchSettings
from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.acquisition.notes import Note

PATTERN = np.arange(16.0).reshape(4, 4)


class FakeMicroscope:
    """Measures the survey's value at a site.

    Attributes:
        log: what was asked of it, in order.
        before: called before each measurement with its number; may raise.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.before: Callable[[int], object] = lambda _: None
        self.notes: list[Note] = []
        self.count = 0
        self.adopted: SurveyImage | None = None
        self.leaving_fails = ""
        self.on_leaving: Note | None = None
        self.cancelled = threading.Event()

    def __enter__(self) -> Self:
        self.cancelled.clear()
        self.log.append("taken")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.log.append("given back")
        if self.on_leaving is not None:
            self.notes.append(self.on_leaving)
        if self.leaving_fails:
            raise InstrumentError(self.leaving_fails) from error

    def image(self) -> SurveyImage:
        self.log.append("survey")
        self.notes.append(Note("dose", {"what": "survey", "electrons": 1000.0}))
        return survey()

    def adopt(self, image: SurveyImage) -> None:
        self.adopted = image

    def measure(self, site: Site) -> Measurement:
        number, self.count = self.count, self.count + 1
        self.before(number)
        if self.cancelled.is_set():
            raise InstrumentError("the acquisition was cancelled")
        return Measurement(Scalar(float(survey().values[site.row, site.col])), raw=PATTERN + number)

    def park(self) -> None:
        self.log.append("parked")

    def take_notes(self) -> tuple[Note, ...]:
        notes, self.notes = tuple(self.notes), []
        return notes

    def cancel(self) -> None:
        self.cancelled.set()


def survey() -> SurveyImage:
    """A hill in a corner."""
    row, col = np.mgrid[:24, :24]
    return SurveyImage(np.exp(-((row - 6) ** 2 + (col - 6) ** 2) / 40.0), pixel_nm=(0.1, 0.1))


def settings(budget: int = 6, seeds: int = 3) -> ExperimentSettings:
    return ExperimentSettings(
        patches=PatchSettings(window=6, stride=3), seeds=SeedSettings(seeds), stop=StopRules(budget)
    )
