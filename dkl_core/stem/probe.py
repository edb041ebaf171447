"""The focused probe: its wave at any sub-pixel position in a window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dkl_core.stem.camera import CameraGrid
from dkl_core.stem.optics import FloatArray, Optics

ComplexArray = NDArray[np.complex64]


class Probe:
    """The wave of the probe, of unit total intensity, in the middle of the window.

    Only the frequencies inside the aperture are kept, so that most of the first Fourier transform is left out.

    Args:
        optics: beam and lens.
        grid: window and its sampling.

    Attributes:
        orders: numbers of the frequencies along each axis (m,).
        y_mrad: their angles (m, 1).
        x_mrad: their angles (1, m).
        aperture: the wave in the aperture (m, m).
    """

    def __init__(self, optics: Optics, grid: CameraGrid) -> None:
        self._window = grid.window
        reach = int(np.ceil(optics.semiangle_mrad / grid.fine_mrad)) + 1
        self.orders = np.arange(-reach, reach + 1)
        angles = self.orders.astype(float) * grid.fine_mrad
        self.y_mrad, self.x_mrad = angles[:, None], angles[None, :]
        # The soft edge shares the pixels that the edge crosses.
        opening = np.clip((optics.semiangle_mrad - np.hypot(self.y_mrad, self.x_mrad)) / grid.fine_mrad + 0.5, 0, 1)
        wave = opening * np.exp(-1j * optics.aberration_phase(self.y_mrad, self.x_mrad))
        self.aperture: ComplexArray = (wave / np.linalg.norm(wave)).astype(np.complex64)

    @property
    def reach(self) -> int:
        """Highest of the orders."""
        return int(self.orders[-1])

    def wave(self, row_shift: float, col_shift: float) -> ComplexArray:
        """The probe (window, window), that many samples off the one in the window's middle."""
        from scipy import fft

        tilted = self.aperture * self._ramp(row_shift)[:, None] * self._ramp(col_shift)
        rows = np.zeros((len(self.orders), self._window), np.complex64)
        rows[:, self.orders] = tilted
        columns = np.zeros((self._window, self._window), np.complex64)
        columns[self.orders] = fft.ifft(rows, axis=1, norm="ortho", overwrite_x=True, workers=1)
        wave: ComplexArray = fft.ifft(columns, axis=0, norm="ortho", overwrite_x=True, workers=1)
        return wave

    def _ramp(self, shift: float) -> ComplexArray:
        turns = -self.orders * ((self._window // 2 + shift) / self._window)
        ramp: ComplexArray = np.exp(2j * np.pi * turns).astype(np.complex64)
        return ramp


def propagator(optics: Optics, samples: int, step_nm: float, distance_nm: float) -> ComplexArray:
    """Factor on the Fourier transform (samples, samples) of a wave that carries it on by a distance (nm)."""
    frequency = np.fft.fftfreq(samples, step_nm)
    line = np.exp(-1j * np.pi * optics.wavelength_nm * distance_nm * frequency**2)
    factor: ComplexArray = np.multiply.outer(line, line).astype(np.complex64)
    return factor


def intensity(wave: ComplexArray) -> NDArray[np.float32]:
    """|wave|²."""
    squared: NDArray[np.float32] = wave.real**2 + wave.imag**2
    return squared


def focused_intensity(probe: Probe, propagated: ComplexArray | None) -> FloatArray:
    """Intensity of the probe at the window's middle, after free propagation if a propagator is given."""
    from scipy import fft

    wave = probe.wave(0.0, 0.0)
    if propagated is not None:
        wave = fft.ifft2(fft.fft2(wave, workers=1) * propagated, workers=1)
    return intensity(wave).astype(float)
