"""The electron-optical settings of the probe and the constants that follow from the beam energy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError

REST_ENERGY_EV = 510_998.95
PLANCK_C_EV_NM = 1_239.841_984
FloatArray = NDArray[np.float64]


def wavelength_nm(energy_ev: float) -> float:
    """Relativistic de Broglie wavelength of electrons of that kinetic energy (eV), nm."""
    return PLANCK_C_EV_NM / math.sqrt(energy_ev * (energy_ev + 2 * REST_ENERGY_EV))


def interaction_constant(energy_ev: float) -> float:
    """Phase per projected potential, rad/(V nm): 2π/(λE)·(m₀c² + E)/(2m₀c² + E) (Kirkland 2010, eq. 2.5)."""
    relativistic = (REST_ENERGY_EV + energy_ev) / (2 * REST_ENERGY_EV + energy_ev)
    return 2 * math.pi * relativistic / (wavelength_nm(energy_ev) * energy_ev)


def lorentz_factor(energy_ev: float) -> float:
    """Mass of the electrons of that kinetic energy (eV) relative to their rest mass."""
    return 1 + energy_ev / REST_ENERGY_EV


@dataclass(frozen=True)
class Optics:
    """Beam energy and probe-forming lens; the probe is focused on the plane where the beam enters the sample.

    Attributes:
        energy_ev: kinetic energy of the electrons, eV.
        semiangle_mrad: convergence semi-angle, mrad.
        defocus_nm: how far the probe is focused behind the entrance plane, nm; positive is underfocus (C10 = −defocus).
        c3_mm: spherical aberration, mm.
        c12_nm: twofold astigmatism (a, b), nm.
    """

    energy_ev: float = 70e3
    semiangle_mrad: float = 30.0
    defocus_nm: float = 0.0
    c3_mm: float = 0.0
    c12_nm: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        for name, least, most in (("energy_ev", 1e3, 1e6), ("semiangle_mrad", 0.5, 60.0)):
            value = getattr(self, name)
            if not least <= value <= most:
                raise InputError(f"{name} is {value:g}, expected {least:g} to {most:g}; give a value in that range")
        for name in ("defocus_nm", "c3_mm"):
            if not math.isfinite(getattr(self, name)):
                raise InputError(f"{name} is {getattr(self, name)}, expected a finite number; give 0 for none")
        if not all(math.isfinite(part) for part in self.c12_nm):
            raise InputError(f"c12_nm is {self.c12_nm}, expected two finite numbers; give (0, 0) for none")

    @property
    def wavelength_nm(self) -> float:
        """Wavelength of the electrons, nm."""
        return wavelength_nm(self.energy_ev)

    @property
    def interaction_constant(self) -> float:
        """Phase per projected potential, rad/(V nm)."""
        return interaction_constant(self.energy_ev)

    def aberration_phase(self, y_mrad: FloatArray, x_mrad: FloatArray) -> FloatArray:
        """Phase χ of the probe-forming lens at angles (any one shape), rad; the wave carries exp(−iχ).

        χ = π/λ·[(C10 + C12a cos 2φ + C12b sin 2φ)θ² + C3 θ⁴/2], φ counted from +x towards +y.
        """
        y, x = np.asarray(y_mrad) * 1e-3, np.asarray(x_mrad) * 1e-3
        squared = x**2 + y**2
        path_nm = -self.defocus_nm * squared + 0.5e6 * self.c3_mm * squared**2
        path_nm = path_nm + self.c12_nm[0] * (x**2 - y**2) + self.c12_nm[1] * 2 * x * y
        phase: FloatArray = np.pi / self.wavelength_nm * path_nm
        return phase

    def blur_nm(self) -> float:
        """Largest distance from the axis at which the aberrations let a ray pass the entrance plane, nm."""
        angle = self.semiangle_mrad * 1e-3
        return angle * (abs(self.defocus_nm) + math.hypot(*self.c12_nm)) + abs(self.c3_mm) * 1e6 * angle**3
