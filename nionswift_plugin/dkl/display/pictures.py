"""The survey image in grey with sites in colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.display.maps import Raster

Picture = NDArray[np.uint8]
FloatArray = NDArray[np.float64]
Colour = tuple[int, int, int]
# Small images are enlarged until a site can be smaller than a pixel of the survey.
LEAST_SIDE_PX, DOTS_PER_SIDE = 384, 64
# Early sites blue, late ones yellow; red, green, blue.
_ORDER = np.array([(13, 8, 200), (126, 3, 168), (204, 71, 120), (248, 149, 64), (240, 249, 33)], dtype=np.float64)
# Beyond these percentiles grey is black or white: single bright pixels would leave the rest dark.
_LOW, _HIGH = 0.5, 99.5


class SurveyPicture:
    """Draws on the survey image.

    Args:
        survey: the survey image.
    """

    def __init__(self, survey: SurveyImage) -> None:
        self._finer = max(1, -(-LEAST_SIDE_PX // min(survey.shape)))
        self.raster = Raster.of_survey(survey, self._finer)
        grey = np.repeat(np.repeat(_grey(survey.values), self._finer, axis=0), self._finer, axis=1)
        self._grey: Picture = np.repeat(grey[..., None], 3, axis=2)
        self._radius = max(1, min(self.raster.shape) // DOTS_PER_SIDE) / 2

    def blank(self) -> Picture:
        """The survey image alone, bytes (rows, columns, 3) as Swift has them: blue, green, red."""
        return self._grey.copy()

    def in_order(self, positions: ArrayLike) -> Picture:
        """With places (n, 2) in pixels of the survey as dots, coloured by their order."""
        places = np.asarray(positions, dtype=np.float64).reshape(-1, 2)
        picture = self.blank()
        self.dot(picture, places, order_colours(len(places)))
        return picture

    def dot(self, picture: Picture, positions: FloatArray, colours: ArrayLike, apart: float | None = None) -> None:
        """Put dots on a picture, later ones on top.

        Args:
            picture: is changed.
            positions: (n, 2) in pixels of the survey.
            colours: (n, 3) or (3,), red, green, blue.
            apart: distance of neighbours in pixels of the survey; the image stays visible between them.
        """
        pixels = np.floor((positions + 0.5) * self._finer).astype(np.int64)
        bgr = np.broadcast_to(np.asarray(colours, dtype=np.uint8)[..., ::-1], (len(pixels), 3))
        last = np.asarray(self.raster.shape) - 1
        radius = self._radius if apart is None else min(self._radius, apart * self._finer / 6 - 0.5)
        reach = int(np.ceil(max(radius, 0)))
        for i in range(-reach, reach + 1):
            for j in range(-reach, reach + 1):
                if i * i + j * j <= max(radius + 0.5, 0) ** 2:
                    rows, cols = np.clip(pixels + np.array([i, j]), 0, last).T
                    picture[rows, cols] = bgr

    def tint(self, picture: Picture, where: NDArray[np.bool_], colour: Colour, share: float = 0.35) -> None:
        """Colour a part of a picture, (rows, columns) of the survey."""
        mask = np.repeat(np.repeat(where, self._finer, axis=0), self._finer, axis=1)
        mixed = picture[mask] * (1 - share) + np.asarray(colour[::-1], dtype=np.float64) * share
        picture[mask] = mixed.astype(np.uint8)

    def frame(self, picture: Picture, top: float, left: float, side: float, colour: Colour) -> None:
        """Draw a square, its upper left corner and its side in pixels of the survey."""
        rows, cols = self.raster.shape
        start, end = (round(at * self._finer) for at in (top, top + side))
        first, last = (round(at * self._finer) for at in (left, left + side))
        down, right = slice(max(0, start), min(rows, end)), slice(max(0, first), min(cols, last))
        for row in {max(0, start), min(rows, end) - 1}:
            picture[row, right] = colour[::-1]
        for col in {max(0, first), min(cols, last) - 1}:
            picture[down, col] = colour[::-1]


def order_colours(count: int) -> NDArray[np.uint8]:
    """Colours of the first to the last of so many, (n, 3), red, green, blue."""
    at = np.linspace(0, len(_ORDER) - 1, max(count, 1))
    channels = [np.interp(at, np.arange(len(_ORDER)), _ORDER[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=1).astype(np.uint8)[:count]


def _grey(values: FloatArray) -> Picture:
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, (_LOW, _HIGH)) if finite.size else (0.0, 1.0)
    scaled = (np.nan_to_num(values, nan=low) - low) / max(float(high - low), 1e-300)
    grey: Picture = (np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return grey
