"""How large the next frame is, and what it must fulfil."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from dkl_core.errors import InputError
from dkl_core.frame import Frame, Pair


@dataclass(frozen=True)
class ZoomSize:
    """How large the next frame is.

    Attributes:
        value: the number.
        unit: `nm` or `px` (of the present image) for the side of a square, `factor` for the present frame's height
            and width divided by the number.
    """

    value: float
    unit: Literal["nm", "px", "factor"] = "nm"

    @classmethod
    def parse(cls, text: str) -> ZoomSize:
        """The size written as `50nm`, `100px` or `5x`.

        Raises:
            InputError: written otherwise.
        """
        units: dict[str, Literal["nm", "px", "factor"]] = {"nm": "nm", "px": "px", "x": "factor"}
        found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(nm|px|x)\s*", text)
        if found is None:
            raise InputError(f"the zoom {text!r} is not understood; write a size as 50nm or 100px, or a factor as 5x")
        return cls(float(found[1]), units[found[2]])

    def of(self, frame: Frame) -> Pair:
        """Height and width of the next frame in nm.

        Raises:
            InputError: not smaller than the present frame, or not above zero.
        """
        height, width = frame.size_nm
        match self.unit:
            case "nm":
                size = (self.value, self.value)
            case "px":
                size = (self.value * frame.pixel_nm[0], self.value * frame.pixel_nm[1])
            case "factor":
                if not self.value > 1:
                    raise InputError(f"the zoom factor is {self.value:g}; give a number above 1")
                size = (height / self.value, width / self.value)
        if not (0 < size[0] < height and 0 < size[1] < width):
            raise InputError(
                f"the next frame of {size[0]:g} x {size[1]:g} nm is not smaller than the present one of "
                f"{height:g} x {width:g} nm; give a smaller size above zero"
            )
        return size


LARGE_TO_ATOMIC = (ZoomSize(50.0), ZoomSize(10.0))
"""Published sequence from a first frame of 250 nm."""
LARGE_TO_MEDIUM = (ZoomSize(100.0), ZoomSize(20.0))
"""Published sequence from a first frame of 200 nm."""


@dataclass(frozen=True)
class ZoomRules:
    """What a window must fulfil to become the next frame.

    Attributes:
        min_sites: fewest sites with a prediction that it holds.
        margin_nm: how far the tip may miss its mark, nm. Windows keep this distance from the present frame's edges,
            and only sites at least this far within the window count, so that they are seen even then.
        max_overlap: largest part of its area, 0 to 1, that may lie in a frame visited before.
        sigmas: by how many standard deviations its mean must exceed the average, where deviations are given.
    """

    min_sites: int = 4
    margin_nm: float = 0.0
    max_overlap: float = 0.0
    sigmas: float = 1.0

    def __post_init__(self) -> None:
        if self.min_sites < 1 or self.margin_nm < 0 or self.sigmas < 0 or not 0 <= self.max_overlap <= 1:
            raise InputError(
                f"{self} cannot be used; give min_sites of at least 1, margin_nm and sigmas not below 0, "
                "and max_overlap from 0 to 1"
            )
