"""A recorded set that stands for the sample: its survey image, and what was measured where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.datasets import RecordedData
from dkl_core.errors import InputError
from dkl_core.patches import PatchSettings

FILE, ITEM = "file:", "item:"
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RecordedSet:
    """Recorded data under the name that the panel's choice of microscopes has for them.

    Attributes:
        key: `file:` and the path, or `item:` and the data item's uuid.
        title: as the panel lists it.
        data: what was recorded.
        provenance: where the data come from, for the record of a run; JSON-compatible.
        notices: what had to be assumed, for the user.
        only: the property whose values these are, where there are no patterns; None where there are.
        patches: how the sites of these data were laid; None where any will do.
    """

    key: str
    title: str
    data: RecordedData
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    only: str | None = None
    patches: PatchSettings | None = None

    @property
    def allowed(self) -> Mask | None:
        """Pixels of the survey image where something was recorded, None for everywhere."""
        if self.data.positions is None:
            return None
        mask = np.zeros(self.data.survey.shape, dtype=np.bool_)
        mask[tuple(self.data.positions.T)] = True
        return mask

    def require(self, measured: str) -> None:
        """See that a property can be had of these data.

        Raises:
            InputError: it cannot.
        """
        if self.only is not None and measured != self.only:
            raise InputError(
                f"{self.title} holds values of {self.only} alone, not {measured}; choose that property, or a 4D set"
            )
        raw = self.data.raw
        if self.only is None and (raw is None or raw.kind != "pattern"):
            raise InputError(f"{self.title} has no diffraction patterns; choose a 4D-STEM set")
        if self.only is None and raw is not None and not raw.is_calibrated:
            raise InputError(
                f"{self.title} does not say how large a detector pixel is; calibrate its last two axes in mrad "
                "(Inspector, Calibrations), or give the file a number det_mrad"
            )


def is_recorded(key: str | None) -> bool:
    """Whether a choice of microscope means recorded data."""
    return key is not None and key.startswith((FILE, ITEM))


def file_key(path: Path) -> str:
    """The choice that means a file."""
    return f"{FILE}{path.expanduser().resolve()}"


def item_key(uuid: object) -> str:
    """The choice that means a data item."""
    return f"{ITEM}{uuid}"


def path_of(key: str) -> Path | None:
    """The file that a choice means, None where it means none."""
    return Path(key.removeprefix(FILE)) if key.startswith(FILE) else None
