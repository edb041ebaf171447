"""The problem that every benchmark solves: a surface made in code and a scalar that depends on its structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIZE = 512
WINDOW = 30
STRIDE = 10
MEASURED = 200
MORE = 10

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Problem:
    """A survey image and what a measurement at each of its sites would give.

    Attributes:
        image: heights (512, 512), scaled to 0 ... 1.
        sites: (2401, 2) as (row, column) in pixels; the patch of a site covers `site - 15` and the 29 pixels after.
        scalar: (2401,) measured values, noise included.
        order: (2401,) sites in the order in which they are measured.
    """

    image: FloatArray
    sites: IntArray
    scalar: FloatArray
    order: IntArray

    def patches(self) -> NDArray[np.float32]:
        """The flattened patches of all sites, (2401, 900)."""
        windows = np.lib.stride_tricks.sliding_window_view(self.image, (WINDOW, WINDOW))
        corners = self.sites - WINDOW // 2
        cut: NDArray[np.float32] = windows[corners[:, 0], corners[:, 1]].reshape(len(corners), -1).astype(np.float32)
        return cut

    def split(self) -> dict[str, NDArray[np.floating]]:
        """Arrays for a peer: what is measured first, what is measured next, and what is left to predict."""
        parts = {
            "train": self.order[:MEASURED],
            "more": self.order[MEASURED : MEASURED + MORE],
            "test": self.order[MEASURED + MORE :],
        }
        patches = self.patches()
        features = {f"X_{name}": patches[index] for name, index in parts.items()}
        return features | {f"y_{name}": self.scalar[index] for name, index in parts.items()}


def make_problem(seed: int = 0) -> Problem:
    """A surface of two terraces with an atomic lattice and clustered defects.

    The scalar falls with the density of defects round the site and is higher on the upper terrace, so that it follows
    from the patch; a slow drift across the frame follows from the position alone.

    Args:
        seed: of the places of the defects, of the noise and of the order of measurement.
    """
    rng = np.random.default_rng(seed)
    rows, cols = np.indices((SIZE, SIZE), dtype=float)
    upper = 0.5 * (1 + np.tanh((cols - 0.55 * SIZE - 60 * np.sin(rows / 80)) / 4))
    defects = _defects(rng)
    density = _blurred(defects, 9.0)
    image = upper + _lattice(rows, cols) + 6.0 * _blurred(defects, 2.5) + 0.03 * rng.standard_normal((SIZE, SIZE))
    truth = 0.8 + 0.4 * upper - 0.9 * np.tanh(density / (2 * density.std())) + 0.15 * np.sin(rows / 120)
    edge = np.arange(WINDOW // 2, SIZE - WINDOW // 2 + 1, STRIDE)
    sites = np.stack(np.meshgrid(edge, edge, indexing="ij"), axis=-1).reshape(-1, 2)
    scalar = truth[sites[:, 0], sites[:, 1]] + 0.03 * rng.standard_normal(len(sites))
    return Problem((image - image.min()) / np.ptp(image), sites, scalar, rng.permutation(len(sites)))


def _lattice(rows: FloatArray, cols: FloatArray) -> FloatArray:
    waves = [np.cos(2 * np.pi * (rows * np.sin(a) + cols * np.cos(a)) / 7.3) for a in np.deg2rad([12, 72, 132])]
    summed: FloatArray = 0.05 * np.sum(waves, axis=0)
    return summed


def _defects(rng: np.random.Generator) -> FloatArray:
    centres = rng.uniform(0, SIZE, (14, 2))
    places = np.concatenate([rng.normal(centre, 28, (24, 2)) for centre in centres] + [rng.uniform(0, SIZE, (80, 2))])
    marks = np.zeros((SIZE, SIZE))
    index = np.rint(places).astype(int) % SIZE
    np.add.at(marks, (index[:, 0], index[:, 1]), 1.0)
    return marks


def _blurred(values: FloatArray, sigma_px: float) -> FloatArray:
    frequency = np.fft.fftfreq(SIZE)
    kernel = np.exp(-2 * (np.pi * sigma_px) ** 2 * (frequency[:, None] ** 2 + frequency[None, :] ** 2))
    blurred: FloatArray = np.fft.ifft2(np.fft.fft2(values) * kernel).real
    return blurred
