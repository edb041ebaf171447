"""What a recorded experiment gives to replay: the survey image, the known scalars and the raw data behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dkl_core.scalarizers.detector_care import DetectorCare
from dkl_core.scalarizers.pattern import MRAD_PER_PX, Pattern
from dkl_core.survey import FloatArray, SurveyImage

RawKind = Literal["spectrum", "pattern"]


@dataclass(frozen=True, eq=False)
class RawData:
    """Raw spectra or patterns as the file stores them, decoded one site at a time.

    Attributes:
        kind: `spectrum` (channels, points) or `pattern` (detector rows, detector columns) at a site.
        stored: the array of the file, shape (M, ...) for single sites or (rows, columns, ...) for a full map.
        channels: names of the rows of a spectrum, the axis first: `bias` (V), `current` (A), `didv` where the file has
            them, and the file's own names as identifiers.
        axis: shape (points,), the axis that all spectra share; None when each stored spectrum brings its own as row 0.
        scale: factor from the stored number to the physical one.
        power: exponent after scaling, 2 for sets that store the square root.
        constants: the file's named numbers that a scalarizer may need (`det_mrad`, `centre_px`, `energy_eV`, ...).
        care: corrects patterns that are stored as raw counts of a camera; None where nothing is to be corrected.
    """

    kind: RawKind
    stored: NDArray[np.generic]
    channels: tuple[str, ...] = ()
    axis: FloatArray | None = None
    scale: float = 1.0
    power: int = 1
    constants: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    care: DetectorCare | None = None

    def at(self, where: int | tuple[int, int]) -> FloatArray:
        """The raw measurement of one site.

        Args:
            where: its number for single sites, its (row, column) for a full map.

        Returns:
            A spectrum (channels, points) whose row 0 is the axis, or a pattern (detector rows, detector columns).
        """
        values: FloatArray = (np.asarray(self.stored[where], dtype=np.float64) * self.scale) ** self.power
        if self.axis is None:
            return values
        return np.vstack([self.axis, values])

    @property
    def is_calibrated(self) -> bool:
        """Whether the file says how large a detector pixel is."""
        return MRAD_PER_PX in self.constants

    def pattern(self, where: int | tuple[int, int]) -> Pattern:
        """The pattern of one site, corrected and calibrated as far as the file says how.

        Args:
            where: as in `at`.

        Raises:
            InputError: the angle per pixel is missing.
        """
        return self.calibrated(self.at(where))

    def calibrated(self, values: FloatArray) -> Pattern:
        """A pattern that `at` gave, corrected and calibrated.

        Raises:
            InputError: the angle per pixel is missing.
        """
        pattern = Pattern.from_array(values, self.constants)
        if self.care is None:
            return pattern
        return self.care.corrected(values, pattern.mrad_per_px, pattern.counts_per_electron, pattern.centre_px)


@dataclass(frozen=True, eq=False)
class RecordedData:
    """An experiment that was already made, to be replayed site by site.

    Attributes:
        survey: the structural image, row 0 at the top.
        target_name: the name of the scalar in the file.
        values: shape (M,), the known scalars, in the file's units.
        positions: shape (M, 2), (row, column) of each value; None when the target is a full map.
        target_map: the scalar at every pixel of the survey image, NaN where unknown; None when only sites are known, or
            only raw data.
        raw: what the scalars were made of, if the file has it.
        name: the file's name.
        note: what the file says of itself.
        notices: what the reader had to assume or fill in; to be shown to the user.
        vacuum: where there is no sample, the survey image's shape; None where the file does not tell.
    """

    survey: SurveyImage
    target_name: str
    values: FloatArray
    positions: NDArray[np.int64] | None = None
    target_map: FloatArray | None = None
    raw: RawData | None = None
    name: str = ""
    note: str = ""
    notices: tuple[str, ...] = ()
    vacuum: NDArray[np.bool_] | None = None

    @property
    def known_sites(self) -> NDArray[np.int64]:
        """(M, 2): (row, column) of each of `values`."""
        if self.positions is not None:
            return self.positions
        return np.argwhere(np.isfinite(self._map())).astype(np.int64)

    def value_at(self, row: int, col: int) -> float:
        """The recorded scalar at a pixel, NaN where there is none. Of repeated measurements, the first."""
        if self.positions is None:
            return float(self._map()[row, col]) if self._inside(row, col) else math.nan
        index = self._index(row, col)
        return math.nan if index is None else float(self.values[index])

    def raw_at(self, row: int, col: int) -> FloatArray | None:
        """The raw measurement at a pixel (see `RawData.at`), None where there is none."""
        if self.raw is None:
            return None
        if self.positions is None:
            return self.raw.at((row, col)) if self._inside(row, col) else None
        index = self._index(row, col)
        return None if index is None else self.raw.at(index)

    def _map(self) -> FloatArray:
        return self.target_map if self.target_map is not None else np.full(self.survey.shape, math.nan)

    def _inside(self, row: int, col: int) -> bool:
        rows, cols = self.survey.shape
        return 0 <= row < rows and 0 <= col < cols

    def _index(self, row: int, col: int) -> int | None:
        found = np.flatnonzero((self.known_sites == (row, col)).all(axis=1))
        return int(found[0]) if found.size else None


def of_map(
    survey: SurveyImage,
    target_name: str,
    target_map: FloatArray | None,
    *,
    raw: RawData | None = None,
    name: str = "",
    note: str = "",
    notices: tuple[str, ...] = (),
    vacuum: NDArray[np.bool_] | None = None,
) -> RecordedData:
    """Recorded data whose scalar is known on a full map (rows, columns) of the survey image.

    Without a map the data have no values: only the raw measurements are there.
    """
    known = np.empty(0) if target_map is None else target_map[np.isfinite(target_map)]
    return RecordedData(
        survey, target_name, known, None, target_map, raw=raw, name=name, note=note, notices=notices, vacuum=vacuum
    )
