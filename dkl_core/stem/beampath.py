"""From what is asked of the scan coils to the place on the sample: offset, distortion, jitter and drift."""

from __future__ import annotations

import numpy as np

from dkl_core.stem.drift import Drift
from dkl_core.stem.realism import ScanDistortion
from dkl_core.stem.scan import ScanFrame, beam_shifts_nm, distorted
from dkl_core.survey import FloatArray

Pair = tuple[float, float]


class BeamPath:
    """Where the beam hits the sample.

    Args:
        distortion: errors of the scan coils.
        drift: motion of the sample.
        begin: the time at which the drift begins, s.
    """

    def __init__(self, distortion: ScanDistortion, drift: Drift, begin: float) -> None:
        self.distortion = distortion
        self.drift = drift
        self._begin = begin

    def moved_nm(self, time: FloatArray | float) -> FloatArray:
        """How far the sample has moved (..., 2) as (y, x), nm."""
        return self.drift.at(np.asarray(time, dtype=np.float64) - self._begin)

    def parked(self, place_nm: Pair, time: float) -> Pair:
        """Where on the sample the beam stands when parked at scan coordinates (y, x)."""
        offset_y, offset_x = self.distortion.parked_offset_nm if self.distortion.on else (0.0, 0.0)
        y, x = self.scanned(place_nm[0] + offset_y, place_nm[1] + offset_x, time)
        return float(y), float(x)

    def still(self, y_nm: FloatArray | float, x_nm: FloatArray | float) -> tuple[FloatArray, FloatArray]:
        """Where on the sample a scanned image shows scan coordinates (y, x), had nothing drifted."""
        return distorted(np.asarray(y_nm, dtype=np.float64), np.asarray(x_nm, dtype=np.float64), self.distortion)

    def scanned(self, y_nm: FloatArray | float, x_nm: FloatArray | float, time: float) -> tuple[FloatArray, FloatArray]:
        """Where on the sample a passing beam is at scan coordinates (y, x), without jitter."""
        moved = self.moved_nm(time)
        y, x = distorted(np.asarray(y_nm), np.asarray(x_nm), self.distortion)
        return y - moved[0], x - moved[1]

    def pixels(self, frame: ScanFrame, begin: float, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Where on the sample the beam is at each pixel of a scan, two arrays of shape `frame.size`."""
        rows, cols = frame.size
        y, x = frame.local_nm(np.arange(rows, dtype=np.float64), np.arange(cols, dtype=np.float64))
        shifts = beam_shifts_nm(frame, self.distortion, begin, rng)
        y, x = distorted(*frame.to_scan_nm(y[:, None], x[None, :] + shifts), self.distortion)
        moved = self.moved_nm(begin + frame.line_s * (np.arange(rows, dtype=np.float64) + 0.5))
        return np.broadcast_to(y, (rows, cols)) - moved[:, :1], np.broadcast_to(x, (rows, cols)) - moved[:, 1:]
