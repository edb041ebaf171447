"""The transmission function of one slice of the sample, low-passed to what the camera can see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dkl_core.stem.atoms import Structure
from dkl_core.stem.camera import CameraGrid
from dkl_core.stem.optics import FloatArray, Optics
from dkl_core.stem.probe import ComplexArray
from dkl_core.stem.scattering_factors import PhaseShape

# Fine samples along a block: small, so that few atoms reach into each.
BLOCK = 128
KAISER_BETA = 11.0
MOST_MATRICES = 64
Box = tuple[int, int, int, int]


class LowPass:
    """A separable finite filter from the fine to the coarse grid.

    Exact up to the pass band of the grid; frequencies that would fold back into it are removed (Kaiser window).

    Args:
        optics: beam and lens.
        grid: the two grids.
    """

    def __init__(self, optics: Optics, grid: CameraGrid) -> None:
        self._every = grid.oversampling
        nyquist = 0.5 / grid.step_nm
        transition = 2 * (nyquist - grid.pass_mrad * 1e-3 / optics.wavelength_nm)
        fine = grid.step_nm / self._every
        # Kaiser's estimate of the length for that transition; β = 11 leaves ripples below 1e-5.
        half_nm = (KAISER_BETA / 0.1102 + 0.7) / (2.285 * 2 * np.pi * transition) / 2
        self.half = int(np.ceil(half_nm / fine / self._every)) * self._every
        taps = np.arange(-self.half, self.half + 1)
        kernel = np.sinc(taps / self._every) * np.kaiser(len(taps), KAISER_BETA)
        self._kernel = kernel / kernel.sum()
        self._matrices: dict[tuple[int, int, int], NDArray[np.float32]] = {}

    @property
    def reach(self) -> int:
        """How many coarse samples the filter reaches to either side."""
        return self.half // self._every

    def matrix(self, coarse: int, fine: int, offset: int) -> NDArray[np.float32]:
        """Weights (coarse, fine) when coarse sample 0 lies `offset` fine samples after fine sample 0."""
        key = coarse, fine, offset
        if key not in self._matrices:
            if len(self._matrices) >= MOST_MATRICES:
                self._matrices.clear()
            self._matrices[key] = self._made(*key)
        return self._matrices[key]

    def _made(self, coarse: int, fine: int, offset: int) -> NDArray[np.float32]:
        taps = np.arange(fine)[None, :] - (np.arange(coarse)[:, None] * self._every + offset) + self.half
        inside = (taps >= 0) & (taps < len(self._kernel))
        return np.where(inside, self._kernel[np.clip(taps, 0, len(self._kernel) - 1)], 0).astype(np.float32)


class PhaseMap:
    """The phase that the atoms of one slice give the beam, on demand for any piece of the fine grid.

    Args:
        structure: the atoms.
        in_slice: number of the slice.
        optics: beam and lens.
        step_nm: distance of the fine samples, nm.
    """

    def __init__(self, structure: Structure, in_slice: int, optics: Optics, step_nm: float) -> None:
        self.structure = structure
        self._slice, self._optics, self._step = in_slice, optics, step_nm
        self._shapes: dict[int, PhaseShape] = {}
        self.reach_nm = 0.0
        for number in np.unique(structure.numbers):
            self.know(int(number))

    def know(self, number: int) -> None:
        """Prepare for an element.

        Raises:
            InputError: an element without scattering factor.
        """
        if number and number not in self._shapes:
            self._shapes[number] = PhaseShape.of(number, self._optics)
            self.reach_nm = max(self.reach_nm, self._shapes[number].reach_nm())

    def phase(self, box: Box) -> NDArray[np.float32]:
        """Phase on the fine samples [row0, row1) × [col0, col1) counted from the field's centre, rad."""
        rows, cols = (np.arange(*ends) * self._step for ends in (box[:2], box[2:]))
        low, high = np.array([rows[0], cols[0]]), np.array([rows[-1], cols[-1]])
        found = self.structure.within(low - self.reach_nm, high + self.reach_nm)
        found = found[self.structure.slices[found] == self._slice]
        numbers = self.structure.numbers[found]
        out = np.zeros((len(rows), len(cols)), np.float32)
        for number in np.unique(numbers):
            shape = self._shapes[int(number)]
            places = self.structure.positions_nm[found[numbers == number], :2]
            if len(places):
                down = _gaussians(shape.rates, places[:, 0], rows)
                down *= shape.heights.astype(np.float32)[:, None, None]
                across = _gaussians(shape.rates, places[:, 1], cols)
                out += down.reshape(-1, len(rows)).T @ across.reshape(-1, len(cols))
        return out


def _gaussians(rates: FloatArray, centres: FloatArray, at: FloatArray) -> NDArray[np.float32]:
    """Gaussians (rates, centres, places)."""
    squared = (at - centres[:, None]).astype(np.float32)
    squared *= squared
    values: NDArray[np.float32] = -rates.astype(np.float32)[:, None, None] * squared
    return np.exp(values, out=values)


class Transmission:
    """Transmission function minus 1 of one slice on the coarse grid; built block by block where it is looked at.

    Args:
        structure: the atoms of all slices.
        in_slice: number of the slice.
        optics: beam and lens.
        grid: sampling.
        half_nm: half the width of the square in which there are atoms, nm.
    """

    def __init__(self, structure: Structure, in_slice: int, optics: Optics, grid: CameraGrid, half_nm: float) -> None:
        self._every = grid.oversampling
        self._map = PhaseMap(structure, in_slice, optics, grid.step_nm / self._every)
        self._filter = LowPass(optics, grid)
        self._window, self._step = grid.window, grid.step_nm
        self._block = BLOCK // self._every
        reach_nm = half_nm + self._map.reach_nm
        self._blocks = 2 * int(np.ceil(reach_nm / grid.step_nm / self._block))
        self._first = -(self._blocks // 2) * self._block - self._filter.reach
        self._size = self._blocks * self._block + 2 * self._filter.reach
        # Pages of zeros cost no memory until they are written: a large field costs what was looked at.
        self._values: ComplexArray = np.zeros((self._size, self._size), np.complex64)
        self._built = np.zeros((self._blocks, self._blocks), bool)

    def build(self) -> None:
        """Build all that is still missing."""
        self._ensure(0, self._size, 0, self._size)

    def window(self, row: int, col: int) -> ComplexArray | None:
        """Transmission minus 1 (window, window) round a coarse sample counted from the centre; None in vacuum."""
        top, left = row - self._first - self._window // 2, col - self._first - self._window // 2
        bottom, right = top + self._window, left + self._window
        inside = max(top, 0), min(bottom, self._size), max(left, 0), min(right, self._size)
        if inside[0] >= inside[1] or inside[2] >= inside[3]:
            return None
        self._ensure(*inside)
        part = self._values[inside[0] : inside[1], inside[2] : inside[3]]
        if part.shape == (self._window, self._window):
            return part
        whole = np.zeros((self._window, self._window), np.complex64)
        whole[inside[0] - top : inside[1] - top, inside[2] - left : inside[3] - left] = part
        return whole

    def know(self, number: int) -> None:
        """Prepare for an element.

        Raises:
            InputError: an element without scattering factor.
        """
        self._map.know(number)

    def change(self, atom: int, position_nm: FloatArray, number: int) -> None:
        """Put an atom of the slice at a position (y, x, z) as an element (0: none), and follow it near there.

        The structure is changed by this. Old and new position should be near: what lies between is redone.
        """
        structure = self._map.structure
        places = np.array([structure.positions_nm[atom, :2], position_nm[:2]])
        fine_nm = self._step / self._every
        low = np.floor((places.min(axis=0) - self._map.reach_nm) / fine_nm).astype(int)
        high = np.ceil((places.max(axis=0) + self._map.reach_nm) / fine_nm).astype(int) + 1
        box = (int(low[0]), int(high[0]), int(low[1]), int(high[1]))
        self._ensure(*(end // self._every - self._first for end in box))
        before = self._map.phase(box)
        structure.put(atom, position_nm, number)
        self._add(box, _turned(self._map.phase(box)) - _turned(before))

    def _ensure(self, row0: int, row1: int, col0: int, col1: int) -> None:
        """Build the blocks that reach into the coarse samples [row0, row1) × [col0, col1) of the array."""
        rows, cols = self._reaching(row0, row1), self._reaching(col0, col1)
        missing = ~self._built[rows, cols]
        if missing.any():
            for row, col in np.argwhere(missing):
                self._build_block(int(row) + rows.start, int(col) + cols.start)

    def _reaching(self, first: int, last: int) -> slice:
        low = (first - 2 * self._filter.reach) // self._block
        return slice(max(low, 0), max(min(-(-last // self._block), self._blocks), 0))

    def _build_block(self, row: int, col: int) -> None:
        top, left = ((self._first + self._filter.reach + self._block * index) * self._every for index in (row, col))
        size = self._block * self._every
        box = (top, top + size, left, left + size)
        phase = self._map.phase(box)
        if phase.any():
            self._add(box, _turned(phase))
        self._built[row, col] = True

    def _add(self, box: Box, change: NDArray[np.float32]) -> None:
        rows, down = self._reached(box[0], box[1])
        cols, across = self._reached(box[2], box[3])
        filtered = down @ change @ across.T
        part = self._values[rows, cols]
        part.real += filtered[0]
        part.imag += filtered[1]

    def _reached(self, fine0: int, fine1: int) -> tuple[slice, NDArray[np.float32]]:
        first = max(-(-(fine0 - self._filter.half) // self._every), self._first)
        last = min((fine1 - 1 + self._filter.half) // self._every, self._first + self._size - 1)
        matrix = self._filter.matrix(max(last - first + 1, 0), fine1 - fine0, first * self._every - fine0)
        return slice(first - self._first, max(last, first - 1) + 1 - self._first), matrix


def _turned(phase: NDArray[np.float32]) -> NDArray[np.float32]:
    """exp(i·phase) − 1 as real and imaginary part (2, ...)."""
    turned = np.empty((2, *phase.shape), np.float32)
    np.cos(phase, out=turned[0])
    turned[0] -= 1
    np.sin(phase, out=turned[1])
    return turned
