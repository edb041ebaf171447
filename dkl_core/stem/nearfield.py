"""What the sample scatters, calculated only where the probe is: on a part of the window, slice by slice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dkl_core.stem.camera import WINDOW_WAVES
from dkl_core.stem.optics import FloatArray
from dkl_core.stem.probe import ComplexArray
from dkl_core.stem.scatterer import Scatterer

# The coarse grid lets angles of this many semi-angles pass.
COARSE_BAND = 2.3
# The part is a little wider than the probe, and what is scattered near its edges fades out.
ROOM = 1.05
TAPER = 0.12


@dataclass(frozen=True)
class PartGrid:
    """A part of the window, and a coarser grid that is as fine as the central disc needs.

    Attributes:
        window: samples of the whole window along each axis.
        samples: samples of the part.
        every: samples per coarse sample.
        step_nm: distance of the samples, nm.
    """

    window: int
    samples: int
    every: int
    step_nm: float

    @classmethod
    def of(cls, scatterer: Scatterer) -> PartGrid:
        """The part and the coarse grid that suit the optics."""
        optics, grid = scatterer.optics, scatterer.grid
        coarsest = optics.wavelength_nm / (2e-3 * COARSE_BAND * optics.semiangle_mrad)
        every = max(n for n in range(1, max(1, int(coarsest / grid.step_nm)) + 1) if grid.window % (2 * n) == 0)
        needed = WINDOW_WAVES * optics.wavelength_nm / (optics.semiangle_mrad * 1e-3) + 2 * optics.blur_nm()
        samples = _fast(math.ceil(ROOM * needed / grid.step_nm), 2 * every)
        return cls(grid.window, min(samples, grid.window), every, grid.step_nm)

    @property
    def coarse(self) -> PartGrid:
        """The coarse grid alone."""
        return PartGrid(self.window // self.every, self.samples // self.every, 1, self.step_nm * self.every)


class NearField:
    """The scattered wave behind the sample.

    Args:
        scatterer: the physics.
        grid: the part of the window.
    """

    def __init__(self, scatterer: Scatterer, grid: PartGrid) -> None:
        self._steps = scatterer.propagators(grid.samples, grid.step_nm)
        line = _fading(grid.samples)
        self._fading = (line[:, None] * line).astype(np.float32)

    def scattered(self, probes: Sequence[ComplexArray], windows: Sequence[ComplexArray]) -> ComplexArray:
        """What the sample adds to the probe.

        Args:
            probes: undiffracted waves (..., samples, samples) at the depth of each slice.
            windows: transmission minus 1 of each slice (samples, samples).
        """
        from scipy import fft

        wave: ComplexArray = probes[0] * windows[0]
        for probe, window, step in zip(probes[1:], windows[1:], self._steps, strict=True):
            wave = fft.fft2(wave, workers=1, overwrite_x=True)
            wave *= step
            wave = fft.ifft2(wave, workers=1, overwrite_x=True)
            wave += (probe + wave) * window
        wave *= self._fading
        return wave


class Mover:
    """Moves windows by fractions of a sample, on the fine and on the coarse grid.

    Args:
        grid: the fine grid.
    """

    def __init__(self, grid: PartGrid) -> None:
        kept = grid.samples // grid.every
        self._rate = 2j * np.pi * np.fft.fftfreq(grid.samples)
        self._kept = np.fft.fftfreq(kept, 1 / kept).astype(np.intp)
        self._scale = np.float32(1 / grid.every**2)

    def __call__(self, window: ComplexArray, rows: float, cols: float) -> tuple[ComplexArray, ComplexArray]:
        """The window as seen from that many samples beside its middle, finely and coarsely."""
        from scipy import fft

        moved = fft.fft2(window, workers=1)
        moved *= np.exp(self._rate * rows).astype(np.complex64)[:, None]
        moved *= np.exp(self._rate * cols).astype(np.complex64)
        low = moved[self._kept[:, None], self._kept] * self._scale
        return fft.ifft2(moved, workers=1, overwrite_x=True), fft.ifft2(low, workers=1, overwrite_x=True)


def depth_phases(scatterer: Scatterer, y_mrad: FloatArray, x_mrad: FloatArray) -> list[NDArray[np.complex128]]:
    """Factors on the aperture at those angles that carry the probe to the depth of each slice."""
    squared = (y_mrad**2 + x_mrad**2) * 1e-6
    rate = np.pi / scatterer.optics.wavelength_nm
    return [np.exp(-1j * rate * float(depth) * squared) for depth in scatterer.depths_nm]


def _fast(least: int, multiple: int) -> int:
    """The smallest multiple not below `least` that transforms fast."""
    from scipy.fft import next_fast_len

    size = int(next_fast_len(least))
    while size % multiple:
        size = int(next_fast_len(size + 1))
    return size


def _fading(samples: int) -> FloatArray:
    width = max(1, int(TAPER * samples))
    line = np.ones(samples)
    line[:width] = np.sin(np.pi / 2 * (np.arange(width) + 0.5) / width) ** 2
    line[-width:] = line[:width][::-1]
    return line
