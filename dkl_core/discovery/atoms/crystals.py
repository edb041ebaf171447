"""Arrangements of atoms for training images: lattices of many kinds with defects, layers, edges, and disorder.

Lengths are in pixels of the image they go into; heights are relative to an ordinary atom's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dkl_core.survey import FloatArray


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Atoms in a plane.

    Attributes:
        positions: (n, 2) as (row, column), px.
        heights: (n,) relative to an ordinary atom's.
    """

    positions: FloatArray
    heights: FloatArray

    def chosen(self, which: np.ndarray) -> Arrangement:
        """Some of the atoms, by mask or index."""
        return Arrangement(self.positions[which], self.heights[which])

    @classmethod
    def joined(cls, *parts: Arrangement) -> Arrangement:
        """Several arrangements on top of each other."""
        return cls(np.concatenate([p.positions for p in parts]), np.concatenate([p.heights for p in parts]))


NOTHING = Arrangement(np.zeros((0, 2)), np.zeros(0))
_KINDS = {"honeycomb": 0.3, "bilayer": 0.36, "lattice": 0.2, "amorphous": 0.08, "sparse": 0.06}


def arrangement(rng: np.random.Generator, size: int, width: float) -> Arrangement:
    """Random atoms in a square.

    Args:
        rng: what it is drawn from.
        size: edge of the square, px.
        width: standard deviation of a spot, px; sets how far apart atoms are.
    """
    kind = str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
    if kind == "amorphous":
        found = _scattered(rng, size, width * rng.uniform(1.2, 4.0), rng.uniform(0.3, 1.0))
    elif kind == "sparse":
        found = _scattered(rng, size, 3 * width, rng.uniform(0.02, 0.2))
    else:
        cell = _honeycomb(rng, width) if kind != "lattice" else _any_cell(rng, width)
        layers = [_layer(rng, cell, size, width)]
        if kind == "bilayer":
            other = cell if rng.random() < 0.8 else _any_cell(rng, width)
            layers += [_layer(rng, other, size, width) for _ in range(1 if rng.random() < 0.93 else 2)]
        found = Arrangement.joined(*layers)
    if rng.random() < 0.2:
        found = Arrangement.joined(found, _scattered(rng, size, 3 * width, rng.uniform(0.01, 0.06), most=4.0))
    if rng.random() < 0.15:
        found = found.chosen(~beyond_line(rng, found.positions, size))
    return found


_Cell = tuple[FloatArray, FloatArray, FloatArray]


def _honeycomb(rng: np.random.Generator, width: float) -> _Cell:
    bond = width * rng.uniform(2.5, 5.5)
    constant = bond * np.sqrt(3)
    vectors = constant * np.array([[0.0, 1.0], [np.sqrt(3) / 2, 0.5]])
    second = 1.0 if rng.random() < 0.65 else rng.uniform(0.15, 1.0)
    return vectors, np.array([[0.0, 0.0], [1 / 3, 1 / 3]]), np.array([1.0, second])


def _any_cell(rng: np.random.Generator, width: float) -> _Cell:
    edge = width * rng.uniform(2.6, 9.0)
    kind = rng.choice(3)
    angle = (np.pi / 2, np.pi / 3, rng.uniform(np.pi / 3, np.pi / 2))[kind]
    ratio = 1.0 if kind < 2 else rng.uniform(1.0, 1.8)
    vectors = edge * np.array([[0.0, 1.0], [ratio * np.sin(angle), ratio * np.cos(angle)]])
    basis, heights = [np.zeros(2)], [1.0]
    for _ in range(int(rng.integers(0, 4))):
        place = rng.random(2)
        apart = place - np.array(basis)
        apart -= np.rint(apart)
        if np.linalg.norm(apart @ vectors, axis=1).min() > 2.2 * width:
            basis.append(place)
            heights.append(float(np.exp(rng.uniform(np.log(0.15), 0.0))))
    return vectors, np.array(basis), np.array(heights)


def _layer(rng: np.random.Generator, cell: _Cell, size: int, width: float) -> Arrangement:
    vectors, basis, heights = cell
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    affine = np.eye(2) + rng.normal(0, 0.02, (2, 2))
    vectors = vectors @ turn @ affine
    reach = size * 0.75
    count = int(np.ceil(reach / np.abs(np.linalg.svd(vectors)[1]).min())) + 2
    line = np.arange(-count, count + 1)
    index = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    points = ((index[:, None] + basis) @ vectors).reshape(-1, 2) + size / 2 + rng.uniform(-0.5, 0.5, 2) @ vectors
    found = Arrangement(points, np.tile(heights, len(index)))
    found = found.chosen((np.abs(points - size / 2) < size / 2 + 8).all(axis=1))
    return _spoilt(rng, found, size, width)


def _spoilt(rng: np.random.Generator, layer: Arrangement, size: int, width: float) -> Arrangement:
    """A layer with strain, thermal motion, vacancies, dopants, holes and edges."""
    points, heights = layer.positions.copy(), layer.heights.copy()
    if rng.random() < 0.5:
        wave, phase = rng.normal(0, 2.0 / size, (2, 2)), rng.uniform(0, 2 * np.pi, 2)
        points = points + rng.uniform(0, 1.5) * width * np.sin(2 * np.pi * points @ wave + phase)
    points = points + rng.normal(0, width * rng.uniform(0, 0.2), points.shape)
    if rng.random() < 0.5:
        doped = rng.random(len(points)) < rng.uniform(0, 0.05)
        heights[doped] *= rng.uniform(2.0, 8.0)
    kept = rng.random(len(points)) > (rng.uniform(0, 0.06) if rng.random() < 0.5 else 0.0)
    if rng.random() < 0.3:
        kept &= ~beyond_line(rng, points, size)
    if rng.random() < 0.25:
        kept &= ~_hole(rng, points, size, width)
    return Arrangement(points, heights).chosen(kept)


def beyond_line(rng: np.random.Generator, points: FloatArray, size: int) -> np.ndarray:
    """Whether points (n, 2) lie beyond a random wavy line across a square."""
    angle, phase = rng.uniform(0, 2 * np.pi, 2)
    across, along = np.array([np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), -np.sin(angle)])
    centred = points - size / 2
    wavy = rng.uniform(0, 0.06) * size * np.sin(2 * np.pi * rng.uniform(1, 3) * (centred @ along) / size + phase)
    beyond: np.ndarray = centred @ across > wavy + rng.uniform(-0.3, 0.35) * size
    return beyond


def _hole(rng: np.random.Generator, points: FloatArray, size: int, width: float) -> np.ndarray:
    centre, radius = rng.uniform(0, size, 2), width * rng.uniform(3, 15)
    inside: np.ndarray = np.linalg.norm(points - centre, axis=1) < radius
    return inside


def _scattered(rng: np.random.Generator, size: int, apart: float, share: float, most: float = 2.0) -> Arrangement:
    """Random places at least `apart` from each other, a share of as many as there is room for."""
    from scipy.spatial import KDTree

    # Matérn's second process: a place goes where an earlier one is too near.
    tried = rng.uniform(-8, size + 8, (int(1.5 * (size / apart) ** 2) + 1, 2))
    pairs = KDTree(tried).query_pairs(apart, output_type="ndarray")
    taken = np.ones(len(tried), dtype=bool)
    taken[pairs.max(axis=1)] = False
    places = tried[taken]
    places = places[rng.random(len(places)) < share]
    return Arrangement(places, np.exp(rng.uniform(np.log(0.4), np.log(most), len(places))))
