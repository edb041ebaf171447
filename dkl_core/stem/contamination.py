"""Carbon that grows where the beam stands, and what it does to image and pattern."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dkl_core.stem.fieldmap import FieldMap
from dkl_core.stem.realism import ContaminationSettings
from dkl_core.survey import FloatArray

PatternArray = NDArray[np.float32]
REFERENCE_PA = 30.0
PITCH_NM = 0.25
# A graphene layer, 0.335 nm thick, scatters 3e-4 of the beam to the annular detector (80 to 200 mrad at 70 kV).
HAADF_PER_NM = 9e-4
# Mean free path of elastic scattering in amorphous carbon at 70 kV, to the nearest ten nm.
MEAN_FREE_PATH_NM = 70.0
# Characteristic angle of elastic scattering by carbon at 70 kV, to the nearest five mrad.
DIFFUSE_MRAD = 20.0


class Contamination:
    """The deposit on the sample.

    Args:
        settings: how fast it grows.
        field_nm: edge of the sample, nm.
    """

    def __init__(self, settings: ContaminationSettings, field_nm: float) -> None:
        self.settings = settings
        self._map = FieldMap(field_nm * 1.2, max(PITCH_NM, field_nm / 400))
        self._background_nm = 0.0

    @property
    def clean(self) -> bool:
        """Whether there is nothing on the sample."""
        return self._background_nm == 0 and self._map.empty

    def rest(self, seconds: float) -> None:
        """Time goes by: the background grows."""
        if self.settings.on:
            self._background_nm += self.settings.background_nm_per_min * seconds / 60

    def park(self, y_nm: float, x_nm: float, seconds: float, current_pa: float) -> None:
        """The beam stood at a place of the sample."""
        if not self.settings.on:
            return
        height = self.settings.parked_nm_per_min * seconds / 60 * current_pa / REFERENCE_PA
        volume = height * 2 * math.pi * self.settings.radius_nm**2
        self._map.add_spot(y_nm, x_nm, self.settings.radius_nm, volume)

    def thickness_nm(self, y_nm: FloatArray | float, x_nm: FloatArray | float) -> NDArray[np.float32]:
        """Height of the deposit at places of the sample (...), nm."""
        y, x = np.asarray(y_nm, dtype=np.float64), np.asarray(x_nm, dtype=np.float64)
        if self._map.empty:
            return np.full(np.broadcast_shapes(y.shape, x.shape), self._background_nm, dtype=np.float32)
        return self._map.at(y, x) + np.float32(self._background_nm)


def haadf_of(thickness_nm: NDArray[np.float32]) -> NDArray[np.float32]:
    """The fraction of the beam that a deposit scatters to the annular detector."""
    return thickness_nm * np.float32(HAADF_PER_NM)


def scattered(thickness_nm: float) -> float:
    """The fraction of the beam that a deposit takes out of the pattern and spreads over the halo."""
    return -math.expm1(-thickness_nm / MEAN_FREE_PATH_NM)


def halo(
    shape: tuple[int, int], centre_px: tuple[float, float], mrad_per_px: float, semiangle_mrad: float
) -> PatternArray:
    """The diffuse pattern of a deposit (rows, columns), sum 1."""
    rows, cols = np.indices(shape, dtype=np.float32)
    angle = np.hypot(rows - centre_px[0], cols - centre_px[1]) * mrad_per_px
    width = math.hypot(DIFFUSE_MRAD, semiangle_mrad / 2)
    pattern = (1 + (angle / width) ** 2) ** -2
    diffuse: PatternArray = (pattern / pattern.sum()).astype(np.float32)
    return diffuse
