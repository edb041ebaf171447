"""Scalars of recorded blocks: a few neighbouring patterns of a 4D set stand for one measurement."""

from __future__ import annotations

import numpy as np

from dkl_core.datasets import RawData, RecordedData
from dkl_core.errors import DataFileError
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.replay.sources import guarded_scalar, value_or_nan
from dkl_core.scalarizers import NamedScalarizer
from dkl_core.scalarizers.blocks import BlockShape, PatternBlock, ReadsEach, block_of
from dkl_core.scalarizers.pattern import Pattern
from dkl_core.scalarizers.reading import Reading

Place = tuple[int, int]


class BlockSource:
    """Scalars of a few neighbouring places of the scan."""

    def __init__(self, data: RecordedData, raw: RawData, scalarizer: NamedScalarizer) -> None:
        block = block_of(scalarizer)
        assert block is not None
        if data.positions is not None or data.survey.pixel_nm is None:
            raise DataFileError(
                f"{data.name} has no calibrated map of patterns, of which {scalarizer.name!r} takes "
                f"{block.n} x {block.n} neighbours; give a 4D set with sampling_A or pixel_nm"
            )
        self._data, self._raw, self._scalarizer = data, raw, scalarizer
        self._reader = scalarizer.function if isinstance(scalarizer.function, ReadsEach) else None
        self._readings: dict[Place, Reading] = {}
        self.target = scalarizer.name
        height, width = data.survey.pixel_nm
        self._stride = max(1, round(block.step_nm / height)), max(1, round(block.step_nm / width))
        self._shape = BlockShape(block.n, (self._stride[0] * height + self._stride[1] * width) / 2)

    def value(self, row: int, col: int) -> float:
        """The scalar at a pixel, NaN where its block is not whole."""
        return value_or_nan(self._scalar(self._places(row, col)))

    def value_of(self, number: int) -> float:
        """Blocks are made of full maps alone."""
        raise DataFileError(f"{self._data.name} is no full map; measurement {number} has no neighbours")

    def measure(self, site: Site) -> Measurement:
        """The block round a site and its scalar."""
        places = self._places(site.row, site.col)
        return Measurement(
            self._scalar(places), np.stack([self._raw.at(place) for place in places]) if places else None
        )

    def _places(self, row: int, col: int) -> list[Place]:
        """The pixels of a block round one, row by row; none where it leaves the field."""
        steps = [step - self._shape.n // 2 for step in range(self._shape.n)]
        places = [(row + i * self._stride[0], col + j * self._stride[1]) for i in steps for j in steps]
        rows, cols = self._data.survey.shape
        return places if all(0 <= r < rows and 0 <= c < cols for r, c in places) else []

    def _scalar(self, places: list[Place]) -> Scalar:
        if not places:
            return Scalar.invalid("the neighbours it needs are beyond the edge of the recorded field")
        if self._reader is not None:
            return self._reader.of_readings([self._reading(place, self._reader) for place in places], self._shape)
        patterns = tuple(self._pattern(place) for place in places)
        return guarded_scalar(self._scalarizer, PatternBlock(patterns, self._shape.n, self._shape.step_nm))

    def _reading(self, place: Place, reader: ReadsEach) -> Reading:
        if place not in self._readings:
            self._readings[place] = reader.reading(self._pattern(place))
        return self._readings[place]

    def _pattern(self, place: Place) -> Pattern:
        return self._raw.pattern(place)
