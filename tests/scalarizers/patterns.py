"""Patterns made in code for the tests of the diffraction scalarizers, and those of the data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dkl_core.scalarizers import Pattern

FloatArray = NDArray[np.float64]
# of the data set: rows and columns, angle of a pixel, semi-angle of the probe, distance of the scan's positions
SIZE, MRAD_PER_PX, ALPHA_MRAD, STEP_NM = 48, 2.0, 30.0, 0.02
ELECTRONS = 1.87e6


def disc(
    shape: tuple[int, int] = (128, 128),
    middle: tuple[float, float] = (63.3, 64.6),
    radius: float = 30.0,
    tilt: tuple[float, float] = (0.0, 0.0),
) -> FloatArray:
    """A disc of sum 1 with an edge one pixel soft; `tilt` moves its centre of mass by so many pixels."""
    rows, cols = np.indices(shape, dtype=np.float64)
    y, x = rows - middle[0], cols - middle[1]
    values = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1) * (1 + 4 * (tilt[0] * y + tilt[1] * x) / radius**2)
    whole: FloatArray = values / values.sum()
    return whole


def counted(
    values: FloatArray, electrons: float = ELECTRONS, *, seed: int = 0, read_noise: float = 0.0, gain: float = 1.0
) -> FloatArray:
    """Counts of so many electrons, drawn at random, with the read noise of a camera in counts."""
    rng = np.random.default_rng(seed)
    counts: FloatArray = gain * rng.poisson(values * electrons) + read_noise * rng.standard_normal(values.shape)
    return counts


def moved(values: FloatArray, rows: float, cols: float) -> FloatArray:
    """A pattern moved by a fraction of pixels, bilinearly."""
    for axis, by in ((0, rows), (1, cols)):
        whole = int(np.floor(by))
        part = by - whole
        values = (1 - part) * np.roll(values, whole, axis) + part * np.roll(values, whole + 1, axis)
    return values


class Graphene:
    """The simulated graphene with silicon: 96 x 96 patterns, and the truth by the names of the file."""

    def __init__(self, folder: Path) -> None:
        with np.load(folder / "simulated" / "graphene_si_30mrad.npz") as file:
            self.values: FloatArray = file["patterns"].reshape(-1, SIZE, SIZE).astype(np.float64)
            self.values *= float(file["patterns_scale"])
            self.centre_px = (float(file["centre_px"]), float(file["centre_px"]))
            names = ("com_x", "com_y", "com_mag", "com_angle", "abf", "bf", "haadf")
            self.truth = {name: file[name].ravel().astype(np.float64) for name in names}
        self.places_nm = np.argwhere(np.ones((96, 96))) * STEP_NM

    def patterns(self, which: NDArray[np.intp] | slice, calibrated: bool = False) -> list[Pattern]:
        """Some of the patterns, without noise."""
        centre = self.centre_px if calibrated else None
        return [Pattern(values, MRAD_PER_PX, centre) for values in self.values[which]]

    def seen(self, which: NDArray[np.intp], centre_mrad: tuple[float, float], descan: float) -> list[Pattern]:
        """Some of the patterns on a camera that is not centred, with a descan of so many mrad per nm."""
        patterns = []
        for number in which:
            rows, cols = (np.array(centre_mrad) + descan * self.places_nm[number] * (1, -0.6)) / MRAD_PER_PX
            patterns.append(Pattern(moved(self.values[number], rows, cols), MRAD_PER_PX))
        return patterns
