"""What a perfect measurement would give at a place: without noise, drift or defects, of the present structure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dkl_core.errors import InputError
from dkl_core.stem.detectors import PatternArray
from dkl_core.stem.optics import Optics
from dkl_core.stem.samples import Sample
from dkl_core.stem.specimen import Specimen
from dkl_core.survey import FloatArray

Reduce = Callable[[PatternArray, FloatArray, float], float]
DEFLECTIONS = ("com_y", "com_x", "com_magnitude", "com_angle")
PLACES = ("haadf", "vacuum", "layers", "bragg_distance")


def _between(low: float, high: float) -> Reduce:
    """Fraction of the pattern between two angles, in units of the semi-angle; pixels on the edge count in part."""

    def reduced(pattern: PatternArray, angle_px: FloatArray, disc_px: float) -> float:
        inner = np.clip(angle_px - low * disc_px + 0.5, 0, 1) if low > 0 else 1.0
        outer = np.clip(high * disc_px - angle_px + 0.5, 0, 1)
        return float((pattern * inner * outer).sum() / pattern.sum())

    return reduced


REDUCED: dict[str, Reduce] = {
    "bright_field": _between(0, 1),
    "annular_bright_field": _between(0.5, 1),
    "annular_dark_field": _between(1.1, 3),
}
TRUTH_KINDS = (*DEFLECTIONS, *PLACES, *REDUCED)


def truth_of(
    kind: str, specimen: Specimen, sample: Sample, optics: Optics, y_nm: FloatArray, x_nm: FloatArray
) -> FloatArray:
    """The true scalar at places of the sample.

    Args:
        kind: one of `TRUTH_KINDS`; deflections are along the scan's axes, mrad (the angle in rad).
        specimen: the present structure under this beam.
        sample: the sample as it was made, for what only its maker knows.
        optics: the beam.
        y_nm: places (...), nm.
        x_nm: places, same shape.

    Returns:
        (...) values; NaN where there is none (the distance of Bragg discs in vacuum).

    Raises:
        InputError: there is no such truth.
    """
    if kind in DEFLECTIONS:
        return _deflection(kind, specimen, y_nm, x_nm)
    if kind in REDUCED:
        places = zip(y_nm.ravel(), x_nm.ravel(), strict=True)
        values = [_reduced(REDUCED[kind], specimen, optics, float(y), float(x)) for y, x in places]
        return np.array(values, dtype=np.float64).reshape(y_nm.shape)
    if kind == "haadf":
        return specimen.haadf(y_nm, x_nm).astype(np.float64)
    if kind in ("vacuum", "layers"):
        of_place = sample.vacuum_at if kind == "vacuum" else sample.layers_at
        return np.asarray(of_place(y_nm, x_nm), dtype=np.float64)
    if kind == "bragg_distance":
        return _bragg(sample, optics, y_nm, x_nm)
    raise InputError(f"there is no truth {kind!r}; choose from {', '.join(TRUTH_KINDS)}")


def _deflection(kind: str, specimen: Specimen, y_nm: FloatArray, x_nm: FloatArray) -> FloatArray:
    com_y, com_x = specimen.com_mrad(y_nm, x_nm)
    values: dict[str, FloatArray] = {
        "com_y": com_y,
        "com_x": com_x,
        "com_magnitude": np.hypot(com_y, com_x),
        "com_angle": np.arctan2(com_y, com_x),
    }
    return values[kind]


def _reduced(reduce: Reduce, specimen: Specimen, optics: Optics, y_nm: float, x_nm: float) -> float:
    pattern, (centre_row, centre_col) = specimen.exact_pattern(y_nm, x_nm), specimen.scatterer.centre_px
    rows, cols = np.indices(pattern.shape, dtype=np.float64)
    disc_px = optics.semiangle_mrad / specimen.scatterer.mrad_per_px
    return reduce(pattern, np.hypot(rows - centre_row, cols - centre_col), disc_px)


def _bragg(sample: Sample, optics: Optics, y_nm: FloatArray, x_nm: FloatArray) -> FloatArray:
    expected = sample.bragg_expected_at(y_nm, x_nm, optics)
    if expected is None:
        raise InputError("this sample has no known distance of Bragg discs; use strained_flake")
    return np.asarray(expected, dtype=np.float64)
