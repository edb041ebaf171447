"""Simultaneous fit of overlapping spots: positions, heights, one width, and a smooth background.

The image is modelled as a sum of Gaussian spots of one width over a background that is bilinear between nodes, fitted
by least squares (De Backer et al., Ultramicroscopy 171 (2016) 104). Gauss-Newton steps take their curvature from
overlap integrals of Gaussians in closed form, which is a sparse matrix of neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.spatial import KDTree

from dkl_core.discovery.atoms.canvas import Canvas, Spots
from dkl_core.survey import FloatArray

# Spots further apart than this many widths overlap by less than one part in a thousand.
NEIGHBOURS = 5.2
_DAMPING = 0.05
_LONGEST_STEP = 0.4
_UNLIKE, _LARGEST_CHANGE = 0.6, 0.5


@dataclass(frozen=True, eq=False)
class Alike:
    """What is expected of the heights of spots that overlap: that of an ordinary atom, unless the image says otherwise.

    Attributes:
        height: of an ordinary atom.
        weight: (n,) how firmly, in units of squared pixels: the noise's variance over that of heights.
    """

    height: float
    weight: FloatArray

    def pull(self, heights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Pull on heights (n,) and its stiffness; what is far from ordinary is let go."""
        apart = (heights - self.height) / (_UNLIKE * self.height)
        firm = self.weight / (1 + apart**2) ** 2
        return firm * (self.height - heights), firm


def fitted(canvas: Canvas, spots: Spots, *, steps: int, width_too: bool = False, alike: Alike | None = None) -> Spots:
    """The model after a number of Gauss-Newton steps on all parameters together."""
    if not len(spots.heights):
        return spots
    links = _Links.of(spots)
    for _ in range(steps):
        spots = _step(canvas, spots, links, width_too=width_too, alike=alike)
    return spots


def begun(canvas: Canvas, positions: FloatArray, width: float) -> Spots:
    """A model with spots at positions (n, 2), whose heights and background are fitted."""
    nodes = canvas.first_nodes + float(np.median(canvas.image))
    typical = float(np.std(canvas.image)) or 1.0
    spots = Spots(np.asarray(positions, dtype=float), np.full(len(positions), typical), width, nodes)
    return _step(canvas, spots, _Links.of(spots), move=False) if len(positions) else spots


@dataclass(frozen=True, eq=False)
class _Links:
    """Which spots are near each other, as the rows of a sparse matrix; every spot is near itself.

    Attributes:
        starts: (n + 1,) where each spot's neighbours begin.
        one, two: (m,) numbers of spots.
    """

    starts: np.ndarray
    one: np.ndarray
    two: np.ndarray

    @classmethod
    def of(cls, spots: Spots) -> _Links:
        count = len(spots.heights)
        pairs = KDTree(spots.positions).query_pairs(NEIGHBOURS * spots.width, output_type="ndarray")
        own = np.arange(count)
        one = np.concatenate([own, pairs[:, 0], pairs[:, 1]])
        two = np.concatenate([own, pairs[:, 1], pairs[:, 0]])
        order = np.argsort(one, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(one, minlength=count))])
        return cls(starts, one[order], two[order])


@dataclass(frozen=True, eq=False)
class _Curvature:
    """Overlap integrals of all derivatives of the model: height, row and column of each spot, then the nodes.

    Attributes:
        spots: (3n, 3n).
        ground: (3n, nodes).
        nodes: (nodes, nodes).
        diagonal: of the whole.
        damping: share of the diagonal that is added to it.
        stiff: (3n + nodes,) added to the diagonal.
    """

    spots: sparse.bsr_array
    ground: sparse.csr_array
    nodes: sparse.csr_array
    diagonal: FloatArray
    damping: float
    stiff: FloatArray

    @classmethod
    def of(cls, canvas: Canvas, spots: Spots, high: FloatArray, links: _Links, stiff: FloatArray) -> _Curvature:
        n, area = len(spots.heights), np.pi * spots.width**2
        y, x = ((spots.positions[links.two] - spots.positions[links.one]) / spots.width).T
        overlap = area * np.exp(-(y**2 + x**2) / 4)
        first, second = high[links.one] * overlap, high[links.two] * overlap
        both = high[links.one] * second
        cells = np.empty((len(overlap), 3, 3))
        cells[:, 0, 0] = overlap
        cells[:, 0, 1], cells[:, 0, 2] = -y / 2 * second, -x / 2 * second
        cells[:, 1, 0], cells[:, 2, 0] = y / 2 * first, x / 2 * first
        cells[:, 1, 1], cells[:, 2, 2] = (0.5 - y**2 / 4) * both, (0.5 - x**2 / 4) * both
        cells[:, 1, 2] = cells[:, 2, 1] = -x * y / 4 * both
        matrix = sparse.bsr_array((cells, links.two, links.starts), shape=(3 * n, 3 * n))
        values, numbers = canvas.overlaps(spots.positions, spots.width)
        values[:, 1:] *= high[:, None, None]
        nodes = canvas.node_matrix()
        starts = np.arange(0, 27 * n + 1, 9)
        columns = np.repeat(numbers[:, None], 3, axis=1).ravel()
        ground = sparse.csr_array((values.ravel(), columns, starts), shape=(3 * n, nodes.shape[0]))
        own = area * np.stack([np.ones(n), 0.5 * high**2, 0.5 * high**2], axis=1).ravel()
        diagonal = np.concatenate([own, nodes.diagonal()])
        return cls(matrix, ground, nodes, diagonal, _DAMPING, stiff)

    def __matmul__(self, changes: FloatArray) -> FloatArray:
        """The matrix times changes (3n + nodes, k)."""
        count = self.ground.shape[0]
        spots, nodes = changes[:count], changes[count:]
        upper = self.spots @ spots + self.ground @ nodes
        lower = self.ground.T @ spots + self.nodes @ nodes
        own = (self.damping * self.diagonal + self.stiff)[:, None] * changes
        whole: FloatArray = np.concatenate([upper, lower]) + own
        return whole


def _step(
    canvas: Canvas,
    spots: Spots,
    links: _Links,
    *,
    width_too: bool = False,
    move: bool = True,
    alike: Alike | None = None,
) -> Spots:
    n, width = len(spots.heights), spots.width
    residual = canvas.residual(spots)
    # Positions in widths and heights in units of their scale make the matrix nearly one of numbers near 1.
    scale = max(float(np.median(np.abs(spots.heights))), 1e-300)
    high = np.maximum(spots.heights, 0.15 * scale) / scale
    pulled = [_pull(canvas, residual, spots, high)]
    stiff = np.zeros_like(pulled[0])
    if alike is not None:
        pull, firm = alike.pull(spots.heights)
        pulled[0][: 3 * n : 3] += pull
        stiff[: 3 * n : 3] = firm
    if width_too:
        swell = canvas.drawn(spots, wider=True) * (width / scale)
        pulled.append(_pull(canvas, swell, spots, high))
    found = _solved(_Curvature.of(canvas, spots, high, links, stiff), np.stack(pulled, axis=1))
    change = _finite(found[:, 0] / scale)
    if width_too:
        own = float((swell.astype(float) ** 2).sum()) - float(pulled[1] @ found[:, 1])
        wider = (float((swell * residual).sum()) - float(pulled[1] @ found[:, 0])) / max(own, 1e-12) / scale
        wider = float(np.clip(np.nan_to_num(wider), -0.15, 0.15))
        change = change - wider * _finite(found[:, 1])
        width = min(width * (1 + wider), canvas.widest)
    by_spot = change[: 3 * n].reshape(n, 3)
    moved = by_spot[:, 1:]
    length = np.linalg.norm(moved, axis=1, keepdims=True)
    moved = moved * np.minimum(1, _LONGEST_STEP / np.maximum(length, 1e-12)) * move
    nodes = spots.nodes + scale * change[3 * n :].reshape(spots.nodes.shape)
    heights = spots.heights + scale * by_spot[:, 0]
    if move:
        # Of two spots at nearly one place, one must not grow at the other's expense.
        room = _LARGEST_CHANGE * (scale + np.abs(spots.heights))
        heights = np.clip(heights, np.maximum(spots.heights - room, 0.02 * scale), np.abs(spots.heights) + room)
    places = np.clip(spots.positions + spots.width * moved, -1.0, canvas.shape)
    return Spots(places, heights, width, nodes)


def _pull(canvas: Canvas, picture: FloatArray, spots: Spots, high: FloatArray) -> FloatArray:
    seen = canvas.read(picture, spots)
    own = np.stack([seen[:, 0, 0], high * seen[:, 1, 0], high * seen[:, 0, 1]], axis=1)
    return np.concatenate([own.ravel(), canvas.on_nodes(picture).ravel()])


def _solved(matrix: _Curvature, right: FloatArray) -> FloatArray:
    """Solution for several right-hand sides (m, k), with more damping where closed forms left a negative curvature."""
    for more in (0.0, 0.1, 0.5, 3.0):
        found = _conjugate_gradients(replace(matrix, damping=matrix.damping + more), right)
        if found is not None:
            return found
    return right / matrix.diagonal[:, None]


def _conjugate_gradients(
    matrix: _Curvature, right: FloatArray, *, most: int = 40, tolerance: float = 5e-3
) -> FloatArray | None:
    """Conjugate gradients with a diagonal preconditioner; None where the matrix is not positive."""
    inverse = 1 / ((1 + matrix.damping) * matrix.diagonal + matrix.stiff)[:, None]
    found, left = np.zeros_like(right), right.copy()
    towards = inverse * left
    product = (left * towards).sum(axis=0)
    goal = tolerance**2 * product
    for _ in range(most):
        if (product <= goal).all():
            break
        image = matrix @ towards
        bent = (towards * image).sum(axis=0)
        if (bent < 0).any():
            return None
        share = product / np.maximum(bent, 1e-300)
        found += share * towards
        left -= share * image
        scaled = inverse * left
        new = (left * scaled).sum(axis=0)
        towards = scaled + new / np.maximum(product, 1e-300) * towards
        product = new
    return found


def _finite(changes: FloatArray) -> FloatArray:
    """Changes without what an image far from the model made of them."""
    return np.clip(np.nan_to_num(changes, posinf=0.0, neginf=0.0), -1e6, 1e6)
