"""Opens a file of recorded data, whatever its format."""

from __future__ import annotations

from pathlib import Path

from dkl_core.datasets.nanonis_grid import read_grid
from dkl_core.datasets.nanonis_scan import read_scan
from dkl_core.datasets.npz import read_npz
from dkl_core.datasets.published import read_published
from dkl_core.datasets.recorded import RecordedData
from dkl_core.errors import DataFileError

SIGNATURES = {b"PK\x03\x04": ".npz", b"\x89HDF\r\n\x1a\n": ".hf5", b":NANONIS_VERSION:": ".sxm", b"Grid dim=": ".3ds"}
ALIASES = {".h5": ".hf5", ".hdf5": ".hf5"}
FORMATS = (
    "an .npz archive of arrays, the .hf5 of a published run, a Nanonis scan .sxm or a Nanonis grid .3ds are understood"
)


def load_recorded(
    path: str | Path,
    image: str | None = None,
    target: str | None = None,
    *,
    raw: bool = True,
    frame_nm: float | None = None,
    need_target: bool = True,
) -> RecordedData:
    """Read a file of recorded data for replay.

    The content decides on the format, not the file's name.

    Args:
        path: `.npz`, `.hf5` (published run), `.sxm` or `.3ds` (Nanonis).
        image: name of the structural image in the file; each format has its default.
        target: name of the scalar to be explored; each format has its default.
        raw: whether to read the raw spectra or patterns too, for a scalarizer of one's own.
        frame_nm: width of the frame in nm of a published run whose name does not tell.
        need_target: whether a scalar must be found; False accepts an archive that has only raw data.

    Raises:
        DataFileError: the file is missing, empty, damaged or of another format, or has no such image or target.
    """
    path = Path(path)
    match _format(path):
        case ".npz":
            return read_npz(path, image, target, raw, need_target)
        case ".hf5":
            return read_published(path, image, target, raw, frame_nm)
        case ".sxm":
            return read_scan(path, image, target)
        case _:
            return read_grid(path, image, target, raw)


def _format(path: Path) -> str:
    start = _start(path)
    for signature, suffix in SIGNATURES.items():
        if start.startswith(signature):
            return suffix
    suffix = ALIASES.get(path.suffix.lower(), path.suffix.lower())
    if suffix == ".3ds":
        return suffix
    if suffix in SIGNATURES.values():
        raise DataFileError(
            f"{path.name} ends in {path.suffix} but does not begin like such a file; it may be damaged or misnamed: "
            "copy it again, or open it with the program that wrote it"
        )
    raise DataFileError(f"{path.name} is of no known format; {FORMATS}")


def _start(path: Path) -> bytes:
    if not path.exists():
        raise DataFileError(f"there is no file {path}; check the path (it is relative to {Path.cwd()})")
    try:
        with path.open("rb") as file:
            start = file.read(max(len(signature) for signature in SIGNATURES))
    except OSError as error:
        raise DataFileError(f"{path} cannot be opened ({error}); give a file that you may read") from error
    if not start:
        raise DataFileError(f"{path.name} is empty (0 bytes); copy it again from where it was recorded")
    return start
