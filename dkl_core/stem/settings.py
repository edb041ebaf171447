"""What a simulated sample is made of: one object, with parts for dopants, holes and strain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from dkl_core.errors import InputError
from dkl_core.settings_json import made

Kind = Literal["graphene_si", "twisted_bilayer", "mnps3", "strained_flake"]
Material = Literal["graphene", "mos2"]
SMALLEST_NM, LARGEST_NM = 4.0, 200.0


def _require_range(name: str, value: float, least: float, most: float) -> None:
    if not (math.isfinite(value) and least <= value <= most):
        raise InputError(f"{name} is {value:g}, expected {least:g} to {most:g}; give a value in that range")


def _require_count(name: str, value: int) -> None:
    if value < 0:
        raise InputError(f"{name} is {value}, expected 0 or more; give 0 for none")


@dataclass(frozen=True)
class DopantSettings:
    """Silicon in graphene.

    Attributes:
        per_nm2: number of dopants per area of the field, 1/nm²; at least one is placed unless it is 0.
        count: number of dopants; overrides `per_nm2`, None to follow it.
        threefold: share of silicon atoms in place of one carbon.
        fourfold: share of silicon atoms in place of two neighbouring carbons.
        trimer: share of groups of three silicon atoms round a missing carbon.
        spacing_nm: smallest distance between dopants and from holes, nm.
    """

    per_nm2: float = 0.06
    count: int | None = None
    threefold: float = 0.5
    fourfold: float = 0.25
    trimer: float = 0.25
    spacing_nm: float = 1.1

    def __post_init__(self) -> None:
        _require_range("per_nm2", self.per_nm2, 0, 1)
        _require_range("spacing_nm", self.spacing_nm, 0.6, 20)
        _require_count("count", self.count or 0)
        shares = (self.threefold, self.fourfold, self.trimer)
        if min(shares) < 0 or not 0 < sum(shares) < math.inf:
            raise InputError(
                f"the shares of threefold, fourfold and trimer are {shares}, expected 0 or more and one above 0"
            )

    def number(self, area_nm2: float) -> int:
        """How many dopants a field of an area (nm²) gets."""
        if self.count is not None:
            return self.count
        return max(1, round(self.per_nm2 * area_nm2)) if self.per_nm2 else 0


@dataclass(frozen=True)
class HoleSettings:
    """Holes with a wavy outline.

    Attributes:
        count: holes through the whole sample.
        radius_nm: mean radius of those, nm; not more than an eighth of the field is used.
        edge_si: silicon atoms at the edge of each, in each layer of graphene.
        windows: places of a bilayer where one of the layers is missing.
        window_radius_nm: mean radius of those, nm; not more than an eighth of the field is used.
    """

    count: int = 1
    radius_nm: float = 1.0
    edge_si: int = 2
    windows: int = 1
    window_radius_nm: float = 1.5

    def __post_init__(self) -> None:
        for name in ("count", "edge_si", "windows"):
            _require_count(name, getattr(self, name))
        _require_range("radius_nm", self.radius_nm, 0.25, 50)
        _require_range("window_radius_nm", self.window_radius_nm, 0.25, 50)


@dataclass(frozen=True)
class StrainSettings:
    """The strained flake.

    Attributes:
        material: "graphene" or "mos2".
        gradient: how much the strain across the edge grows from the inside of the flake to the edge.
        bubble: largest strain of the bubble.
        shear: uniform shear.
        edge: whether the flake ends inside the field.
        second_layer: whether a second, turned and unstrained layer of graphene covers a corner.
    """

    material: Material = "graphene"
    gradient: float = 0.035
    bubble: float = 0.03
    shear: float = 0.004
    edge: bool = True
    second_layer: bool = True

    def __post_init__(self) -> None:
        if self.material not in get_args(Material):
            raise InputError(f"unknown material {self.material!r}; choose one of {', '.join(get_args(Material))}")
        for name in ("gradient", "bubble", "shear"):
            _require_range(name, getattr(self, name), -0.1, 0.1)


@dataclass(frozen=True)
class SampleSettings:
    """A simulated sample in full; equal settings give equal samples.

    Attributes:
        kind: "graphene_si" (one layer with dopants and holes), "twisted_bilayer" (two of them), "mnps3" (two layers of
            MnPS₃, the second contracted) or "strained_flake" (for nanobeam diffraction).
        field_nm: width and height of the field, nm.
        rotation_deg: angle of the lattice from the columns of the field, degrees.
        twist_deg: angle between the layers of a twisted bilayer, degrees.
        contraction: share by which the second layer of MnPS₃ is smaller.
        dopants: silicon in graphene.
        holes: holes and windows.
        strain: the strained flake.
        seed: what places and kinds are drawn from.
    """

    kind: Kind = "graphene_si"
    field_nm: float = 20.0
    rotation_deg: float = 11.0
    twist_deg: float = 6.0
    contraction: float = 0.07
    dopants: DopantSettings = field(default_factory=DopantSettings)
    holes: HoleSettings = field(default_factory=HoleSettings)
    strain: StrainSettings = field(default_factory=StrainSettings)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InputError(f"unknown kind of sample {self.kind!r}; choose one of {', '.join(get_args(Kind))}")
        _require_range("field_nm", self.field_nm, SMALLEST_NM, LARGEST_NM)
        _require_range("rotation_deg", self.rotation_deg, -360, 360)
        _require_range("twist_deg", self.twist_deg, -60, 60)
        _require_range("contraction", self.contraction, -0.2, 0.2)
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}, expected 0 or more; give a whole number")

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-compatible values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SampleSettings:
        """Settings from `to_json`; fields that are missing take their defaults.

        Raises:
            InputError: a field that does not exist or has an unusable value.
        """
        return made(cls, data)
