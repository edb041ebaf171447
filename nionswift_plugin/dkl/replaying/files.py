"""Recorded sets from files: 4D-STEM archives, and earlier runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dkl_core.datasets import RecordedData, load_recorded
from dkl_core.errors import DataFileError, DKLError, RecordError
from dkl_core.patches import PatchSettings
from dkl_core.record import read_run
from dkl_core.record.contents import RunContents
from nionswift_plugin.dkl.replaying.sets import RecordedSet, file_key

HDF5 = b"\x89HDF\r\n\x1a\n"


def read_file(path: Path) -> RecordedSet:
    """Open a file as a recorded set.

    Args:
        path: a 4D-STEM archive (`.npz`), or a run (`.h5`), whose measured sites alone are known.

    Raises:
        DKLError: the file is missing, damaged, or holds nothing that a 4D-STEM experiment could find.
    """
    if _begins_with(path, HDF5):
        try:
            with read_run(path) as contents:
                return _of_run(path, contents)
        except RecordError as error:
            problem = error
        return _of_patterns(path, problem)
    return _of_patterns(path, None)


def _of_patterns(path: Path, not_a_run: RecordError | None) -> RecordedSet:
    try:
        data = load_recorded(path, need_target=False)
    except DKLError:
        if not_a_run is not None:
            raise not_a_run from None
        raise
    recorded = RecordedSet(
        file_key(path), path.name, data, {"kind": "file", "path": str(path.resolve()), "name": path.name}, data.notices
    )
    if data.raw is None or data.raw.kind != "pattern":
        raise DataFileError(
            f"{path.name} has no diffraction patterns; choose a 4D-STEM set, or explore it with `dkl replay`"
        )
    return recorded


def _of_run(path: Path, contents: RunContents) -> RecordedSet:
    table, settings = contents.measurements, contents.header.settings
    ok = np.asarray(table.valid, dtype=bool) & np.isfinite(np.asarray(table.value, dtype=np.float64))
    target = str(settings.get("host", {}).get("target", ""))
    if not ok.any() or not target:
        raise DataFileError(f"{path.name} has no measurement that could be replayed; choose another run")
    positions = np.stack([np.asarray(table.row)[ok], np.asarray(table.col)[ok]], axis=1).astype(np.int64)
    _, first = np.unique(positions, axis=0, return_index=True)
    first = np.sort(first)
    # What was measured, where something else drove the run.
    kept = [details.get("measured") for details in table.details]
    measured = [value if one is None else one["value"] for value, one in zip(table.value, kept, strict=True)]
    values = np.asarray(measured, dtype=np.float64)[ok][first]
    data = RecordedData(contents.header.survey, target, values, positions[first], name=path.name)
    patches = settings.get("experiment", {}).get("patches", {})
    return RecordedSet(
        file_key(path),
        path.name,
        data,
        {"kind": "run", "path": str(path.resolve()), "name": path.name, "sites": len(first)},
        (f"of this run the {len(first)} measured sites are known, nothing between them",),
        only=target,
        patches=PatchSettings(window=int(patches["window"]), stride=int(patches["stride"])) if patches else None,
    )


def _begins_with(path: Path, signature: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(signature)) == signature
    except OSError as error:
        raise DataFileError(f"{path} cannot be opened ({error.strerror}); choose a file that you may read") from error
