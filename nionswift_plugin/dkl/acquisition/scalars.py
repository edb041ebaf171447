"""From patterns to the scalar of a site, at once and again when the run's own reference is better known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dkl_core.errors import ScalarizerError
from dkl_core.measurement import Scalar
from dkl_core.scalarizers.blocks import BlockShape, PatternBlock, block_of
from dkl_core.scalarizers.pattern import FloatArray, Pattern
from dkl_core.scalarizers.reading import FieldScalarizer, Judge, Judging, Reading, field_scalarizer, revised
from dkl_core.scalarizers.registry import NamedScalarizer

if TYPE_CHECKING:
    from dkl_core.experiment.journal import Told

Pair = tuple[float, float]
# With so many more measurements than last time the reference is better known; in between it hardly changes.
_GROWTH = 0.05


@dataclass(frozen=True)
class SiteResult:
    """What a site's patterns gave.

    Attributes:
        scalar: the number.
        reading: what it was made of, for scalarizers whose reference is measured with the run.
    """

    scalar: Scalar
    reading: Reading | None = None


class SiteScalars:
    """Makes the scalars of one experiment.

    Args:
        scalarizer: what is measured.
    """

    def __init__(self, scalarizer: NamedScalarizer) -> None:
        self._scalarizer = scalarizer
        self._field: FieldScalarizer | None = field_scalarizer(scalarizer)
        self._block = block_of(scalarizer)
        self._readings: list[Reading] = []
        self._positions: list[Pair] = []
        self._judge: Judge | None = None
        self._judged_at = self._revised_at = 0

    @property
    def block(self) -> BlockShape | None:
        """The probe positions that a site needs, None where one pattern is enough."""
        return self._block

    def of(self, patterns: Sequence[Pattern], position_nm: Pair) -> SiteResult:
        """The scalar of a site; patterns row by row where there are several."""
        try:
            return self._of(patterns, position_nm)
        except ScalarizerError as error:
            return SiteResult(Scalar.invalid(str(error)))

    def remember(self, told: Sequence[Told]) -> None:
        """Start from the measurements of an earlier run."""
        _, self._readings, positions = _readings_of(told)
        self._judge = None
        self._positions = [(float(y), float(x)) for y, x in positions]

    def revisions(self, told: Sequence[Told]) -> Mapping[int, Scalar]:
        """Scalars that the run's reference, as it is known now, changes noticeably; by their numbers in `told`.

        The reference is looked at anew when the measurements have grown by a twentieth since the last time.
        """
        if self._field is None or len(told) < self._revised_at * (1 + _GROWTH):
            return {}
        self._revised_at = len(told)
        numbers, readings, positions = _readings_of(told)
        changes = revised(self._field, readings, positions, [told[number].measurement.measured for number in numbers])
        return {numbers[which]: scalar for which, scalar in changes.items()}

    def _of(self, patterns: Sequence[Pattern], position_nm: Pair) -> SiteResult:
        shape = self._block
        if shape is not None:
            return SiteResult(self._scalarizer(PatternBlock(tuple(patterns), shape.n, shape.step_nm)))
        if self._field is None:
            return SiteResult(self._scalarizer(patterns[0]))
        reading = self._field.reading(patterns[0])
        self._readings.append(reading)
        self._positions.append(position_nm)
        return SiteResult(self._latest(self._field), reading)

    def _latest(self, field: FieldScalarizer) -> Scalar:
        """The scalar of the last reading, by a reference that is at most a twentieth of the measurements old."""
        positions = np.asarray(self._positions, dtype=np.float64)
        if not isinstance(field, Judging):
            return field.scalars(self._readings, positions)[-1]
        if self._judge is None or len(self._readings) >= self._judged_at * (1 + _GROWTH):
            self._judge, self._judged_at = field.judge(self._readings, positions), len(self._readings)
        return self._judge(self._readings[-1], positions[-1])


def _readings_of(told: Sequence[Told]) -> tuple[list[int], list[Reading], FloatArray]:
    """Numbers of the measurements that hold a reading, the readings, and where they were taken (N, 2), nm."""
    numbers = [number for number, one in enumerate(told) if "reading" in one.measurement.details]
    details: list[Mapping[str, Any]] = [told[number].measurement.details for number in numbers]
    readings = [Reading.from_json(one["reading"]) for one in details]
    positions = np.asarray([one["position_nm"] for one in details], dtype=np.float64).reshape(-1, 2)
    return numbers, readings, positions
