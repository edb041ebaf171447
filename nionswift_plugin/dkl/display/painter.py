"""From a moment of an experiment to what is shown of it; nothing here needs the session's or the main thread."""

from __future__ import annotations

import gettext
import math
from typing import Any

import numpy as np
from nion.data.Calibration import Calibration
from numpy.typing import NDArray

from dkl_core.experiment import Experiment
from dkl_core.measurement import Site
from nionswift_plugin.dkl.display.detector_shapes import DetectorShapes
from nionswift_plugin.dkl.display.maps import Raster, SiteRaster
from nionswift_plugin.dkl.display.patterns import PatternView
from nionswift_plugin.dkl.display.pictures import SurveyPicture
from nionswift_plugin.dkl.display.provenance import Provenance
from nionswift_plugin.dkl.display.publish import Look, calibrated
from nionswift_plugin.dkl.display.snapshot import Snapshot
from nionswift_plugin.dkl.display.views import Views

_ = gettext.gettext
FloatArray = NDArray[np.float64]
# Swift draws no curve of a single point.
_LEAST_POINTS = 2


class Painter:
    """Shows one experiment.

    Args:
        views: where.
        provenance: the run, for the metadata.
        experiment: with its survey image.
        patterns: makes patterns that can be shown.
    """

    def __init__(self, views: Views, provenance: Provenance, experiment: Experiment, patterns: PatternView) -> None:
        self._views, self._provenance, self._patterns = views, provenance, patterns
        self._survey = survey = experiment.survey
        self._looks = looks_of(provenance)
        self._sites = SiteRaster(experiment.sites)
        self._picture = SurveyPicture(survey)
        self._survey_raster = Raster.of_survey(survey)
        self._shares: dict[int, float] = {}
        self._shares_until = max(0, len(experiment.told) - 1)
        self._image("survey", experiment, survey.values.astype(np.float32), self._survey_raster)

    def raster(self, role: str) -> Raster | None:
        """How the image of a role lies on the survey image; None where it does not."""
        rasters = {"survey": self._survey_raster, "visited": self._picture.raster}
        rasters |= dict.fromkeys(("mean", "std", "acquisition"), self._sites.raster)
        return rasters.get(role)

    def paint(self, experiment: Experiment, now: Snapshot, raw: NDArray[Any] | None) -> None:
        """Show a moment of the experiment.

        Args:
            experiment: for what does not change from one moment to the next.
            now: the moment.
            raw: what the camera gave last; None leaves the pattern that is shown.
        """
        self._image("visited", experiment, self._picture.in_order(now.visited), self._picture.raster)
        unit = self._provenance.shown.unit
        for role, values, units in (
            ("mean", now.mean, unit),
            ("std", now.std, unit),
            ("acquisition", now.acquisition, ""),
        ):
            if values is not None:
                self._image(role, experiment, self._sites.image(values), self._sites.raster, units)
        self._curves(now, experiment)
        if raw is not None and now.last_site is not None:
            self._pattern(raw, now, now.last_site, experiment)
        self._mark(now)

    def _image(self, role: str, experiment: Experiment, values: NDArray[Any], raster: Raster, unit: str = "") -> None:
        if values.dtype == np.float32:
            values = np.where(np.isfinite(values), values, np.nanmin(values))
        axes = raster.calibrations(self._survey)
        more = {} if role == "survey" else {"survey_item": self._views.uuid_of("survey")}
        metadata = self._provenance.of(role, experiment, **more)
        xdata = calibrated(values, axes, intensity=Calibration(units=unit), metadata=metadata)
        self._views.show(self._looks[role], xdata)

    def _curves(self, now: Snapshot, experiment: Experiment) -> None:
        usable = np.flatnonzero(np.isfinite(now.best))
        start = int(usable[0]) if usable.size else len(now.best)
        self._curve("learning", experiment, now.best[start:], start + 1, self._provenance.shown.unit)
        if now.structure_share is not None:
            self._shares.update(dict.fromkeys(range(self._shares_until, len(now.values)), 100 * now.structure_share))
        self._shares_until = len(now.values)
        shares = list(self._shares.values())
        self._curve("structure", experiment, np.array(shares), min(self._shares, default=0) + 1, "%")

    def _curve(self, role: str, experiment: Experiment, values: FloatArray, first: int, unit: str) -> None:
        if len(values) < _LEAST_POINTS:
            return
        axis = Calibration(float(first), 1.0, _("sites"))
        metadata = self._provenance.of(role, experiment)
        self._views.show(
            self._looks[role], calibrated(values, (axis,), intensity=Calibration(units=unit), metadata=metadata)
        )

    def _pattern(self, raw: NDArray[Any], now: Snapshot, site: Site, experiment: Experiment) -> None:
        shown = self._patterns.shown(raw)
        if shown is None:
            return
        metadata = self._provenance.of("pattern", experiment, site=[site.row, site.col])
        intensity = Calibration(units=_("counts"))
        self._views.show(
            self._looks["pattern"], calibrated(shown.values, shown.axes, intensity=intensity, metadata=metadata)
        )
        if shown.pattern is not None:
            host = self._provenance.host
            bragg_mrad = now.last_measured if host.get("target") == "bragg_distance" else math.nan
            found = bragg_mrad if math.isfinite(bragg_mrad) else None
            shapes = DetectorShapes.of(host.get("options", {}), shown.pattern, found)
            self._views.outline("pattern", shown.pattern, shapes)

    def _mark(self, now: Snapshot) -> None:
        place, label = now.next_site, _("next")
        if place is not None:
            row, col = float(place.row), float(place.col)
        elif len(now.visited):
            (row, col), label = (float(at) for at in now.visited[-1]), _("last")
        else:
            return
        for role in ("visited", "acquisition"):
            raster = self.raster(role)
            if raster is not None:
                self._views.mark(role, raster.to_fraction(row, col), label)


def looks_of(provenance: Provenance) -> dict[str, Look]:
    """Title and colours of each role."""
    name, run = provenance.shown.name, provenance.run.stem
    titles = {
        "survey": (_("HAADF"), None),
        "visited": (_("visited sites in order"), None),
        "mean": (_("predicted {property}").format(property=name), "kindlmann"),
        "std": (_("uncertainty of {property}").format(property=name), "magma"),
        "acquisition": (_("where to measure next"), "plasma"),
        "pattern": (_("last pattern"), "black_body"),
        "learning": (_("best {property} so far").format(property=name), None),
        "structure": (_("share explained by structure"), None),
    }
    return {role: Look(role, f"{title} · {run}", colours) for role, (title, colours) in titles.items()}
