"""A replay: recorded data as sites with a truth, and an instrument that gives it away site by site."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dkl_core.datasets import RecordedData
from dkl_core.errors import InputError, MeasurementError
from dkl_core.measurement import Measurement, Site
from dkl_core.patches import Patches, PatchSettings, make_patches
from dkl_core.replay.sources import Source, source_of
from dkl_core.scalarizers import NamedScalarizer
from dkl_core.survey import FloatArray, SurveyImage


@dataclass(frozen=True, eq=False)
class ReplayProblem:
    """Sites with known scalars.

    Attributes:
        survey: the survey image.
        patches: the sites and their patches.
        truth: the scalar of each site (M,), NaN where it was not recorded or is not valid.
        measure: what the instrument gives at a site.
        target: name of the scalar.
        on_grid: whether the sites follow from the patch settings alone (else they are the recorded places).
    """

    survey: SurveyImage
    patches: Patches
    truth: FloatArray
    measure: Callable[[Site], Measurement]
    target: str
    on_grid: bool


def default_patches(data: RecordedData) -> PatchSettings:
    """Window and stride where the user gives none: 30 and 10 px as published, less for small images."""
    shortest = min(data.survey.shape)
    if data.positions is not None or shortest >= 256:
        return PatchSettings(window=30, stride=10)
    window = max(4, min(16, shortest // 8))
    return PatchSettings(window=window, stride=max(1, window // 6))


def replay_problem(
    data: RecordedData, settings: PatchSettings, scalarizer: NamedScalarizer | None = None, *, repeats: bool = False
) -> ReplayProblem:
    """Recorded data as a problem.

    Args:
        data: what was recorded.
        settings: sites and patches; the places of data that are not a full map are kept as they are.
        scalarizer: makes the scalars of the raw data anew; None takes the recorded ones. One that needs a reference
            gets that of the whole field, one that takes blocks gets neighbouring places of the scan.
        repeats: keep repeated measurements of a place as sites of their own (for an evaluation).

    Raises:
        InputError: settings that the image cannot meet, or no known scalar at any site.
        DataFileError: a scalarizer is given but the file has no raw data of its kind.
    """
    source = source_of(data, scalarizer)
    if data.positions is None:
        patches = make_patches(data.survey, settings)
        truth = np.array([source.value(int(r), int(c)) for r, c in patches.sites.positions])
    else:
        places = data.positions
        rows = np.arange(len(places)) if repeats else np.sort(np.unique(places, axis=0, return_index=True)[1])
        patches = make_patches(data.survey, replace(settings, nan="fill"), positions=places[rows])
        truth = np.array([source.value_of(int(row)) for row in rows])
    if not np.isfinite(truth).any():
        raise InputError(
            f"no site has a known {source.target}{_reason(source, patches.sites[0])}; "
            "choose another window, stride, target or scalarizer"
        )
    return ReplayProblem(data.survey, patches, truth, source.measure, source.target, data.positions is None)


def _reason(source: Source, site: Site) -> str:
    try:
        return f" (at the first {source.measure(site).reason})"
    except MeasurementError:
        return ""


class RecordedInstrument:
    """An instrument made of recorded data."""

    def __init__(self, problem: ReplayProblem) -> None:
        self._problem = problem

    def image(self) -> SurveyImage:
        """The recorded survey image."""
        return self._problem.survey

    def measure(self, site: Site) -> Measurement:
        """What was recorded there.

        Raises:
            MeasurementError: nothing was.
        """
        return self._problem.measure(site)

    def park(self) -> None:
        """There is no beam and no tip."""
