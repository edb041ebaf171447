"""Nested frames: pieces of the sample, each within its parent, and the coordinates that lead from one to another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dkl_core.errors import InputError
from dkl_core.survey import FloatArray, SurveyImage

Pair = tuple[float, float]


@dataclass(frozen=True)
class Frame:
    """A rectangle of the sample that is, or will be, imaged with a number of pixels.

    All nanometres, of every level, are counted in one coordinate system, that of the outermost frame. So a position
    found in the innermost image is the same position in all the others.

    Attributes:
        corner_nm: (row, column) of the upper left corner in nm: the outer corner of the first pixel, half a pixel
            above and left of its centre.
        size_nm: height and width in nm.
        shape: (rows, columns) of the frame's image.
        parent: the frame that this one was chosen in, None for the outermost.
    """

    corner_nm: Pair
    size_nm: Pair
    shape: tuple[int, int]
    parent: Frame | None = None

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in self.corner_nm):
            raise InputError(f"the frame's corner is {self.corner_nm} nm; give two finite numbers")
        if not all(math.isfinite(size) and size > 0 for size in self.size_nm):
            raise InputError(f"the frame measures {self.size_nm} nm; give a height and a width above zero")
        if not all(count >= 1 for count in self.shape):
            raise InputError(f"the frame has {self.shape} pixels; give at least one row and one column")

    @classmethod
    def of_image(cls, image: SurveyImage, parent: Frame | None = None) -> Frame:
        """The frame that an image covers.

        Raises:
            InputError: the image has no calibration.
        """
        size = image.size_nm
        if size is None:
            raise InputError("the survey image has no calibration; give pixel_nm, the size of a pixel in nm, to zoom")
        row, col = image.to_nm((-0.5, -0.5))
        return cls((float(row), float(col)), size, image.shape, parent)

    @classmethod
    def centred(cls, centre_nm: Pair, size_nm: Pair, shape: tuple[int, int], parent: Frame | None = None) -> Frame:
        """The frame round a (row, column) position in nm."""
        corner = centre_nm[0] - size_nm[0] / 2, centre_nm[1] - size_nm[1] / 2
        return cls(corner, size_nm, shape, parent)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Frame:
        """A frame and those it is nested in, from what `to_json` gave."""
        corner, size = (tuple(float(length) for length in data[name]) for name in ("corner_nm", "size_nm"))
        rows, cols = (int(count) for count in data["shape"])
        parent = data["parent"]
        return cls((corner[0], corner[1]), (size[0], size[1]), (rows, cols), parent and cls.from_json(parent))

    def to_json(self) -> dict[str, Any]:
        """The frame and those it is nested in as JSON-compatible values."""
        return asdict(self)

    @property
    def level(self) -> int:
        """0 for the outermost frame, one more for each frame it is nested in."""
        return 0 if self.parent is None else self.parent.level + 1

    @property
    def pixel_nm(self) -> Pair:
        """Height and width of a pixel in nm."""
        return self.size_nm[0] / self.shape[0], self.size_nm[1] / self.shape[1]

    @property
    def origin_nm(self) -> Pair:
        """(row, column) of the first pixel's centre in nm, as in `SurveyImage`."""
        return self.corner_nm[0] + self.pixel_nm[0] / 2, self.corner_nm[1] + self.pixel_nm[1] / 2

    @property
    def centre_nm(self) -> Pair:
        """(row, column) of the frame's centre in nm."""
        return self.corner_nm[0] + self.size_nm[0] / 2, self.corner_nm[1] + self.size_nm[1] / 2

    def survey(self, values: ArrayLike) -> SurveyImage:
        """An image recorded over this frame, with the calibration that follows; its shape may differ from `shape`."""
        array = np.asarray(values)
        if array.ndim != 2:
            raise InputError(f"the image has shape {array.shape}; give a two-dimensional array (rows, columns)")
        frame = Frame(self.corner_nm, self.size_nm, (array.shape[0], array.shape[1]), self.parent)
        return SurveyImage(array, pixel_nm=frame.pixel_nm, origin_nm=frame.origin_nm)

    def positions_nm(self) -> FloatArray:
        """Centres of all pixels as (row, column) in nm, shape (rows, columns, 2)."""
        return self.to_nm(np.moveaxis(np.indices(self.shape), 0, -1))

    def within(self, other: Frame, tolerance_nm: float = 1e-6) -> bool:
        """Whether the whole frame lies in another one."""
        return all(
            corner >= low - tolerance_nm and corner + size <= low + extent + tolerance_nm
            for corner, size, low, extent in zip(
                self.corner_nm, self.size_nm, other.corner_nm, other.size_nm, strict=True
            )
        )

    def to_nm(self, pixels: ArrayLike) -> FloatArray:
        """Pixels (..., 2) of this frame's image to nm; whole numbers are centres of pixels."""
        return _array(self.origin_nm) + _array(pixels) * _array(self.pixel_nm)

    def to_pixels(self, positions_nm: ArrayLike) -> FloatArray:
        """Positions (..., 2) in nm to pixels of this frame's image; the inverse of `to_nm`."""
        return (_array(positions_nm) - _array(self.origin_nm)) / _array(self.pixel_nm)

    def to_fractions(self, pixels: ArrayLike) -> FloatArray:
        """Pixels (..., 2) to fractions of the frame: (0, 0) is its upper left corner, (1, 1) its lower right one."""
        return (_array(pixels) + 0.5) / _array(self.shape)

    def from_fractions(self, fractions: ArrayLike) -> FloatArray:
        """Fractions (..., 2) of the frame to pixels; the inverse of `to_fractions`."""
        return _array(fractions) * _array(self.shape) - 0.5

    def to_frame(self, other: Frame, pixels: ArrayLike) -> FloatArray:
        """Pixels (..., 2) of this frame's image to pixels of another frame's image, inner or outer, any levels away."""
        return other.to_pixels(self.to_nm(pixels))

    def to_parent(self, pixels: ArrayLike) -> FloatArray:
        """Pixels (..., 2) of this frame's image to pixels of its parent's.

        Raises:
            InputError: this is the outermost frame.
        """
        return self.to_frame(self._parent(), pixels)

    def from_parent(self, pixels: ArrayLike) -> FloatArray:
        """Pixels (..., 2) of the parent's image to pixels of this frame's; the inverse of `to_parent`."""
        return self._parent().to_frame(self, pixels)

    def lineage(self) -> Iterator[Frame]:
        """This frame, its parent and so on to the outermost."""
        frame: Frame | None = self
        while frame is not None:
            yield frame
            frame = frame.parent

    def _parent(self) -> Frame:
        if self.parent is None:
            raise InputError("this is the outermost frame, it has no parent; use to_nm or to_frame")
        return self.parent


def _array(values: ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=np.float64)
