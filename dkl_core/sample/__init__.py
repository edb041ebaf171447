"""A simulated STM surface, built in code from a seed: topographs, tunnelling spectra and the truth behind them."""

from dkl_core.frame import Frame
from dkl_core.sample.settings import (
    ElectronicSettings,
    RealismSettings,
    StateSettings,
    StructureSettings,
    SurfaceSettings,
)
from dkl_core.sample.stm import SimulatedSTM
from dkl_core.sample.surface import SimulatedSurface, Truth

__all__ = [
    "ElectronicSettings",
    "Frame",
    "RealismSettings",
    "SimulatedSTM",
    "SimulatedSurface",
    "StateSettings",
    "StructureSettings",
    "SurfaceSettings",
    "Truth",
]
