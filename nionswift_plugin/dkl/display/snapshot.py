"""An experiment at one moment, as it is shown; taken between two measurements, on the session's thread."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dkl_core.experiment import Experiment
from dkl_core.measurement import Site
from dkl_core.report import best_so_far

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """How an experiment stands.

    Attributes:
        visited: (row, column) of the measured sites in order (n, 2).
        values: what the run is driven by (n,), NaN where nothing was found.
        best: best value after each measurement (n,), NaN before the first usable one.
        mean: predicted property at the sites (M,), None before the first fit; the same holds for the next two.
        std: its standard deviation (M,).
        acquisition: where to measure next (M,); NaN where nothing is measured any more.
        last_site: the one that was measured last, None before the first.
        next_site: the site that would be next, None where that is not known.
        structure_share: share of the explained variance that comes from structure, 0 to 1; None when unknown.
        last_measured: what was measured at the last site, NaN before the first.
    """

    visited: IntArray
    values: FloatArray
    best: FloatArray
    mean: FloatArray | None = None
    std: FloatArray | None = None
    acquisition: FloatArray | None = None
    last_site: Site | None = None
    next_site: Site | None = None
    structure_share: float | None = None
    last_measured: float = math.nan

    @classmethod
    def of(cls, experiment: Experiment) -> Snapshot:
        """The experiment as it stands; on the thread that drives it."""
        told, goal = experiment.told, experiment.settings.goal
        visited = np.array([(one.site.row, one.site.col) for one in told], dtype=np.int64).reshape(-1, 2)
        values = np.array([one.measurement.scalar.value if one.measurement.ok else np.nan for one in told])
        best = best_so_far(values, "reach" if goal.direction == "target" else goal.direction, goal.value)
        prediction, acquisition = experiment.predict(), _open_acquisition(experiment)
        return cls(
            visited,
            values,
            best,
            None if prediction is None else prediction.mean,
            None if prediction is None else prediction.std,
            acquisition,
            told[-1].site if told else None,
            _next_site(experiment, acquisition),
            experiment.telling_share,
            told[-1].measurement.measured.value if told and told[-1].measurement.ok else math.nan,
        )


def _open_acquisition(experiment: Experiment) -> FloatArray | None:
    """The acquisition of the sites that may still be measured, NaN elsewhere."""
    acquisition = experiment.acquisition_map()
    if acquisition is None:
        return None
    acquisition = np.where(np.isfinite(acquisition), acquisition, np.nan)
    acquisition[[one.site.index for one in experiment.told]] = np.nan
    acquisition[sorted(experiment.excluded)] = np.nan
    return acquisition


def _next_site(experiment: Experiment, acquisition: FloatArray | None) -> Site | None:
    if experiment.stop_reason is not None:
        return None
    if experiment.pending:
        return experiment.pending[0]
    if acquisition is None or not np.isfinite(acquisition).any():
        return None
    return experiment.sites[int(np.nanargmax(acquisition))]
