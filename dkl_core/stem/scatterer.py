"""What a probe on a sample gives: diffraction patterns, the HAADF signal and the mean deflection."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InputError
from dkl_core.stem.atoms import REMOVED, Atoms, IntArray, Structure
from dkl_core.stem.camera import EXACT_MRAD, CameraGrid
from dkl_core.stem.images import Images
from dkl_core.stem.optics import FloatArray, Optics
from dkl_core.stem.probe import ComplexArray, Probe, focused_intensity, intensity, propagator
from dkl_core.stem.samples import Sample
from dkl_core.stem.transmission import Transmission

HAADF_MRAD = (80.0, 200.0)
LAZY_FROM_NM = 30.0
NEAR_NM = 0.1
LAYER_GAP_NM = 0.2
MOST_SLICES = 3


class Scatterer:
    """A sample in the beam, calculated slice by slice (Cowley and Moodie's multislice with one to three slices).

    Positions are those of the sample, (y, x) in nm from the centre of its field. What lies outside is vacuum. Not
    thread-safe.

    Args:
        sample: what is looked at; it stays as it is, changes are the scatterer's own.
        optics: beam and lens.
        shape: rows and columns of the camera.
        mrad_per_px: angle per camera pixel, mrad; a sensible one for the semi-angle when omitted.
        haadf_mrad: inner and outer angle of the HAADF detector, mrad.
        source_nm: standard deviation of the source's image on the sample, nm, that HAADF and deflection are averaged
            over; patterns are those of a point source.
        exact_mrad: angle per axis up to which patterns are exact; beyond it they lack a part of the scattering, mrad.
        lazy: calculate the transmission only where the probe goes; by default only for large fields.

    Raises:
        InputError: a camera or optics that cannot be simulated, an element without scattering factor.
    """

    def __init__(
        self,
        sample: Sample,
        optics: Optics | None = None,
        *,
        shape: tuple[int, int] = (256, 256),
        mrad_per_px: float | None = None,
        haadf_mrad: tuple[float, float] = HAADF_MRAD,
        source_nm: float = 0.0,
        exact_mrad: float = EXACT_MRAD,
        lazy: bool | None = None,
    ) -> None:
        self.sample, self.optics = sample, optics or Optics()
        self.grid = CameraGrid.fitting(self.optics, shape, mrad_per_px, exact_mrad)
        slices, depths = sliced(sample.atoms)
        self._structure = Structure(sample.atoms, slices)
        self.depths_nm = depths
        self._probe = Probe(self.optics, self.grid)
        half = float(np.abs(sample.atoms.positions_nm[:, :2]).max(initial=sample.field_nm / 2))
        self._slices = [
            Transmission(self._structure, number, self.optics, self.grid, half) for number in range(len(depths))
        ]
        self._steps = self.propagators(self.grid.window, self.grid.step_nm)
        self.images = Images(self._structure, self.optics, self.grid, self._intensities(), half, haadf_mrad, source_nm)
        self._visible = self._camera_window()
        if not (2 * half > LAZY_FROM_NM if lazy is None else lazy):
            self.build()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the camera."""
        return self.grid.shape

    @property
    def mrad_per_px(self) -> float:
        """Angle per camera pixel, mrad."""
        return self.grid.mrad_per_px

    @property
    def centre_px(self) -> tuple[float, float]:
        """(row, column) of the undiffracted beam on the camera."""
        return self.grid.centre_px

    @property
    def atoms(self) -> Atoms:
        """The atoms that are there now."""
        return self._structure.atoms()

    def build(self) -> None:
        """Calculate everything now that is otherwise calculated where the probe goes."""
        for part in self._slices:
            part.build()
        self.haadf(0.0, 0.0)

    def pattern(self, y_nm: float, x_nm: float) -> NDArray[np.float32]:
        """The diffraction pattern with the probe at a position.

        Returns:
            Fraction of the beam per camera pixel, `shape`; its sum is what the camera catches of the beam.
        """
        rows, cols = (value / self.grid.step_nm for value in (y_nm, x_nm))
        row, col = round(rows), round(cols)
        wave = self._probe.wave(rows - row, cols - col)
        wave = self._transmitted(self._slices[0], wave, row, col)
        for step, part in zip(self._steps, self._slices[1:], strict=True):
            wave = self._transmitted(part, self._propagated(wave, step), row, col)
        return self.binned(intensity(self.far_field(wave)))

    def windows(self, y_nm: float, x_nm: float, samples: int) -> tuple[list[ComplexArray], float, float]:
        """The transmission minus 1 of each slice round a position.

        Returns:
            Arrays (`samples`, `samples`), not more than the window, and how many samples (rows, columns) the position
            is off the sample in the middle.
        """
        rows, cols = (value / self.grid.step_nm for value in (y_nm, x_nm))
        row, col = round(rows), round(cols)
        first = self.grid.window // 2 - samples // 2
        part = slice(first, first + samples)
        nothing = np.zeros((samples, samples), np.complex64)
        windows = [of_slice.window(row, col) for of_slice in self._slices]
        return [nothing if window is None else window[part, part] for window in windows], rows - row, cols - col

    def propagators(self, samples: int, step_nm: float) -> list[ComplexArray]:
        """Factors on the Fourier transforms (`samples`, `samples`) of waves that carry them from slice to slice."""
        return [propagator(self.optics, samples, step_nm, float(gap)) for gap in np.diff(self.depths_nm)]

    def far_field(self, wave: ComplexArray) -> ComplexArray:
        """The wave on the calculated pixels of the camera.

        Args:
            wave: behind the sample, the whole window or its first samples where the rest is 0; may be overwritten.
        """
        from scipy import fft

        (above, below), (left, right) = self._visible
        window = self.grid.window
        rows = fft.fft(wave, n=window, axis=0, norm="ortho", workers=1, overwrite_x=True)
        rows = np.concatenate([rows[above], rows[below]])
        whole = fft.fft(rows, n=window, axis=1, norm="ortho", workers=1, overwrite_x=True)
        seen: ComplexArray = np.concatenate([whole[:, left], whole[:, right]], axis=1)
        return seen

    def binned(self, pattern: NDArray[np.float32]) -> NDArray[np.float32]:
        """A pattern on the calculated pixels as the camera's own, `shape`."""
        return pattern if self.grid.binning == 1 else _binned(pattern, self.grid.binning)

    def haadf(self, y_nm: ArrayLike, x_nm: ArrayLike) -> NDArray[np.float32]:
        """Fraction of the beam on the HAADF detector with the probe at positions (any shape), nm; 0 in vacuum."""
        # The splines ring below zero by less than 1e-6 of the beam beside heavy atoms.
        return np.maximum(self.images.haadf(_places(y_nm, x_nm)), 0)

    def com_mrad(self, y_nm: ArrayLike, x_nm: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Centre of mass (y, x) of the whole pattern with the probe at positions (any shape), nm; mrad.

        From Ehrenfest's theorem, without patterns: exact for one slice, see `images` for more.
        """
        return self.images.deflection_mrad(_places(y_nm, x_nm))

    def atoms_near(self, y_nm: float, x_nm: float, radius_nm: float) -> IntArray:
        """Indices of the atoms within a distance of a position, nearest first."""
        return self._structure.near(y_nm, x_nm, radius_nm)

    def atom(self, index: int) -> tuple[FloatArray, int]:
        """Position (y, x, z) in nm and atomic number of an atom.

        Raises:
            InputError: there is no such atom.
        """
        self._structure.require(index)
        return self._structure.positions_nm[index].copy(), int(self._structure.numbers[index])

    def remove_atom(self, index: int) -> None:
        """Take an atom away; the others keep their indices.

        Raises:
            InputError: there is no such atom.
        """
        self._change(index, self.atom(index)[0], REMOVED)

    def replace_atom(self, index: int, number: int) -> None:
        """Make an atom another element.

        Raises:
            InputError: there is no such atom, or an element without scattering factor.
        """
        self._change(index, self.atom(index)[0], number)

    def move_atom(self, index: int, position_nm: tuple[float, float]) -> None:
        """Put an atom at another (y, x), nm.

        Raises:
            InputError: there is no such atom.
        """
        old, number = self.atom(index)
        new = np.array([*position_nm, old[2]])
        if np.abs(new - old).max() > NEAR_NM:
            self._change(index, old, REMOVED)
            self._structure.put(index, new, REMOVED)
        self._change(index, new, number)

    def add_atom(self, position_nm: tuple[float, float], number: int, z_nm: float | None = None) -> int:
        """Add an atom at (y, x), nm; at the depth of the slice that the beam meets first unless a depth is given.

        Returns:
            The index of the new atom.

        Raises:
            InputError: an element without scattering factor.
        """
        z = float(self.depths_nm[0]) if z_nm is None else z_nm
        in_slice = int(np.argmin(np.abs(self.depths_nm - z)))
        self._slices[in_slice].know(number)
        place = np.array([*position_nm, z])
        index = self._structure.append(place, REMOVED, in_slice)
        self._change(index, place, number)
        return index

    def _change(self, index: int, position_nm: FloatArray, number: int) -> None:
        in_slice, was = int(self._structure.slices[index]), int(self._structure.numbers[index])
        old = self._structure.positions_nm[index, :2].copy()
        part = self._slices[in_slice]
        part.know(number)
        part.change(index, position_nm, number)
        for kind, place, sign in ((was, old, -1), (number, position_nm[:2], 1)):
            if kind != REMOVED:
                self.images.change((in_slice, kind), place, sign)

    def _transmitted(self, part: Transmission, wave: ComplexArray, row: int, col: int) -> ComplexArray:
        window = part.window(row, col)
        if window is not None:
            wave += wave * window
        return wave

    def _propagated(self, wave: ComplexArray, step: ComplexArray) -> ComplexArray:
        from scipy import fft

        there = fft.fft2(wave, workers=1, overwrite_x=True)
        there *= step
        back: ComplexArray = fft.ifft2(there, workers=1, overwrite_x=True)
        return back

    def _camera_window(self) -> list[tuple[slice, slice]]:
        """Per axis the frequencies before and from zero that the camera sees."""
        sizes = [size * self.grid.binning for size in self.shape]
        starts = [(size // 2) * self.grid.binning for size in self.shape]
        window = self.grid.window
        return [
            (slice(window - start, window), slice(0, size - start)) for size, start in zip(sizes, starts, strict=True)
        ]

    def _intensities(self) -> list[FloatArray]:
        window, step = self.grid.window, self.grid.step_nm
        steps = [None, *(propagator(self.optics, window, step, float(depth)) for depth in self.depths_nm[1:])]
        return [focused_intensity(self._probe, step) for step in steps]


def sliced(atoms: Atoms) -> tuple[IntArray, FloatArray]:
    """Divide atoms into slices where there is a gap along the beam.

    Returns:
        The slice of each atom (n,), and the depth of each slice (slices,) behind the first, nm.
    """
    if not len(atoms):
        return np.zeros(0, dtype=np.intp), np.zeros(1)
    heights = atoms.positions_nm[:, 2]
    levels = np.sort(heights)
    gaps = np.diff(levels)
    widest = np.sort(np.argsort(gaps)[::-1][: MOST_SLICES - 1])
    edges = [(levels[i] + levels[i + 1]) / 2 for i in widest if gaps[i] > LAYER_GAP_NM]
    slices = np.searchsorted(np.array(edges), heights).astype(np.intp)
    depths = np.array([np.median(heights[slices == number]) for number in range(len(edges) + 1)])
    return slices, depths - depths[0]


def _places(y_nm: ArrayLike, x_nm: ArrayLike) -> FloatArray:
    y, x = np.broadcast_arrays(np.asarray(y_nm, dtype=float), np.asarray(x_nm, dtype=float))
    if not (np.isfinite(y).all() and np.isfinite(x).all()):
        raise InputError("the probe's position is not finite; give numbers in nm")
    return np.stack([y, x], axis=-1)


def _binned(pattern: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    rows, cols = (size // by for size in pattern.shape)
    binned: NDArray[np.float32] = pattern.reshape(rows, by, cols, by).sum(axis=(1, 3))
    return binned
