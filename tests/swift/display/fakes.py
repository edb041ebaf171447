"""A window without pictures, a session on a microscope that is none, and what they need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from dkl_core.experiment import ExperimentSettings, SeedSettings, StopRules
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.patches import PatchSettings
from dkl_core.scalarizers.detector_care import DetectorCare
from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.acquisition.calibration import PatternCalibration
from nionswift_plugin.dkl.acquisition.notes import Note
from nionswift_plugin.dkl.display import ExperimentDisplay, Property
from nionswift_plugin.dkl.plan import NewRun
from nionswift_plugin.dkl.session import Session

FIELD = Property("field", "mrad")
MRAD_PER_PX = 2.0
INTERVAL_S = 0.02
EVERYTHING = {"survey", "visited", "mean", "std", "acquisition", "pattern", "learning"}


def survey(side: int = 24) -> SurveyImage:
    """A hill in a corner, 0.1 nm per pixel, its middle at (0, 0) nm as of a scan."""
    row, col = np.mgrid[:side, :side]
    edge = -0.05 * (side - 1)
    return SurveyImage(np.exp(-((row - 6) ** 2 + (col - 8) ** 2) / 40.0), (0.1, 0.1), (edge, edge))


def disc_pattern(row: float = 17.0, col: float = 14.0, radius: float = 8.0, shape: tuple[int, int] = (32, 32)) -> Any:
    """A bright disc, counts."""
    rows, cols = np.indices(shape)
    return np.where(np.hypot(rows - row, cols - col) <= radius, 200.0, 1.0)


class Hill:
    """Measures the survey's value; its patterns are discs."""

    def __init__(self) -> None:
        self.before: Callable[[int], object] = lambda _: None
        self.count = 0

    calibration = PatternCalibration((32, 32), MRAD_PER_PX, 10.0)
    care = DetectorCare(1.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def image(self) -> SurveyImage:
        return survey()

    def adopt(self, image: SurveyImage) -> None: ...

    def measure(self, site: Site) -> Measurement:
        self.before(self.count)
        self.count += 1
        value = float(survey().values[site.row, site.col])
        return Measurement(Scalar(value, noise_variance=1e-4), raw=disc_pattern().astype(np.uint16))

    def park(self) -> None: ...

    def take_notes(self) -> tuple[Note, ...]:
        return ()

    def cancel(self) -> None: ...


def settings(budget: int = 6, seeds: int = 4) -> ExperimentSettings:
    return ExperimentSettings(
        patches=PatchSettings(window=6, stride=3), seeds=SeedSettings(seeds), stop=StopRules(budget)
    )


@dataclass
class Shown:
    """A session, what it shows, and the window."""

    window: Any
    folder: Path
    microscope: Hill = field(default_factory=Hill)
    display: Any = None
    session: Any = None

    def begin(self, budget: int = 6, **more: Any) -> None:
        more.setdefault("interval_s", INTERVAL_S)
        self.display = ExperimentDisplay(
            self.window.controller, self.window.main, FIELD, source=self.microscope, **more
        )
        plan = NewRun(self.folder / "run.h5", settings(budget))
        self.session = Session(self.microscope, plan, listener=self.display.listener, refit="wait")
        self.display.start(self.session)
        self.session.start()

    def finish(self) -> None:
        self.window.pump(lambda: self.session.is_over and self.display.is_closed)

    def item(self, role: str) -> Any:
        return self.display.display_items[role].data_item

    def roles(self) -> set[str]:
        return set(self.display.display_items)

    def forget(self) -> None:
        """Let the window go, so that it can be seen whether it leaks."""
        self.window = self.display = self.session = None
