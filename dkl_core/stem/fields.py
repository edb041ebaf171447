"""Quantities that are sums over atoms of one smooth shape per element: HAADF image and deflection of the beam.

Such a sum is the convolution of the atoms, as points, with the shape. The points are spread on a grid by a narrow
kernel that is divided out again in Fourier space (a non-uniform fast Fourier transform: Barnett, Magland and
af Klinteberg, SIAM J. Sci. Comput. 41 (2019) C479); the result is read between the grid points by cubic splines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dkl_core.stem.optics import FloatArray

FloatArray32 = NDArray[np.float32]
SPREAD = 8
STEEPNESS = 2.3 * SPREAD
LARGEST_BLOCK = 512


def _spreading(distance: FloatArray) -> FloatArray:
    """The kernel "exponential of semicircle" at distances in grid steps."""
    inside = np.maximum(1 - (2 * distance / SPREAD) ** 2, 0)
    return np.where(inside > 0, np.exp(STEEPNESS * (np.sqrt(inside) - 1)), 0.0)


def _grid_correction(samples: int) -> FloatArray:
    """Inverse of what spreading and spline reading do to the frequencies of a periodic grid (samples,)."""
    frequency = np.fft.fftfreq(samples)
    at, weights = np.polynomial.legendre.leggauss(64)
    at = at * SPREAD / 2
    spread = (SPREAD / 2 * weights * _spreading(at)) @ np.cos(2 * np.pi * np.outer(at, frequency))
    spline = (2 + np.cos(2 * np.pi * frequency)) / 3
    correction: FloatArray = 1 / (spread * spline)
    return correction


@dataclass(frozen=True, eq=False)
class FieldGrid:
    """The square grid of a field: centred on the sample.

    Attributes:
        samples: along each axis.
        step_nm: distance of the samples, nm.
    """

    samples: int
    step_nm: float

    def coordinates(self, positions_nm: FloatArray) -> FloatArray:
        """Positions (..., 2) in nm as (row, column) on the grid."""
        coordinates: FloatArray = np.asarray(positions_nm) / self.step_nm + self.samples // 2
        return coordinates


class AtomField:
    """A field with several components, the sum over atoms of a shape per kind of atom.

    Args:
        grid: where it is kept.
        shapes: for each kind the Fourier transform of its shape (components, m, m) per grid cell on a periodic window
            of m × m samples, frequencies in the order of `numpy.fft.fftfreq`; band-limited to half the grid's Nyquist
            frequency.
    """

    def __init__(self, grid: FieldGrid, shapes: Mapping[tuple[int, int], NDArray[np.complex128]]) -> None:
        self.grid = grid
        self._kernels = {kind: _kernel(shape) for kind, shape in shapes.items()}
        first = next(iter(self._kernels.values()))
        self.values: FloatArray32 = np.zeros((len(first), grid.samples, grid.samples), np.float32)

    def knows(self, kind: tuple[int, int]) -> bool:
        """Whether there is a shape for a kind."""
        return kind in self._kernels

    def learn(self, kind: tuple[int, int], shape: NDArray[np.complex128]) -> None:
        """Take the shape of another kind."""
        self._kernels[kind] = _kernel(shape)

    def add(self, kind: tuple[int, int], positions_nm: FloatArray) -> None:
        """Add all atoms of a kind at positions (n, 2)."""
        points = np.zeros((self.grid.samples, self.grid.samples), np.float32)
        rows, cols, weights = self._spread(positions_nm)
        np.add.at(points, (rows, cols), weights)
        half, samples = self._kernels[kind].shape[-1] // 2, self.grid.samples
        for values, kernel in zip(self.values, self._kernels[kind], strict=True):
            values += _convolved(points, kernel)[half : half + samples, half : half + samples]

    def add_one(self, kind: tuple[int, int], position_nm: FloatArray, sign: int) -> None:
        """Add (sign 1) or take away (sign −1) one atom at a position (2,)."""
        rows, cols, weights = self._spread(position_nm[None])
        kernels = self._kernels[kind]
        m = kernels.shape[-1]
        top, left = int(rows.min()) - m // 2, int(cols.min()) - m // 2
        spread = sign * weights.reshape(1, SPREAD, SPREAD)
        stamp = _convolved(kernels, spread)
        inside = [slice(max(-low, 0), min(self.grid.samples - low, m + SPREAD - 1)) for low in (top, left)]
        if all(part.start < part.stop for part in inside):
            target = [slice(part.start + low, part.stop + low) for part, low in zip(inside, (top, left), strict=True)]
            self.values[:, target[0], target[1]] += stamp[:, inside[0], inside[1]]

    def at(self, component: int, positions_nm: FloatArray) -> FloatArray32:
        """A component at positions (..., 2); 0 outside of the grid."""
        from scipy.ndimage import map_coordinates

        places = self.grid.coordinates(positions_nm)
        values: FloatArray32 = map_coordinates(
            self.values[component], places.reshape(-1, 2).T, order=3, mode="constant", prefilter=False
        )
        return values.reshape(places.shape[:-1])

    def _spread(self, positions_nm: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray32]:
        """Rows, columns and weights (n, SPREAD, SPREAD) of the samples that points (n, 2) are spread to."""
        places = self.grid.coordinates(positions_nm)
        near = np.ceil(places - SPREAD / 2).astype(np.intp)[:, :, None] + np.arange(SPREAD)
        weights = _spreading(near - places[:, :, None])
        shape = (len(places), SPREAD, SPREAD)
        rows = np.broadcast_to(near[:, 0, :, None], shape)
        cols = np.broadcast_to(near[:, 1, None, :], shape)
        inside = (np.minimum(rows, cols) >= 0) & (np.maximum(rows, cols) < self.grid.samples)
        both = np.where(inside, weights[:, 0, :, None] * weights[:, 1, None, :], 0).astype(np.float32)
        last = self.grid.samples - 1
        return (rows, cols, both) if inside.all() else (np.clip(rows, 0, last), np.clip(cols, 0, last), both)


def _convolved(values: FloatArray32, kernel: FloatArray32) -> FloatArray32:
    """The full convolution over the last two axes; `scipy.signal` has it too, but takes a second to import."""
    from scipy import fft

    size = [a + b - 1 for a, b in zip(values.shape[-2:], kernel.shape[-2:], strict=True)]
    fast = [fft.next_fast_len(length, real=True) for length in size]
    product = fft.rfft2(values, fast, workers=1)
    product *= fft.rfft2(kernel, fast, workers=1)
    whole: FloatArray32 = fft.irfft2(product, fast, workers=1, overwrite_x=True)
    return whole[..., : size[0], : size[1]]


def _kernel(shape: NDArray[np.complex128]) -> FloatArray32:
    """The real-space kernel (components, m + 1, m + 1), origin in the middle, with spreading and reading undone."""
    line = _grid_correction(shape.shape[-1])
    kernel = np.fft.ifft2(shape * line[:, None] * line).real
    return np.pad(np.fft.fftshift(kernel, axes=(1, 2)), ((0, 0), (0, 1), (0, 1))).astype(np.float32)
