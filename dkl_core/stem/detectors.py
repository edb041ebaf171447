"""The pixelated camera: projects a pattern onto its pixels and turns electrons into counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.stem.counting import arrivals
from dkl_core.stem.realism import CameraDefects, ProjectionSettings
from dkl_core.survey import FloatArray

Pair = tuple[float, float]
PatternArray = NDArray[np.float32]
CountArray = NDArray[np.uint16] | NDArray[np.float32]
FULL_SCALE = 65535
# Read noise is drawn once, this many frames long; each frame reads it from another place.
NOISE_FRAMES = 4


@dataclass(frozen=True)
class DetectorSettings:
    """The detectors as they were bought.

    Attributes:
        shape: rows and columns of the camera.
        mrad_per_px: angle that a pixel covers, mrad; None for one that suits the optics.
        counts_per_electron: gain of the camera.
        haadf_counts_per_electron: gain of the annular detector.
    """

    shape: tuple[int, int] = (256, 256)
    mrad_per_px: float | None = None
    counts_per_electron: float = 4.0
    haadf_counts_per_electron: float = 20.0

    def __post_init__(self) -> None:
        if not all(count >= 8 for count in self.shape):
            raise InputError(f"the camera has {self.shape} pixels; give at least 8 rows and 8 columns")
        for name in ("mrad_per_px", "counts_per_electron", "haadf_counts_per_electron"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} is {value:g}; give a positive number")


class Projection:
    """Brings a pattern from the scan's axes onto the camera: rotation, flip and shift, all by bilinear interpolation.

    A Fourier shift would ring at the edge of the disc.

    Args:
        settings: rotation, flip and centre.
        shape: pixels of the camera.
        mrad_per_px: angle of a pixel, mrad.
        centre_px: (row, column) of the undeflected beam in the physics' pattern.
    """

    def __init__(
        self, settings: ProjectionSettings, shape: tuple[int, int], mrad_per_px: float, centre_px: Pair
    ) -> None:
        self.settings = settings
        self.shape = shape
        self.mrad_per_px = mrad_per_px
        self.centre_px = centre_px
        turned = settings.on and (settings.rotation_deg % 360 != 0 or settings.flip)
        self._turn = self._turning() if turned else None

    def shift_px(self, y_nm: float, x_nm: float) -> Pair:
        """How far the pattern lies (rows, columns) from its centre when the probe is at scan coordinates (y, x)."""
        if not self.settings.on:
            return 0.0, 0.0
        (centre_y, centre_x), (descan_y, descan_x) = self.settings.centre_mrad, self.settings.descan_mrad_per_nm
        return (centre_y + descan_y * y_nm) / self.mrad_per_px, (centre_x + descan_x * x_nm) / self.mrad_per_px

    def to_camera(self, y: float, x: float) -> Pair:
        """A deflection (y, x) along the scan's axes to (rows, columns) on the camera."""
        if not self.settings.on:
            return y, x
        turn = math.radians(self.settings.rotation_deg)
        rows, cols = math.cos(turn) * y - math.sin(turn) * x, math.sin(turn) * y + math.cos(turn) * x
        return (-rows if self.settings.flip else rows), cols

    def __call__(self, pattern: PatternArray, y_nm: float, x_nm: float) -> PatternArray:
        """The pattern as it falls on the camera while the probe is at scan coordinates (y, x)."""
        if self._turn is not None:
            pattern = (self._turn @ pattern.ravel()).reshape(self.shape)
        return shifted(pattern, *self.shift_px(y_nm, x_nm))

    def _turning(self) -> scipy.sparse.csr_array:
        """Bilinear weights (camera pixels x pattern pixels) of rotation and flip about the centre."""
        rows, cols = np.indices(self.shape, dtype=np.float64)
        down, right = rows - self.centre_px[0], cols - self.centre_px[1]
        turn = math.radians(self.settings.rotation_deg)
        down = -down if self.settings.flip else down
        y = self.centre_px[0] + math.cos(turn) * down + math.sin(turn) * right
        x = self.centre_px[1] - math.sin(turn) * down + math.cos(turn) * right
        return bilinear(y.ravel(), x.ravel(), self.shape)


def shifted(pattern: PatternArray, rows: float, cols: float) -> PatternArray:
    """A pattern moved by a fraction of pixels, bilinearly; what leaves the frame is lost, what enters is 0."""
    if rows == 0 and cols == 0:
        return pattern
    return _moved(_moved(pattern, rows, 0), cols, 1)


class Camera:
    """Turns electrons per pixel into counts.

    Args:
        settings: pixels and gain.
        defects: what is wrong with the camera.
        noise: whether electrons arrive at random.
        seed: what the defects' places are drawn from; the same seed is the same camera.

    Attributes:
        gain: relative gain of each pixel (rows, columns).
        bad: pixels that are dead or hot (rows, columns).
    """

    def __init__(self, settings: DetectorSettings, defects: CameraDefects, noise: bool, seed: int) -> None:
        self.settings = settings
        self.defects = defects
        self.noise = noise
        rng = np.random.default_rng([seed, 21])
        pixels = settings.shape[0] * settings.shape[1]
        spread = rng.standard_normal(settings.shape, dtype=np.float32) * np.float32(defects.gain_spread)
        wrong = rng.permutation(pixels)[: defects.dead_px + defects.hot_px] if defects.on else np.zeros(0, np.int64)
        self._dead, self._hot = wrong[: defects.dead_px], wrong[defects.dead_px :]
        self._hot_counts = (rng.uniform(0.3, 1.0, len(self._hot)) * FULL_SCALE).astype(np.float32)
        self.gain: PatternArray = np.maximum(1 + spread if defects.on else np.ones_like(spread), np.float32(0.1))
        self.bad = np.isin(np.arange(pixels), wrong).reshape(settings.shape)
        read_rms = np.float32(defects.read_noise_e * settings.counts_per_electron)
        self._read = rng.standard_normal(NOISE_FRAMES * pixels, dtype=np.float32) * read_rms
        self._factor = self.gain * np.float32(settings.counts_per_electron)

    def counts(self, electrons: PatternArray, rng: np.random.Generator) -> CountArray:
        """What the camera reads.

        Args:
            electrons: expected electrons at each pixel, (rows, columns).
            rng: where the randomness comes from.

        Returns:
            uint16 counts with all defects; float32 counts, exactly in proportion to the electrons, without defects.
        """
        hits = arrivals(electrons, rng) if self.noise else electrons
        counts = hits * self._factor
        if not self.defects.on:
            return counts
        if self.noise and self.defects.read_noise_e:
            first = int(rng.integers((NOISE_FRAMES - 1) * counts.size))
            counts += self._read[first : first + counts.size].reshape(counts.shape)
        # Half a count more, because the conversion to whole counts cuts.
        counts += np.float32(self.defects.offset_counts + 0.5)
        flat = counts.reshape(-1)
        flat[self._dead] = 0
        flat[self._hot] = self._hot_counts
        return np.clip(counts, 0, FULL_SCALE, out=counts).astype(np.uint16)


def bilinear(y: FloatArray, x: FloatArray, shape: tuple[int, int]) -> scipy.sparse.csr_array:
    """Matrix that reads flattened patterns at (row, column) places by bilinear interpolation, 0 outside."""
    top, left = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    down, right = y - top, x - left
    to = np.arange(len(y))
    parts = []
    for row, col, weight in (
        (top, left, (1 - down) * (1 - right)),
        (top, left + 1, (1 - down) * right),
        (top + 1, left, down * (1 - right)),
        (top + 1, left + 1, down * right),
    ):
        inside = (row >= 0) & (row < shape[0]) & (col >= 0) & (col < shape[1])
        parts.append((weight[inside], to[inside], row[inside] * shape[1] + col[inside]))
    weights, targets, sources = (np.concatenate(column) for column in zip(*parts, strict=True))
    size = len(y), shape[0] * shape[1]
    return scipy.sparse.csr_array((weights.astype(np.float32), (targets, sources)), shape=size)


def _moved(pattern: PatternArray, by: float, axis: int) -> PatternArray:
    whole = math.floor(by)
    part = np.float32(by - whole)
    moved = np.zeros_like(pattern)
    for step, weight in ((whole, np.float32(1) - part), (whole + 1, part)):
        if weight and abs(step) < pattern.shape[axis]:
            to, source = [slice(None)] * 2, [slice(None)] * 2
            to[axis], source[axis] = _overlap(step, pattern.shape[axis]), _overlap(-step, pattern.shape[axis])
            moved[tuple(to)] += weight * pattern[tuple(source)]
    return moved


def _overlap(step: int, size: int) -> slice:
    return slice(max(step, 0), size + min(step, 0))
