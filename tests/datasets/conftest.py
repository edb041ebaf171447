"""Small files of each format, with contents chosen by the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import ArrayLike

Writer = Callable[..., Path]

GRID_HEADER = {
    "Grid dim": '"4 x 3"',
    "Grid settings": "0;0;8E-9;6E-9;0",
    "Sweep Signal": '"Bias (V)"',
    "Fixed parameters": '"Sweep Start;Sweep End"',
    "Experiment parameters": '"X (m);Y (m);Z (m)"',
    "# Parameters (4 byte)": "5",
    "Experiment size (bytes)": "40",
    "Points": "5",
    "Channels": '"Current (A);LIX 1 omega (A)"',
    "Delay before measuring (s)": "0",
    "Experiment": "Experiment",
    "Start time": "1",
    "End time": "2",
    "User": "",
    "Comment": "",
}


@pytest.fixture
def write_npz(tmp_path: Path) -> Writer:
    def write(name: str = "set.npz", **arrays: ArrayLike) -> Path:
        path = tmp_path / name
        np.savez(path, **arrays)
        return path

    return write


@pytest.fixture
def write_run(tmp_path: Path) -> Writer:
    """A published run: 16 x 16 px, positions (x, y) in nm from the lower left corner."""

    def write(
        name: str = "run_8nm.hf5",
        places_nm: ArrayLike = ((0.0, 0.0), (2.0, 1.0)),
        scalars: ArrayLike = (1.0, 2.0),
        image: ArrayLike | None = None,
        leave_out: str = "",
    ) -> Path:
        path = tmp_path / name
        count = len(np.asarray(places_nm))
        arrays = {
            "Measurement_000/Tunneling Spectroscopy/Tunneling Spectroscopy/Tunneling Spectroscopy": np.arange(
                count * 12.0
            ).reshape(count, 4, 3),
            "Measurement_001/STM Image/Image/Image": np.arange(256.0).reshape(16, 16) if image is None else image,
            "Metadata_000/DKL Position/Position/Position": places_nm,
            "Metadata_001/DKL Scalar/Scalar/Scalar": scalars,
        }
        with h5py.File(path, "w") as file:
            for key, values in arrays.items():
                if leave_out not in key or not leave_out:
                    file[key] = np.asarray(values)
                    file[f"{key.rsplit('/', 1)[0]}/a"] = np.arange(3)
        return path

    return write


@pytest.fixture
def write_scan(tmp_path: Path) -> Writer:
    """A Nanonis scan: each channel's lines as they are stored, forward and backward."""

    def write(
        channels: Mapping[str, tuple[ArrayLike, ArrayLike]],
        direction: str = "down",
        name: str = "scan.sxm",
        order: str = ">",
        comment: str = "",
    ) -> Path:
        rows, cols = np.shape(next(iter(channels.values()))[0])
        byte_order = "MSBFIRST" if order == ">" else "LSBFIRST"
        table = "".join(f"\t{i}\t{key}\t{'m' if key == 'Z' else 'A'}\tboth\n" for i, key in enumerate(channels))
        header = (
            f":NANONIS_VERSION:\n2\n:SCANIT_TYPE:\n FLOAT {byte_order}\n:REC_DATE:\n 01.02.2024\n:ACQ_TIME:\n 9.0\n"
            f":SCAN_PIXELS:\n {cols} {rows}\n:SCAN_TIME:\n 1 1\n:SCAN_RANGE:\n {cols}E-9 {2 * rows}E-9\n"
            f":SCAN_OFFSET:\n 0 0\n:SCAN_ANGLE:\n 0\n:SCAN_DIR:\n{direction}\n:BIAS:\n 0.1\n:COMMENT:\n{comment}\n"
            f":DATA_INFO:\n\tChannel\tName\tUnit\tDirection\n{table}\n:SCANIT_END:\n"
        )
        data = [np.asarray(line, dtype=f"{order}f4").tobytes() for pair in channels.values() for line in pair]
        path = tmp_path / name
        path.write_bytes(header.encode("latin-1") + b"\n\n\x1a\x04" + b"".join(data))
        return path

    return write


@pytest.fixture
def write_grid(tmp_path: Path) -> Writer:
    """A Nanonis grid of 3 rows x 4 columns: the current is 1, LIX the number of the point in order of measurement."""

    def write(
        name: str = "grid.3ds",
        leave_out: Sequence[str] = (),
        measured: int = 12,
        sweep_v: tuple[float, float] = (-1.0, 1.0),
        **changes: str,
    ) -> Path:
        lines = {key: value for key, value in (GRID_HEADER | changes).items() if key not in leave_out}
        header = "".join(f"{key}={value}\r\n" for key, value in lines.items()) + ":HEADER_END:\r\n"
        points = [[*sweep_v, 0, 0, i * 1e-9, *np.ones(5), *np.full(5, i)] for i in range(measured)]
        path = tmp_path / name
        path.write_bytes(header.encode() + np.asarray(points, dtype=">f4").tobytes())
        return path

    return write
