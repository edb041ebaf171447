"""A microscope without scattering, for campaigns: each pattern tells where the beam was, and whether it moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.measurement import Measurement
from dkl_core.stem.atoms import Atoms
from dkl_core.stem.detectors import DetectorSettings
from dkl_core.stem.microscope import VirtualMicroscope
from dkl_core.stem.realism import Realism
from dkl_core.stem.samples import Sample

SPAN_NM = 40.0
SHARE = 0.2
SHAPE = (24, 24)
ELECTRONS_PER_PA_S = 6241509.074
# Single precision of the sums that a pattern holds.
NEAR_NM = 0.02


class Places:
    """Physics whose patterns hold moments of the beam's places in place of diffraction.

    Pixel (0, 0) counts the electrons, (0, 1) and (0, 2) carry the mean of y and x, (0, 3) and (0, 4) that of their
    squares: of a beam that moved during an exposure the squares disagree with the means.
    """

    mrad_per_px = 1.0

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.centre_px = (shape[0] / 2, shape[1] / 2)

    def pattern(self, y_nm: float, x_nm: float) -> NDArray[np.float32]:
        """Fraction of the beam per pixel."""
        y, x = (0.5 + place / SPAN_NM for place in (y_nm, x_nm))
        pattern = np.full(self.shape, 1e-5, dtype=np.float32)
        pattern[0, :5] = np.multiply(SHARE, (1.0, y, x, y * y, x * x))
        # all of the beam reaches the camera
        pattern[1, 0] = 1.0 - pattern.sum()
        return pattern

    def haadf(self, y_nm: ArrayLike, x_nm: ArrayLike) -> NDArray[np.float32]:
        """A surface that a reference scan finds again."""
        y, x = np.broadcast_arrays(np.asarray(y_nm, float), np.asarray(x_nm, float))
        waves = 0.04 * np.sin(2 * y) + 0.02 * np.cos(3.1 * x) + 0.03 * np.sin(1.3 * x + 0.9 * y)
        return np.asarray(0.1 + waves, dtype=np.float32)

    def com_mrad(self, y_nm: ArrayLike, x_nm: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """No deflection."""
        y, x = np.broadcast_arrays(np.asarray(y_nm, float), np.asarray(x_nm, float))
        return np.zeros_like(y), np.zeros_like(x)

    def remove_atom(self, index: int) -> None:
        """There are none."""

    def replace_atom(self, index: int, number: int) -> None:
        """There are none."""


def places_microscope(seed: int = 0) -> VirtualMicroscope:
    """A microscope without noise over that physics."""

    def made(_sample: Sample, _optics: Any, detector: DetectorSettings, *_: Any) -> Any:
        return Places(detector.shape)

    sample = Sample.from_atoms(Atoms(np.zeros((1, 3)), np.array([6])), 20.0)
    detector = DetectorSettings(shape=SHAPE)
    return VirtualMicroscope(sample, detector=detector, realism=Realism.ideal(), seed=seed, make_scatterer=made)


@dataclass(frozen=True)
class Place:
    """What a pattern says about its exposure.

    Attributes:
        electrons: how many there were.
        mean_nm: mean place (y, x).
        spread_nm: standard deviation of the places, both axes together.
    """

    electrons: float
    mean_nm: tuple[float, float]
    spread_nm: float


def place_of(pattern: ArrayLike, counts_per_electron: float) -> Place:
    """Where the beam was; NaN if it was not there at all."""
    total, *moments = np.asarray(pattern, dtype=np.float64)[0, :5]
    if total <= 0:
        return Place(0.0, (np.nan, np.nan), np.nan)
    y, x, y2, x2 = (moment / total for moment in moments)
    variance = max(y2 - y * y, 0.0) + max(x2 - x * x, 0.0)
    mean = float((y - 0.5) * SPAN_NM), float((x - 0.5) * SPAN_NM)
    return Place(float(total / SHARE / counts_per_electron), mean, float(np.sqrt(variance) * SPAN_NM))


def flaw(measurement: Measurement, pattern: ArrayLike, microscope: VirtualMicroscope, exposure_s: float) -> str:
    """What is wrong with a pattern that was kept, empty if it was exposed at its place from beginning to end."""
    place = place_of(pattern, microscope.counts_per_electron)
    wanted = np.asarray(measurement.details["position_nm"], dtype=np.float64)
    expected = microscope.current_pa * ELECTRONS_PER_PA_S * exposure_s
    if not abs(place.electrons - expected) <= 0.01 * expected:
        return f"{place.electrons:.3g} electrons where {expected:.3g} belong to a whole exposure"
    if not np.hypot(*np.asarray(place.mean_nm) - wanted) <= NEAR_NM:
        return f"exposed at {place.mean_nm}, recorded as {wanted.tolist()}"
    # a variance is a small difference of large numbers
    if not place.spread_nm <= 3 * NEAR_NM:
        return f"the beam moved by {place.spread_nm:.2f} nm during the exposure"
    return ""
