"""What scans and grids of Nanonis have in common: opening them with the package nanonispy2.

nanonispy itself fails on scans since NumPy 1.24; nanonispy2 is its maintained copy and needs nothing but NumPy.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dkl_core.errors import DataFileError
from dkl_core.survey import FloatArray

NM_PER_M = 1e9
LOCK_IN = re.compile(r"li[xyr]\b|li demod|lock-?in|d[il]/?dv", re.IGNORECASE)
HEADER_ERRORS = (KeyError, IndexError, ValueError, OSError)


def reader(path: Path, suffix: str) -> Any:
    """The module that reads Nanonis files.

    Raises:
        DataFileError: it is not installed, or the file's name does not end as it must.
    """
    if path.suffix != suffix:
        raise DataFileError(
            f"{path.name} is a Nanonis file that must end in {suffix}; rename it to {path.stem}{suffix}"
        )
    try:
        return importlib.import_module("nanonispy2.read")
    except ImportError as error:
        raise DataFileError(
            f"reading {path.name} needs the package nanonispy2; install it with: pip install nanonispy2"
        ) from error


def opened(path: Path, read: Any, build: Callable[[], Any]) -> tuple[Any, tuple[str, ...]]:
    """A Nanonis file, and what its reader warned of.

    Args:
        path: the file, for messages.
        read: the module that reads it.
        build: opens the file.

    Raises:
        DataFileError: the header or the data cannot be understood.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            file = build()
        except (*HEADER_ERRORS, read.FileHeaderNotFoundError, read.UnhandledFileError) as error:
            raise DataFileError(
                f"{path.name} cannot be read ({error}); its data do not fit its header: the file is cut short, or a "
                "channel was recorded in one direction only. Copy it again, or record both directions"
            ) from error
    return file, tuple(sorted({str(warning.message) for warning in caught}))


def pixel_nm(size_m: ArrayLike, counts: ArrayLike) -> tuple[float, float] | None:
    """Height and width of a pixel in nm from the frame's (width, height) in m and its (columns, lines)."""
    width, height = (float(step) for step in NM_PER_M * np.asarray(size_m, dtype=float) / np.asarray(counts))
    return (height, width) if width > 0 and height > 0 else None


def in_nm(values: ArrayLike, unit: str) -> FloatArray:
    """Values as float64, lengths in nm instead of m."""
    numbers = np.asarray(values, dtype=np.float64)
    return numbers * NM_PER_M if unit == "m" else numbers


def rotation_note(angle_deg: float) -> str:
    """Says that the frame is rotated, since positions are counted along the frame's own edges."""
    return f"; frame rotated by {angle_deg:g} degrees" if angle_deg else ""
