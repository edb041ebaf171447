"""The simulated STM surface: topographs of any frame, spectra at any place, and the truth behind both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dkl_core.errors import InputError
from dkl_core.frame import Frame
from dkl_core.sample.electronics import Electronics, LocalStates
from dkl_core.sample.instrument import Microscope, Visits
from dkl_core.sample.settings import SurfaceSettings
from dkl_core.sample.spectrometer import Spectrometer, bias_ramp, spectrometer
from dkl_core.sample.structure import Structure
from dkl_core.scalarizers.spectrum import Spectrum
from dkl_core.survey import FloatArray, SurveyImage

CHUNK = 4096


@dataclass(frozen=True)
class Truth:
    """Noise-free quantities; every array has the shape of the positions asked for.

    Attributes:
        height_nm: apparent height, nm.
        gap_ev: distance of the band edges, eV.
        conduction_edge_ev: eV above the Fermi level.
        valence_edge_ev: eV above the Fermi level (negative).
        in_gap_weight_ev: area of all in-gap states in the density of states, eV.
    """

    height_nm: FloatArray
    gap_ev: FloatArray
    conduction_edge_ev: FloatArray
    valence_edge_ev: FloatArray
    in_gap_weight_ev: FloatArray


class SimulatedSurface:
    """A piece of sample under a simulated STM.

    Equal settings give equal surfaces. Measuring twice at a place gives different noise; a new surface with the same
    settings gives the same noise at the same visit, whatever was measured in between.

    Args:
        settings: what to build; the defaults are 50 nm with two or three steps.
    """

    def __init__(self, settings: SurfaceSettings | None = None) -> None:
        self.settings = settings or SurfaceSettings()
        self.structure = Structure.drawn(self.settings)
        self._electronics = Electronics.drawn(self.structure, self.settings)
        self._microscope = Microscope(self.settings.realism)
        self._visits = Visits(self.settings.seed)

    @property
    def whole(self) -> Frame:
        """The frame that covers the whole sample."""
        return Frame((0.0, 0.0), self.settings.extent_nm, self.settings.shape)

    @property
    def bias_v(self) -> FloatArray:
        """Bias values of a spectrum when none are given (b,), V."""
        return np.asarray(self._sweep(None))

    def topograph(self, frame: Frame | None = None, time_s: float = 0.0) -> SurveyImage:
        """Scan a frame, line after line from the top.

        Args:
            frame: what to scan; the whole sample when omitted.
            time_s: when the scan starts, s (drift, tip change).

        Returns:
            Apparent height in nm, calibrated; positions are those of the sample.

        Raises:
            InputError: the frame leaves the sample.
        """
        frame = frame or self.whole
        if not frame.within(self.whole):
            raise InputError(
                f"the frame of {frame.size_nm} nm at {frame.centre_nm} nm leaves the sample of "
                f"{self.settings.extent_nm} nm; move it or make it smaller"
            )
        times = self._microscope.line_times_s(frame.shape[0], time_s)
        points = (frame.positions_nm() + self._microscope.drift_nm(times)[:, None]).reshape(-1, 2)
        terraces = self.structure.terraces(points).reshape(frame.shape)
        relief = self.structure.relief(points, frame.pixel_nm).reshape(frame.shape)
        heights = self._microscope.topograph(terraces, relief, times)
        rng = self._visits.generator(*frame.centre_nm, *frame.size_nm, *frame.shape)
        tilt = frame.positions_nm() @ np.asarray(self.settings.realism.tilt)
        return SurveyImage(
            heights + tilt + self._microscope.height_noise(frame.shape, rng), frame.pixel_nm, frame.origin_nm
        )

    def spectrum(self, row_nm: float, col_nm: float, time_s: float = 0.0, bias_v: ArrayLike | None = None) -> Spectrum:
        """Measure I(V) and dI/dV at a place.

        Args:
            row_nm: position down the sample, nm.
            col_nm: position across the sample, nm.
            time_s: when, s (drift, tip change).
            bias_v: bias values (b,), V; those of the settings when omitted.

        Returns:
            Bias in V, current in A, dI/dV in A/V.

        Raises:
            InputError: the place is not on the sample, or the bias cannot be swept.
        """
        place = np.array([row_nm, col_nm], dtype=float)
        self._require_on_sample(place)
        device = self._spectrometer(bias_v)
        points = (place + self._microscope.drift_nm(time_s))[None]
        current, didv = device.channels(self._electronics.states(points))
        rng = self._visits.generator(row_nm, col_nm)
        noisy_current, noisy_didv = self._microscope.spectrum(current[0], didv[0], time_s, rng)
        return Spectrum(device.bias_v, noisy_current, noisy_didv)

    def spectrum_at(self, image: SurveyImage, row: float, col: float, time_s: float = 0.0) -> Spectrum:
        """Measure at a pixel of a topograph; see `spectrum`."""
        row_nm, col_nm = image.to_nm((row, col))
        return self.spectrum(float(row_nm), float(col_nm), time_s)

    def truth(self, positions_nm: ArrayLike) -> Truth:
        """What a perfect instrument would find, without drift.

        Args:
            positions_nm: (row, column) positions (…, 2), nm; `Frame.positions_nm()` for a map.

        Returns:
            Arrays of shape (…).
        """
        points, shape = self._points(positions_nm)
        states = self._electronics.states(points)
        height = self.structure.terraces(points) + self.structure.relief(points)
        weight = states.weights_ev.sum(axis=1)
        columns = (height, states.gap_ev, states.conduction_edge_ev, states.valence_edge_ev, weight)
        return Truth(*(column.reshape(shape) for column in columns))

    def ideal_spectra(self, positions_nm: ArrayLike, bias_v: ArrayLike | None = None) -> tuple[FloatArray, FloatArray]:
        """Spectra without noise or saturation, from which the truth of any scalarizer follows.

        Args:
            positions_nm: (row, column) positions (…, 2), nm.
            bias_v: bias values (b,), V; those of the settings when omitted.

        Returns:
            Current in A and dI/dV in A/V, each (…, b).
        """
        points, shape = self._points(positions_nm)
        device = self._spectrometer(bias_v)
        channels = [device.channels(states) for states in self._states_in_chunks(points)]
        current, didv = (np.concatenate(parts).reshape(*shape, -1) for parts in zip(*channels, strict=True))
        return current, didv

    def _states_in_chunks(self, points: FloatArray) -> Iterator[LocalStates]:
        for start in range(0, len(points), CHUNK):
            yield self._electronics.states(points[start : start + CHUNK])

    def _points(self, positions_nm: ArrayLike) -> tuple[FloatArray, tuple[int, ...]]:
        positions = np.asarray(positions_nm, dtype=float)
        if positions.ndim == 0 or positions.shape[-1] != 2 or positions.size == 0:
            raise InputError(f"the positions have shape {positions.shape}, expected (…, 2); give (row, column) in nm")
        self._require_on_sample(positions)
        return positions.reshape(-1, 2), positions.shape[:-1]

    def _require_on_sample(self, positions: FloatArray) -> None:
        inside = (positions >= 0) & (positions <= np.asarray(self.settings.extent_nm))
        if not inside.all():
            row, col = positions.reshape(-1, 2)[~inside.reshape(-1, 2).all(axis=1)][0]
            raise InputError(
                f"the position ({row:g}, {col:g}) nm is not on the sample of {self.settings.extent_nm} nm; "
                "give (row, column) within it"
            )

    def _sweep(self, bias_v: ArrayLike | None) -> tuple[float, ...]:
        if bias_v is None:
            return bias_ramp(self.settings.electronics.bias_v, self.settings.electronics.points)
        return tuple(np.asarray(bias_v, dtype=float).ravel().tolist())

    def _spectrometer(self, bias_v: ArrayLike | None) -> Spectrometer:
        return spectrometer(self.settings.electronics, self._sweep(bias_v))
