"""What a run has found, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dkl_core.experiment import Experiment
    from dkl_core.survey import SurveyImage

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Results:
    """A run, as it stands or as it ended.

    Attributes:
        path: its file.
        reason: why it ended, empty while it goes on or when it can be resumed.
        looked_for: what drove the run, in words, where that was not the property; else empty.
        unit: of the values, empty for a plain number.
        survey: the survey image.
        measured: (row, column) of the measured sites in order, pixels of the survey image (n, 2).
        values: what drove the run there (n,), the property or how unusual the structure is; NaN where no number came.
        sites: (row, column) of all sites (M, 2).
        mean: predicted values at all sites (M,), None before the first fit.
        std: their standard deviations (M,), None before the first fit.
        structure_share: share of the explained variance that structure carries, 0 to 1; None when not judged.
        best_site: (row, column) of the best value, None before the first.
        best_value: the best value, None before the first.
        electrons: that hit the sample, None when the beam current is unknown.
        seconds: active time, s.
        property_values: what the property gave there (n,), the values themselves where they drove the run.
        property_unit: of those.
    """

    path: Path
    reason: str
    looked_for: str
    unit: str
    survey: SurveyImage
    measured: IntArray
    values: FloatArray
    sites: IntArray
    mean: FloatArray | None
    std: FloatArray | None
    structure_share: float | None
    best_site: tuple[int, int] | None
    best_value: float | None
    electrons: float | None
    seconds: float
    property_values: FloatArray
    property_unit: str

    @classmethod
    def of(cls, experiment: Experiment, path: Path, unit: str = "") -> Results:
        """An experiment as it stands, on the thread that drives it; the unit is that of the property."""
        from nionswift_plugin.dkl.panel.status import RunStatus

        told, best, prediction = experiment.told, experiment.best, experiment.predict()
        status = RunStatus.of(experiment)
        values = [one.measurement.scalar.value if one.measurement.ok else np.nan for one in told]
        measured = [one.measurement.measured.value if one.measurement.ok else np.nan for one in told]
        structure = experiment.settings.structure
        return cls(
            path=path,
            reason=experiment.stop_reason or "",
            looked_for="" if structure is None else structure.words,
            unit=unit if structure is None else "",
            survey=experiment.survey,
            measured=np.array([(one.site.row, one.site.col) for one in told], dtype=np.int64).reshape(-1, 2),
            values=np.array(values, dtype=np.float64),
            sites=experiment.sites.positions.copy(),
            mean=None if prediction is None else prediction.mean,
            std=None if prediction is None else prediction.std,
            structure_share=status.structure_share,
            best_site=None if best is None else (best.site.row, best.site.col),
            best_value=status.best,
            electrons=status.electrons,
            seconds=status.elapsed,
            property_values=np.array(measured, dtype=np.float64),
            property_unit=unit,
        )


def results_of(path: Path) -> Results:
    """What is in the file of a run that is not being written.

    Raises:
        RecordError: the file is no run.
        InputError: it was not made in Swift.
    """
    from dkl_core.experiment.recorded import rebuilt
    from dkl_core.record import read_run
    from nionswift_plugin.dkl.panel.wording import property_of

    with read_run(path) as contents:
        target = str(contents.header.settings.get("host", {}).get("target", ""))
        return Results.of(rebuilt(contents), path, property_of(target).unit)
