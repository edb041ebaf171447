"""The image that spots are drawn on and read from, and the background between nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import ndimage, sparse

from dkl_core.survey import FloatArray

# Half a window, in widths of a spot; distance of nodes, in the same.
REACH, NODES_APART = 3.2, 9.0
_CHUNK = 8192


@dataclass(frozen=True, eq=False)
class Spots:
    """A model of an image.

    Attributes:
        positions: (n, 2) as (row, column), px.
        heights: (n,).
        width: standard deviation of every spot, px.
        nodes: heights of the background at its nodes (a, b).
    """

    positions: FloatArray
    heights: FloatArray
    width: float
    nodes: FloatArray

    def chosen(self, which: np.ndarray) -> Spots:
        """Some of the spots, by mask or index."""
        return replace(self, positions=self.positions[which], heights=self.heights[which])


@dataclass(frozen=True, eq=False)
class _Window:
    """Some spots, the pixels round each (n, w, w) as indices into the padded image, and profiles (n, w) there."""

    pixels: np.ndarray
    rows: tuple[np.ndarray, ...]
    cols: tuple[np.ndarray, ...]
    part: slice


class Canvas:
    """An image that spots are drawn on and read from, padded so that windows never leave it.

    Args:
        image: (rows, columns), finite.
        width: largest width of a spot that will be used, px.
    """

    def __init__(self, image: FloatArray, width: float) -> None:
        self.shape, self.widest = image.shape, width
        self.pad = int(np.ceil(REACH * width)) + 2
        self.image = np.asarray(image, dtype=np.float32)
        self._hats = tuple(_hats(n, NODES_APART * width) for n in image.shape)

    @cached_property
    def first_nodes(self) -> FloatArray:
        """A background of zero."""
        return np.zeros([hats.shape[1] for hats in self._hats])

    def background(self, nodes: FloatArray) -> FloatArray:
        """The background (rows, columns)."""
        rows, cols = self._hats
        ground: FloatArray = rows @ nodes.astype(np.float32) @ cols.T
        return ground

    def on_nodes(self, residual: FloatArray) -> FloatArray:
        """Sum of a residual (rows, columns) under each node's hat."""
        rows, cols = self._hats
        sums: FloatArray = rows.T @ residual @ cols
        return sums

    def node_matrix(self) -> sparse.csr_array:
        """Overlap of hats."""
        rows, cols = (sparse.csr_array(np.where(abs(h.T @ h) > 1e-6, h.T @ h, 0)) for h in self._hats)
        return sparse.csr_array(sparse.kron(rows, cols))

    def overlaps(self, positions: FloatArray, width: float) -> tuple[FloatArray, np.ndarray]:
        """Overlap of spots and their slopes with the nine hats round them.

        Args:
            positions: (n, 2), px.
            width: standard deviation of a spot, px.

        Returns:
            Overlaps (n, 3, 9) of profile and slopes along rows and columns, and the numbers (n, 9) of the hats.
        """
        first = [_first_hat(positions[:, axis], hats) for axis, hats in enumerate(self._hats)]
        flat, steep = (
            [self._soft(hats, positions[:, axis], first[axis], width, order) for axis, hats in enumerate(self._hats)]
            for order in (0, 1)
        )
        both = ((flat[0], flat[1]), (steep[0], flat[1]), (flat[0], steep[1]))
        area = 2 * np.pi * width**2
        values = np.stack([(rows[:, :, None] * cols[:, None, :]).reshape(-1, 9) for rows, cols in both], axis=1)
        three = np.arange(3)
        numbers = (first[0][:, None] + three)[:, :, None] * self._hats[1].shape[1] + (first[1][:, None] + three)[
            :, None
        ]
        return area * values, numbers.reshape(-1, 9)

    @staticmethod
    def _soft(hats: np.ndarray, at: FloatArray, first: np.ndarray, width: float, order: int) -> np.ndarray:
        """Three hats smoothed by a spot (n, 3), from the first on, at places between pixels."""
        soft = ndimage.gaussian_filter1d(hats, width, axis=0, order=order, mode="constant", truncate=5) * width**order
        low = np.clip(np.floor(at).astype(int), 0, len(hats) - 2)
        share = np.clip(at - low, 0, 1)[:, None]
        which = first[:, None] + np.arange(3)
        between: np.ndarray = (1 - share) * soft[low[:, None], which] + share * soft[low[:, None] + 1, which]
        return between

    def windows(self, positions: FloatArray, width: float) -> Iterator[_Window]:
        """The pixels round spots and the spots' profiles and their derivatives along both axes, in chunks."""
        half = int(np.ceil(REACH * width))
        line = np.arange(-half, half + 1)
        across = self.shape[1] + 2 * self.pad
        for start in range(0, len(positions), _CHUNK):
            part = slice(start, min(start + _CHUNK, len(positions)))
            nearest = np.clip(np.rint(positions[part]), -1, self.shape).astype(np.int64)
            beside = (line[None, :, None] - (positions[part] - nearest)[:, None, :]).astype(np.float32) / width
            bell = np.exp(-0.5 * beside**2)
            slope, bend = beside * bell, (beside**2 - 1) * bell
            corner = nearest + self.pad
            pixels = (corner[:, 0, None] + line)[:, :, None] * across + (corner[:, 1, None] + line)[:, None, :]
            profiles = [tuple(p[..., axis] for p in (bell, slope, bend)) for axis in (0, 1)]
            yield _Window(pixels, profiles[0], profiles[1], part)

    def drawn(self, spots: Spots, *, wider: bool = False) -> FloatArray:
        """The image of spots without background, or its change with the width."""
        size = (self.shape[0] + 2 * self.pad, self.shape[1] + 2 * self.pad)
        whole = np.zeros(size[0] * size[1])
        for at in self.windows(spots.positions, spots.width):
            high = spots.heights[at.part].astype(np.float32)
            patch = (high[:, None] * at.rows[0])[:, :, None] * at.cols[0][:, None, :]
            if wider:
                # r²/σ³ of each pixel: bend + 1 along both axes.
                bow = (high[:, None] * (at.rows[2] + at.rows[0]))[:, :, None] * at.cols[0][:, None, :]
                bow += (high[:, None] * at.rows[0])[:, :, None] * (at.cols[2] + at.cols[0])[:, None, :]
                patch = bow / spots.width
            whole += np.bincount(at.pixels.ravel(), patch.ravel(), len(whole))
        return whole.reshape(size)[self.pad : -self.pad, self.pad : -self.pad].astype(np.float32)

    def read(self, picture: FloatArray, spots: Spots) -> FloatArray:
        """Overlap (n, 3, 3) of a picture (rows, columns) with each spot's profile, slope and bend along both axes.

        Slope and bend are derivatives per width of a spot.
        """
        flat = np.pad(picture, self.pad).ravel()
        found = np.empty((len(spots.positions), 3, 3))
        for at in self.windows(spots.positions, spots.width):
            rows, cols = np.stack(at.rows, axis=1), np.stack(at.cols, axis=2)
            found[at.part] = rows @ (flat[at.pixels] @ cols)
        return found

    def residual(self, spots: Spots) -> FloatArray:
        """What the model leaves of the image."""
        left: FloatArray = self.image - self.drawn(spots) - self.background(spots.nodes)
        return left


def _first_hat(at: FloatArray, hats: np.ndarray) -> np.ndarray:
    """The first of the three hats nearest to places (n,)."""
    count = hats.shape[1]
    first: np.ndarray = np.clip(np.rint(at / ((len(hats) - 1) / (count - 1))).astype(int) - 1, 0, count - 3)
    return first


def _hats(size: int, apart: float) -> np.ndarray:
    """Linear hats (size, count) whose sum is 1 everywhere."""
    count = max(3, round((size - 1) / apart) + 1)
    at = np.arange(size)[:, None] / ((size - 1) / (count - 1))
    hats: np.ndarray = np.maximum(0, 1 - np.abs(at - np.arange(count))).astype(np.float32)
    return hats
