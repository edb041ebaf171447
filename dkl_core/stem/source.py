"""The size of the source: patterns averaged over the places that the probe covers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dkl_core.stem.modes import source_modes
from dkl_core.stem.nearfield import Mover, NearField, PartGrid, depth_phases
from dkl_core.stem.optics import FloatArray
from dkl_core.stem.probe import ComplexArray, Probe, intensity
from dkl_core.stem.realism import SourceSettings
from dkl_core.stem.scatterer import Scatterer

Point = tuple[float, float, float]
PatternArray = NDArray[np.float32]
# The weaker modes are drawn up to this many semi-angles.
REACH = 1.3
# A source that is smaller than this part of the diffraction limit leaves the patterns as they are.
NOTICEABLE = 0.08
# Standard deviation of a source, nm, for which seven points are too few at 30 mrad.
WIDE_NM = 0.035
_TURNS = tuple(k * math.pi / 3 for k in range(6))


class _Draws(Protocol):
    def pattern(self, y_nm: float, x_nm: float) -> NDArray[Any]: ...


def source_points(sigma_nm: float) -> list[Point]:
    """Points (y, x, weight) in nm whose weighted sum stands for a Gaussian source.

    A small source: the centre with weight 1/2 and a hexagon at 2σ with 1/12 each, right to moments of the fourth order.
    A wide one: the twelve points of Stroud's formula E₂^(r²) 7-1, right to the sixth (Approximate Calculation of
    Multiple Integrals, 1971).
    """
    if sigma_nm <= WIDE_NM:
        ring = [(2 * sigma_nm * math.sin(turn), 2 * sigma_nm * math.cos(turn), 1 / 12) for turn in _TURNS]
        return [(0.0, 0.0, 0.5), *ring]
    far = math.sqrt(6) * sigma_nm
    points = [(far, 0.0, 1 / 36), (-far, 0.0, 1 / 36), (0.0, far, 1 / 36), (0.0, -far, 1 / 36)]
    for sign in (-1, 1):
        at = sigma_nm * math.sqrt((9 + sign * 3 * math.sqrt(5)) / 4)
        weight = (5 - sign * 2 * math.sqrt(5)) / 45
        points += [(y * at, x * at, weight) for y in (-1, 1) for x in (-1, 1)]
    return points


def averaged(physics: _Draws, source: SourceSettings, y_nm: float, x_nm: float) -> PatternArray:
    """The average of fine patterns over the source at a place; slow, and independent of `SourceBlur`."""
    points = source_points(source.sigma_nm)
    if not source.on or source.sigma_nm == 0:
        return physics.pattern(y_nm, x_nm)
    patterns = (np.float32(weight) * physics.pattern(y_nm + dy, x_nm + dx) for dy, dx, weight in points)
    total: PatternArray = np.sum(list(patterns), axis=0)
    return total


class SourceBlur:
    """Patterns of a scatterer under a source of finite size, quickly.

    The source is a few coherent modes. The strongest is drawn finely as far as the camera sees and stands for all
    beyond the central disc; the others are drawn coarsely inside it. The undiffracted waves are known, so that only
    what the sample scatters is calculated, where the probe is.

    Args:
        scatterer: the physics.
        source: the size of the source.
    """

    def __init__(self, scatterer: Scatterer, source: SourceSettings) -> None:
        self._scatterer = scatterer
        optics = scatterer.optics
        diffraction = 0.61 * optics.wavelength_nm / (optics.semiangle_mrad * 1e-3)
        self._drawn: _Modes | None = None
        if source.on and source.sigma_nm >= NOTICEABLE * diffraction:
            self._drawn = _Modes(scatterer, source.sigma_nm)

    def pattern(self, y_nm: float, x_nm: float) -> PatternArray:
        """The pattern at a place of the sample, fraction of the beam per pixel (rows, columns)."""
        draw = self._scatterer if self._drawn is None else self._drawn
        return draw.pattern(y_nm, x_nm)


class _Modes:
    """The modes of a source. They stand in the middle of the window, and the sample moves under them."""

    def __init__(self, scatterer: Scatterer, sigma_nm: float) -> None:
        self._scatterer = scatterer
        self._grid = PartGrid.of(scatterer)
        self._move = Mover(self._grid)
        probe = Probe(scatterer.optics, scatterer.grid)
        modes = source_modes(probe, sigma_nm, scatterer.optics.wavelength_nm)
        self._share = float(np.linalg.norm(probe.aperture * modes[0]) ** 2)
        self._strongest = _Waves(scatterer, self._grid, probe, modes[:1] / math.sqrt(self._share))
        self._weaker = _Waves(scatterer, self._grid.coarse, probe, modes[1:])
        reach = max(math.ceil(REACH * scatterer.optics.semiangle_mrad / scatterer.grid.fine_mrad), probe.reach)
        self._disc = _Disc.on(scatterer, reach)
        self._bright = _Disc.on(scatterer, probe.reach)
        self._undiffracted = self._bright.cut(self._strongest.vacuum[0])
        # Modes that are left out pass through as if there were no sample.
        left_out = np.abs(probe.aperture) ** 2 * (1 - (modes**2).sum(axis=0))
        self._left_out = self._disc.cut(left_out).astype(np.float32)
        self._weak_vacuum = self._disc.cut(self._weaker.vacuum)

    def pattern(self, y_nm: float, x_nm: float) -> PatternArray:
        windows, row_shift, col_shift = self._scatterer.windows(y_nm, x_nm, self._grid.samples)
        fine, coarse = zip(*(self._move(window, row_shift, col_shift) for window in windows), strict=True)
        wave = self._scatterer.far_field(self._strongest.scattered(fine)[0])
        wave[self._bright.on_camera] += self._undiffracted
        pattern = intensity(wave)
        self._put_disc(pattern, self._weaker_discs(coarse))
        return self._scatterer.binned(pattern)

    def _weaker_discs(self, coarse: Sequence[ComplexArray]) -> PatternArray:
        from scipy import fft

        size = self._grid.coarse.window
        rows, cols = (orders % size for orders in self._disc.orders)
        waves = self._weaker.scattered(coarse)
        waves = fft.fft(waves, n=size, axis=1, norm="ortho", workers=1)[:, rows]
        waves = fft.fft(waves, n=size, axis=2, norm="ortho", workers=1)[:, :, cols]
        waves += self._weak_vacuum
        pattern: PatternArray = intensity(waves).sum(axis=0)
        return pattern

    def _put_disc(self, pattern: PatternArray, weaker: PatternArray) -> None:
        """Add the weaker modes, and beyond their reach what keeps the sum."""
        inside = pattern[self._disc.on_camera]
        total, without = pattern.sum(), inside.sum()
        disc = inside * np.float32(self._share) + weaker + self._left_out
        if total > without:
            pattern *= (total - disc.sum()) / (total - without)
        pattern[self._disc.on_camera] = disc


class _Waves:
    """Modes on one grid: their waves at each slice, and undiffracted in the far field."""

    def __init__(self, scatterer: Scatterer, grid: PartGrid, probe: Probe, modes: FloatArray) -> None:
        self._near = NearField(scatterer, grid)
        phases = depth_phases(scatterer, probe.y_mrad, probe.x_mrad)
        apertures = probe.aperture * modes
        places = np.arange(grid.samples) - grid.samples // 2
        to_window = np.exp(2j * np.pi * np.outer(places, probe.orders) / grid.window) / math.sqrt(grid.window)
        self._probes = [(to_window @ (apertures * phase) @ to_window.T).astype(np.complex64) for phase in phases]
        # The far field counts from the first sample, the probe stands in the middle.
        ramp = np.exp(-2j * np.pi * probe.orders * (grid.samples // 2) / grid.window)
        self.vacuum: ComplexArray = (apertures * phases[-1] * ramp[:, None] * ramp).astype(np.complex64)

    def scattered(self, windows: Sequence[ComplexArray]) -> ComplexArray:
        return self._near.scattered(self._probes, windows)


@dataclass(frozen=True, eq=False)
class _Disc:
    """The pixels round the undeflected beam.

    Attributes:
        on_camera: where they are on the camera, in calculated pixels.
        orders: how far their rows and columns are from the centre.
    """

    on_camera: tuple[slice, slice]
    orders: tuple[NDArray[np.intp], NDArray[np.intp]]

    @classmethod
    def on(cls, scatterer: Scatterer, reach: int) -> _Disc:
        """As far as the camera sees them."""
        parts = []
        for size in scatterer.shape:
            pixels, centre = size * scatterer.grid.binning, (size // 2) * scatterer.grid.binning
            parts.append(np.arange(max(0, centre - reach), min(pixels, centre + reach + 1)))
        centres = [(size // 2) * scatterer.grid.binning for size in scatterer.shape]
        row, col = (slice(int(part[0]), int(part[-1]) + 1) for part in parts)
        return cls((row, col), (parts[0] - centres[0], parts[1] - centres[1]))

    def cut(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values (..., m, m) round the centre, 0 beyond, at these pixels."""
        half = values.shape[-1] // 2
        most = max(half, *(int(np.abs(orders).max()) for orders in self.orders))
        pad = most - half
        padded = np.pad(values, [(0, 0)] * (values.ndim - 2) + [(pad, pad), (pad, pad)])
        rows, cols = (orders + most for orders in self.orders)
        cut: NDArray[Any] = padded[..., rows[:, None], cols]
        return cut
