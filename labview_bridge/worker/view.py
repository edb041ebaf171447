"""How a frame stands: a copy that can be read while the model is being fitted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dkl_core.errors import InputError
from dkl_core.patches import Sites
from dkl_core.survey import FloatArray
from labview_bridge.worker.frame_run import FrameRun
from labview_bridge.worker.geometry import FrameGeometry

MAPS = ("mean", "std", "acquisition", "measured", "property")


@dataclass(frozen=True, eq=False)
class View:
    """One moment of a frame.

    Attributes:
        frame: its number, from 0.
        geometry: where it lies.
        sites: its candidate positions.
        maps: name → value of every site (M,), NaN where there is none.
        facts: counts, the best measurement, the model; JSON-compatible but for NaN.
        last_fit_s: how long the last fit took, s.
    """

    frame: int
    geometry: FrameGeometry
    sites: Sites
    maps: Mapping[str, FloatArray]
    facts: Mapping[str, Any]
    last_fit_s: float

    @classmethod
    def of(cls, run: FrameRun) -> View:
        """The present moment of a frame."""
        experiment, none = run.experiment, np.full(len(run.experiment.sites), np.nan)
        prediction = experiment.predict()
        measured, given = none.copy(), none.copy()
        for told in experiment.told:
            if told.measurement.ok:
                measured[told.site.index] = told.measurement.scalar.value
                given[told.site.index] = told.measurement.measured.value
        maps = {
            "mean": none if prediction is None else prediction.mean,
            "std": none if prediction is None else prediction.std,
            "acquisition": none if run.acquisition is None else run.acquisition,
            "measured": measured,
            "property": given,
        }
        return cls(run.number, run.geometry, experiment.sites, maps, _facts(run), run.last_fit_s)

    def map(self, name: str) -> FloatArray:
        """A map with one cell per site, rows in the VI's order.

        Raises:
            InputError: there is no such map.
        """
        values = self.maps.get(name)
        if values is None:
            raise InputError(f"there is no map {name!r}; choose one of {', '.join(MAPS)}")
        return self.geometry.turned(self.sites.to_map(values))

    def axes(self) -> tuple[float, float, float, float]:
        """The VI's pixel of a map's first column and the distance of columns, then the same of its rows."""
        rows, cols = (np.unique(self.sites.positions[:, axis]) for axis in (0, 1))
        x, y = self.geometry.vi_pixel(float(rows[-1] if self.geometry.y_up else rows[0]), float(cols[0]))
        return x, _distance(cols, self.sites.stride), y, _distance(rows, self.sites.stride)

    def place(self, site: int) -> tuple[float, float]:
        """Where a site is, (X, Y) in m."""
        found = self.sites[site]
        return self.geometry.metres(found.row, found.col)


def _distance(lines: Any, stride: int) -> float:
    return float(lines[-1] - lines[0]) / (len(lines) - 1) if len(lines) > 1 else float(stride)


def _facts(run: FrameRun) -> dict[str, Any]:
    experiment = run.experiment
    best, judged = experiment.best, None if experiment.surrogate is None else experiment.surrogate.judgement
    structure = experiment.settings.structure
    valid = sum(told.measurement.ok for told in experiment.told)
    facts: dict[str, Any] = {
        "phase": experiment.phase,
        "stop_reason": experiment.stop_reason or "",
        "sites": len(experiment.sites),
        "measured": len(experiment.told),
        "valid": valid,
        "failed": len(experiment.told) - valid,
        "budget": experiment.settings.stop.budget,
        "best": None,
        "structure_share": None,
        "driven_by": "what is measured" if structure is None else structure.words,
        "notices": list(experiment.structure_notices),
    }
    if best is not None:
        x_m, y_m = run.position(best.site.index)
        facts["best"] = {"value": best.measurement.scalar.value, "x_m": x_m, "y_m": y_m}
    if structure is None and judged is not None and math.isfinite(judged.structure_share):
        facts["structure_share"] = float(judged.structure_share)
    return facts
