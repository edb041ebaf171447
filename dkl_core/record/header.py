"""The part of a run file that never changes: format, versions, settings and survey image."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import numpy as np

from dkl_core.errors import InputError, RecordError
from dkl_core.record import jsontext
from dkl_core.record.events import RunHeader
from dkl_core.record.nsid import Axis, Title, mark_main
from dkl_core.survey import SurveyImage

if TYPE_CHECKING:
    import h5py

FORMAT = "dkl-run"
FORMAT_VERSION = 1
_ATTRIBUTE_BYTES = 32768
_AXES = ("row", "col")


def check_header(header: RunHeader) -> None:
    """Refuse a header that a file cannot hold.

    Raises:
        InputError: settings that are not JSON-compatible, a mask of another shape, or overlong versions.
    """
    jsontext.encoded(header.settings, "settings")
    if header.mask is not None and np.shape(header.mask) != header.survey.shape:
        raise InputError(f"the mask has shape {np.shape(header.mask)}; give the survey image's, {header.survey.shape}")
    if len(json.dumps(dict(header.versions))) > _ATTRIBUTE_BYTES:
        raise InputError(f"the software versions are longer than {_ATTRIBUTE_BYTES} bytes; name only what matters")


def write_header(h5: h5py.File, header: RunHeader) -> None:
    """Fill a new file with the header."""
    h5.attrs.update(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        run=os.urandom(16).hex(),
        created=header.created,
        versions=json.dumps(dict(header.versions)),
    )
    h5["settings"] = jsontext.to_text(jsontext.encoded(header.settings, "settings"))
    survey = h5.create_group("survey")
    survey.create_dataset("image", data=header.survey.values, compression="gzip", compression_opts=1, shuffle=True)
    if header.mask is not None:
        survey.create_dataset("mask", data=np.asarray(header.mask, dtype=bool), compression="gzip")
    _label(survey, header.survey.pixel_nm, header.survey.origin_nm)


def copy_header(old: h5py.File, new: h5py.File) -> None:
    """Fill a new file with the header of another."""
    new.attrs.update(old.attrs)
    old.copy("settings", new)
    survey = new.create_group("survey")
    for name in set(old["survey"]) - set(_AXES):
        # The axes are made anew: references do not survive a copy.
        old.copy(f"survey/{name}", survey, without_attrs=True)
    _label(survey, *_calibration(old))


def read_header(h5: h5py.File) -> RunHeader:
    """The header of a run file."""
    pixel_nm, origin_nm = _calibration(h5)
    return RunHeader(
        settings=jsontext.decoded(jsontext.from_text(h5["settings"][()])),
        survey=SurveyImage(h5["survey/image"][()], pixel_nm, origin_nm),
        mask=h5["survey/mask"][()] if "survey/mask" in h5 else None,
        versions=json.loads(h5.attrs["versions"]),
        created=str(h5.attrs["created"]),
    )


def check_format(h5: h5py.File, path: object) -> None:
    """Refuse a file that is not a run, or that a newer version of this package wrote.

    Raises:
        RecordError: the file cannot be read here.
    """
    if h5.attrs.get("format") != FORMAT:
        raise RecordError(f"{path} is an HDF5 file but not the record of a run; give a file that a run has written")
    version = int(h5.attrs["format_version"])
    if version > FORMAT_VERSION:
        raise RecordError(
            f"{path} has format {version}, written by a newer dkl-core; "
            f"this one reads up to format {FORMAT_VERSION}: install a newer dkl-core"
        )


def _calibration(h5: h5py.File) -> tuple[tuple[float, float] | None, tuple[float, float]]:
    attributes = h5["survey/image"].attrs
    row, col = (float(value) for value in attributes["origin_nm"])
    if "pixel_nm" not in attributes:
        return None, (row, col)
    height, width = (float(value) for value in attributes["pixel_nm"])
    return (height, width), (row, col)


def _label(survey: h5py.Group, pixel_nm: tuple[float, float] | None, origin_nm: tuple[float, float]) -> None:
    image = survey["image"]
    image.attrs["origin_nm"] = origin_nm
    if pixel_nm is not None:
        image.attrs["pixel_nm"] = pixel_nm
    steps, starts, units = (pixel_nm, origin_nm, "nm") if pixel_nm else ((1.0, 1.0), (0.0, 0.0), "px")
    axes = [
        Axis(name, start + step * np.arange(size), "distance", units, "spatial")
        for name, start, step, size in zip(_AXES, starts, steps, image.shape, strict=True)
    ]
    mark_main(image, axes, Title("survey image", "intensity", "image"))
