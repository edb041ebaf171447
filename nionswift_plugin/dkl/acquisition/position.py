"""Pixels of the survey image, fractions of the scan frame and nanometres: the one place where they are converted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from nion.instrumentation.stem_controller import ScanContext
from nion.utils import Geometry
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InstrumentError

FloatArray = NDArray[np.float64]
Pair = tuple[float, float]


@dataclass(frozen=True)
class FrameGeometry:
    """A square scan frame. All positions are (…, 2) as (row, column) or (y, x), y downwards.

    * pixels: whole numbers are centres of pixels of the survey image;
    * fractions: 0 to 1 from the upper left corner, what Swift's probe position is given in;
    * frame nm: along the frame's own axes from its centre, what the survey image is calibrated in;
    * sample nm: the same place with the scan's rotation and offset applied.

    Attributes:
        shape: (rows, columns).
        fov_nm: height and width, nm.
        rotation_rad: scan rotation; positive turns the frame's x axis towards its y axis (Nion's convention).
        centre_nm: (y, x) of the frame's centre on the sample, nm.
    """

    shape: tuple[int, int]
    fov_nm: float
    rotation_rad: float = 0.0
    centre_nm: Pair = (0.0, 0.0)

    def __post_init__(self) -> None:
        rows, cols = self.shape
        # The versions of Swift disagree on which side of an oblong frame the field of view is.
        if rows != cols or rows < 1:
            raise InstrumentError(f"the scan has {rows} × {cols} pixels; set as many rows as columns")
        if not (math.isfinite(self.fov_nm) and self.fov_nm > 0):
            raise InstrumentError(f"the field of view is {self.fov_nm} nm; set it in the scan panel or in the settings")

    @classmethod
    def of_context(cls, context: ScanContext) -> FrameGeometry:
        """The frame that fractions refer to at present.

        Raises:
            InstrumentError: it is not square, or has no field of view.
        """
        size, centre = context.size, context.center_nm
        shape = (int(size.height), int(size.width))
        return cls(shape, float(context.fov_nm), float(context.rotation_rad), (float(centre.y), float(centre.x)))

    @property
    def pixel_nm(self) -> float:
        """Height and width of a pixel, nm."""
        return self.fov_nm / self.shape[0]

    @property
    def origin_nm(self) -> Pair:
        """Centre of the first pixel in frame nm."""
        first = (self.pixel_nm - self.fov_nm) / 2
        return first, first

    def to_fractions(self, pixels: ArrayLike) -> FloatArray:
        """Pixels to fractions."""
        return (_array(pixels) + 0.5) / _array(self.shape)

    def to_pixels(self, fractions: ArrayLike) -> FloatArray:
        """Fractions to pixels; the inverse of `to_fractions`."""
        return _array(fractions) * _array(self.shape) - 0.5

    def to_frame_nm(self, fractions: ArrayLike) -> FloatArray:
        """Fractions to frame nm."""
        return (_array(fractions) - 0.5) * self.fov_nm

    def from_frame_nm(self, frame_nm: ArrayLike) -> FloatArray:
        """Frame nm to fractions; the inverse of `to_frame_nm`."""
        return _array(frame_nm) / self.fov_nm + 0.5

    def to_sample_nm(self, fractions: ArrayLike) -> FloatArray:
        """Fractions to sample nm."""
        return _turned(self.to_frame_nm(fractions), self.rotation_rad) + _array(self.centre_nm)

    def from_sample_nm(self, sample_nm: ArrayLike) -> FloatArray:
        """Sample nm to fractions; the inverse of `to_sample_nm`."""
        return self.from_frame_nm(_turned(_array(sample_nm) - _array(self.centre_nm), -self.rotation_rad))

    def contains(self, fractions: ArrayLike) -> bool:
        """Whether all positions lie in the frame."""
        inside = _array(fractions)
        return bool(np.all((inside >= 0) & (inside <= 1)))

    def clamped(self, fractions: ArrayLike, margin: float = 0.0) -> FloatArray:
        """The nearest positions that keep a distance from the edge, a share of the frame."""
        return np.clip(_array(fractions), margin, 1 - margin)


def as_point(fraction: ArrayLike) -> Geometry.FloatPoint:
    """A position (2,) as Swift takes it."""
    y, x = _array(fraction)
    return Geometry.FloatPoint(y=float(y), x=float(x))


def _turned(positions: FloatArray, angle_rad: float) -> FloatArray:
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    y, x = positions[..., 0], positions[..., 1]
    return np.stack([cos * y + sin * x, cos * x - sin * y], axis=-1)


def _array(values: ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=np.float64)
