"""A small survey image, a scalar that follows from it, and experiments that decide within milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dkl_core.acquisition import AcquisitionSettings, AnnealedBeta
from dkl_core.experiment import Experiment, ExperimentSettings, SeedSettings, StopRules
from dkl_core.measurement import Site
from dkl_core.patches import PatchSettings
from dkl_core.record import RunRecord
from dkl_core.surrogate import SurrogateSettings
from dkl_core.survey import SurveyImage

SEEDS = 6
Value = Callable[[Site], float]
Settings = Callable[..., ExperimentSettings]
Make = Callable[..., Experiment]


@pytest.fixture(autouse=True)
def small_matrices(one_thread: None) -> None:
    """Every test here works on matrices of a few dozen rows."""


@pytest.fixture(autouse=True)
def small_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are small enough to be copied at every event, and are put in order now and then."""
    for start in (RunRecord.create, RunRecord.reopen):
        monkeypatch.setitem(start.__func__.__kwdefaults__, "journal_bytes", 100_000)


@pytest.fixture(scope="session")
def survey() -> SurveyImage:
    """Smooth blobs, calibrated, 40 x 48 px."""
    image = gaussian_filter(np.random.default_rng(1).standard_normal((40, 48)), 3)
    return SurveyImage(image / image.std(), pixel_nm=(0.5, 0.25), origin_nm=(3.0, -2.0))


@pytest.fixture
def value(survey: SurveyImage) -> Value:
    """The scalar that a measurement at a site gives: a multiple of 1/1024, so that k - s is exact."""

    def measured(site: Site) -> float:
        return round(1024 * (2 + np.tanh(float(survey.values[site.row, site.col])))) / 1024

    return measured


@pytest.fixture
def settings() -> Settings:
    """Settings of a quick experiment; `acquisition` may be a name, any other field is replaced as it is."""

    def make(*, acquisition: str = "ucb", budget: int = 20, **changes: Any) -> ExperimentSettings:
        quick = ExperimentSettings(
            patches=PatchSettings(window=6, stride=4),
            surrogate=SurrogateSettings(components=4, depth="never", iterations=15, warm_iterations=4),
            acquisition=AcquisitionSettings(acquisition, beta=AnnealedBeta(offset=SEEDS)),
            seeds=SeedSettings(SEEDS),
            stop=StopRules(budget),
            seed=3,
        )
        return replace(quick, **changes)

    return make


@pytest.fixture
def make(survey: SurveyImage, settings: Settings) -> Make:
    """Makes an experiment; keywords are fields of the settings."""

    def experiment(**changes: Any) -> Experiment:
        return Experiment(survey, settings(**changes))

    return experiment


@pytest.fixture
def drive(value: Value) -> Callable[..., list[int]]:
    """Asks and tells until the experiment is finished or has so many measurements; gives the sites in order."""

    def driven(experiment: Experiment, measured: int | None = None, measure: Callable[..., Any] = value) -> list[int]:
        while (measured is None or len(experiment.told) < measured) and (sites := experiment.ask()):
            experiment.tell(sites[0], measure(sites[0]))
        return [told.site.index for told in experiment.told]

    return driven
