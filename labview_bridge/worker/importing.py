"""From a journal to the core's record: one HDF5 file per frame that `dkl show` reads."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import RecordError
from dkl_core.experiment.recorded import software_versions
from dkl_core.experiment.structure import EVENT as STRUCTURE
from dkl_core.record import Event, RunHeader, RunRecord
from labview_bridge.worker.configuration import SessionConfig
from labview_bridge.worker.frame_run import raw_of, unpacked_image
from labview_bridge.worker.geometry import FrameGeometry
from labview_bridge.worker.journal import read_journal
from labview_bridge.worker.models import ModelFolder

PUBLISHED_READER = "labview_bridge.worker.published_import"


@dataclass
class ImportedFrame:
    """What a journal holds of one frame, as a record takes it.

    Attributes:
        header: what is known before the first measurement.
        events: what happened.
    """

    header: RunHeader
    events: list[Event] = field(default_factory=list)


Reader = Callable[[Path, Iterable[Mapping[str, Any]]], list[ImportedFrame]]


def import_journal(journal: Path | str, out: Path | str, *, overwrite: bool = False) -> list[Path]:
    """Write the record of a run from its journal; the journal may be in use.

    Args:
        journal: the journal, or the folder of its run.
        out: the record's file, ending in .h5; further frames get `-2`, `-3` … before the ending.
        overwrite: replace files that are there.

    Returns:
        The files, one per frame.

    Raises:
        RecordError: the journal cannot be read or holds no image, or a file is there or cannot be written.
    """
    path = Path(journal)
    path = path / "journal.jsonl" if path.is_dir() else path
    first = next(read_journal(path), None)
    if first is None:
        raise RecordError(f"{path} is empty; there is nothing to import")
    frames = _reader(path, first)(path, read_journal(path))
    if not frames:
        raise RecordError(f"{path} holds no image yet; there is nothing to import")
    target = Path(out)
    written = []
    for number, frame in enumerate(frames, 1):
        name = target if number == 1 else target.with_name(f"{target.stem}-{number}{target.suffix}")
        with RunRecord.create(name, frame.header, overwrite=overwrite) as record:
            for event in frame.events:
                record.append(event)
        written.append(name)
    return written


def _reader(path: Path, first: Mapping[str, Any]) -> Reader:
    if first.get("format") == "dkl-labview-2":
        return _second_generation
    if importlib.util.find_spec(PUBLISHED_READER) is not None:
        reader: Reader = importlib.import_module(PUBLISHED_READER).imported_frames
        return reader
    raise RecordError(f"{path} is no journal of this program; give a journal.jsonl of the runs folder")


def _second_generation(path: Path, events: Iterable[Mapping[str, Any]]) -> list[ImportedFrame]:
    models = ModelFolder(path.parent)
    frames: list[ImportedFrame] = []
    raw: dict[int, NDArray[np.float64]] = {}
    config: SessionConfig | None = None
    for event in events:
        match event["kind"]:
            case "open":
                config = SessionConfig.of(event["config"])
            case "image" if config is not None:
                frames.append(ImportedFrame(_header(event, config)))
            case "submit" if event.get("failed") is None:
                raw[event["point"]] = raw_of(event)
            case "core":
                frames[event["frame"]].events.append(_core_event(event, raw, models))
    return frames


def _header(event: Mapping[str, Any], config: SessionConfig) -> RunHeader:
    geometry = FrameGeometry.from_json(event["geometry"])
    settings = {
        "experiment": config.experiment.to_json(),
        "positions": None,
        "host": {
            "kind": "labview",
            "resume": "in LabVIEW",
            "config": dict(config.given),
            "geometry": geometry.to_json(),
            "scalarizer": config.scalarizer.name,
            "options": dict(config.scalarizer.options),
        },
    }
    created = datetime.fromtimestamp(event["time"], UTC).isoformat(timespec="seconds")
    survey = geometry.survey(unpacked_image(event))
    return RunHeader(settings, survey, geometry.allowed(config.margin_m), software_versions(), created)


def _core_event(event: Mapping[str, Any], raw: Mapping[int, NDArray[np.float64]], models: ModelFolder) -> Event:
    arrays = dict(_arrays(event, raw, models))
    return Event(event["event"], event["data"], arrays)


def _arrays(
    event: Mapping[str, Any], raw: Mapping[int, NDArray[np.float64]], models: ModelFolder
) -> Iterator[tuple[str, NDArray[Any]]]:
    if event["event"] == "tell" and event.get("point") in raw:
        yield "raw", raw[event["point"]]
    elif event["event"] in ("fit", STRUCTURE):
        yield from (models.load(event["model"]) or {}).items()
