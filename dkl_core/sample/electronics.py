"""The electronic states of the simulated surface: band edges and in-gap states at every point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dkl_core.sample.settings import ElectronicSettings, StateSettings, SurfaceSettings
from dkl_core.sample.structure import Structure
from dkl_core.survey import FloatArray

LARGEST_SHIFT_EV = 0.5
PUDDLE_WAVELENGTHS_NM = (9.0, 30.0)
PUDDLE_WAVES = 24


@dataclass(frozen=True)
class LocalStates:
    """What decides the spectrum at n points.

    Attributes:
        conduction_edge_ev: (n,), eV.
        valence_edge_ev: (n,), eV.
        weights_ev: area of the in-gap state of each kind (n, kinds), eV.
    """

    conduction_edge_ev: FloatArray
    valence_edge_ev: FloatArray
    weights_ev: FloatArray

    @property
    def gap_ev(self) -> FloatArray:
        """Distance of the band edges (n,), eV."""
        return self.conduction_edge_ev - self.valence_edge_ev


@dataclass(frozen=True)
class Puddles:
    """The slow potential of buried charges: a sum of plane waves with random directions.

    Attributes:
        waves: wave vectors (w, 2), rad/nm.
        phases: (w,), rad.
        rms_ev: size of the potential, eV.
    """

    waves: FloatArray
    phases: FloatArray
    rms_ev: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, rms_ev: float) -> Puddles:
        """A potential that varies over about ten to thirty nanometres."""
        lengths, angles = rng.uniform(*PUDDLE_WAVELENGTHS_NM, PUDDLE_WAVES), rng.uniform(0, 2 * np.pi, PUDDLE_WAVES)
        waves = (2 * np.pi / lengths)[:, None] * np.stack([np.sin(angles), np.cos(angles)], axis=1)
        return cls(waves, rng.uniform(0, 2 * np.pi, PUDDLE_WAVES), rms_ev)

    def potential_ev(self, points: FloatArray) -> FloatArray:
        """Potential at points (n, 2), eV."""
        scale = self.rms_ev * np.sqrt(2 / len(self.waves))
        potential: FloatArray = scale * np.cos(points @ self.waves.T + self.phases).sum(axis=1)
        return potential


@dataclass(frozen=True)
class Electronics:
    """The electronic side of a structure."""

    structure: Structure
    puddles: Puddles
    settings: ElectronicSettings

    @classmethod
    def drawn(cls, structure: Structure, settings: SurfaceSettings) -> Electronics:
        """The electronic states that belong to the settings' seed."""
        rng = np.random.default_rng([settings.seed, 2])
        return cls(structure, Puddles.drawn(rng, settings.electronics.puddle_ev), settings.electronics)

    def states(self, points: FloatArray) -> LocalStates:
        """Band edges and in-gap states at points (n, 2) as (row, column), nm."""
        kinds = kinds_of(self.settings)
        felt = self._felt(points)
        rigid = self.puddles.potential_ev(points)
        conduction = felt @ np.array([kind.conduction_shift_ev for kind in kinds]) + self._terrace_shift(points)
        valence = felt @ np.array([kind.valence_shift_ev for kind in kinds])
        return LocalStates(
            self.settings.conduction_edge_ev + rigid + _bounded(conduction),
            self.settings.valence_edge_ev + rigid + _bounded(valence),
            felt * np.array([kind.weight_ev for kind in kinds]),
        )

    def _felt(self, points: FloatArray) -> FloatArray:
        """Influence of each kind of structure at each point (n, kinds)."""
        at, structure = self.settings, self.structure
        return np.stack(
            [
                structure.adsorbates.influence(points, at.adsorbate.decay_nm),
                structure.substitutions.influence(points, at.substitution.decay_nm),
                structure.vacancies.influence(points, at.vacancy.decay_nm),
                structure.steps.proximity(points, at.step.decay_nm),
            ],
            axis=1,
        )

    def _terrace_shift(self, points: FloatArray) -> FloatArray:
        levels = self.structure.steps.level(points, width_nm=0.4)
        return -0.5 * self.settings.terrace_shift_ev * np.cos(np.pi * levels)


def kinds_of(settings: ElectronicSettings) -> tuple[StateSettings, ...]:
    """The kinds of structure in the order of `LocalStates.weights_ev`."""
    return settings.adsorbate, settings.substitution, settings.vacancy, settings.step


def _bounded(shift_ev: FloatArray) -> FloatArray:
    """Where defects crowd, their shifts saturate instead of adding up without end."""
    bounded: FloatArray = LARGEST_SHIFT_EV * np.tanh(shift_ev / LARGEST_SHIFT_EV)
    return bounded
