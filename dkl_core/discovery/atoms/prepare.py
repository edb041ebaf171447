"""An image made ready for finding atoms: checked, without holes, and on another scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dkl_core.errors import InputError
from dkl_core.survey import FloatArray, SurveyImage

SMALLEST_PX = 24
# Beyond this share of pixels without data, what is filled in decides what is found.
MOST_MISSING = 0.2


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image without holes.

    Attributes:
        values: (rows, columns), finite, of median 0.
        missing: where values were filled in (rows, columns), bool; None where none were.
        notices: what was done.
    """

    values: FloatArray
    missing: np.ndarray | None
    notices: tuple[str, ...]


def prepared(image: FloatArray) -> Prepared:
    """The image checked, with few missing pixels filled from the nearest ones.

    Raises:
        InputError: not two-dimensional, not real numbers, too small, blank, or too many pixels without data.
    """
    values = SurveyImage(np.asarray(image)).values
    if min(values.shape) < SMALLEST_PX:
        raise InputError(
            f"the image has {values.shape[0]} x {values.shape[1]} px; finding atoms takes {SMALLEST_PX} x "
            f"{SMALLEST_PX} or more"
        )
    missing = ~np.isfinite(values)
    share = float(missing.mean())
    if share > MOST_MISSING:
        raise InputError(
            f"{share:.0%} of the image's pixels hold no finite value; give an image with at most {MOST_MISSING:.0%}"
        )
    notices: tuple[str, ...] = ()
    if missing.any():
        values = _filled(values, missing)
        notices = (f"{int(missing.sum())} pixels without data were filled from their neighbours",)
    if np.ptp(values) <= 1e-9 * float(np.abs(values).max()):
        raise InputError("the image is blank: all its pixels have one value; check the detector or the file")
    # What follows works in single precision, in which a large offset would hide the atoms.
    return Prepared(values - np.median(values), missing if missing.any() else None, notices)


def _filled(values: FloatArray, missing: np.ndarray) -> FloatArray:
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
    filled: FloatArray = values[tuple(nearest)]
    return filled
