"""The survey image: the structural picture that the patches are cut from, and its calibration."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InputError

Levelling = Literal["none", "plane", "rows", "steps"]
Normalisation = Literal["standard", "robust", "minmax", "none"]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SurveyImage:
    """An image with its calibration; a frame of the sample.

    Attributes:
        values: intensity or height, shape (rows, columns), row 0 at the top. NaN marks pixels without data.
        pixel_nm: height and width of a pixel in nm, None when unknown.
        origin_nm: (row, column) position of the first pixel's centre in nm, in the coordinates of the outermost frame.
    """

    values: FloatArray
    pixel_nm: tuple[float, float] | None = None
    origin_nm: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.ndim != 2 or values.size == 0:
            raise InputError(
                f"the survey image has shape {values.shape}; give a two-dimensional array (rows, columns) with data"
            )
        if values.dtype.kind not in "fiub":
            raise InputError(f"the survey image holds {values.dtype} values; give real numbers")
        if self.pixel_nm is not None and not all(math.isfinite(size) and size > 0 for size in self.pixel_nm):
            raise InputError(
                f"pixel_nm is {self.pixel_nm}; give height and width of a pixel in nm, both above 0, or None"
            )
        object.__setattr__(self, "values", values.astype(np.float64))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        rows, cols = self.values.shape
        return rows, cols

    @property
    def size_nm(self) -> tuple[float, float] | None:
        """Height and width of the frame in nm, None when it is not calibrated."""
        if self.pixel_nm is None:
            return None
        return self.shape[0] * self.pixel_nm[0], self.shape[1] * self.pixel_nm[1]

    def to_nm(self, positions: ArrayLike) -> FloatArray:
        """Pixels (…, 2) as (row, column) to nm.

        Raises:
            InputError: the image has no calibration.
        """
        return np.asarray(np.asarray(positions, dtype=float) * self._pixel() + self.origin_nm, dtype=np.float64)

    def to_pixels(self, positions_nm: ArrayLike) -> FloatArray:
        """Positions in nm (…, 2) as (row, column) to pixels; the inverse of `to_nm`."""
        return np.asarray((np.asarray(positions_nm, dtype=float) - self.origin_nm) / self._pixel(), dtype=np.float64)

    def _pixel(self) -> FloatArray:
        if self.pixel_nm is None:
            raise InputError("the survey image has no calibration; give pixel_nm, the size of a pixel in nm")
        return np.asarray(self.pixel_nm)


def levelled(image: SurveyImage, method: Levelling) -> SurveyImage:
    """The image without its background.

    Args:
        image: the survey image; NaN pixels are left out of the fit and stay NaN.
        method: `none`; `plane` subtracts the least-squares plane; `rows` subtracts each row's median (scan-line
            offsets of a flat surface); `steps` shifts each row by the median difference to the one above (scan-line
            offsets of a surface with steps, which stay unless they run along the rows).

    Raises:
        InputError: unknown method.
    """
    values = image.values
    match method:
        case "none":
            return image
        case "plane":
            return replace(image, values=values - _plane(values))
        case "rows":
            good = np.isfinite(values)
            lines = [float(np.median(row[keep])) if keep.any() else 0.0 for row, keep in zip(values, good, strict=True)]
            return replace(image, values=values - np.asarray(lines)[:, None])
        case "steps":
            return replace(image, values=values - _line_offsets(values)[:, None])
    raise InputError(f"unknown levelling {method!r}; choose one of {', '.join(get_args(Levelling))}")


def normalised(image: SurveyImage, method: Normalisation) -> SurveyImage:
    """The image on a common scale, so that settings carry from one image to the next.

    Args:
        image: the survey image; NaN pixels stay NaN.
        method: `standard` (mean 0, standard deviation 1), `robust` (median 0, quartile distance 1.349; standard
            deviation 1 where the quartiles coincide), `minmax` (0 to 1) or `none`. A constant image becomes all zeros.

    Raises:
        InputError: unknown method, or an image without any finite pixel.
    """
    good = image.values[np.isfinite(image.values)]
    if good.size == 0:
        raise InputError("the survey image holds no finite value; check the file or the detector")
    match method:
        case "none":
            return image
        case "standard":
            offset, scale = float(good.mean()), float(good.std())
        case "robust":
            low, offset, high = (float(q) for q in np.percentile(good, (25, 50, 75)))
            # Half the pixels or more may have one value, the vacuum's for instance.
            scale = (high - low) / 1.349 or float(good.std())
        case "minmax":
            offset, scale = float(good.min()), float(np.ptp(good))
        case _:
            raise InputError(f"unknown normalisation {method!r}; choose one of {', '.join(get_args(Normalisation))}")
    flat = scale <= 1e-12 * max(abs(offset), 1e-300)
    return replace(image, values=(image.values - offset) / (1.0 if flat else scale))


def _line_offsets(values: FloatArray) -> FloatArray:
    good = np.isfinite(values)
    offsets = np.zeros(len(values))
    for upper, lower in pairwise(np.flatnonzero(good.any(axis=1))):
        both = good[upper] & good[lower]
        shift = np.median(values[lower, both] - values[upper, both]) if both.any() else 0.0
        offsets[lower] = offsets[upper] + shift
    return offsets


def _plane(values: FloatArray) -> FloatArray:
    rows, cols = np.indices(values.shape, dtype=float)
    good = np.isfinite(values)
    if not good.any():
        return np.zeros_like(values)
    design = np.stack([np.ones(int(good.sum())), rows[good], cols[good]], axis=1)
    offset, down, right = np.linalg.lstsq(design, values[good], rcond=None)[0]
    plane: FloatArray = offset + down * rows + right * cols
    return plane
