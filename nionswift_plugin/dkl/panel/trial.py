"""Trying a property before an experiment: on the live pattern, and on a few sites."""

from __future__ import annotations

import gettext
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dkl_core.errors import InputError, MeasurementError, ScalarizerError
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.patches import Sites
from dkl_core.scalarizers.blocks import block_of
from dkl_core.scalarizers.bright_disc import find_disc
from dkl_core.scalarizers.detector_care import DetectorCare
from dkl_core.scalarizers.pattern import Pattern
from dkl_core.scalarizers.reading import Reading, field_scalarizer
from dkl_core.scalarizers.registry import NamedScalarizer
from nionswift_plugin.dkl.acquisition.calibration import calibration_of
from nionswift_plugin.dkl.acquisition.settings import PatternSettings
from nionswift_plugin.dkl.panel.ground import Ground, tried_sites
from nionswift_plugin.dkl.panel.wording import with_unit
from nionswift_plugin.dkl.session import Microscope

if TYPE_CHECKING:
    from nion.data.DataAndMetadata import DataAndMetadata

_ = gettext.gettext
SITES = 5


@dataclass(frozen=True)
class Trial:
    """What a few sites gave.

    Attributes:
        scalars: one for each site, from the darkest to the brightest.
        site_s: how long a site took, s; None if none succeeded.
        site_electrons: how many electrons hit the sample for one; None if unknown.
    """

    scalars: tuple[Scalar, ...]
    site_s: float | None
    site_electrons: float | None = None

    def words(self, unit: str) -> str:
        """The values as the panel shows them."""
        noises = [scalar.noise_variance for scalar in self.scalars]
        known = [variance for variance in noises if variance is not None]
        if not all(scalar.valid for scalar in self.scalars) or not known:
            return " · ".join(words_of(scalar, unit) for scalar in self.scalars)
        values = ", ".join(f"{scalar.value:.3g}" for scalar in self.scalars)
        return f"{values} ± {float(np.sqrt(max(known))):.1g} {unit}".rstrip()


def words_of(scalar: Scalar, unit: str) -> str:
    """A scalar with its noise and its unit, or why there is none."""
    if not scalar.valid:
        return scalar.reason
    noise = None if scalar.noise_variance is None else float(np.sqrt(scalar.noise_variance))
    return with_unit(scalar.value, unit, noise)


@dataclass(frozen=True, eq=False)
class LiveValue:
    """What the live pattern gave.

    Attributes:
        pattern: the pattern.
        scalar: what the property makes of it.
        options: of the property, defaults included.
        zero: what the value is relative to, where a run would find that from all of its patterns; else empty.
    """

    pattern: Pattern
    scalar: Scalar
    options: Mapping[str, object]
    zero: str = ""

    def words(self, unit: str) -> str:
        """The value as the panel shows it."""
        return " ".join(filter(None, (words_of(self.scalar, unit), self.zero)))


def live_value(scalarizer: NamedScalarizer, xdata: DataAndMetadata, settings: PatternSettings) -> LiveValue:
    """What the pattern that the camera shows gives.

    Raises:
        InputError: the property needs more than one pattern.
        InstrumentError: the camera's calibration is unknown.
    """
    if block_of(scalarizer) is not None:
        raise InputError("this property needs several patterns per site; try it on 5 sites")
    calibration = calibration_of(xdata, settings)
    care = DetectorCare(saturation_level=settings.saturation_level)
    pattern = care.corrected(np.asarray(xdata.data), calibration.mrad_per_px, calibration.counts_per_electron)
    zero = ""
    judged = pattern
    if pattern.centre_px is None and field_scalarizer(scalarizer) is not None:
        # a run takes its zero from all of its patterns; of one alone, its disc is what there is
        disc = find_disc(pattern)
        if disc is not None:
            judged = replace(pattern, centre_px=(disc.row, disc.col))
            zero = _("relative to the middle of its own bright disc; a run finds its zero from all patterns")
    try:
        scalar = scalarizer(judged)
    except ScalarizerError as error:
        scalar = Scalar.invalid(str(error))
    return LiveValue(pattern, scalar, dict(scalarizer.options), zero if scalar.valid else "")


def tried(
    microscope: Microscope,
    scalarizer: NamedScalarizer,
    ground: Ground,
    sites: Sites,
    window: int,
    count: int = SITES,
) -> Trial:
    """Measure a few sites; they are not part of any run.

    Args:
        microscope: measures.
        scalarizer: what.
        ground: the survey.
        sites: all sites on it.
        window: edge of the patch, px.
        count: how many.

    Raises:
        InstrumentError: the microscope cannot be used.
    """
    with microscope:
        microscope.adopt(ground.survey)
        chosen = tried_sites(ground.survey, sites, window, count)
        measurements = [_measured(microscope, sites[index]) for index in chosen]
    times = [one.seconds for one in measurements if one.seconds > 0]
    electrons = [one.electrons for one in measurements if one.electrons]
    scalars = tuple(_together(scalarizer, measurements))
    return Trial(scalars, _middle(times), _middle(electrons))


def _middle(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _measured(microscope: Microscope, site: Site) -> Measurement:
    try:
        return microscope.measure(site)
    except MeasurementError as error:
        return Measurement.failed(str(error))


def _together(scalarizer: NamedScalarizer, measurements: Sequence[Measurement]) -> list[Scalar]:
    """The scalars, with the reference that all of the readings give."""
    scalars = [one.scalar for one in measurements]
    field = field_scalarizer(scalarizer)
    with_reading = [index for index, one in enumerate(measurements) if "reading" in one.details]
    if field is None or not with_reading:
        return scalars
    details = [dict(measurements[index].details) for index in with_reading]
    readings = [Reading.from_json(one["reading"]) for one in details]  # type: ignore[arg-type]
    positions = np.asarray([one["position_nm"] for one in details], dtype=np.float64)
    for index, scalar in zip(with_reading, field.scalars(readings, positions), strict=True):
        scalars[index] = scalar
    return scalars
