"""Recorded data from Nanonis grids (`.3ds`): a spectrum of several channels at every point of a grid."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.datasets.maps import Maps
from dkl_core.datasets.nanonis import LOCK_IN, in_nm, opened, pixel_nm, reader, rotation_note
from dkl_core.datasets.recorded import RawData, RecordedData, of_map
from dkl_core.errors import DataFileError
from dkl_core.survey import FloatArray, SurveyImage

TOPOGRAPHY = "Z (m)"
HEADER_END = b":HEADER_END:"
REQUIRED = (
    "Grid dim",
    "Grid settings",
    "Sweep Signal",
    "Fixed parameters",
    "Experiment parameters",
    "# Parameters (4 byte)",
    "Points",
    "Channels",
)
# Lines that some versions of the controller leave out and that nothing here depends on.
FILLED = {
    "Delay before measuring (s)": "0",
    "Experiment size (bytes)": "0",
    "Experiment": "",
    "Start time": "",
    "End time": "",
    "User": "",
    "Comment": "",
}


@dataclass(frozen=True)
class _Layout:
    """How the data lie in the file, by its header.

    Attributes:
        path: the file.
        start: where the data begin, bytes.
        spectrum: length of one point's data, bytes.
        points: points of the grid.
        missing: header lines that are not there and can be filled in.
    """

    path: Path
    start: int
    spectrum: int
    points: int
    missing: tuple[str, ...]

    @classmethod
    def of(cls, path: Path) -> _Layout:
        lines, start = _header(path)
        needed = [key for key in REQUIRED if key not in lines]
        if needed:
            raise DataFileError(
                f"the header of {path.name} lacks {', '.join(needed)}, without which its data cannot be placed; "
                "export the grid again"
            )
        try:
            cols, rows = (int(count) for count in lines["Grid dim"].strip('"').split("x"))
            channels = lines["Channels"].count(";") + 1
            numbers = int(lines["# Parameters (4 byte)"]) + int(lines["Points"]) * channels
        except ValueError as error:
            raise DataFileError(f"the header of {path.name} cannot be understood ({error}); export it again") from error
        return cls(path, start, 4 * numbers, rows * cols, tuple(key for key in FILLED if key not in lines))

    @property
    def measured(self) -> int:
        """Points with a whole spectrum."""
        measured = min(self._size // self.spectrum, self.points)
        if measured == 0:
            raise DataFileError(
                f"{self.path.name} holds {self._size} bytes of data, less than one spectrum ({self.spectrum} bytes); "
                "the grid was stopped at once or the file is cut short: copy it again"
            )
        return measured

    def open(self, read: Any) -> tuple[Any, tuple[str, ...]]:
        """The grid with NaN where nothing was measured, and what its reader warned of."""
        fill = {key: FILLED[key] for key in self.missing}
        if self._size == self.points * self.spectrum:
            return opened(self.path, read, lambda: read.Grid(str(self.path), header_override=fill))
        with tempfile.TemporaryDirectory() as folder:
            # The reader itself would pad with zeros, which pass for data.
            padded = self._padded(Path(folder))
            return opened(self.path, read, lambda: read.Grid(str(padded), header_override=fill))

    @property
    def _size(self) -> int:
        return self.path.stat().st_size - self.start

    def _padded(self, folder: Path) -> Path:
        padded = Path(shutil.copyfile(self.path, folder / self.path.name))
        with padded.open("r+b") as file:
            file.truncate(self.start + self.measured * self.spectrum)
            file.seek(0, os.SEEK_END)
            file.write(np.full((self.points - self.measured) * self.spectrum // 4, np.nan, dtype=">f4").tobytes())
        return padded


class _Grid:
    """A grid whose rows run from the top."""

    def __init__(self, file: Any) -> None:
        self.header: dict[str, Any] = file.header
        self._signals = file.signals
        self.sweep = str(self.header["sweep_signal"])
        self.axis = np.asarray(file.signals["sweep_signal"], dtype=np.float64)
        self.channels: tuple[str, ...] = tuple(self.header["channels"])
        self.parameters = (*_names(self.header["fixed_parameters"]), *_names(self.header["experimental_parameters"]))

    @property
    def names(self) -> tuple[str, ...]:
        return self.parameters + tuple(name for name in self.channels if name not in self.parameters)

    @property
    def current(self) -> str:
        """The first channel of current, or else the first of all."""
        return next((name for name in self.channels if name.startswith("Current")), self.channels[0])

    @property
    def didv(self) -> str:
        """The first lock-in channel, empty if there is none."""
        return next((name for name in self.channels if LOCK_IN.match(name)), "")

    def map(self, name: str) -> FloatArray:
        """A parameter of the points (lengths in nm), or a channel integrated over the sweep."""
        if name in self.parameters:
            return in_nm(self._oriented("params")[..., self.parameters.index(name)], _unit(name))
        part = np.flatnonzero(self._part())
        part = part[np.argsort(self.axis[part], kind="stable")]
        integral: FloatArray = np.trapezoid(
            self._oriented(name)[..., part].astype(np.float64), self.axis[part], axis=-1
        )
        return integral

    def describe(self, name: str) -> str:
        """What a map shows."""
        if name in self.parameters:
            return name
        part = self.axis[self._part()]
        return f"{name} integrated over {self.sweep} from {part.min():.4g} to {part.max():.4g}"

    def raw(self) -> RawData:
        stored = np.stack([self._oriented(name) for name in self.channels], axis=2)
        known = {self.current: "current", self.didv: "didv"}
        names = (known.get(name, _identifier(name)) for name in self.channels)
        sweep = "bias" if self._sweeps_bias else _identifier(self.sweep)
        return RawData("spectrum", stored, channels=(sweep, *names), axis=self.axis)

    @property
    def _sweeps_bias(self) -> bool:
        return self.sweep.casefold().startswith("bias")

    def _part(self) -> NDArray[np.bool_]:
        positive: NDArray[np.bool_] = self.axis >= 0
        return positive if self._sweeps_bias and positive.sum() > 1 else np.ones_like(positive)

    def _oriented(self, signal: str) -> NDArray[np.float32]:
        return np.asarray(self._signals[signal], dtype=np.float32)[::-1]


def read_grid(path: Path, image: str | None = None, target: str | None = None, raw: bool = True) -> RecordedData:
    """Read a Nanonis grid.

    A grid is recorded upwards, so its lines are turned to put row 0 at the top. A grid that was stopped early is
    padded with NaN. Header lines that are missing but not needed are filled in, and named in the notices.

    Args:
        path: the `.3ds` file.
        image: parameter or channel of the structural image, the topography `Z (m)` by default (in nm).
        target: parameter, or channel to be integrated over the positive bias (over the whole sweep, where it does
            not sweep the bias or has none that is positive); by default the current.
        raw: whether to keep the spectra: row 0 the sweep, then the channels.

    Raises:
        DataFileError: damaged, a header without what is needed, or no such map.
    """
    read = reader(path, ".3ds")
    layout = _Layout.of(path)
    file, warned = layout.open(read)
    grid = _Grid(file)
    maps = Maps(path, grid.names, grid.map)
    values = maps.image(maps.find(image or TOPOGRAPHY, "image"))
    target_name = maps.find(target, "target") if target else grid.current
    header = grid.header
    survey = SurveyImage(values, pixel_nm=pixel_nm(header["size_xy"], header["dim_px"]))
    return of_map(
        survey,
        target_name,
        maps.target(target_name, survey.shape),
        raw=grid.raw() if raw else None,
        name=path.name,
        note=f"Nanonis grid, target: {grid.describe(target_name)}{rotation_note(header['angle'])}",
        notices=(*warned, *_assumed(layout), *_conductance(grid, raw)),
    )


def _header(path: Path) -> tuple[dict[str, str], int]:
    """The lines of the header, and where it ends in bytes."""
    lines: dict[str, str] = {}
    with path.open("rb") as file:
        for line in file:
            if line.startswith(HEADER_END):
                return lines, file.tell()
            key, _, value = line.decode("utf-8", errors="replace").strip().partition("=")
            lines[key] = value
    raise DataFileError(
        f"{path.name} has no line {HEADER_END.decode()}, so it is not a Nanonis grid or is cut short; copy it again"
    )


def _assumed(layout: _Layout) -> tuple[str, ...]:
    notices = []
    if layout.missing:
        notices.append(f"the header lacks {', '.join(layout.missing)}; nothing here depends on them")
    if layout.measured < layout.points:
        notices.append(
            f"the grid was stopped early: {layout.measured} of {layout.points} points are measured, the others are NaN"
        )
    return tuple(notices)


def _conductance(grid: _Grid, raw: bool) -> tuple[str, ...]:
    return (f"channel {grid.didv} is taken as dI/dV in the spectra",) if raw and grid.didv else ()


def _identifier(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_")


def _names(stored: str | list[str]) -> tuple[str, ...]:
    return (stored,) if isinstance(stored, str) else tuple(stored)


def _unit(name: str) -> str:
    return name.rpartition("(")[2].removesuffix(")") if name.endswith(")") else ""
