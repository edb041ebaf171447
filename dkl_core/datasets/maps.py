"""The named two-dimensional maps of a file: how the user's choice is found among them, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from dkl_core.errors import DataFileError
from dkl_core.survey import FloatArray


@dataclass(frozen=True)
class Maps:
    """What a file offers as image or target.

    Attributes:
        path: the file, for messages.
        names: the two-dimensional maps, in the file's order.
        read: gives the map of a name.
    """

    path: Path
    names: tuple[str, ...]
    read: Callable[[str], ArrayLike]

    def find(self, wanted: str, option: str) -> str:
        """The file's spelling of a name; capitals, blanks, underscores and a unit in brackets do not matter.

        Args:
            wanted: what the user wrote.
            option: `image` or `target`, for the message.

        Raises:
            DataFileError: no such map.
        """
        for simplify in (str, _plain, _without_unit):
            for name in self.names:
                if simplify(name) == simplify(wanted):
                    return name
        raise DataFileError(
            f"{self.path.name} has no two-dimensional map {wanted!r} for the {option}; "
            f"choose --{option} from: {listed(self.names)}"
        )

    def image(self, name: str) -> FloatArray:
        """The map as a structural image.

        Raises:
            DataFileError: no finite pixel, or not numbers.
        """
        values = self._values(name)
        if not np.isfinite(values).any():
            raise DataFileError(
                f"{self.path.name}: the image {name!r} has no finite pixel; choose another --image from: "
                f"{listed(other for other in self.names if other != name)}"
            )
        return values

    def target(self, name: str, shape: tuple[int, int]) -> FloatArray:
        """The map as a target on the image's pixels.

        Raises:
            DataFileError: another shape than the image's, no finite value, or not numbers.
        """
        values = self._values(name)
        if values.shape != shape:
            raise DataFileError(
                f"{self.path.name}: the target {name!r} has shape {values.shape} but the image has {shape}; "
                "choose a --target with one value for each pixel of the image"
            )
        if not np.isfinite(values).any():
            raise DataFileError(f"{self.path.name}: the target {name!r} has no finite value; choose another --target")
        return values

    def _values(self, name: str) -> FloatArray:
        values = np.asarray(self.read(name))
        if values.dtype.kind not in "fiub" or values.ndim != 2:
            raise DataFileError(
                f"{self.path.name}: {name!r} holds {values.dtype} values of shape {values.shape}; "
                "choose a two-dimensional map of real numbers"
            )
        return values.astype(np.float64)


def listed(names: Iterable[str]) -> str:
    """Names for a message."""
    return ", ".join(names) or "(none)"


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", " ", name).strip().casefold()


def _without_unit(name: str) -> str:
    return _plain(re.sub(r"\([^)]*\)", "", name))
