"""What a deflection is relative to: where the beam would be without a sample, as the run itself shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from dkl_core.scalarizers.pattern import BoolArray, FloatArray
from dkl_core.scalarizers.reading import Reading
from dkl_core.scalarizers.reference import DescanKind, Reference, covers, error_of_mean, fit_reference

ReferenceKind = Literal["auto", "calibrated", "vacuum", "disc", "mean"]
# Response and illumination that differ by a fraction g between the two sides of a disc of radius α put its centre of
# mass g·α/8 from its middle. Half a percent is usual: a gain pattern, an aperture lit unevenly.
_UNEVEN = 0.005 / 8
# A calibrated centre that lies further than this fraction of the radius from the discs is not theirs any more.
_CONTRADICTS, _DEVIATIONS = 1 / 150, 4.0
_NUMBERS = 7
NO_CENTRE = "no calibrated centre is known; choose another reference"


@dataclass(frozen=True, eq=False)
class Zero:
    """What deflections are relative to.

    Attributes:
        field: the beam without a sample as a function of the place, mrad; None where it is each pattern's own
            calibrated centre.
    """

    field: Reference | None

    def at(self, places_nm: FloatArray, centres: FloatArray) -> FloatArray:
        """The reference of patterns taken at places (N, 2), nm, with these calibrated centres (N, 2), mrad; (N, 2)."""
        return centres if self.field is None else self.field.at(places_nm)


@dataclass(frozen=True, eq=False)
class Measured:
    """The valid readings of a run, each array (N, 2) as (y, x), mrad along the scan's axes.

    Attributes:
        places_nm: where they were taken, nm.
        mass: centres of mass.
        disc: middles of the bright disc.
        centre: calibrated centres, NaN where they are not known.
        radius: median radius of the discs, mrad; NaN if unknown.
    """

    places_nm: FloatArray
    mass: FloatArray
    disc: FloatArray
    centre: FloatArray
    radius: float

    @classmethod
    def of(cls, readings: Sequence[Reading], places_nm: FloatArray) -> Self:
        """The readings at their places; numbers that a reading lacks are not known."""
        table = np.full((len(readings), _NUMBERS), math.nan)
        for row, reading in zip(table, readings, strict=True):
            row[: len(reading.values)] = reading.values
        return cls(places_nm, table[:, :2], table[:, 2:4], table[:, 4:6], float(np.median(table[:, 6])))


def zero_of(measured: Measured, kind: ReferenceKind, descan: DescanKind, vacuum: BoolArray | None = None) -> Zero | str:
    """The reference, or why there is none.

    Args:
        measured: the readings.
        kind: see `CentreOfMass`.
        descan: whether it is a plane over the field or a constant.
        vacuum: which are known to be vacuum, (N,).
    """
    plane = descan == "plane"
    known = vacuum if vacuum is not None and vacuum.any() else None
    calibrated = not np.isnan(measured.centre).any()
    if kind == "calibrated":
        return Zero(None) if calibrated else NO_CENTRE
    if kind == "vacuum":
        return Zero(_of_vacuum(measured, known, plane)) if known is not None else _NO_VACUUM
    if kind == "mean":
        return Zero(fit_reference(measured.places_nm, measured.mass, plane=plane))
    discs = _discs(measured, plane)
    if kind == "disc":
        return Zero(discs)
    if calibrated and _agree(measured, discs.at(measured.places_nm)):
        return Zero(None)
    return Zero(_of_field(measured, discs) if known is None else _of_vacuum(measured, known, plane))


_NO_VACUUM = "no site in vacuum has been measured; choose another reference"


def _discs(measured: Measured, plane: bool) -> Reference:
    return fit_reference(measured.places_nm, measured.disc, plane=plane)


def _agree(measured: Measured, discs: FloatArray) -> bool:
    """Whether the calibrated centre is where the discs are, within what their scatter allows."""
    error = np.sqrt(error_of_mean(measured.places_nm, measured.disc - discs).max())
    allowed = _CONTRADICTS * measured.radius + _DEVIATIONS * error
    return bool(np.abs(discs - measured.centre).max() <= allowed)


def _of_vacuum(measured: Measured, vacuum: BoolArray, plane: bool) -> Reference:
    """The beam in vacuum; its change over the field from the discs where the vacuum covers but a part of the field."""
    places = measured.places_nm
    if plane and not covers(places[vacuum], places):
        discs = _discs(measured, plane)
        level = fit_reference(places[vacuum], (measured.mass - discs.at(places))[vacuum], plane=False).level
        return replace(discs, level=discs.level + level)
    return fit_reference(places[vacuum], measured.mass[vacuum], plane=plane)


def _of_field(measured: Measured, discs: Reference) -> Reference:
    """The discs, and their distance from the mean deflection as far as the mean is known better.

    Without a net field the mean deflection is zero, but that of a few sites is not; the centre of mass of an
    undeflected beam is in the middle of its disc but for what is uneven. Both are weighed by their variances.
    """
    offsets = measured.mass - discs.at(measured.places_nm)
    level = fit_reference(measured.places_nm, offsets, plane=False).level
    uneven = (_UNEVEN * measured.radius) ** 2
    error = error_of_mean(measured.places_nm, offsets - level)
    weight = uneven / (uneven + error) if math.isfinite(uneven) and uneven > 0 else np.zeros(2)
    return replace(discs, level=discs.level + level * weight)
