"""Recorded data from published deep-kernel-learning runs on an STM: HDF5 files in pyNSID layout.

Source of the layout: Narasimha et al. 2024, data of the EuZn2As2 runs (sidpy 0.12.3, pyNSID 0.0.7.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.datasets.maps import listed
from dkl_core.datasets.recorded import RawData, RecordedData
from dkl_core.errors import DataFileError
from dkl_core.survey import FloatArray, SurveyImage

CHANNELS = ("bias", "current", "didv", "lockin_y")
IMAGE, POSITION, SCALAR, SPECTRA = "STM Image", "DKL Position", "DKL Scalar", "Tunneling Spectroscopy"
IMAGE_NAME, SCALAR_NAME = "Image", "Scalar"
OFF_GRID_PX = 0.05


def read_published(
    path: Path,
    image: str | None = None,
    target: str | None = None,
    raw: bool = True,
    frame_nm: float | None = None,
) -> RecordedData:
    """Read a published run.

    Positions in the file are x, y in nm from the lower left corner of the frame. With the frame width w and an image
    of C columns and R rows, column = C x / w and row = R - 1 - C y / w.

    Args:
        path: the file; the width of the frame stands in its name, as in `run_250nm.hf5`.
        image: `Image`, the only one there is.
        target: `Scalar`, the only one there is.
        raw: whether to read the spectra (M, 4, points): bias V, current A, LIX (dI/dV), LIY.
        frame_nm: width of the frame in nm, where the name does not give it.

    Raises:
        DataFileError: damaged, not such a run, or positions that do not fit the frame.
    """
    _only(path, image, IMAGE_NAME, "image")
    _only(path, target, SCALAR_NAME, "target")
    import h5py

    try:
        with h5py.File(path, "r") as file:
            arrays = {name: _dataset(path, file, name) for name in (IMAGE, POSITION, SCALAR)}
            spectra = _dataset(path, file, SPECTRA) if raw else None
    except OSError as error:
        raise DataFileError(
            f"{path.name} cannot be read as an HDF5 file ({error}); it may be cut short or damaged: copy it again"
        ) from error
    topograph = _image(path, arrays[IMAGE])
    values = np.asarray(arrays[SCALAR], dtype=np.float64)
    places = _places(path, arrays[POSITION], values, spectra)
    width_nm = frame_nm if frame_nm is not None else frame_width_nm(path)
    positions, notices = _pixels(path, places, topograph.shape, width_nm)
    pixel_nm = width_nm / topograph.shape[1]
    return RecordedData(
        survey=SurveyImage(topograph, pixel_nm=(pixel_nm, pixel_nm)),
        target_name=SCALAR_NAME,
        values=values,
        positions=positions,
        raw=None if spectra is None else RawData("spectrum", spectra, channels=_channels(spectra)),
        name=path.name,
        note=f"published run, frame {width_nm:g} nm, {len(values)} measured sites",
        notices=notices,
    )


def frame_width_nm(path: Path) -> float:
    """The width of the frame in nm that a file name gives, 250 for `Figure3_large_area_250nm.hf5`.

    Raises:
        DataFileError: the name gives none.
    """
    found = re.findall(r"(\d+(?:\.\d+)?)nm", path.stem)
    if not found or float(found[-1]) == 0:
        raise DataFileError(
            f"{path.name} does not say how wide its frame is, and the file holds it nowhere else; "
            "add the width to the name, as in run_250nm.hf5, or give frame_nm"
        )
    return float(found[-1])


def _only(path: Path, wanted: str | None, name: str, option: str) -> None:
    if wanted is not None and wanted.casefold() != name.casefold():
        raise DataFileError(f"{path.name} has no {option} {wanted!r}; choose --{option} from: {name}")


def _datasets(group: Any) -> Iterator[Any]:
    """The main datasets of a pyNSID group: those that bear the name of the group that holds them."""
    for name in group:
        child = group[name]
        if not hasattr(child, "shape"):
            yield from _datasets(child)
        elif group.name.rsplit("/", 1)[-1] == name:
            yield child


def _dataset(path: Path, file: Any, name: str) -> NDArray[np.generic]:
    found = [data for data in _datasets(file) if f"/{name}/" in data.name]
    if not found:
        raise DataFileError(
            f"{path.name} is not a published run: it has no {name!r}; it holds {listed(file)}. "
            f"Expected the groups {IMAGE!r}, {POSITION!r}, {SCALAR!r} in pyNSID layout"
        )
    if found[0].dtype.kind not in "fiu":
        raise DataFileError(f"{path.name}: {name!r} holds {found[0].dtype} values; numbers are needed")
    array: NDArray[np.generic] = found[0][()]
    return array


def _image(path: Path, stored: NDArray[np.generic]) -> FloatArray:
    image = np.asarray(stored, dtype=np.float64)
    if image.ndim != 2 or not np.isfinite(image).any():
        raise DataFileError(
            f"{path.name}: the image has shape {image.shape} and {np.isfinite(image).sum()} finite pixels; "
            "a two-dimensional image with data is needed"
        )
    return image


def _places(
    path: Path, stored: NDArray[np.generic], values: FloatArray, spectra: NDArray[np.generic] | None
) -> FloatArray:
    places = np.asarray(stored, dtype=np.float64)
    counts = {len(values), len(places)} | (set() if spectra is None else {len(spectra)})
    if places.ndim != 2 or places.shape[1] != 2 or values.ndim != 1 or len(counts) > 1:
        shapes = (places.shape, values.shape, None if spectra is None else spectra.shape)
        raise DataFileError(
            f"{path.name}: positions, scalars and spectra have shapes {', '.join(map(str, shapes))}; "
            "(M, 2), (M,) and (M, channels, points) of the same M are needed"
        )
    return places


def _pixels(
    path: Path, places_nm: FloatArray, shape: tuple[int, int], width_nm: float
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    px = places_nm * shape[1] / width_nm
    exact = np.stack([shape[0] - 1 - px[:, 1], px[:, 0]], axis=1)
    finite = np.isfinite(exact).all()
    positions = np.rint(np.where(np.isfinite(exact), exact, -1)).astype(np.int64)
    if not finite or (positions < 0).any() or (positions >= shape).any():
        raise DataFileError(
            f"{path.name}: positions reach from {np.nanmin(places_nm):g} to {np.nanmax(places_nm):g} nm, "
            f"not all within a frame of {width_nm:g} nm; correct the width in the file's name, or give frame_nm"
        )
    off = float(np.abs(exact - positions).max(initial=0.0))
    if off <= OFF_GRID_PX:
        return positions, ()
    return positions, (
        f"positions lie up to {off:.2f} px off the pixels of a frame of {width_nm:g} nm: check its width",
    )


def _channels(spectra: NDArray[np.generic]) -> tuple[str, ...]:
    extra = tuple(f"channel_{i}" for i in range(len(CHANNELS), spectra.shape[1]))
    return (CHANNELS + extra)[: spectra.shape[1]]
