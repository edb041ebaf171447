"""From pixels of the survey image to the axes of a figure, and from sites to the cells that stand for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dkl_core.report.data import FloatArray
from dkl_core.survey import SurveyImage

IntArray = NDArray[np.intp]

# Below this share of filled cells a grid image is mostly holes, and squares say more.
GRID_FILL = 0.3
# Any scattered whole pixels lie on a grid of step 1.
SMALLEST_STEP = 2.0


@dataclass(frozen=True)
class Axis2D:
    """The coordinates that a survey image is drawn in: nm where it is calibrated, pixels elsewhere.

    Attributes:
        pixel: height and width of a pixel in those coordinates.
        origin: (row, column) of the first pixel's centre.
        shape: rows and columns of the image.
        unit: "nm" or "px".
    """

    pixel: tuple[float, float]
    origin: tuple[float, float]
    shape: tuple[int, int]
    unit: str

    @classmethod
    def of(cls, survey: SurveyImage) -> Axis2D:
        """The coordinates of a survey image."""
        if survey.pixel_nm is None:
            return cls((1.0, 1.0), (0.0, 0.0), survey.shape, "px")
        return cls(survey.pixel_nm, survey.origin_nm, survey.shape, "nm")

    def xy(self, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Pixels (n, 2) as (row, column) to x and y of the axes, each (n,)."""
        rows, cols = np.asarray(positions, dtype=float).reshape(-1, 2).T
        return self.origin[1] + cols * self.pixel[1], self.origin[0] + rows * self.pixel[0]

    def extent(
        self, first: FloatArray, last: FloatArray, cell: tuple[float, float]
    ) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of an image whose corner cells are centred on those pixels."""
        (left, right), (top, bottom) = self.xy(np.stack([first, last]))
        half_y, half_x = cell[0] * self.pixel[0] / 2, cell[1] * self.pixel[1] / 2
        return left - half_x, right + half_x, bottom + half_y, top - half_y

    @property
    def whole(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of the survey image."""
        return self.extent(np.zeros(2), np.asarray(self.shape, dtype=float) - 1, (1.0, 1.0))

    @property
    def labels(self) -> tuple[str, str]:
        """What to write on the horizontal and the vertical axis."""
        return ("x (nm)", "y (nm)") if self.unit == "nm" else ("column (px)", "row (px)")


@dataclass(frozen=True)
class Grid:
    """Sites that lie on a regular grid.

    Attributes:
        first: (row, column) of the first cell in pixels.
        last: (row, column) of the last cell in pixels.
        step: distance of rows and of columns in pixels.
        index: row and column of each site in the grid, each (M,).
    """

    first: FloatArray
    last: FloatArray
    step: tuple[float, float]
    index: tuple[IntArray, IntArray]

    @classmethod
    def of(cls, positions: FloatArray) -> Grid | None:
        """The grid that the sites (M, 2) fill well enough to be drawn as an image, None when there is none."""
        positions = np.asarray(positions, dtype=float)
        if len(positions) < 4:
            return None
        steps = tuple(_common_step(axis) for axis in positions.T)
        if min(steps) <= 0:
            return None
        first, last = positions.min(axis=0), positions.max(axis=0)
        index = np.rint((positions - first) / steps).astype(np.intp)
        cells = int(np.prod(index.max(axis=0) + 1))
        if len(np.unique(index, axis=0)) < GRID_FILL * cells:
            return None
        return cls(first, last, (steps[0], steps[1]), (index[:, 0], index[:, 1]))

    def image(self, values: FloatArray) -> FloatArray:
        """Values of the sites (M,) as an image; NaN where there is no site."""
        rows, cols = self.index
        image = np.full((int(rows.max()) + 1, int(cols.max()) + 1), np.nan)
        image[rows, cols] = values
        return image


def cell_size(positions: FloatArray) -> tuple[float, float]:
    """Height and width in pixels of the cells that stand for sites which do not fill a grid.

    The step where they lie on a grid with holes; else what tells them apart and still shows them on the page.
    """
    positions = np.asarray(positions, dtype=float)
    steps = tuple(_common_step(axis) for axis in positions.T)
    if min(steps) >= SMALLEST_STEP:
        return steps[0], steps[1]
    side = max(_neighbour_distance(positions), 0.6 * float(np.sqrt(np.ptp(positions, axis=0).prod() / len(positions))))
    return side, side


def _neighbour_distance(positions: FloatArray) -> float:
    """Median distance to the nearest other place."""
    from scipy.spatial import KDTree

    distinct = np.unique(positions, axis=0)
    if len(distinct) < 2:
        return SMALLEST_STEP
    nearest, _ = KDTree(distinct).query(distinct, k=2)
    return float(np.median(nearest[:, 1]))


def _common_step(coordinates: FloatArray) -> float:
    """The spacing of regularly spaced values, 0 when they are not regular."""
    gaps = np.diff(np.unique(np.round(coordinates, 6)))
    if not gaps.size:
        return 0.0
    step = float(gaps.min())
    regular = np.abs(gaps / step - np.rint(gaps / step)).max() < 1e-3
    return step if regular else 0.0
