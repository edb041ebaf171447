"""Recorded data from Nanonis scans (`.sxm`): one image each for every channel, forward and backward."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dkl_core.datasets.maps import Maps, listed
from dkl_core.datasets.nanonis import LOCK_IN, in_nm, opened, pixel_nm, reader, rotation_note
from dkl_core.datasets.recorded import RecordedData, of_map
from dkl_core.errors import DataFileError
from dkl_core.survey import FloatArray, SurveyImage

BACKWARD = " backward"
TOPOGRAPHY = "Z"
LITTLE_ENDIAN = "little endian float 32"


class _Scan:
    """A scan whose channels are oriented: row 0 at the top, column 0 on the left."""

    def __init__(self, file: Any) -> None:
        self.header: dict[str, Any] = file.header
        self._signals = file.signals
        info = self.header["data_info"]
        self._units = dict(zip(info["Name"], info.get("Unit", ()), strict=False))
        self._channels = {name.replace("_", " "): name for name in info["Name"]}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name + direction for name in self._channels for direction in ("", BACKWARD))

    def read(self, name: str) -> FloatArray:
        channel = self._channels[name.removesuffix(BACKWARD)]
        backward = name.endswith(BACKWARD)
        stored = self._signals[channel]["backward" if backward else "forward"]
        values = in_nm(stored, self._units.get(channel, ""))
        if self.header["scan_dir"] == "up":
            values = values[::-1]
        return np.ascontiguousarray(values[:, ::-1] if backward else values)


def read_scan(path: Path, image: str | None = None, target: str | None = None) -> RecordedData:
    """Read a Nanonis scan.

    Lines are stored as they were scanned: an upward scan begins with the lowest line, and a backward line with its
    right end. Both are turned so that row 0 is at the top and column 0 on the left. Lengths come in nm.

    Args:
        path: the `.sxm` file.
        image: channel of the structural image, `Z` by default; add ` backward` for the other direction.
        target: channel to be explored, by default the first of the lock-in amplifier.

    Raises:
        DataFileError: damaged, or no such channel.
    """
    read = reader(path, ".sxm")
    file, notices = opened(path, read, lambda: read.Scan(str(path)))
    if "LSBFIRST" in file.header.get("scanit_type", ""):
        file, notices = opened(path, read, lambda: read.Scan(str(path), data_format=LITTLE_ENDIAN))
    scan = _Scan(file)
    maps = Maps(path, scan.names, scan.read)
    image_name = maps.find(image or TOPOGRAPHY, "image")
    values = maps.image(image_name)
    target_name = maps.find(target, "target") if target else _lock_in(maps)
    survey = SurveyImage(values, pixel_nm=pixel_nm(scan.header["scan_range"], scan.header["scan_pixels"]))
    return of_map(
        survey,
        target_name,
        maps.target(target_name, survey.shape),
        name=path.name,
        note=_note(scan.header),
        notices=(*notices, *_unfinished(values)),
    )


def _lock_in(maps: Maps) -> str:
    for name in maps.names:
        if LOCK_IN.match(name) and not name.endswith(BACKWARD):
            return name
    raise DataFileError(
        f"{maps.path.name} has no lock-in channel to take as target; choose --target from: {listed(maps.names)}"
    )


def _note(header: dict[str, Any]) -> str:
    when = f"{header.get('rec_date', '')} {header.get('rec_time', '')}".strip()
    angle = rotation_note(float(header.get("scan_angle", 0.0)))
    return f"Nanonis scan {when}, {header['scan_dir']}, bias {header['bias']:g} V{angle}"


def _unfinished(values: FloatArray) -> tuple[str, ...]:
    missing = int((~np.isfinite(values)).any(axis=1).sum())
    return (f"{missing} of {len(values)} lines of the image are not complete",) if missing else ()
