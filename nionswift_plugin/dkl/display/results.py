"""What stays after a run: what was measured where, all patterns, and the figure on one page."""

from __future__ import annotations

import gettext
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nion.data.Calibration import Calibration
from nion.data.DataAndMetadata import DataDescriptor, DataMetadata
from nion.swift.model import DataItem
from numpy.typing import NDArray

from dkl_core.cli.figures import figure_of
from dkl_core.experiment import Experiment
from dkl_core.experiment.recorded import rebuilt
from dkl_core.record import read_run
from dkl_core.record.contents import RunContents
from nionswift_plugin.dkl.display.maps import SiteRaster
from nionswift_plugin.dkl.display.provenance import Provenance
from nionswift_plugin.dkl.display.publish import METADATA_KEY, Look, Stage, calibrated, new_item

_ = gettext.gettext
Axes = tuple[Calibration, Calibration]
Patterns = NDArray[Any]
# So many bytes of patterns are handed to the main thread at once.
_CHUNK_BYTES = 16 * 2**20
_SEQUENCE = DataDescriptor(True, 0, 2)


@dataclass(frozen=True)
class Results:
    """What was made of a run.

    Attributes:
        figure: the figure's file.
        uuids: Swift's names of the data items by role: `order`, `measured`, `patterns`, `figure`; a run that has
            measured nothing has but the figure.
    """

    figure: Path
    uuids: dict[str, str]


def publish_results(stage: Stage, provenance: Provenance, pattern_axes: Axes | None = None) -> Results:
    """Make data items of a run's file, and its figure beside it.

    Not on the main thread: a long run has gigabytes of patterns. The main thread gets a few of them at a time.

    Args:
        stage: where.
        provenance: the run.
        pattern_axes: calibration of the patterns' rows and columns; None for pixels.

    Raises:
        RecordError: the file is no run.
        MainLoopClosedError: the window closed meanwhile.
    """
    assert threading.current_thread() is not threading.main_thread()
    with read_run(provenance.run) as contents:
        experiment = rebuilt(contents)
        publisher = _Publisher(stage, provenance, experiment)
        if len(experiment.told):
            publisher.maps()
            publisher.patterns(contents, pattern_axes or (Calibration(), Calibration()))
    return Results(publisher.figure(), publisher.uuids)


class _Publisher:
    def __init__(self, stage: Stage, provenance: Provenance, experiment: Experiment) -> None:
        self._stage, self._provenance, self._experiment = stage, provenance, experiment
        self.uuids: dict[str, str] = {}

    def maps(self) -> None:
        """What was measured at each site, and when."""
        experiment, raster = self._experiment, SiteRaster(self._experiment.sites)
        order, measured = np.zeros(len(experiment.sites)), np.full(len(experiment.sites), np.nan)
        for number, one in enumerate(experiment.told, start=1):
            order[one.site.index] = number
            if one.measurement.ok:
                measured[one.site.index] = one.measurement.scalar.value
        axes, unit = raster.raster.calibrations(experiment.survey), self._provenance.shown.unit
        name = self._provenance.shown.name
        for role, values, title, colours, units in (
            ("order", order, _("order of measurement"), "kindlmann", ""),
            ("measured", measured, _("measured {property}").format(property=name), "kindlmann", unit),
        ):
            missing = raster.image(np.where(np.isfinite(values), 0.0, 1.0)).mean()
            metadata = self._provenance.of(role, experiment, share_without_value=float(missing))
            intensity = Calibration(units=units)
            self._add(
                role, title, calibrated(raster.image(values), axes, intensity=intensity, metadata=metadata), colours
            )

    def patterns(self, contents: RunContents, axes: Axes) -> None:
        """All patterns, in the order of measurement, as a sequence that Swift reads from disk when it needs it."""
        numbers, first = self._with_patterns(contents)
        if first is None:
            return
        each = len(_flat(first))
        shape = (each * len(numbers), *first.shape[-2:])
        metadata = DataMetadata(
            data_shape=shape,
            data_dtype=first.dtype,
            dimensional_calibrations=(Calibration(), *axes),
            metadata={METADATA_KEY: self._stack_metadata(numbers, each)},
            data_descriptor=_SEQUENCE,
        )
        item = self._stage.main.call(lambda: self._reserved(metadata, first.dtype))
        start = 0
        for chunk in _chunks(contents, numbers):
            self._write(item, metadata, chunk, start)
            start += len(chunk)
        self._stage.main.call(lambda: self._finish(item))

    def figure(self) -> Path:
        """The figure on one page: a file beside the run's, and a data item."""
        path = self._provenance.run.with_suffix(".png")
        shown = self._provenance.shown
        figure_of(self._experiment, shown.name, str(path), unit=shown.unit, title=self._provenance.run.stem)
        metadata = self._provenance.of("figure", self._experiment, file=str(path))
        picture = calibrated(_read_picture(path), metadata=metadata)
        self._add("figure", _("figure"), picture)
        return path

    def _add(self, role: str, title: str, xdata: Any, colours: str | None = None) -> None:
        look = Look(role, f"{title} · {self._provenance.run.stem}", colours)
        self.uuids[role] = self._stage.main.call(lambda: str(new_item(self._stage, xdata, look).uuid))

    def _with_patterns(self, contents: RunContents) -> tuple[list[int], Patterns | None]:
        """Numbers of the measurements that have patterns like the first one's, and the first one's."""
        first: Patterns | None = None
        numbers: list[int] = []
        for number in range(len(self._experiment.told)):
            raw = contents.raw(number)
            if raw is None or raw.ndim < 2 or (first is not None and raw.shape != first.shape):
                continue
            first = np.asarray(raw) if first is None else first
            numbers.append(number)
        return numbers, first

    def _stack_metadata(self, numbers: list[int], each: int) -> dict[str, Any]:
        told = [self._experiment.told[number] for number in numbers]
        return self._provenance.of(
            "patterns",
            self._experiment,
            patterns_per_site=each,
            positions_px=[[one.site.row, one.site.col] for one in told],
            values=[one.measurement.scalar.value if one.measurement.ok else None for one in told],
        )

    def _reserved(self, metadata: DataMetadata, dtype: np.dtype[Any]) -> DataItem.DataItem:
        item = DataItem.DataItem(large_format=True)
        item.title = f"{_('patterns')} · {self._provenance.run.stem}"
        self._stage.document_model.append_data_item(item)
        self._stage.document_model.update_data_item_session(item)
        item.increment_data_ref_count()
        item.reserve_data(data_shape=metadata.data_shape, data_dtype=dtype, data_descriptor=metadata.data_descriptor)
        self.uuids["patterns"] = str(item.uuid)
        return item

    def _write(self, item: DataItem.DataItem, metadata: DataMetadata, chunk: Patterns, start: int) -> None:
        whole = tuple(slice(0, size) for size in chunk.shape)
        target = (slice(start, start + len(chunk)), *whole[1:])
        xdata = calibrated(chunk, tuple(metadata.dimensional_calibrations), descriptor=_SEQUENCE)
        model = self._stage.document_model
        model.update_data_item_partial(item, metadata, xdata, whole, target)
        # no more than one chunk waits for the main thread
        self._stage.main.call(model.perform_data_item_updates)

    def _finish(self, item: DataItem.DataItem) -> None:
        if item in self._stage.document_model.data_items:
            item.decrement_data_ref_count()


def _flat(raw: Patterns) -> Patterns:
    """One pattern or a block of patterns as (count, rows, columns)."""
    return raw.reshape(-1, *raw.shape[-2:])


def _chunks(contents: RunContents, numbers: list[int]) -> Iterator[Patterns]:
    waiting: list[Patterns] = []
    for number in numbers:
        raw = contents.raw(number)
        assert raw is not None
        waiting.append(_flat(np.asarray(raw)))
        if sum(one.nbytes for one in waiting) >= _CHUNK_BYTES:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def _read_picture(path: Path) -> NDArray[np.uint8]:
    """A PNG as Swift has colours: blue, green, red."""
    from matplotlib.image import imread

    rgb = np.asarray(imread(path))[..., 2::-1]
    return np.ascontiguousarray((rgb * 255).astype(np.uint8))
