"""Recorded data from NumPy archives: an image, scalar maps of its shape, and perhaps the spectra or patterns."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from dkl_core.datasets.maps import Maps, listed
from dkl_core.datasets.recorded import RawData, RecordedData, of_map
from dkl_core.errors import DataFileError
from dkl_core.scalarizers.detector_care import DetectorCare
from dkl_core.survey import FloatArray, SurveyImage

IMAGE_KEYS = ("image", "haadf")
SCALAR_PREFIX = "scalar_"
CHANNEL_NAMES = {"V": "bias", "lockin": "didv", "E": "energy_ev", "wavenumber": "wavenumber_per_cm"}
ARCHIVE_ERRORS = (ValueError, OSError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class _Header:
    """Shape and type of an array, known without reading it."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    @property
    def is_map(self) -> bool:
        return len(self.shape) == 2 and self.dtype.kind in "fiub"


class _Archive:
    """An open archive whose arrays are read on demand, and never unpickled."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self.path = path
        self._file = file
        members = [name for name in file.namelist() if name.endswith(".npy")]
        self.headers = {name.removesuffix(".npy"): self._header(name) for name in members}

    def read(self, key: str) -> NDArray[np.generic]:
        if self.headers[key].dtype.hasobject:
            raise DataFileError(
                f"{self.path.name}: {key!r} holds pickled Python objects, which are never loaded because they can run "
                "code; save it again as a plain array of numbers"
            )
        with self._file.open(f"{key}.npy") as member:
            array: NDArray[np.generic] = np.lib.format.read_array(member, allow_pickle=False)
        return array

    def number(self, key: str) -> float | None:
        header = self.headers.get(key)
        if header is None or header.shape != () or header.dtype.kind not in "fiu":
            return None
        return float(self.read(key))

    def text(self, key: str) -> str:
        header = self.headers.get(key)
        return str(self.read(key)) if header is not None and header.dtype.kind == "U" else ""

    def keys_of_shape(self, shape: tuple[int, ...], but: str = "") -> list[str]:
        return [key for key, header in self.headers.items() if header.is_map and header.shape == shape and key != but]

    def _header(self, member: str) -> _Header:
        with self._file.open(member) as stream:
            shape, dtype = _array_header(stream)
        return _Header(shape, dtype)


def read_npz(
    path: Path,
    image: str | None = None,
    target: str | None = None,
    raw: bool = True,
    need_target: bool = True,
) -> RecordedData:
    """Read an `.npz` archive.

    Args:
        path: the file. `sampling_A` (angstrom) or `pixel_nm` (nm, one number) in it gives the calibration, a map
            `vacuum` of truth values where there is no sample.
        image: key of the structural image, (rows, columns); by default `image` or `haadf`.
        target: key of the scalar map of the same shape; by default the first that starts with `scalar_`.
        raw: whether to read `spectra` or `patterns` as well.
        need_target: whether a target must be found; False leaves the values empty where none is named, for a
            scalarizer to make them of the raw data.

    Raises:
        DataFileError: the file is damaged or holds pickled objects where numbers are needed, or a key does not fit.
    """
    try:
        with zipfile.ZipFile(path) as file:
            return _recorded(_Archive(path, file), image, target, raw, need_target)
    except ARCHIVE_ERRORS as error:
        raise DataFileError(
            f"{path.name} cannot be read as a NumPy archive ({error}); the file may be cut short: copy it again, "
            "or save it with numpy.savez"
        ) from error


def _recorded(archive: _Archive, image: str | None, target: str | None, raw: bool, need_target: bool) -> RecordedData:
    plain = tuple(key for key, header in archive.headers.items() if header.is_map)
    # Object arrays stay findable by name, so that the user learns why they are refused.
    hidden = tuple(key for key, header in archive.headers.items() if header.dtype.hasobject)
    maps = Maps(archive.path, plain, archive.read)
    image_key = _find(maps, hidden, image, "image") if image else _default_image(archive)
    values = maps.image(image_key)
    shape = (values.shape[0], values.shape[1])
    notices: tuple[str, ...] = ()
    if target:
        target_key = _find(maps, hidden, target, "target")
    else:
        target_key, notices = _default_target(archive, image_key, need_target)
    survey = SurveyImage(values, pixel_nm=_pixel_nm(archive))
    return of_map(
        survey,
        target_key,
        maps.target(target_key, shape) if target_key else None,
        raw=_raw(archive, shape) if raw else None,
        name=archive.path.name,
        note=archive.text("note"),
        notices=notices,
        vacuum=_vacuum(archive, shape),
    )


def _find(maps: Maps, hidden: tuple[str, ...], wanted: str, option: str) -> str:
    return wanted if wanted in hidden else maps.find(wanted, option)


def _default_image(archive: _Archive) -> str:
    for key in IMAGE_KEYS:
        if key in archive.headers:
            return key
    maps = (f"{key} {header.shape}" for key, header in archive.headers.items() if header.is_map)
    raise DataFileError(
        f"{archive.path.name} has no array named {' or '.join(IMAGE_KEYS)}; choose --image from: {listed(maps)}"
    )


def _default_target(archive: _Archive, image: str, need_target: bool) -> tuple[str, tuple[str, ...]]:
    candidates = archive.keys_of_shape(archive.headers[image].shape, but=image)
    scalars = [key for key in candidates if key.startswith(SCALAR_PREFIX)]
    if scalars:
        others = f"took the target {scalars[0]}; the file also has {listed(scalars[1:])}"
        return scalars[0], (others,) if len(scalars) > 1 else ()
    if not need_target:
        return "", ()
    raise DataFileError(
        f"{archive.path.name} has no target map named {SCALAR_PREFIX}...; choose --target from: {listed(candidates)}"
    )


def _pixel_nm(archive: _Archive) -> tuple[float, float] | None:
    sampling_a, pixel_nm = archive.number("sampling_A"), archive.number("pixel_nm")
    if pixel_nm is None and sampling_a is not None:
        pixel_nm = sampling_a / 10
    return None if pixel_nm is None else (pixel_nm, pixel_nm)


def _vacuum(archive: _Archive, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    header = archive.headers.get("vacuum")
    if header is None or header.shape != shape or header.dtype.kind != "b":
        return None
    return np.asarray(archive.read("vacuum"), dtype=bool)


def _raw(archive: _Archive, shape: tuple[int, int]) -> RawData | None:
    for key, dimensions, reader in (("patterns", 4, _patterns), ("spectra", 3, _spectra)):
        header = archive.headers.get(key)
        if header is not None and header.shape[:2] == shape and len(header.shape) == dimensions:
            return reader(archive, key)
    return None


def _patterns(archive: _Archive, key: str) -> RawData:
    root = archive.number("patterns_sqrt_scale")
    scale = root if root is not None else archive.number("patterns_scale")
    return RawData(
        kind="pattern",
        stored=archive.read(key),
        scale=1.0 if scale is None else scale,
        power=1 if root is None else 2,
        constants=_constants(archive),
        care=_care(archive, archive.headers[key].shape[2:]),
    )


def _care(archive: _Archive, shape: tuple[int, ...]) -> DetectorCare | None:
    """What corrects raw counts, where the file has offset, gain or bad pixels of its camera."""
    offset = archive.number("offset_counts") or 0.0
    gain, bad = archive.headers.get("gain"), archive.headers.get("bad_px")
    mask = np.zeros(shape, dtype=np.bool_)
    if bad is not None and bad.dtype.kind in "iu" and len(bad.shape) == 2 and bad.shape[1] == len(shape):
        mask[tuple(np.asarray(archive.read("bad_px"), dtype=np.intp).T)] = True
    response = None
    if gain is not None and gain.shape == shape and gain.dtype.kind == "f":
        # What a dead pixel's gain is does not matter, it is filled in.
        response = np.where(mask, 1.0, np.asarray(archive.read("gain"), dtype=np.float64))
    if offset == 0 and response is None and not mask.any():
        return None
    return DetectorCare(offset, response, mask if mask.any() else None)


def _spectra(archive: _Archive, key: str) -> RawData:
    shape = archive.headers[key].shape
    same = [other for other, header in archive.headers.items() if header.shape == shape]
    axis_name, axis = _axis(archive, shape[2])
    names = CHANNEL_NAMES | ({"spectra": "current"} if axis_name == "bias" else {})
    return RawData(
        kind="spectrum",
        stored=np.stack([archive.read(name) for name in same], axis=2),
        channels=(axis_name, *(names.get(key, key) for key in same)),
        axis=axis,
        constants=_constants(archive),
    )


def _axis(archive: _Archive, points: int) -> tuple[str, FloatArray]:
    for key, header in archive.headers.items():
        if header.shape == (points,) and header.dtype.kind in "fiu":
            return CHANNEL_NAMES.get(key, key), np.asarray(archive.read(key), dtype=np.float64)
    return "point", np.arange(points, dtype=np.float64)


def _constants(archive: _Archive) -> MappingProxyType[str, float]:
    numbers = {key: archive.number(key) for key in archive.headers}
    return MappingProxyType({key: number for key, number in numbers.items() if number is not None})


def _array_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    return shape, dtype
