"""Images of the survey and of the sites, calibrated in nm the way Swift counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nion.data.Calibration import Calibration
from numpy.typing import ArrayLike, NDArray

from dkl_core.patches import Sites
from dkl_core.report.geometry import cell_size
from dkl_core.survey import SurveyImage

FloatArray = NDArray[np.float64]
Image = NDArray[np.float32]
Pair = tuple[float, float]


@dataclass(frozen=True)
class Raster:
    """Equal rectangles that cover a part of the survey image.

    Attributes:
        corner: (row, column) of the outer corner of the first cell, pixels of the survey image; the centre of its first
            pixel is (0, 0), its outer corner (-0.5, -0.5).
        step: height and width of a cell in pixels.
        shape: (rows, columns) of cells.
    """

    corner: Pair
    step: Pair
    shape: tuple[int, int]

    @classmethod
    def of_survey(cls, survey: SurveyImage, finer: int = 1) -> Raster:
        """The pixels of the survey image, each divided into so many along each side."""
        rows, cols = survey.shape
        return cls((-0.5, -0.5), (1 / finer, 1 / finer), (rows * finer, cols * finer))

    def to_fraction(self, row: float, col: float) -> Pair:
        """A place in pixels of the survey image as (y, x) fractions of this image."""
        y, x = ((np.array([row, col]) - self.corner) / self.step / self.shape).tolist()
        return y, x

    def from_fraction(self, y: float, x: float) -> Pair:
        """(y, x) fractions of this image as a place in pixels of the survey image; the inverse of `to_fraction`."""
        row, col = (np.array([y, x]) * self.shape * self.step + self.corner).tolist()
        return row, col

    def calibrations(self, survey: SurveyImage) -> tuple[Calibration, Calibration]:
        """Calibration of rows and columns: Swift counts from the outer corner of the first cell. Pixels without nm."""
        if survey.pixel_nm is None:
            down, right = (Calibration(corner + 0.5, step) for corner, step in zip(self.corner, self.step, strict=True))
            return down, right
        offset = survey.to_nm(self.corner)
        down, right = (
            Calibration(float(start), step * pixel, "nm")
            for start, step, pixel in zip(offset, self.step, survey.pixel_nm, strict=True)
        )
        return down, right


class SiteRaster:
    """Values of the sites as an image: one cell per site where they lie on a grid, else squares on the survey's pixels.

    Swift cannot show what is not a number, so cells without a value get the lowest one there is.

    Args:
        sites: the sites.
    """

    def __init__(self, sites: Sites) -> None:
        first, step = sites.positions.min(axis=0), sites.stride
        index, rest = np.divmod(sites.positions - first, step)
        if rest.any():
            side = max(1, round(min(cell_size(sites.positions.astype(np.float64)))))
            self.raster = Raster((-0.5, -0.5), (1.0, 1.0), sites.shape)
            self._cells = _squares(sites, side)
            return
        rows, cols = (int(count) for count in index.max(axis=0) + 1)
        top, left = (float(start) for start in first - step / 2)
        self.raster = Raster((top, left), (float(step), float(step)), (rows, cols))
        self._cells = [(index[:, 0], index[:, 1])]

    def image(self, values: ArrayLike) -> Image:
        """The image of the sites' values (M,)."""
        given = np.asarray(values, dtype=np.float64)
        finite = given[np.isfinite(given)]
        lowest = float(finite.min()) if finite.size else 0.0
        shown = np.where(np.isfinite(given), given, lowest)
        image = np.full(self.raster.shape, lowest, dtype=np.float32)
        for rows, cols in self._cells:
            image[rows, cols] = shown
        return image


def _squares(sites: Sites, side: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The pixels of squares round the sites, for each offset within a square; the sites themselves last."""
    reach = np.arange(side) - side // 2
    offsets = sorted(((int(i), int(j)) for i in reach for j in reach), key=lambda at: -abs(at[0]) - abs(at[1]))
    rows, cols = sites.positions[:, 0], sites.positions[:, 1]
    last_row, last_col = sites.shape[0] - 1, sites.shape[1] - 1
    return [(np.clip(rows + i, 0, last_row), np.clip(cols + j, 0, last_col)) for i, j in offsets]
