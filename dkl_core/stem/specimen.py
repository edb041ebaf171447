"""What the detectors would see at a place of the sample: the physics, the source's size and the deposit."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dkl_core.stem.contamination import Contamination, haadf_of, halo, scattered
from dkl_core.stem.detectors import DetectorSettings, PatternArray
from dkl_core.stem.optics import Optics
from dkl_core.stem.realism import SourceSettings
from dkl_core.stem.samples import Sample
from dkl_core.stem.scatterer import Scatterer
from dkl_core.stem.source import SourceBlur, averaged
from dkl_core.survey import FloatArray

KEPT_PATTERNS = 16
# Patterns are equal on this scale; a parked beam with drift is then drawn a few times a second, not at every frame.
GRID_NM = 5e-4


class Scatters(Protocol):
    """The part of the physics that the microscope needs; see `dkl_core.stem.scatterer.Scatterer`."""

    @property
    def mrad_per_px(self) -> float:
        """Angle of a pixel of the pattern, mrad."""
        ...

    @property
    def centre_px(self) -> tuple[float, float]:
        """(row, column) of the undeflected beam."""
        ...

    def pattern(self, y_nm: float, x_nm: float) -> PatternArray:
        """The fraction of the beam on each pixel."""
        ...

    def haadf(self, y_nm: Any, x_nm: Any) -> NDArray[np.float32]:
        """The fraction of the beam on the annular detector, averaged over the source."""
        ...

    def com_mrad(self, y_nm: Any, x_nm: Any) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
        """The mean deflection (y, x), averaged over the source, mrad."""
        ...

    def remove_atom(self, index: int) -> None:
        """Take an atom away."""
        ...

    def replace_atom(self, index: int, number: int) -> None:
        """Exchange the element of an atom."""
        ...


MakeScatterer = Callable[[Sample, Optics, DetectorSettings, SourceSettings], Scatters]


def made_scatterer(sample: Sample, optics: Optics, detector: DetectorSettings, source: SourceSettings) -> Scatterer:
    """The physics of a sample for a camera and a source."""
    sigma_nm = source.sigma_nm if source.on else 0.0
    return Scatterer(sample, optics, shape=detector.shape, mrad_per_px=detector.mrad_per_px, source_nm=sigma_nm)


class Specimen:
    """The sample under this beam.

    Args:
        scatterer: the physics.
        source: size of the source.
        contamination: the deposit.
        shape: rows and columns of a pattern.
        semiangle_mrad: convergence semi-angle, mrad.
    """

    def __init__(
        self,
        scatterer: Scatters,
        source: SourceSettings,
        contamination: Contamination,
        shape: tuple[int, int],
        semiangle_mrad: float,
    ) -> None:
        self.scatterer = scatterer
        self._draw = SourceBlur(scatterer, source).pattern if isinstance(scatterer, Scatterer) else scatterer.pattern
        self._source = source
        self._contamination = contamination
        self._halo = halo(shape, scatterer.centre_px, scatterer.mrad_per_px, semiangle_mrad)
        self._kept: OrderedDict[tuple[int, int], PatternArray] = OrderedDict()

    def changed(self) -> None:
        """The structure is not what it was."""
        self._kept.clear()

    def pattern(self, y_nm: float, x_nm: float) -> PatternArray:
        """The pattern at a place of the sample, fraction of the beam per pixel (rows, columns)."""
        return self._dimmed(self._clean(y_nm, x_nm), y_nm, x_nm)

    def exact_pattern(self, y_nm: float, x_nm: float) -> PatternArray:
        """The same as an average of fine patterns over the source: slow, and without the camera's shortcuts."""
        return self._dimmed(averaged(self.scatterer, self._source, y_nm, x_nm), y_nm, x_nm)

    def _dimmed(self, pattern: PatternArray, y_nm: float, x_nm: float) -> PatternArray:
        if self._contamination.clean:
            return pattern
        lost = np.float32(scattered(float(self._contamination.thickness_nm(y_nm, x_nm))))
        dimmed: PatternArray = self._halo * (lost * pattern.sum())
        dimmed += pattern * (1 - lost)
        return dimmed

    def haadf(self, y_nm: FloatArray, x_nm: FloatArray) -> NDArray[np.float32]:
        """The fraction of the beam on the annular detector at places of the sample (...)."""
        fraction = self.scatterer.haadf(y_nm, x_nm)
        if self._contamination.clean:
            return fraction
        return fraction + haadf_of(self._contamination.thickness_nm(y_nm, x_nm))

    def com_mrad(self, y_nm: FloatArray, x_nm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The mean deflection (y, x) at places of the sample (...), mrad."""
        com_y, com_x = self.scatterer.com_mrad(y_nm, x_nm)
        return np.asarray(com_y, dtype=np.float64), np.asarray(com_x, dtype=np.float64)

    def _clean(self, y_nm: float, x_nm: float) -> PatternArray:
        key = round(y_nm / GRID_NM), round(x_nm / GRID_NM)
        pattern = self._kept.get(key)
        if pattern is None:
            pattern = self._kept[key] = self._draw(y_nm, x_nm)
            if len(self._kept) > KEPT_PATTERNS:
                self._kept.popitem(last=False)
        return pattern
