"""A small 4D set: a disc that is deflected round two places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SIZE, DETECTOR, RADIUS_PX, MRAD_PER_PX, PIXEL_NM = 32, 24, 5.0, 2.0, 0.1
SPOTS = ((8, 9), (22, 20))


def image() -> np.ndarray:
    """Bright where the deflection is."""
    rows, cols = np.indices((SIZE, SIZE))
    blobs = [np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / 18) for row, col in SPOTS]
    ripple = 0.1 * np.sin(rows / 2) * np.cos(cols / 3)
    return np.asarray(sum(blobs) + ripple + 1)


def patterns(dark: int = 0) -> np.ndarray:
    """Counts (rows, columns, detector rows, detector columns), a weak halo that follows the image."""
    rng = np.random.default_rng(3)
    down, right = np.indices((DETECTOR, DETECTOR)) - (DETECTOR - 1) / 2
    seen, made = image(), np.empty((SIZE, SIZE, DETECTOR, DETECTOR), dtype=np.uint16)
    # as of atoms: towards the bright places, nought on the mean
    fall_down, fall_right = np.gradient(seen)
    for row in range(SIZE):
        for col in range(SIZE):
            moved = np.hypot(down - 8 * fall_down[row, col], right - 8 * fall_right[row, col])
            disc = np.clip(RADIUS_PX + 0.5 - moved, 0, 1)
            halo = 0.004 * seen[row, col] * (np.hypot(down, right) > 1.5 * RADIUS_PX)
            made[row, col] = rng.poisson(1000 * (disc + halo)) + dark
    return made


def write(path: Path) -> Path:
    """As an archive."""
    np.savez(path, haadf=image(), patterns=patterns(), det_mrad=MRAD_PER_PX, counts_per_electron=1.0, pixel_nm=PIXEL_NM)
    return path


def add_item(swift: Any, *, units: str = "rad", dark: int = 0, title: str = "4D set") -> Any:
    """As a data item of the project."""
    from nion.data.Calibration import Calibration
    from nion.data.DataAndMetadata import DataDescriptor, new_data_and_metadata
    from nion.swift.model.DataItem import new_data_item

    nm, angle = Calibration(0, PIXEL_NM, "nm"), Calibration(0, MRAD_PER_PX / 1000, units)
    xdata = new_data_and_metadata(
        patterns(dark),
        dimensional_calibrations=[nm, nm, angle, angle],
        data_descriptor=DataDescriptor(False, 2, 2),
        metadata={"hardware_source": {"counts_per_electron": 1.0}},
    )
    item = new_data_item(xdata)
    item.title = title
    swift.document_model.append_data_item(item)
    return item
