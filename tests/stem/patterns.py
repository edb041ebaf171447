"""What the tests of scattering share: recorded multislice sets, and simple estimators on patterns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dkl_core.stem import Atoms, Optics, Sample


@dataclass(frozen=True)
class Recorded:
    """A simulated set: patterns (rows, cols, ky, kx), positions (y, x) of its rows and columns in nm, the sample."""

    data: dict[str, Any]
    patterns: np.ndarray
    y_nm: np.ndarray
    x_nm: np.ndarray
    sample: Sample
    optics: Optics

    def maps(self, *names: str) -> list[np.ndarray]:
        return [np.asarray(self.data[name], dtype=float) for name in names]


def recorded(path: Path, centre_a: float, every: int = 1) -> Recorded:
    """Every n-th position of a set, its atoms moved so that the centre of the cell is the origin."""
    data = dict(np.load(path))
    kept = data["patterns"][::every, ::every].astype(np.float32)
    if "patterns_sqrt_scale" in data:
        patterns = (kept * float(data["patterns_sqrt_scale"])) ** 2
    else:
        patterns = kept * float(data["patterns_scale"])
    x, y, z = (np.asarray(data["atoms_xyz"], dtype=float) - [centre_a, centre_a, 0]).T / 10
    step, grid = float(data["sampling_A"]), data["haadf"].shape
    # The scans are square and start at the same x and y.
    places = (float(data["x0_A"]) + step * np.arange(grid[0]) - centre_a) / 10
    maps = {
        key: value[::every, ::every] if value.ndim == 2 and value.shape == grid else value
        for key, value in data.items()
    }
    sample = Sample.from_atoms(Atoms(np.column_stack([y, x, z]), data["atoms_Z"]), 2 * centre_a / 10)
    optics = Optics(float(data["energy_eV"]), float(data["convergence_mrad"]), float(data["defocus_A"]) / 10)
    return Recorded(maps, patterns, places[::every], places[::every], sample, optics)


def binned(patterns: np.ndarray) -> np.ndarray:
    """Two by two pixels added up."""
    *rest, rows, cols = patterns.shape
    return patterns.reshape(*rest, rows // 2, 2, cols // 2, 2).sum(axis=(-3, -1))


def angles(pixels: int, centre: float, mrad_per_px: float) -> np.ndarray:
    return (np.arange(pixels) - centre) * mrad_per_px


def centre_of_mass(patterns: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(y, x) of patterns (..., k, k), mrad."""
    total = patterns.sum(axis=(-2, -1))
    return (patterns.sum(axis=-1) @ angle) / total, (patterns.sum(axis=-2) @ angle) / total


def contrast_correlation(ours: np.ndarray, theirs: np.ndarray, disc: np.ndarray) -> float:
    """Correlation inside the disc of what is left of patterns (n, k, k) without their mean."""
    left = [(patterns[:, disc] - patterns[:, disc].mean(axis=0)).ravel() for patterns in (ours, theirs)]
    return float(np.corrcoef(*left)[0, 1])


def rms(difference: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(difference))))


def disc_distance(pattern: np.ndarray, angle: np.ndarray, discs: np.ndarray, reach_mrad: float = 5.6) -> float:
    """Mean distance from the centre of discs near (n, 2): a centroid in a window that follows it; NaN without disc."""
    distances = []
    for disc in discs:
        place = disc
        for _ in range(6):
            inside = (angle[:, None] - place[0]) ** 2 + (angle - place[1]) ** 2 <= reach_mrad**2
            weight = np.where(inside, pattern, 0)
            if weight.sum() < 4e-5:
                return np.nan
            place = np.array([weight.sum(axis=1) @ angle, weight.sum(axis=0) @ angle]) / weight.sum()
            if np.linalg.norm(place - disc) > 2:
                return np.nan
        distances.append(np.linalg.norm(place))
    return float(np.mean(distances))


def six_discs(mean_pattern: np.ndarray, angle: np.ndarray, distance_mrad: float) -> np.ndarray:
    """Where the six first-order discs of a hexagonal crystal are (6, 2), from the symmetry of the mean pattern."""
    radius = np.hypot(angle[:, None], angle)
    ring = np.where(np.abs(radius - distance_mrad) < 4, mean_pattern, 0)
    turn = np.angle((ring * np.exp(6j * np.arctan2(angle[:, None], angle[None]))).sum()) / 6
    turns = turn + np.arange(6) * np.pi / 3
    return distance_mrad * np.stack([np.sin(turns), np.cos(turns)], axis=1)
