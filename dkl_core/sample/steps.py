"""Atomic steps: roughly parallel, meandering lines that divide the surface into terraces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dkl_core.sample.settings import Pair
from dkl_core.survey import FloatArray

# The tip's finite sharpness, not the atoms, sets how wide a step looks.
STEP_WIDTH_NM = 0.25


@dataclass(frozen=True)
class Steps:
    """Step lines as offsets along a common normal.

    Attributes:
        normal: unit vector (2,) that points up the stairs.
        offsets: mean position of each step along the normal (k,), nm.
        amplitudes: meander amplitudes (k, m), nm.
        wavenumbers: meander wave numbers (m,), rad/nm.
        phases: meander phases (k, m), rad.
    """

    normal: FloatArray
    offsets: FloatArray
    amplitudes: FloatArray
    wavenumbers: FloatArray
    phases: FloatArray

    @classmethod
    def drawn(cls, rng: np.random.Generator, extent_nm: Pair, terrace_nm: float, *, enabled: bool = True) -> Steps:
        """Steps across a sample of that height and width; terraces vary by half round their mean width."""
        angle = rng.uniform(0, 2 * np.pi)
        normal = np.array([np.sin(angle), np.cos(angle)])
        corners = np.array([[0, 0], [extent_nm[0], 0], [0, extent_nm[1]], list(extent_nm)]) @ normal
        count = int(np.ceil(np.ptp(corners) / (0.5 * terrace_nm))) + 1
        gaps = terrace_nm * rng.uniform(0.5, 1.5, count)
        gaps[0] *= 0.5
        offsets = corners.min() + np.cumsum(gaps)
        offsets = offsets[offsets < corners.max()] if enabled else offsets[:0]
        wavenumbers = 2 * np.pi / (terrace_nm * np.array([3.1, 1.3, 0.6]))
        sizes = terrace_nm * np.array([0.08, 0.03, 0.01])
        # A shared meander keeps neighbouring steps from crossing; each adds a little of its own.
        amplitudes = sizes * rng.uniform(0.7, 1.3, (len(offsets), 3))
        phases = rng.uniform(0, 2 * np.pi, 3) + rng.normal(0, 0.5, (len(offsets), 3))
        return cls(normal, offsets, amplitudes, wavenumbers, phases)

    def __len__(self) -> int:
        return len(self.offsets)

    def distances(self, points: FloatArray) -> FloatArray:
        """Signed distance of points (n, 2) from each step (n, k), nm; positive on the upper terrace."""
        along = points @ np.array([-self.normal[1], self.normal[0]])
        waves = along[:, None, None] * self.wavenumbers + self.phases
        lines = self.offsets + (self.amplitudes * np.sin(waves)).sum(axis=2)
        signed: FloatArray = (points @ self.normal)[:, None] - lines
        return signed

    def level(self, points: FloatArray, width_nm: float = STEP_WIDTH_NM) -> FloatArray:
        """How many steps up points (n, 2) are; smooth across each step."""
        levels: FloatArray = (0.5 + 0.5 * np.tanh(self.distances(points) / (2 * width_nm))).sum(axis=1)
        return levels

    def proximity(self, points: FloatArray, decay_nm: float) -> FloatArray:
        """1 on a step and falling off with the distance of points (n, 2)."""
        near: FloatArray = np.exp(-np.abs(self.distances(points)) / decay_nm).sum(axis=1)
        return near

    def nearest(self, points: FloatArray, below_nm: float = 0.5) -> FloatArray:
        """Points (n, 2) moved to the foot of their nearest step."""
        if not len(self):
            return points
        distances = self.distances(points)
        chosen = distances[np.arange(len(points)), np.abs(distances).argmin(axis=1)]
        moved: FloatArray = points - (chosen + below_nm)[:, None] * self.normal
        return moved
