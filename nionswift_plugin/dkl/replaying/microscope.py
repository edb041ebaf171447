"""The microscope that a recorded set stands for: no probe is moved, no electron is spent."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import DKLError, InputError, InstrumentError, MeasurementError
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.replay.sources import Source, source_of
from dkl_core.scalarizers.detector_care import DetectorCare
from dkl_core.scalarizers.pattern import COUNTS_PER_ELECTRON, MRAD_PER_PX
from dkl_core.scalarizers.registry import NamedScalarizer
from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.acquisition.calibration import PatternCalibration
from nionswift_plugin.dkl.acquisition.notes import Note, Notebook
from nionswift_plugin.dkl.acquisition.scalars import SiteScalars
from nionswift_plugin.dkl.panel.steering import is_rejected
from nionswift_plugin.dkl.replaying.sets import RecordedSet

if TYPE_CHECKING:
    from dkl_core.datasets import RawData
    from dkl_core.experiment.journal import Told


@dataclass(frozen=True)
class NoDose:
    """The account of a microscope without beam."""

    current_pa: float = 0.0
    electrons: float = 0.0


class ReplayMicroscope:
    """Gives away a recorded set site by site: a session's `Microscope` that touches no hardware.

    Scalars that need a reference get that of the sites measured so far, as on a microscope.

    Args:
        recorded: the set.
        scalarizer: what is measured.
    """

    account = NoDose()

    def __init__(self, recorded: RecordedSet, scalarizer: NamedScalarizer) -> None:
        self._recorded, self._scalarizer = recorded, scalarizer
        self._scalars = SiteScalars(scalarizer)
        self._notebook = Notebook()
        self._cancelled = threading.Event()

    def __enter__(self) -> Self:
        """See that the property can be had of the set.

        Raises:
            InputError: it cannot.
        """
        self._cancelled.clear()
        self._recorded.require(self._scalarizer.name)
        for notice in self._recorded.notices:
            self._notebook.add_trouble(notice)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """There is nothing to give back."""

    def image(self) -> SurveyImage:
        """The set's survey image: its HAADF, or a virtual dark field."""
        return self._recorded.data.survey

    def adopt(self, survey: SurveyImage, told: Sequence[Told] = ()) -> None:
        """Go on with an earlier run on the same set.

        Raises:
            InstrumentError: its survey image is another one.
        """
        mine = self._recorded.data.survey.values
        if survey.values.shape != mine.shape or not np.allclose(survey.values, mine, equal_nan=True):
            raise InstrumentError(
                f"the survey image is not that of {self._recorded.title}; press Acquire, or choose the set of the run"
            )
        self._scalars.remember(told)

    def measure(self, site: Site) -> Measurement:
        """What was recorded at a site.

        Raises:
            MeasurementError: nothing was.
            InstrumentError: the set cannot be read any more, or somebody asked to stop.
        """
        if self._cancelled.is_set():
            raise InstrumentError("the replay was stopped")
        began_s = time.monotonic()
        try:
            measurement = self._measured(site)
        except DKLError:
            raise
        except Exception as error:
            raise InstrumentError(
                f"{self._recorded.title} cannot be read any more ({error}); open it again and resume the run"
            ) from error
        return replace(measurement, seconds=time.monotonic() - began_s, electrons=0.0, dose=0.0)

    def park(self) -> None:
        """There is no beam."""

    def revisions(self, told: Sequence[Told]) -> Mapping[int, Scalar]:
        """Scalars that change noticeably because the run's own reference is better known by now."""
        changes = self._scalars.revisions(told)
        return {number: scalar for number, scalar in changes.items() if not is_rejected(told[number])}

    def cancel(self) -> None:
        """Stop, from any thread."""
        self._cancelled.set()

    def release_items(self) -> None:
        """No data item of a device is held."""

    def take_notes(self) -> tuple[Note, ...]:
        """What had to be assumed of the set."""
        return self._notebook.take()

    @property
    def calibration(self) -> PatternCalibration:
        """What the numbers of a pattern mean.

        Raises:
            InputError: the set has no patterns, or does not say.
        """
        raw = self._patterns
        if MRAD_PER_PX not in raw.constants:
            raise InputError(f"{self._recorded.title} does not say how large a detector pixel is; calibrate it")
        rows, cols = (int(count) for count in raw.stored.shape[-2:])
        return PatternCalibration(
            (rows, cols), float(raw.constants[MRAD_PER_PX]), raw.constants.get(COUNTS_PER_ELECTRON)
        )

    @property
    def care(self) -> DetectorCare:
        """What corrects the patterns."""
        return self._patterns.care or DetectorCare()

    @property
    def _patterns(self) -> RawData:
        raw = self._recorded.data.raw
        if raw is None:
            raise InputError(f"{self._recorded.title} has no patterns")
        return raw

    @cached_property
    def _source(self) -> Source:
        """Recorded values, or blocks of neighbouring patterns."""
        return source_of(self._recorded.data, None if self._recorded.only else self._scalarizer)

    def _measured(self, site: Site) -> Measurement:
        if self._recorded.only is not None:
            return self._source.measure(site)
        if self._scalars.block is not None:
            block = self._source.measure(site)
            if block.raw is None:
                raise MeasurementError(block.reason)
            return replace(block, raw=_compact(block.raw))
        where = (site.row, site.col)
        raw, survey = self._patterns, self._recorded.data.survey
        values = raw.at(where)
        place = np.array(where, dtype=np.float64) if survey.pixel_nm is None else survey.to_nm(where)
        position = (float(place[0]), float(place[1]))
        result = self._scalars.of([raw.calibrated(values)], position)
        details: dict[str, object] = {"position_nm": list(position)}
        if result.reading is not None:
            details["reading"] = result.reading.to_json()
        kept = np.asarray(raw.stored[where]) if (raw.scale, raw.power) == (1.0, 1) else _compact(values)
        return Measurement(result.scalar, kept, details=details)


def _compact(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Decoded patterns need no more than single precision in the run's file."""
    return values.astype(np.float32)
