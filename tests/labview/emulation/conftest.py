from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dkl_core.sample import SimulatedSurface, SurfaceSettings
from dkl_core.survey import FloatArray
from labview_bridge.emulation.node import LabVIEW, Session
from labview_bridge.emulation.samples import SimulatedSample


class Ramp:
    """A sample whose current says where the tip is: 1000 x + y (pixels)."""

    def __init__(self, size: int = 64) -> None:
        self.size = size
        self.tips: list[tuple[float, float]] = []

    def topography(self) -> tuple[FloatArray, float]:
        return np.arange(self.size * self.size, dtype=float).reshape(self.size, self.size), 1e-8

    def spectrum(self, x_px: float, y_px: float) -> FloatArray:
        self.tips.append((x_px, y_px))
        bias = np.linspace(-1, 1, 5)
        return np.stack([bias, np.full(5, 1000 * x_px + y_px), bias**2, 0 * bias])


@pytest.fixture
def ramp() -> Ramp:
    return Ramp()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    folder.mkdir()
    return folder


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with LabVIEW().open_session(sys.executable, folder=tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def surface() -> SimulatedSurface:
    return SimulatedSurface(SurfaceSettings(seed=3, shape=(128, 128)))


@pytest.fixture
def simulated(surface: SimulatedSurface) -> SimulatedSample:
    return SimulatedSample(SimulatedSurface(surface.settings))
