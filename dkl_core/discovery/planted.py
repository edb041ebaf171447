"""Images with a planted second phase, and molecules turned by known angles: what discovery is tried and judged on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.survey import FloatArray

_MATRIX_PERIOD, _PHASE_PERIOD = 7.0, 5.2
_PHASE_ANGLE_DEG = 17.0


@dataclass(frozen=True)
class Planted:
    """A crystal with inclusions of another crystal.

    Attributes:
        image: intensity (rows, columns).
        phase: whether a pixel belongs to the second phase, same shape.
    """

    image: FloatArray
    phase: NDArray[np.bool_]


def planted_image(size: int = 428, radius: float = 40.0, noise: float = 0.5, seed: int = 0, count: int = 3) -> Planted:
    """A square lattice of period 7 px with round inclusions of period 5.2 px, turned by 17 degrees.

    Both phases have the same mean and contrast, so that only the lattice tells them apart.

    Args:
        size: edge of the image in px.
        radius: of an inclusion in px.
        noise: standard deviation of the noise, in units of the lattice's.
        seed: of the places of the inclusions and of the noise.
        count: number of inclusions.

    Raises:
        InputError: inclusions that do not fit into the image.
    """
    if size < 2 * radius + 2 or radius <= 0 or count < 1:
        raise InputError(f"{count} inclusions of radius {radius:g} px do not fit into an image of {size} px")
    rng = np.random.default_rng(seed)
    rows, cols = np.indices((size, size), dtype=float)
    phase = np.zeros((size, size), dtype=bool)
    for row, col in rng.uniform(radius, size - radius, (count, 2)):
        phase |= (rows - row) ** 2 + (cols - col) ** 2 < radius**2
    turned = np.deg2rad(_PHASE_ANGLE_DEG)
    along, across = rows * np.cos(turned) - cols * np.sin(turned), rows * np.sin(turned) + cols * np.cos(turned)
    clean = np.where(phase, _lattice(along, across, _PHASE_PERIOD), _lattice(rows, cols, _MATRIX_PERIOD))
    return Planted(clean + noise * rng.standard_normal(clean.shape), phase)


def turned_molecules(
    count: int, rng: np.random.Generator, size: int = 20, noise: float = 0.2
) -> tuple[np.ndarray, ...]:
    """Pictures (count, size, size), angles (count,) counter-clockwise in radians, and bond lengths 0 to 1 (count,)."""
    angles, bonds = rng.uniform(-np.pi, np.pi, count), rng.uniform(size=count)
    rows, cols = np.indices((size, size)) - (size - 1) / 2
    pictures = noise * rng.standard_normal((count, size, size))
    for picture, angle, bond in zip(pictures, angles, bonds, strict=True):
        down, right = rng.uniform(-1, 1, 2)
        for x, y, height in ((5.5, 0.0, 1.0), (0.0, 0.0, 0.8), (0.0, 3.0 + 2.5 * bond, 0.9)):
            col, row = x * np.cos(angle) - y * np.sin(angle), -(x * np.sin(angle) + y * np.cos(angle))
            picture += height * np.exp(-((rows - row - down) ** 2 + (cols - col - right) ** 2) / (2 * 1.7**2))
    return pictures, angles, bonds


def _lattice(rows: FloatArray, cols: FloatArray, period: float) -> FloatArray:
    """Waves in two directions, of unit variance."""
    waves: FloatArray = np.cos(2 * np.pi * rows / period) + np.cos(2 * np.pi * cols / period)
    return waves
