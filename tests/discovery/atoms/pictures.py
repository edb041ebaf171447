"""Simulated images of known atoms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dkl_core.discovery.planted_atoms import dark_field
from dkl_core.stem import SampleSettings, build_sample

PIXEL_NM = 0.02


@dataclass(frozen=True)
class Picture:
    """An image with the true positions of its atoms, px."""

    image: np.ndarray
    atoms: np.ndarray
    silicon: np.ndarray


def simulated(kind: str, px: int, seed: int, electrons: float) -> Picture:
    """A simulated HAADF image at 0.2 Å per pixel, with shot noise."""
    sample = build_sample(SampleSettings(kind, px * PIXEL_NM, twist_deg=8.0, seed=seed))  # type: ignore[arg-type]
    clean = dark_field(sample, px, PIXEL_NM)
    places = sample.atoms.positions_nm[:, :2] / PIXEL_NM + (px - 1) / 2
    image = np.random.default_rng(seed).poisson(electrons * clean).astype(float)
    return Picture(image, places, places[sample.atoms.numbers == 14])
