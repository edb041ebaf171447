"""The atoms of the simulated surface: lattice, steps and terraces, adsorbates, substitutions, vacancies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dkl_core.sample.defects import Defects, adsorbate_heights, substitution_envelope, vacancy_heights
from dkl_core.sample.settings import Pair, StructureSettings, SurfaceSettings
from dkl_core.sample.steps import Steps
from dkl_core.survey import FloatArray

# Defects just outside still reach into the frame; without them the sample would fade towards its border.
MARGIN_NM = 8.0
STEP_DECORATION = 0.35


@dataclass(frozen=True)
class Lattice:
    """A triangular lattice as the sum of three plane waves.

    Attributes:
        waves: wave vectors (3, 2), rad/nm.
        constant_nm: lattice constant, nm.
        amplitude_nm: height of an atom above the hollow, nm.
    """

    waves: FloatArray
    constant_nm: float
    amplitude_nm: float

    @classmethod
    def oriented(cls, angle: float, settings: StructureSettings) -> Lattice:
        """The lattice with a close-packed row at an angle (rad) from the columns."""
        angles = angle + np.arange(3) * 2 * np.pi / 3
        length = 4 * np.pi / (np.sqrt(3) * settings.lattice_nm)
        waves = length * np.stack([np.sin(angles), np.cos(angles)], axis=1)
        return cls(waves, settings.lattice_nm, settings.corrugation_nm)

    def heights(self, points: FloatArray, pixel_nm: Pair | None, shift: FloatArray) -> FloatArray:
        """Corrugation at points (n, 2), averaged over a pixel; `shift` (n,) is the stacking phase, rad."""
        # The three cosines sum to 3 on an atom and to -1.5 in a hollow.
        total = np.zeros(len(points))
        for wave, seen in zip(self.waves, self._visibility(pixel_nm), strict=True):
            if seen:
                total += seen * np.cos(points @ wave + shift)
        return self.amplitude_nm * total / 4.5

    def _visibility(self, pixel_nm: Pair | None) -> FloatArray:
        if pixel_nm is None:
            return np.ones(3)
        cycles = self.waves * np.asarray(pixel_nm) / (2 * np.pi)
        averaged: FloatArray = np.prod(np.sinc(cycles), axis=1)
        return np.where(np.abs(cycles).max(axis=1) < 0.5, averaged, 0.0)

    def snapped(self, positions: FloatArray, shift: FloatArray) -> FloatArray:
        """The atoms nearest to positions (n, 2) with stacking phases (n,)."""
        # waves[:2] are two basis vectors of the reciprocal lattice, so phases of 2π count atoms.
        counts = np.round((positions @ self.waves[:2].T + shift[:, None]) / (2 * np.pi))
        phases = 2 * np.pi * counts - shift[:, None]
        atoms: FloatArray = np.linalg.solve(self.waves[:2], phases.T).T.astype(float)
        return atoms


@dataclass(frozen=True)
class Structure:
    """Where everything is."""

    lattice: Lattice
    steps: Steps
    adsorbates: Defects
    substitutions: Defects
    vacancies: Defects
    step_height_nm: float

    @classmethod
    def drawn(cls, settings: SurfaceSettings) -> Structure:
        """The structure that belongs to the settings' seed."""
        parts = settings.structure
        rngs = [np.random.default_rng([settings.seed, 1, part]) for part in range(5)]
        lattice = Lattice.oriented(rngs[0].uniform(0, np.pi / 3), parts)
        steps = Steps.drawn(rngs[1], settings.extent_nm, parts.terrace_nm, enabled=parts.step_height_nm > 0)
        adsorbates = Defects.drawn(rngs[2], settings.extent_nm, parts.adsorbates_per_nm2, MARGIN_NM)
        substitutions = Defects.drawn(rngs[3], settings.extent_nm, parts.substitutions_per_nm2, MARGIN_NM)
        vacancies = Defects.drawn(rngs[4], settings.extent_nm, parts.vacancies_per_nm2, MARGIN_NM)

        def on_atoms(defects: Defects) -> Defects:
            return defects.moved(lattice.snapped(defects.positions, _stacking(steps, defects.positions)))

        decorating = rngs[2].random(len(adsorbates)) < STEP_DECORATION
        return cls(
            lattice,
            steps,
            adsorbates.moved(np.where(decorating[:, None], steps.nearest(adsorbates.positions), adsorbates.positions)),
            on_atoms(substitutions),
            on_atoms(vacancies),
            parts.step_height_nm,
        )

    def terraces(self, points: FloatArray) -> FloatArray:
        """Height of the terrace below points (n, 2), nm."""
        return self.step_height_nm * self.steps.level(points)

    def relief(self, points: FloatArray, pixel_nm: Pair | None = None) -> FloatArray:
        """Apparent height over the terrace at points (n, 2), nm: atoms and defects.

        Args:
            points: positions (n, 2) as (row, column), nm.
            pixel_nm: size of the pixel over which the atoms' contrast is averaged; None for a point.
        """
        atoms = self.lattice.heights(points, pixel_nm, _stacking(self.steps, points))
        triangle = substitution_envelope(self.substitutions, points)
        return (
            atoms * (1 + 1.5 * triangle)
            + 0.03 * triangle
            + adsorbate_heights(self.adsorbates, points)
            + vacancy_heights(self.vacancies, points)
        )


def _stacking(steps: Steps, points: FloatArray) -> FloatArray:
    """Phase of the lattice on each terrace: three steps up, the atoms stand above one another again."""
    return steps.level(points) * 2 * np.pi / 3
