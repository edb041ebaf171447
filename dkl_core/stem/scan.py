"""Scans: where the beam goes pixel by pixel, and what the annular detector reads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.stem.counting import arrivals
from dkl_core.stem.realism import HaadfDefects, ScanDistortion
from dkl_core.survey import FloatArray

Pair = tuple[float, float]
ImageArray = NDArray[np.float32]


@dataclass(frozen=True)
class ScanFrame:
    """A raster of square pixels on the sample.

    Attributes:
        shape: rows and columns of pixels of the full frame.
        fov_nm: length of the frame's longer side, nm.
        rotation_deg: how far the frame is turned counter-clockwise on the screen, degrees.
        centre_nm: (y, x) of the frame's centre, nm.
        pixel_time_s: dwell time, s.
        window: the part that is scanned, as (top, left, height, width) in fractions of the frame; pixels keep their
            size and place.
        line_flyback_s: time between two lines, s.
    """

    shape: tuple[int, int]
    fov_nm: float
    rotation_deg: float = 0.0
    centre_nm: Pair = (0.0, 0.0)
    pixel_time_s: float = 2e-6
    window: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    line_flyback_s: float = 0.0

    def __post_init__(self) -> None:
        if not all(count >= 1 for count in self.shape):
            raise InputError(f"the scan has {self.shape} pixels; give at least one row and one column")
        for name in ("fov_nm", "pixel_time_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} is {value:g}; give a positive number")

    @property
    def pixel_nm(self) -> float:
        """Edge of a pixel, nm."""
        return self.fov_nm / max(self.shape)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns that are scanned."""
        rows, cols = (max(1, round(count * part)) for count, part in zip(self.shape, self.window[2:], strict=True))
        return rows, cols

    @property
    def line_s(self) -> float:
        """Time from the beginning of a line to that of the next, s."""
        return self.size[1] * self.pixel_time_s + self.line_flyback_s

    @property
    def seconds(self) -> float:
        """Time of the whole scan, s."""
        return self.size[0] * self.line_s

    def local_nm(self, rows: FloatArray, cols: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Pixels of the scanned part, whole numbers at their centres, to (y, x) along the frame's axes, nm."""
        top, left = (round(count * part) for count, part in zip(self.shape, self.window[:2], strict=True))
        pixel = self.pixel_nm
        return (rows + top + 0.5 - self.shape[0] / 2) * pixel, (cols + left + 0.5 - self.shape[1] / 2) * pixel

    def to_scan_nm(self, y_local: FloatArray, x_local: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(y, x) along the frame's axes to scan coordinates, nm."""
        turn = math.radians(self.rotation_deg)
        cos, sin = math.cos(turn), math.sin(turn)
        return (
            self.centre_nm[0] + cos * y_local - sin * x_local,
            self.centre_nm[1] + sin * y_local + cos * x_local,
        )

    def from_scan_nm(self, y_nm: FloatArray, x_nm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Scan coordinates to (row, column) of the scanned part; the inverse of the two above."""
        turn = math.radians(self.rotation_deg)
        cos, sin = math.cos(turn), math.sin(turn)
        y, x = np.asarray(y_nm) - self.centre_nm[0], np.asarray(x_nm) - self.centre_nm[1]
        zero_row, zero_col = self.local_nm(np.zeros(()), np.zeros(()))
        return (cos * y + sin * x - zero_row) / self.pixel_nm, (-sin * y + cos * x - zero_col) / self.pixel_nm

    def positions_nm(self) -> tuple[FloatArray, FloatArray]:
        """(y, x) of every scanned pixel in scan coordinates, two arrays of shape `size`."""
        rows, cols = self.size
        y, x = self.local_nm(np.arange(rows, dtype=np.float64), np.arange(cols, dtype=np.float64))
        return self.to_scan_nm(y[:, None], x[None, :])

    def pixel_at(self, seconds: float) -> tuple[int, int]:
        """(row, column) that is scanned at a time after the beginning, s; in the flyback, the line's last pixel."""
        rows, cols = self.size
        row = min(rows - 1, max(0, int(seconds / self.line_s)))
        return row, min(cols - 1, max(0, int((seconds - row * self.line_s) / self.pixel_time_s)))


def beam_shifts_nm(
    frame: ScanFrame, distortion: ScanDistortion, begin_s: float, rng: np.random.Generator
) -> FloatArray:
    """How far the beam is off along the lines at each pixel, nm: jitter, mains and flyback, shape `frame.size`.

    Args:
        frame: the scan.
        distortion: how large the errors are.
        begin_s: when the scan begins, s; the mains go on between scans.
        rng: where jitter comes from.
    """
    rows, cols = frame.size
    if not distortion.on:
        return np.zeros((rows, 1))
    in_line = (np.arange(cols) + 0.5) * frame.pixel_time_s
    lines = rng.normal(0, 1, (rows, 1)) * distortion.line_jitter_nm
    phase = 2 * np.pi * distortion.mains_hz * (begin_s % 1e3 + frame.line_s * np.arange(rows))[:, None]
    step = 2 * np.pi * distortion.mains_hz * in_line[None, :]
    # sin(a + b) from its parts: rows + columns sines instead of rows x columns.
    mains = np.sin(phase) * np.cos(step) + np.cos(phase) * np.sin(step)
    flyback = -distortion.flyback_nm * np.exp(-in_line / distortion.flyback_s)[None, :]
    shifts: FloatArray = lines + distortion.mains_nm * mains + flyback
    return shifts


def distorted(y_nm: FloatArray, x_nm: FloatArray, distortion: ScanDistortion) -> tuple[FloatArray, FloatArray]:
    """Where the coils put the beam when asked for (y, x), nm: the constant error of scale and shear."""
    if not distortion.on:
        return y_nm, x_nm
    return y_nm * (1 + distortion.scale_error[0]), x_nm * (1 + distortion.scale_error[1]) + distortion.shear * y_nm


def haadf_counts(
    electrons: ImageArray, counts_per_electron: float, defects: HaadfDefects, noise: bool, rng: np.random.Generator
) -> ImageArray:
    """What the annular detector reads.

    Args:
        electrons: expected electrons on the detector at each pixel.
        counts_per_electron: gain of the detector.
        defects: offset and electronic noise.
        noise: whether electrons arrive at random.
        rng: where the randomness comes from.

    Returns:
        Counts, same shape.
    """
    hits = arrivals(electrons.astype(np.float32), rng) if noise else electrons.astype(np.float32)
    counts = hits * np.float32(counts_per_electron)
    if defects.on:
        counts += rng.standard_normal(counts.shape, dtype=np.float32) * np.float32(defects.noise_counts)
        counts += np.float32(defects.offset_counts)
    return counts
