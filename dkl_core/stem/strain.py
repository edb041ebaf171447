"""The displacement field of the strained flake, in closed form, and the diffraction that it must give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dkl_core.stem.lattices import Crystal
from dkl_core.stem.optics import FloatArray, Optics
from dkl_core.stem.settings import StrainSettings

# The field of which the lengths below are given; others are this one scaled, with the same strains.
REFERENCE_NM = 33.0
INVERSE_STEPS = 30


@dataclass(frozen=True)
class StrainField:
    """Displacement u(X) of a place X of the perfect crystal; both (y, x) in nm.

    Across the edge (along x) the strain grows from the inside to the edge; a bubble stretches its surroundings.

    Attributes:
        settings: the strains.
        scale: size of the field relative to the reference.
    """

    settings: StrainSettings
    scale: float

    @classmethod
    def across(cls, settings: StrainSettings, field_nm: float) -> StrainField:
        """The displacement field of a field of that width."""
        return cls(settings, field_nm / REFERENCE_NM)

    def moved(self, places_nm: FloatArray) -> FloatArray:
        """Where places (..., 2) of the perfect crystal are in the strained one, nm."""
        return places_nm + self.displacement_nm(places_nm)

    def displacement_nm(self, places_nm: FloatArray) -> FloatArray:
        """Displacement u at places (..., 2) of the perfect crystal, nm."""
        at, y, x = self.settings, *self._reduced(places_nm)
        width, lift = 3.0, -0.286 * at.gradient
        dy, dx, bump = self._bubble(y, x)
        along = at.gradient * width * np.logaddexp(0, (x - 1.5) / width) + lift * x
        u = np.stack([0.17 * at.gradient * y + at.shear * x + dy * bump, along + dx * bump], axis=-1)
        moved: FloatArray = self.scale * u
        return moved

    def gradient(self, places_nm: FloatArray) -> FloatArray:
        """∂uᵢ/∂Xⱼ at places (..., 2) of the perfect crystal (..., 2, 2), i and j over (y, x)."""
        at, y, x = self.settings, *self._reduced(places_nm)
        width, size = 3.0, 2.8
        dy, dx, bump = self._bubble(y, x)
        cross = -dx * dy / size**2 * bump
        out = np.empty((*y.shape, 2, 2))
        out[..., 0, 0] = 0.17 * at.gradient + bump * (1 - dy**2 / size**2)
        out[..., 0, 1] = at.shear + cross
        out[..., 1, 0] = cross
        out[..., 1, 1] = (
            at.gradient / (1 + np.exp(-(x - 1.5) / width)) - 0.286 * at.gradient + bump * (1 - dx**2 / size**2)
        )
        return out

    def origin_nm(self, places_nm: FloatArray) -> FloatArray:
        """Where places (..., 2) of the strained crystal were in the perfect one, nm."""
        origin = np.asarray(places_nm, dtype=float)
        for _ in range(INVERSE_STEPS):
            origin = places_nm - self.displacement_nm(origin)
        return origin

    def edge_nm(self, y_nm: FloatArray) -> FloatArray:
        """Where along x the flake ends, at y; nm."""
        y = y_nm / self.scale
        edge: FloatArray = self.scale * (4.5 + 1.2 * np.sin(2 * np.pi * y / 17) + 0.6 * np.sin(2 * np.pi * y / 6.1 + 1))
        return edge

    def mean_first_order_mrad(self, places_nm: FloatArray, crystal: Crystal, optics: Optics) -> FloatArray:
        """Mean distance of the six first-order discs from the central one at places (..., 2), mrad: λ|F⁻ᵀg|."""
        deformation = np.eye(2) + self.gradient(self.origin_nm(places_nm))
        waves = np.einsum("...ji,gj->...gi", np.linalg.inv(deformation), crystal.first_order_per_nm())
        mean: FloatArray = 1e3 * optics.wavelength_nm * np.linalg.norm(waves, axis=-1).mean(axis=-1)
        return mean

    def _reduced(self, places_nm: FloatArray) -> tuple[FloatArray, FloatArray]:
        reduced = np.asarray(places_nm, dtype=float) / self.scale
        return reduced[..., 0], reduced[..., 1]

    def _bubble(self, y: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        dy, dx = y - 4.0, x + 5.5
        return dy, dx, self.settings.bubble * np.exp(-(dy**2 + dx**2) / (2 * 2.8**2))
