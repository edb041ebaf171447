"""What the simulated microscope adds to the surface: noise, line offsets, drift, a tip change, saturation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from dkl_core.sample.settings import RealismSettings
from dkl_core.survey import FloatArray

# The tunnelling current falls as exp(-2κz), with 2κ near 20 per nm for a work function of 4 eV.
CURRENT_DECAY_PER_NM = 20.0
JUMP_A = 1e-6


@dataclass
class Visits:
    """Random numbers that depend on the place and on how often it was visited, not on the order of places.

    Attributes:
        seed: seed of the surface.
        counts: visits so far.
    """

    seed: int
    counts: Counter[tuple[int, ...]] = field(default_factory=Counter)

    def generator(self, *place_nm: float) -> np.random.Generator:
        """The generator of the next visit to a place."""
        key = tuple(round(value * 1e4) for value in place_nm)
        visit = self.counts[key]
        self.counts[key] += 1
        # Seeds are not negative; places may be.
        return np.random.default_rng([self.seed, 3, visit, *(abs(2 * part) + (part < 0) for part in key)])


@dataclass(frozen=True)
class Microscope:
    """The instrument's own contribution."""

    settings: RealismSettings

    def drift_nm(self, time_s: FloatArray | float) -> FloatArray:
        """How far the sample has moved under the tip (…, 2), nm."""
        minutes = np.asarray(time_s, dtype=float)[..., None] / 60
        moved: FloatArray = minutes * np.asarray(self.settings.drift_nm_per_min)
        return moved

    def tip_changed(self, time_s: FloatArray | float) -> FloatArray:
        """1 after the tip change, 0 before."""
        moment = self.settings.tip_change_s
        return (np.asarray(time_s) >= (np.inf if moment is None else moment)).astype(float)

    def line_times_s(self, rows: int, start_s: float) -> FloatArray:
        """When each line of a topograph is scanned (rows,), s."""
        times: FloatArray = start_s + np.arange(rows, dtype=float) * self.settings.line_time_s
        return times

    def topograph(self, terraces: FloatArray, relief: FloatArray, times_s: FloatArray) -> FloatArray:
        """Apparent heights (rows, columns) in nm of terraces and relief, each (rows, columns), without noise."""
        changed = self.tip_changed(times_s)[:, None]
        contrast = 1 + changed * (self.settings.tip_change_contrast - 1)
        return terraces + contrast * relief + changed * self.settings.tip_change_offset_nm

    def height_noise(self, shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
        """Noise of a topograph (rows, columns), nm."""
        lines = rng.normal(0, self.settings.line_offset_nm, (shape[0], 1))
        return lines + rng.normal(0, self.settings.height_noise_nm, shape)

    def spectrum(
        self, current_a: FloatArray, didv_s: FloatArray, time_s: float, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Both channels (b,) as the electronics give them: scaled by the tip, noisy and limited."""
        at = self.settings
        gain = at.tip_change_gain if self.tip_changed(time_s) else 1.0
        gain *= float(np.exp(rng.normal(0, at.tip_height_noise_nm) * CURRENT_DECAY_PER_NM))
        current = gain * current_a + rng.normal(0, at.current_noise_a, current_a.shape)
        didv = gain * didv_s + rng.normal(0, at.didv_noise_s, didv_s.shape)
        return self._limited(self._shaken(current, rng), didv)

    def _shaken(self, current_a: FloatArray, rng: np.random.Generator) -> FloatArray:
        if rng.random() >= self.settings.unstable_share:
            return current_a
        first, length = rng.random() * 0.7, 0.1 + 0.2 * rng.random()
        place = np.arange(len(current_a)) / len(current_a)
        return np.where((place >= first) & (place < first + length), JUMP_A, current_a)

    def _limited(self, current_a: FloatArray, didv_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        limit = self.settings.saturation_a
        if limit is None:
            return current_a, didv_s
        # A saturated preamplifier hands the lock-in a flat line.
        return np.clip(current_a, -limit, limit), np.where(np.abs(current_a) < limit, didv_s, 0.0)
