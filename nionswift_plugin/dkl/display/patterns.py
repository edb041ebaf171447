"""The last diffraction pattern, corrected and calibrated in mrad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from nion.data.Calibration import Calibration
from numpy.typing import NDArray

from dkl_core.errors import DKLError
from dkl_core.scalarizers.bright_disc import find_disc
from dkl_core.scalarizers.detector_care import DetectorCare
from dkl_core.scalarizers.pattern import Pattern
from nionswift_plugin.dkl.acquisition.calibration import PatternCalibration

Pair = tuple[float, float]
Image = NDArray[np.float32]


class PatternSource(Protocol):
    """Knows what the numbers of a pattern mean, while a session runs; `SwiftMicroscope` does."""

    @property
    def calibration(self) -> PatternCalibration:
        """Angle per pixel and counts per electron."""
        ...

    @property
    def care(self) -> DetectorCare:
        """What corrects the patterns."""
        ...


@dataclass(frozen=True, eq=False)
class ShownPattern:
    """A pattern as it is shown.

    Attributes:
        values: (rows, columns).
        axes: calibration of rows and columns, the beam at zero.
        pattern: the same with its calibration; None where the angle per pixel is not known.
    """

    values: Image
    axes: tuple[Calibration, Calibration]
    pattern: Pattern | None = None


class PatternView:
    """Makes patterns that Swift can show of what a camera gives.

    The zero of the angles is the middle of the bright disc in the first pattern, and stays there: how later ones move
    against it is what is looked for.

    Args:
        source: what the numbers mean; None shows pixels.
    """

    def __init__(self, source: PatternSource | None) -> None:
        self._source = source
        self._centre_px: Pair | None = None

    def shown(self, raw: NDArray[Any]) -> ShownPattern | None:
        """The pattern, or the mean of a block of patterns (n, n, rows, columns); None where it is no image."""
        if raw.ndim < 2:
            return None
        image = raw if raw.ndim == 2 else raw.reshape(-1, *raw.shape[-2:]).mean(axis=0)
        pattern = self._pattern(image)
        if pattern is None:
            return ShownPattern(image.astype(np.float32), (Calibration(), Calibration()))
        if self._centre_px is None:
            self._centre_px = centre_of(pattern)
        axes = angles(pattern.mrad_per_px, self._centre_px or middle_of(pattern.shape))
        return ShownPattern(pattern.values.astype(np.float32), axes, pattern)

    def _pattern(self, image: NDArray[Any]) -> Pattern | None:
        if self._source is None:
            return None
        try:
            calibration, care = self._source.calibration, self._source.care
            return care.corrected(image, calibration.mrad_per_px, calibration.counts_per_electron)
        except DKLError:
            # the microscope is given back already, or dark frames are of another shape: a picture is better than none
            return None


def centre_of(pattern: Pattern) -> Pair | None:
    """(row, column) of the undeflected beam: calibrated, else the middle of the bright disc; None without either."""
    if pattern.centre_px is not None:
        return pattern.centre_px
    disc = find_disc(pattern)
    return None if disc is None else (disc.row, disc.col)


def middle_of(shape: tuple[int, int]) -> Pair:
    """The middle of a frame, px."""
    rows, cols = shape
    return (rows - 1) / 2, (cols - 1) / 2


def angles(mrad_per_px: float, centre_px: Pair) -> tuple[Calibration, Calibration]:
    """Calibration of rows and columns in mrad; Swift counts from the outer corner of the first pixel."""
    down, right = (Calibration(-(at + 0.5) * mrad_per_px, mrad_per_px, "mrad") for at in centre_px)
    return down, right
