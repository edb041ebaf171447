"""Electron scattering factors of neutral atoms, and the phase that an atom's projected potential gives the beam.

The parameters are those of Peng, Ren, Dudarev and Whelan, Acta Cryst. A52 (1996) 257-276, the table fitted for
s = sin(θ)/λ from 0 to 6 Å⁻¹ (also International Tables for Crystallography C, table 4.3.2.3):
f(s) = Σ aᵢ exp(−bᵢ s²) with a in Å and b in Å².
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.stem.optics import FloatArray, Optics, lorentz_factor

# h²/(2π mₑ e): turns a scattering factor in Å into a projected potential in V Å.
POTENTIAL_V_A2 = 47.87801
SYMBOLS = {6: "C", 7: "N", 14: "Si", 15: "P", 16: "S", 25: "Mn", 34: "Se", 42: "Mo", 74: "W"}

_Five = tuple[float, float, float, float, float]
_PENG: dict[int, tuple[_Five, _Five]] = {
    6: ((0.0489, 0.2091, 0.7537, 1.1420, 0.3555), (0.1140, 1.0825, 5.4281, 17.8811, 51.1341)),
    7: ((0.0267, 0.1328, 0.5301, 1.1020, 0.4215), (0.0541, 0.5165, 2.8207, 10.6297, 34.3764)),
    14: ((0.0567, 0.3365, 0.8104, 2.4960, 2.1186), (0.0582, 0.6155, 3.2522, 16.7929, 57.6767)),
    15: ((0.1005, 0.4615, 1.0663, 2.5854, 1.2725), (0.0977, 0.9084, 4.9654, 18.5471, 54.3648)),
    16: ((0.0915, 0.4312, 1.0847, 2.4671, 1.0852), (0.0838, 0.7788, 4.3462, 15.5846, 44.6365)),
    25: ((0.1943, 0.8190, 1.9296, 2.4968, 2.0625), (0.1135, 1.1313, 5.0341, 24.1798, 80.5598)),
    34: ((0.1574, 0.7614, 1.4834, 3.0016, 1.7978), (0.0686, 0.6808, 3.1163, 14.3458, 44.0455)),
    42: ((0.3069, 1.1714, 3.2293, 3.4254, 2.1224), (0.1101, 1.0222, 5.9613, 25.1965, 93.5831)),
    74: ((0.3661, 1.6191, 3.2455, 4.0856, 3.2064), (0.0761, 0.7543, 4.0952, 18.2886, 68.0967)),
}


def _parameters(number: int) -> tuple[FloatArray, FloatArray]:
    if number not in _PENG:
        known = ", ".join(f"{SYMBOLS[z]} ({z})" for z in _PENG)
        raise InputError(f"there is no scattering factor for atomic number {number}; use one of {known}")
    a, b = _PENG[number]
    return np.array(a), np.array(b)


def scattering_factor_nm(number: int, frequency_per_nm: FloatArray) -> FloatArray:
    """First-Born scattering factor of a neutral atom for slow electrons, nm.

    Args:
        number: atomic number.
        frequency_per_nm: spatial frequency θ/λ (any shape), 1/nm.

    Raises:
        InputError: an element without parameters.
    """
    a, b = _parameters(number)
    s_squared = (np.asarray(frequency_per_nm, dtype=float)[..., None] / 20) ** 2
    total: FloatArray = 0.1 * (a * np.exp(-b * s_squared)).sum(axis=-1)
    return total


@dataclass(frozen=True, eq=False)
class PhaseShape:
    """The phase behind one atom as a sum of Gaussians, Σ heights·exp(−rates·r²).

    Attributes:
        heights: (5,), rad.
        rates: (5,), 1/nm².
    """

    heights: NDArray[np.float64]
    rates: NDArray[np.float64]

    @classmethod
    def of(cls, number: int, optics: Optics) -> PhaseShape:
        """The phase of an element's projected potential at a beam energy.

        Raises:
            InputError: an element without parameters.
        """
        a, b = _parameters(number)
        heights_v_nm = 0.1 * POTENTIAL_V_A2 * a * 4 * np.pi / b
        return cls(optics.interaction_constant * heights_v_nm, 400 * np.pi**2 / b)

    def reach_nm(self, phase: float = 1e-6) -> float:
        """Distance beyond which every Gaussian is below a phase (rad), nm."""
        return math.sqrt(float(np.max(np.log(np.maximum(self.heights / phase, 1)) / self.rates)))

    def transform(self, frequency_per_nm: FloatArray) -> FloatArray:
        """Two-dimensional Fourier transform ∫ phase·exp(−2πi q·r) d²r at |q| (any shape) in 1/nm; rad nm²."""
        squared = np.asarray(frequency_per_nm, dtype=float)[..., None] ** 2
        gaussians = np.pi / self.rates * self.heights * np.exp(-(np.pi**2) / self.rates * squared)
        total: FloatArray = gaussians.sum(axis=-1)
        return total


def annulus_cross_section_nm2(number: int, optics: Optics, inner_mrad: float, outer_mrad: float) -> float:
    """Cross-section for elastic scattering of an atom into an annulus, ∫|γ f|² dΩ (first Born), nm²."""
    angles = np.linspace(inner_mrad, outer_mrad, 241) * 1e-3
    factor = lorentz_factor(optics.energy_ev) * scattering_factor_nm(number, angles / optics.wavelength_nm)
    return float(np.trapezoid(2 * np.pi * angles * factor**2, angles))
