"""A sample and a scatterer that are made in no time: a disc that moves with the place, an image that waves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dkl_core.stem.damage import CARBON
from dkl_core.stem.detectors import DetectorSettings
from dkl_core.stem.optics import Optics
from dkl_core.stem.realism import SourceSettings

BOND_NM = 0.142


@dataclass(frozen=True, eq=False)
class FakeAtoms:
    positions_nm: Any
    numbers: Any


@dataclass(frozen=True)
class FakeSettings:
    kind: str = "fake"


@dataclass(frozen=True, eq=False)
class FakeSample:
    """A flat honeycomb of carbon."""

    atoms: FakeAtoms
    field_nm: float = 4.0
    settings: FakeSettings = FakeSettings()
    dopants: tuple[Any, ...] = ()

    def vacuum_at(self, y_nm: Any, x_nm: Any) -> Any:
        return np.hypot(y_nm, x_nm) > 1.5

    def layers_at(self, y_nm: Any, x_nm: Any) -> Any:
        return np.where(self.vacuum_at(y_nm, x_nm), 0, 1)

    def bragg_expected_at(self, *_: Any) -> Any:
        return None


def honeycomb(field_nm: float = 4.0, silicon: tuple[int, ...] = ()) -> FakeSample:
    step_y, step_x = BOND_NM * 3, BOND_NM * np.sqrt(3)
    rows, cols = np.mgrid[0 : int(field_nm / step_y), 0 : int(field_nm / step_x)]
    corners = np.stack([rows.ravel() * step_y, cols.ravel() * step_x], axis=1)
    cell = np.array([[0, 0], [BOND_NM, 0], [BOND_NM * 1.5, step_x / 2], [BOND_NM * 2.5, step_x / 2]])
    flat = (corners[:, None, :] + cell[None]).reshape(-1, 2) - field_nm / 2
    positions = np.column_stack([flat, np.zeros(len(flat))])
    numbers = np.full(len(flat), CARBON)
    numbers[list(silicon)] = 14
    return FakeSample(FakeAtoms(positions, numbers), field_nm)


@dataclass(eq=False)
class FakeScatterer:
    """Deflects by 2 mrad per nm along y and -1 mrad per nm along x."""

    shape: tuple[int, int]
    mrad_per_px: float = 2.0
    semiangle_mrad: float = 20.0
    removed: list[int] = field(default_factory=list)
    replaced: list[tuple[int, int]] = field(default_factory=list)
    calls: int = 0

    @property
    def centre_px(self) -> tuple[float, float]:
        return self.shape[0] // 2, self.shape[1] // 2

    def pattern(self, y_nm: float, x_nm: float) -> Any:
        self.calls += 1
        rows, cols = np.indices(self.shape, dtype=np.float64)
        row, col = self.centre_px[0] + 2 * y_nm / self.mrad_per_px, self.centre_px[1] - x_nm / self.mrad_per_px
        disc = np.clip(self.semiangle_mrad / self.mrad_per_px - np.hypot(rows - row, cols - col) + 0.5, 0, 1)
        return (disc / disc.sum()).astype(np.float32)

    def haadf(self, y_nm: Any, x_nm: Any) -> Any:
        return (1e-3 * (1.5 + np.sin(8 * np.asarray(y_nm)) * np.cos(8 * np.asarray(x_nm)))).astype(np.float32)

    def com_mrad(self, y_nm: Any, x_nm: Any) -> Any:
        return 2 * np.asarray(y_nm), -1 * np.asarray(x_nm)

    def remove_atom(self, index: int) -> None:
        self.removed.append(index)

    def replace_atom(self, index: int, number: int) -> None:
        self.replaced.append((index, number))


def fake_physics(sample: Any, optics: Optics, detector: DetectorSettings, source: SourceSettings) -> FakeScatterer:
    return FakeScatterer(detector.shape)


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def centre_of_mass(pattern: Any) -> tuple[float, float]:
    values = np.asarray(pattern, dtype=np.float64)
    rows, cols = np.indices(values.shape)
    return float((rows * values).sum() / values.sum()), float((cols * values).sum() / values.sum())
