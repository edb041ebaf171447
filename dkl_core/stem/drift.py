"""Slow changes of the microscope as deterministic functions of time: drift of the sample, flicker of the beam."""

from __future__ import annotations

import numpy as np

from dkl_core.stem.realism import DriftSettings, NoiseSettings
from dkl_core.survey import FloatArray

STEP_S = 0.5
BLOCK = 1024
WAVES = 8


class Drift:
    """Motion of the sample under the beam: a constant velocity and a random walk.

    The same seed gives the same motion, whatever times are asked for, in whatever order.

    Args:
        settings: how fast the sample moves.
        seed: what the random walk is drawn from.
    """

    def __init__(self, settings: DriftSettings, seed: int) -> None:
        self.settings = settings
        self._rng = np.random.default_rng([seed, 11])
        self._walk = np.zeros((1, 2))

    def at(self, seconds: FloatArray | float) -> FloatArray:
        """How far the sample has moved (..., 2) as (y, x) in nm since time 0; at rest before."""
        times = np.maximum(np.asarray(seconds, dtype=np.float64), 0.0)
        if not self.settings.on:
            return np.zeros((*times.shape, 2))
        steps = times / STEP_S
        before = np.floor(steps).astype(np.int64)
        walk = self._walked(int(before.max(initial=0)) + 2)
        part = (steps - before)[..., None]
        moved: FloatArray = walk[before] * (1 - part) + walk[before + 1] * part
        moved += times[..., None] / 60 * np.asarray(self.settings.velocity_nm_per_min)
        return moved

    def _walked(self, count: int) -> FloatArray:
        # In whole blocks, so that the walk does not depend on who asked first.
        while len(self._walk) < count:
            steps = self._rng.normal(0, self.settings.walk_nm * np.sqrt(STEP_S / 60), (BLOCK, 2))
            self._walk = np.vstack([self._walk, self._walk[-1] + np.cumsum(steps, axis=0)])
        return self._walk


class Flicker:
    """The beam current relative to its mean: a sum of slow waves with random phases.

    Args:
        settings: how strong and how fast the current flickers.
        seed: what frequencies and phases are drawn from.
    """

    def __init__(self, settings: NoiseSettings, seed: int) -> None:
        rng = np.random.default_rng([seed, 12])
        periods = np.exp(rng.uniform(np.log(settings.fastest_s), np.log(settings.slowest_s), WAVES))
        self._rate = 2 * np.pi / periods
        self._phase = rng.uniform(0, 2 * np.pi, WAVES)
        self._amplitude = settings.flicker * np.sqrt(2 / WAVES) if settings.on else 0.0

    def at(self, seconds: FloatArray | float) -> FloatArray:
        """The relative current (...) at these times; 1 on average."""
        times = np.asarray(seconds, dtype=np.float64)
        if self._amplitude == 0:
            return np.ones(times.shape)
        waves = np.sin(times[..., None] * self._rate + self._phase)
        relative: FloatArray = 1 + self._amplitude * waves.sum(axis=-1)
        return np.maximum(relative, 0.0)
