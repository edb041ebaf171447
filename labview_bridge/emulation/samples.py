"""What lies under the tip of the published VI: a published run, or the simulated STM."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from dkl_core.datasets import load_recorded
from dkl_core.errors import InputError
from dkl_core.frame import Frame
from dkl_core.sample import SimulatedSurface
from dkl_core.survey import FloatArray, SurveyImage


class Sample(Protocol):
    """A square frame with a topograph, and spectra at any of its pixels."""

    def topography(self) -> tuple[FloatArray, float]:
        """Heights (rows, columns) in nm, row 0 at the top, and the frame's width in m."""

    def spectrum(self, x_px: float, y_px: float) -> FloatArray:
        """Bias (V), current (A), LIX (A/V), LIY (A/V) as rows (4, points).

        Args:
            x_px: column of the tip.
            y_px: its row, counted from the bottom.
        """


class RecordedSample:
    """A published run: the spectrum of the nearest site that was measured.

    Args:
        path: the run's file.

    Raises:
        DataFileError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.data = load_recorded(str(path))
        if self.data.positions is None or self.data.raw is None:
            raise InputError(f"{path.name} holds no spectra at single sites; give a published run")
        self._sites, self._raw = self.data.positions.astype(float), self.data.raw

    def topography(self) -> tuple[FloatArray, float]:
        """See `Sample`."""
        size = self.data.survey.size_nm
        assert size is not None
        return self.data.survey.values, size[1] * 1e-9

    def spectrum(self, x_px: float, y_px: float) -> FloatArray:
        """See `Sample`."""
        row = self.data.survey.shape[0] - 1 - y_px
        nearest = int(np.hypot(self._sites[:, 0] - row, self._sites[:, 1] - x_px).argmin())
        return self._raw.at(nearest)


class SimulatedSample:
    """A square frame of a simulated surface.

    Args:
        surface: the surface.
        frame: what the VI's frame covers; the whole surface when omitted.
        seconds_per_spectrum: how long positioning and measuring take, s; drift goes on meanwhile.

    Raises:
        InputError: the frame is not square.
    """

    def __init__(
        self, surface: SimulatedSurface, frame: Frame | None = None, seconds_per_spectrum: float = 10.0
    ) -> None:
        self.surface, self.frame = surface, frame or surface.whole
        if self.frame.size_nm[0] != self.frame.size_nm[1] or self.frame.shape[0] != self.frame.shape[1]:
            raise InputError(f"the frame measures {self.frame.size_nm} nm; the published VI knows square frames only")
        self.image: SurveyImage = surface.topograph(self.frame)
        self._step_s, self._time_s = seconds_per_spectrum, 0.0

    def topography(self) -> tuple[FloatArray, float]:
        """See `Sample`."""
        return self.image.values, self.frame.size_nm[1] * 1e-9

    def spectrum(self, x_px: float, y_px: float) -> FloatArray:
        """See `Sample`; the second lock-in phase holds noise only."""
        measured = self.surface.spectrum_at(self.image, self.frame.shape[0] - 1 - y_px, x_px, self._time_s)
        self._time_s += self._step_s
        current, didv = np.asarray(measured.current_a), np.asarray(measured.didv)
        quadrature = np.random.default_rng([int(self._time_s * 1000), 7]).normal(0, 1e-11, len(didv))
        return np.stack([measured.bias_v, current, didv, quadrature])
