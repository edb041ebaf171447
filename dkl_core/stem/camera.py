"""How the grid of the calculation follows from the camera and the optics."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dkl_core.errors import InputError
from dkl_core.stem.optics import Optics

# Patterns are exact up to here per axis; beyond, electrons are less than a thousandth of the beam and some are missed.
EXACT_MRAD = 95.0
# Room that the filter between what must be exact and what may fold back takes, relative to the band.
FILTER_ROOM = 1.12
FINEST_NM = 0.0085
WINDOW_WAVES = 12.0
SMALLEST, LARGEST = 16, 1024


def sensible_mrad_per_px(optics: Optics, shape: tuple[int, int]) -> float:
    """A calibration at which a camera of that shape sees the central disc and what is scattered beside it, mrad."""
    half = min(4.27 * optics.semiangle_mrad, 128.0) if optics.semiangle_mrad > 12 else 51.2
    return 2 * half / min(shape)


@dataclass(frozen=True)
class CameraGrid:
    """Camera and the grids behind it.

    Attributes:
        shape: rows and columns of the camera.
        mrad_per_px: angle per camera pixel, mrad.
        binning: pixels of the calculated pattern per camera pixel along each axis.
        window: samples of the window round the probe along each axis.
        step_nm: distance of the window's samples, nm.
        pass_mrad: largest angle per axis up to which the transmission function must be exact, mrad.
        oversampling: finer samples per step at which the phase of the atoms is evaluated.
    """

    shape: tuple[int, int]
    mrad_per_px: float
    binning: int
    window: int
    step_nm: float
    pass_mrad: float
    oversampling: int

    @classmethod
    def fitting(
        cls,
        optics: Optics,
        shape: tuple[int, int],
        mrad_per_px: float | None = None,
        exact_mrad: float = EXACT_MRAD,
    ) -> CameraGrid:
        """The smallest grid that gives the camera's patterns without aliasing.

        Args:
            optics: beam and lens.
            shape: rows and columns of the camera.
            mrad_per_px: calibration, mrad; a sensible one when omitted.
            exact_mrad: angle per axis up to which patterns are exact, where the camera reaches that far, mrad.

        Raises:
            InputError: a camera that cannot be simulated.
        """
        from scipy.fft import next_fast_len

        if not all(SMALLEST <= size <= LARGEST for size in shape):
            raise InputError(f"the camera has {shape} pixels, expected {SMALLEST} to {LARGEST} along each axis")
        pixel = sensible_mrad_per_px(optics, shape) if mrad_per_px is None else mrad_per_px
        if not (math.isfinite(pixel) and pixel > 0):
            raise InputError(f"mrad_per_px is {pixel:g}, expected more than 0; give the angle of a camera pixel")
        wavelength = optics.wavelength_nm
        needed_nm = WINDOW_WAVES * wavelength / (optics.semiangle_mrad * 1e-3) + 2 * optics.blur_nm()
        binning = max(1, math.ceil(needed_nm * pixel * 1e-3 / wavelength - 1e-9))
        fine = pixel / binning
        passed = min(pixel * max(shape) / 2, exact_mrad) + optics.semiangle_mrad
        least = max(max(shape) * binning, math.ceil(2 * passed * FILTER_ROOM / fine))
        window = int(next_fast_len(least))
        while window % 2:
            window = int(next_fast_len(window + 1))
        step = wavelength / (window * fine * 1e-3)
        return cls(shape, pixel, binning, window, step, passed, max(1, math.ceil(step / FINEST_NM)))

    @property
    def window_nm(self) -> float:
        """Width of the window, nm."""
        return self.window * self.step_nm

    @property
    def fine_mrad(self) -> float:
        """Angle per pixel of the calculated pattern, mrad."""
        return self.mrad_per_px / self.binning

    @property
    def centre_px(self) -> tuple[float, float]:
        """(row, column) of the undiffracted beam; half a pixel off an integer for even binning."""
        shift = (1 - self.binning) / (2 * self.binning)
        rows, cols = self.shape
        return rows // 2 + shift, cols // 2 + shift
