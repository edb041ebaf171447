"""Recorded sets from data items: two scan and two detector dimensions, as a synchronized acquisition gives them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.datasets import RawData, RecordedData
from dkl_core.errors import InputError
from dkl_core.scalarizers.bright_disc import find_disc
from dkl_core.scalarizers.detector_care import DetectorCare
from dkl_core.scalarizers.pattern import COUNTS_PER_ELECTRON, MRAD_PER_PX, Pattern
from dkl_core.survey import FloatArray, SurveyImage
from nionswift_plugin.dkl.acquisition.calibration import MRAD
from nionswift_plugin.dkl.replaying.sets import RecordedSet, item_key

if TYPE_CHECKING:
    from nion.data.Calibration import Calibration
    from nion.swift.model.DataItem import DataItem

_NM = {"nm": 1.0, "pm": 1e-3, "Å": 0.1, "A": 0.1, "um": 1e3, "µm": 1e3, "μm": 1e3, "m": 1e9}
# The mean pattern is that of about so many, evenly spread.
_LOOKED_AT = 256
# A virtual dark field begins this far out, in radii of the bright disc; without a disc, at this part of the half width.
_OUTSIDE, _PART = 1.1, 0.5
# The darkest pixels of whole numbers of counts show the level without beam.
_DARKEST_PERCENT = 1.0
_SMALLEST = 4


@dataclass(frozen=True, eq=False)
class Stored:
    """What a 4D data item holds, taken on the main thread.

    Attributes:
        key, title: of the set.
        patterns: (rows, columns, detector rows, detector columns), in memory or on disk.
        axes: calibrations of the four axes.
        metadata: of the data item.
    """

    key: str
    title: str
    patterns: Any
    axes: tuple[Calibration, ...]
    metadata: Mapping[str, Any]


def is_4d(item: DataItem) -> bool:
    """Whether a data item holds a pattern at each position of a scan."""
    return (
        not item.is_sequence
        and item.collection_dimension_count == 2
        and item.datum_dimension_count == 2
        and not item.is_data_rgb_type
        and not item.is_data_complex_type
    )


def taken(item: DataItem) -> Stored:
    """What an item holds; on the main thread, with its data kept loaded.

    Raises:
        InputError: it is no 4D set.
    """
    xdata = item.xdata
    if not is_4d(item) or xdata is None:
        raise InputError(
            f"{item.title} has no two scan and two detector dimensions; choose the result of a synchronized scan"
        )
    # the array itself may be on disk: it is read pattern by pattern
    return Stored(item_key(item.uuid), item.title, xdata.data, tuple(xdata.dimensional_calibrations), xdata.metadata)


def read_item(stored: Stored) -> RecordedSet:
    """A recorded set; not on the main thread, for every pattern is looked at.

    Raises:
        InputError: too small, or its detector is not calibrated.
    """
    rows, cols = (int(count) for count in stored.patterns.shape[:2])
    if min(rows, cols) < _SMALLEST:
        raise InputError(
            f"{stored.title} has {rows} × {cols} positions, too few for an experiment; choose a larger set"
        )
    mrad_per_px = _mrad_per_px(stored)
    mean = _mean_pattern(stored.patterns)
    dark = _dark_level(mean, stored.patterns.dtype)
    care = DetectorCare(dark) if dark > 0 else None
    survey = SurveyImage(_dark_field(stored.patterns, mean - dark, mrad_per_px), pixel_nm=_pixel_nm(stored))
    constants = {MRAD_PER_PX: mrad_per_px}
    counts = stored.metadata.get("hardware_source", {}).get("counts_per_electron")
    if counts:
        constants[COUNTS_PER_ELECTRON] = float(counts)
    raw = RawData("pattern", stored.patterns, constants=MappingProxyType(constants), care=care)
    notices = (f"{dark:.4g} counts are taken for the level without beam",) if care is not None else ()
    data = RecordedData(survey, "", np.empty(0), raw=raw, name=stored.title)
    return RecordedSet(
        stored.key, stored.title, data, {"kind": "item", "uuid": stored.key[5:], "name": stored.title}, notices
    )


def _mrad_per_px(stored: Stored) -> float:
    scales = [abs(axis.scale) * MRAD.get(axis.units, 0.0) for axis in stored.axes[2:]]
    if not all(scales) or not math.isclose(*scales, rel_tol=0.01):
        raise InputError(
            f"the detector axes of {stored.title} are not calibrated in square pixels of mrad or rad; "
            "set their scale and units in the Inspector (Calibrations)"
        )
    return scales[0]


def _pixel_nm(stored: Stored) -> tuple[float, float] | None:
    down, right = (abs(axis.scale) * _NM.get(axis.units, 0.0) for axis in stored.axes[:2])
    return (down, right) if down > 0 and right > 0 else None


def _mean_pattern(patterns: Any) -> FloatArray:
    rows, cols = patterns.shape[:2]
    every = max(1, math.isqrt(rows * cols // _LOOKED_AT))
    total = np.zeros(patterns.shape[2:], dtype=np.float64)
    for row in range(0, rows, every):
        total += np.asarray(patterns[row])[::every].sum(axis=0, dtype=np.float64)
    return np.asarray(total / (math.ceil(rows / every) * math.ceil(cols / every)))


def _dark_level(mean: FloatArray, dtype: np.dtype[Any]) -> float:
    """The counts without beam: floats were corrected by somebody, whole numbers are as the camera gave them."""
    from scipy.ndimage import median_filter

    if dtype.kind not in "iu":
        return 0.0
    return max(0.0, float(np.percentile(median_filter(mean, 3), _DARKEST_PERCENT)))


def _dark_field(patterns: Any, mean: FloatArray, mrad_per_px: float) -> FloatArray:
    """The image (rows, columns) of what is scattered beyond the bright disc."""
    weight = _outside(mean, mrad_per_px).ravel()
    image = np.empty(patterns.shape[:2])
    for row in range(len(image)):
        line: NDArray[Any] = np.asarray(patterns[row], dtype=np.float32)
        image[row] = line.reshape(len(line), -1) @ weight
    return image


def _outside(mean: FloatArray, mrad_per_px: float) -> NDArray[np.float32]:
    rows, cols = np.indices(mean.shape, dtype=np.float64)
    disc = find_disc(Pattern(mean, mrad_per_px))
    if disc is None:
        middle_row, middle_col = (np.array(mean.shape) - 1) / 2
        radius = _PART * min(mean.shape) / 2
    else:
        middle_row, middle_col, radius = disc.row, disc.col, _OUTSIDE * disc.radius
    return np.asarray(np.hypot(rows - middle_row, cols - middle_col) > radius, dtype=np.float32)
