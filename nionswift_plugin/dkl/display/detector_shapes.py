"""The parameters of a scalarizer as circles and rings on the diffraction pattern, and back.

A parameter that the user has not set is found in the pattern; its circle shows what was found, and only a circle that
the user moved becomes a number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dkl_core.scalarizers.bright_disc import find_disc
from dkl_core.scalarizers.pattern import Pattern
from nionswift_plugin.dkl.display.patterns import centre_of, middle_of

Pair = tuple[float, float]
Edge = Literal["disc", "inner", "outer", "bragg"]
_SEMIANGLE, _INNER, _OUTER = "semiangle_mrad", "inner", "outer"
# What scalarizers of diffraction discs alone have.
_BRAGG_OPTION = "min_intensity"
# An outer edge beyond so much of the camera's reach means all that the camera catches.
_EVERYTHING = 0.98
# The thinnest ring, in semi-angles.
_THINNEST = 0.01


@dataclass(frozen=True)
class Circle:
    """A circle round the middle of the pattern.

    Attributes:
        radius: mrad.
        is_set: whether the user has chosen it; else it was found in the pattern.
    """

    radius: float
    is_set: bool = True


@dataclass(frozen=True)
class DetectorShapes:
    """What is drawn on a pattern.

    Attributes:
        centre_px: (row, column) of the common middle.
        reach_mrad: how far the camera reaches from there, mrad.
        circles: by what they stand for; only those that the scalarizer has a use for.
    """

    centre_px: Pair
    reach_mrad: float
    circles: Mapping[Edge, Circle]

    @classmethod
    def of(cls, options: Mapping[str, Any], pattern: Pattern, bragg_mrad: float | None = None) -> DetectorShapes:
        """What the options of a scalarizer mean on a pattern.

        Args:
            options: all of them, defaults included.
            pattern: the live one.
            bragg_mrad: the distance of the first-order discs, where it was measured.
        """
        centre = centre_of(pattern) or middle_of(pattern.shape)
        reach = _reach_mrad(pattern, centre)
        circles: dict[Edge, Circle] = {}
        disc = _disc_of(options, pattern)
        if disc is not None:
            circles["disc"] = disc
            if _INNER in options and _OUTER in options:
                inner, outer = (float(options[name]) * disc.radius for name in (_INNER, _OUTER))
                circles |= {"inner": Circle(inner)} if inner > 0 else {}
                circles["outer"] = Circle(min(outer, reach))
        if bragg_mrad is not None and _BRAGG_OPTION in options:
            circles["bragg"] = Circle(bragg_mrad, is_set=False)
        return cls(centre, reach, circles)

    def dragged(self, edge: Edge, radius_mrad: float, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options after the user has given a circle another radius.

        Args:
            edge: which one.
            radius_mrad: its new radius, mrad. An outer edge at the camera's takes in all beyond the inner one.
            options: as they were.
        """
        disc = self.circles.get("disc")
        if radius_mrad <= 0 or disc is None:
            return dict(options)
        share = radius_mrad / disc.radius
        match edge:
            case "disc":
                return {**options, _SEMIANGLE: _rounded(radius_mrad)}
            case "inner":
                return {**options, _INNER: _rounded(min(share, float(options[_OUTER]) - _THINNEST))}
            case "outer" if radius_mrad >= _EVERYTHING * self.reach_mrad:
                return {**options, _OUTER: math.inf}
            case "outer":
                return {**options, _OUTER: _rounded(max(share, float(options[_INNER]) + _THINNEST))}
        return dict(options)

    def deleted(self, edge: Edge, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options after the user has deleted a circle: a disc is found in the pattern again."""
        return {**options, _SEMIANGLE: None} if edge == "disc" else dict(options)


def _reach_mrad(pattern: Pattern, centre_px: Pair) -> float:
    """How far the farthest edge of the camera is from the middle of the pattern, mrad."""
    sides = [max(at, size - 1 - at) for at, size in zip(centre_px, pattern.shape, strict=True)]
    return (max(sides) + 0.5) * pattern.mrad_per_px


def _disc_of(options: Mapping[str, Any], pattern: Pattern) -> Circle | None:
    if _SEMIANGLE not in options:
        return None
    given = options[_SEMIANGLE]
    if given is not None:
        return Circle(float(given))
    found = find_disc(pattern)
    return None if found is None else Circle(found.radius * pattern.mrad_per_px, is_set=False)


def _rounded(value: float) -> float:
    """Four digits: a mouse is no more exact, and a settings file is read by people."""
    return float(f"{value:.4g}")
