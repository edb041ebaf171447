"""HAADF image and mean deflection of the beam, from the atoms and the probe without any diffraction pattern.

HAADF: an atom scatters its elastic cross-section for the annulus out of the intensity that falls on it (incoherent
imaging). Deflection: Ehrenfest's theorem for a thin object, CoM = λ/2π · |P|² ⋆ ∇(phase) (Lazić, Bosch and Lazar,
Ultramicroscopy 160 (2016) 265); exact for one slice, and for several the sum over slices with the probe propagated to
each, which leaves out that a slice changes the probe of the next.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dkl_core.stem.atoms import REMOVED, Structure
from dkl_core.stem.camera import CameraGrid
from dkl_core.stem.fields import AtomField, FieldGrid, FloatArray32
from dkl_core.stem.optics import FloatArray, Optics
from dkl_core.stem.scattering_factors import PhaseShape, annulus_cross_section_nm2

# The band of the fields is twice the aperture; 1.8 samples more than needed keep spreading and reading exact.
ROOM = 1.8
# How far from the nucleus an electron on the annulus was scattered, as a standard deviation.
LOCALISATION_NM = 0.01
Kind = tuple[int, int]
_Shape = Callable[[Kind], NDArray[np.complex128]]


class Images:
    """HAADF image and deflection of a structure under a probe.

    Args:
        structure: the atoms.
        optics: beam and lens.
        grid: the window of the probe.
        probes: intensity of the probe in the window at the depth of each slice, each of sum 1.
        half_nm: half the width of the square in which there are atoms, nm.
        annulus_mrad: inner and outer angle of the HAADF detector, mrad.
        source_nm: standard deviation of the source's image on the sample, nm.
    """

    def __init__(
        self,
        structure: Structure,
        optics: Optics,
        grid: CameraGrid,
        probes: list[FloatArray],
        half_nm: float,
        annulus_mrad: tuple[float, float],
        source_nm: float = 0.0,
    ) -> None:
        self._structure, self._optics, self._annulus = structure, optics, annulus_mrad
        finest_nm = optics.wavelength_nm / (4e-3 * optics.semiangle_mrad * ROOM)
        samples = 2 * int(np.ceil(grid.window_nm / finest_nm / 2))
        self._step = grid.window_nm / samples
        line = np.fft.fftfreq(samples, self._step)
        source = np.exp(-2 * (np.pi * source_nm) ** 2 * (line[:, None] ** 2 + line[None, :] ** 2))
        self._transfers = [_resampled(probe, samples) * source for probe in probes]
        reach = int(np.ceil((half_nm + grid.window_nm / 2) / self._step)) + 8
        self._grid = FieldGrid(2 * reach + 1, self._step)
        self._haadf: AtomField | None = None
        self._deflection: AtomField | None = None

    def haadf(self, positions_nm: FloatArray) -> FloatArray32:
        """Fraction of the beam on the annulus with the probe at positions (..., 2)."""
        if self._haadf is None:
            self._haadf = self._built(self._haadf_shape)
        return self._haadf.at(0, positions_nm)

    def deflection_mrad(self, positions_nm: FloatArray) -> tuple[FloatArray32, FloatArray32]:
        """Mean deflection (y, x) of the beam, mrad, with the probe at positions (..., 2)."""
        if self._deflection is None:
            self._deflection = self._built(self._deflection_shape)
        return self._deflection.at(0, positions_nm), self._deflection.at(1, positions_nm)

    def change(self, kind: Kind, position_nm: FloatArray, sign: int) -> None:
        """Follow an atom that appeared (sign 1) or went (sign −1)."""
        for field, shape in ((self._haadf, self._haadf_shape), (self._deflection, self._deflection_shape)):
            if field is not None:
                if not field.knows(kind):
                    field.learn(kind, shape(kind))
                field.add_one(kind, position_nm, sign)

    def _built(self, shape: _Shape) -> AtomField:
        at = self._structure
        kinds = {(int(s), int(z)) for s, z in zip(at.slices, at.numbers, strict=True) if z != REMOVED}
        # Every element in every slice: what damage may put there is then known already.
        possible = {(in_slice, z) for in_slice in range(len(self._transfers)) for z in {6, *(z for _, z in kinds)}}
        field = AtomField(self._grid, {kind: shape(kind) for kind in sorted(possible)})
        for in_slice, number in sorted(kinds):
            chosen = (at.slices == in_slice) & (at.numbers == number)
            field.add((in_slice, number), at.positions_nm[chosen, :2])
        return field

    def _frequencies(self) -> tuple[FloatArray, FloatArray]:
        line = np.fft.fftfreq(len(self._transfers[0]), self._step).astype(float)
        return line[:, None], line[None, :]

    def _haadf_shape(self, kind: Kind) -> NDArray[np.complex128]:
        in_slice, number = kind
        y, x = self._frequencies()
        blur = np.exp(-2 * (np.pi * LOCALISATION_NM) ** 2 * (y**2 + x**2))
        section = annulus_cross_section_nm2(number, self._optics, *self._annulus)
        return (section / self._step**2 * blur * self._transfers[in_slice])[None]

    def _deflection_shape(self, kind: Kind) -> NDArray[np.complex128]:
        in_slice, number = kind
        y, x = self._frequencies()
        phase = PhaseShape.of(number, self._optics).transform(np.hypot(y, x)) / self._step**2
        # Probe at r over an atom at the origin: ∫|P(r' − r)|² ∇phase(r'), a correlation, hence the conjugate.
        pushed = 1j * self._optics.wavelength_nm * 1e3 * phase * np.conj(self._transfers[in_slice])
        return np.stack([pushed * y, pushed * x])


def _resampled(probe: FloatArray, samples: int) -> NDArray[np.complex128]:
    """Fourier transform (samples, samples) of a probe's intensity whose origin is the middle of the window."""
    whole = np.fft.fft2(np.fft.ifftshift(probe))
    keep = np.fft.fftfreq(samples, 1 / samples).astype(int)
    cut: NDArray[np.complex128] = whole[np.ix_(keep, keep)]
    return cut
