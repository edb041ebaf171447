"""Numbers and units as they are written on an axis."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 3: "k", 6: "M", 9: "G", 12: "T"}
TAKES_PREFIX = frozenset(("A", "V", "S", "s", "Hz", "eV", "F", "C", "W", "J", "N", "rad", "Pa", "K", "m"))
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Scale:
    """A factor that brings values near 1, and the unit that goes with it.

    Attributes:
        factor: what values are multiplied with.
        unit: the unit after that, with its prefix or power of ten; may be empty.
    """

    factor: float
    unit: str

    @classmethod
    def fitting(cls, values: ArrayLike, unit: str = "") -> Scale:
        """The scale for values in a unit: unchanged from 0.01 to 10 000, else by powers of 1000."""
        finite = np.abs(np.asarray(values, dtype=float))
        largest = float(finite[np.isfinite(finite)].max(initial=0.0))
        if largest == 0 or 0.01 <= largest < 1e4:
            return cls(1.0, unit)
        exponent = 3 * math.floor(math.log10(largest) / 3 + 1e-9)
        return cls(10.0**-exponent, _prefixed(unit, exponent))

    def label(self, name: str) -> str:
        """Name and unit of an axis."""
        return f"{name} ({self.unit})" if self.unit else name


def _prefixed(unit: str, exponent: int) -> str:
    head, *rest = unit.split(" ", 1)
    base, *over = head.split("/", 1)
    if base in TAKES_PREFIX and exponent in PREFIXES:
        return " ".join(["/".join([PREFIXES[exponent] + base, *over]), *rest])
    return f"10{str(exponent).translate(SUPERSCRIPT)} {unit}".strip()
