"""Between the VI's pixels, the core's pixels and metres: the one place where frames are turned and shifted.

The VI counts x along the columns and y along the rows of the array it gave; its row 0 is the bottom of the frame when
`y_up`, the top otherwise. The core counts rows from the top. In metres Y always points up, and a positive angle turns
the frame clockwise, as Nanonis has it (the other sense can be set). A pixel's position is its centre.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.frame import Frame
from dkl_core.survey import FloatArray, SurveyImage

_NM = 1e9
# Rounding of the VI's own arithmetic must not put a point at the very edge outside.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class FrameGeometry:
    """Where an image lies on the sample.

    Attributes:
        rows: rows of the image.
        cols: columns of the image.
        width_m: width of the frame, m, outer edges.
        height_m: height of the frame, m, outer edges.
        xc_m: X of the frame's centre, m.
        yc_m: Y of the frame's centre, m.
        angle_deg: by how much the frame is turned, degrees.
        y_up: whether row 0 is the bottom of the frame.
        clockwise: whether a positive angle turns the frame clockwise.
    """

    rows: int
    cols: int
    width_m: float
    height_m: float
    xc_m: float
    yc_m: float
    angle_deg: float
    y_up: bool
    clockwise: bool = True

    def __post_init__(self) -> None:
        lengths = (self.width_m, self.height_m, self.xc_m, self.yc_m, self.angle_deg)
        if not all(math.isfinite(value) for value in lengths):
            raise InputError(f"the frame's size, centre or angle is not finite: {lengths}; read them from the scan")
        for name, size in (("width", self.width_m), ("height", self.height_m)):
            if not 1e-12 < size < 1:
                raise InputError(f"the frame's {name} is {size:g} m; give metres, e.g. 50e-9 for 50 nm")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FrameGeometry:
        """The inverse of `to_json`."""
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        """The geometry as JSON-compatible values."""
        return asdict(self)

    @property
    def pixel_m(self) -> tuple[float, float]:
        """Height and width of a pixel, m."""
        return self.height_m / self.rows, self.width_m / self.cols

    def survey(self, image: FloatArray) -> SurveyImage:
        """The VI's image as the core wants it: row 0 at the top, calibrated in nm."""
        height, width = self.pixel_m
        return SurveyImage(self.turned(image), pixel_nm=(height * _NM, width * _NM))

    def turned(self, image: FloatArray) -> FloatArray:
        """An array of the VI's rows in the core's order, or the reverse."""
        return np.ascontiguousarray(image[::-1] if self.y_up else image)

    def vi_pixel(self, row: float, col: float) -> tuple[float, float]:
        """A core pixel as the VI's (x, y)."""
        return col, self.rows - 1 - row if self.y_up else row

    def core_pixel(self, x: float, y: float) -> tuple[float, float]:
        """The VI's pixel (x, y) as the core's (row, column)."""
        return self.rows - 1 - y if self.y_up else y, x

    def metres(self, row: float, col: float) -> tuple[float, float]:
        """The centre of a core pixel as (X, Y) in m."""
        height, width = self.pixel_m
        return self._placed((col + 0.5) * width - self.width_m / 2, self.height_m / 2 - (row + 0.5) * height)

    def pixel_at(self, x_m: float, y_m: float) -> tuple[float, float]:
        """(X, Y) in m as a core pixel (row, column), fractions included; the inverse of `metres`."""
        u, v = self._local(x_m, y_m)
        height, width = self.pixel_m
        return (self.height_m / 2 - v) / height - 0.5, (u + self.width_m / 2) / width - 0.5

    def contains(self, x_m: float, y_m: float, margin_m: float = 0.0) -> bool:
        """Whether a place lies in the frame, at least a margin away from its edges."""
        u, v = self._local(x_m, y_m)
        slack = _TOLERANCE * max(self.width_m, self.height_m)
        half_width, half_height = self.width_m / 2 - margin_m + slack, self.height_m / 2 - margin_m + slack
        return abs(u) <= half_width and abs(v) <= half_height

    def allowed(self, margin_m: float) -> NDArray[np.bool_] | None:
        """Core pixels whose centres keep the margin, None where all do.

        Raises:
            InputError: none does.
        """
        if margin_m <= 0:
            return None
        (height, width), slack = self.pixel_m, _TOLERANCE * max(self.width_m, self.height_m)
        rows = np.abs(self.height_m / 2 - (np.arange(self.rows) + 0.5) * height) <= self.height_m / 2 - margin_m + slack
        cols = np.abs((np.arange(self.cols) + 0.5) * width - self.width_m / 2) <= self.width_m / 2 - margin_m + slack
        if not (rows.any() and cols.any()):
            raise InputError(f"a margin of {margin_m:g} m leaves nothing of the frame; give a smaller one")
        allowed: NDArray[np.bool_] = rows[:, None] & cols[None, :]
        return allowed

    def centre_of(self, frame: Frame) -> tuple[float, float]:
        """The centre of a smaller frame that the core chose in this one, as (X, Y) in m."""
        row_nm, col_nm = frame.centre_nm
        height, width = self.pixel_m
        return self.metres(row_nm / (height * _NM), col_nm / (width * _NM))

    def _placed(self, u: float, v: float) -> tuple[float, float]:
        cos, sin = self._turn()
        return self.xc_m + u * cos + v * sin, self.yc_m - u * sin + v * cos

    def _local(self, x_m: float, y_m: float) -> tuple[float, float]:
        cos, sin = self._turn()
        x, y = x_m - self.xc_m, y_m - self.yc_m
        return x * cos - y * sin, x * sin + y * cos

    def _turn(self) -> tuple[float, float]:
        angle = math.radians(self.angle_deg if self.clockwise else -self.angle_deg)
        return math.cos(angle), math.sin(angle)
