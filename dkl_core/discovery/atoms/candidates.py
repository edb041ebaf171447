"""Where the network thinks that atoms are: its map, in tiles, and the maxima of the map."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from dkl_core.discovery.atoms.maps import scale_of, shown
from dkl_core.discovery.atoms.scenes import STANDARD_WIDTH
from dkl_core.survey import FloatArray

if TYPE_CHECKING:
    from dkl_core.discovery.atoms.network import AtomNetwork

# Inside this range the image goes in as it is.
_NEAR_STANDARD = (0.87, 1.18)
_TILE, _OVERLAP, _AT_ONCE = 384, 40, 4
LEAST_CERTAIN = 0.55
Told = Callable[[float], None]


def candidates(network: AtomNetwork, image: FloatArray, width: float, told: Told | None = None) -> FloatArray:
    """Positions (n, 2) in px of the image where the network's map has maxima.

    Args:
        network: the network.
        image: (rows, columns), finite.
        width: standard deviation of a spot, px.
        told: is told the share of the image done.
    """
    scaled, ratio = scaled_to_standard(image, width)
    chance = _mapped(network, shown(scaled, scale_of(scaled)), told)
    found = maxima(chance, LEAST_CERTAIN)
    positions: FloatArray = (found + 0.5) * ratio - 0.5
    return positions


def scaled_to_standard(image: FloatArray, width: float) -> tuple[FloatArray, FloatArray]:
    """The image at the network's scale, and the size (2,) of its pixels in those of the image given."""
    factor = STANDARD_WIDTH / width
    scaled = image if _NEAR_STANDARD[0] < factor < _NEAR_STANDARD[1] else _scaled(image, factor)
    return scaled, np.array(image.shape) / np.array(scaled.shape)


def maxima(chance: np.ndarray, least: float) -> FloatArray:
    """Maxima (n, 2) of a map, to a fraction of a pixel."""
    top = (chance >= ndimage.maximum_filter(chance, 3)) & (chance > least)
    at = np.argwhere(top)
    framed = np.pad(chance, 1, mode="edge").astype(float)
    places = at.astype(float)
    for axis, (down, right) in enumerate(((1, 0), (0, 1))):
        before = framed[at[:, 0] + 1 - down, at[:, 1] + 1 - right]
        after = framed[at[:, 0] + 1 + down, at[:, 1] + 1 + right]
        bend = before + after - 2 * framed[at[:, 0] + 1, at[:, 1] + 1]
        places[:, axis] += np.clip(0.5 * (before - after) / np.minimum(bend, -1e-9), -0.5, 0.5)
    return places


def _scaled(image: FloatArray, factor: float) -> FloatArray:
    import torch

    size = [max(8, round(n * factor)) for n in image.shape]
    stack = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None, None]
    scaled = torch.nn.functional.interpolate(stack, size, mode="bicubic", antialias=factor < 1)
    grown: FloatArray = scaled[0, 0].numpy()
    return grown


def _mapped(network: AtomNetwork, picture: np.ndarray, told: Told | None) -> np.ndarray:
    """Chance of an atom at each pixel (rows, columns)."""
    from dkl_core.surrogate.threads import side_by_side

    chance = np.empty(picture.shape, dtype=np.float32)
    framed = _framed(picture)
    parts = list(_tiles(picture.shape))
    for first in range(0, len(parts), _AT_ONCE):
        side_by_side([partial(_fill, network, framed, chance, part) for part in parts[first : first + _AT_ONCE]])
        if told is not None:
            told(min(first + _AT_ONCE, len(parts)) / len(parts))
    return chance


def _fill(network: AtomNetwork, framed: np.ndarray, chance: np.ndarray, part: tuple[slice, slice]) -> None:
    """The map in one tile."""
    import torch

    from dkl_core.surrogate.threads import one_thread_each

    rows, cols = part
    high, wide = (_whole(side.stop - side.start + 2 * _OVERLAP) for side in part)
    tile = np.ascontiguousarray(framed[rows.start : rows.start + high, cols.start : cols.start + wide])
    stack = torch.from_numpy(tile)[None, None].contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), one_thread_each():
        seen = torch.sigmoid(network(stack))[0, 0].numpy()
    inner = (slice(_OVERLAP, _OVERLAP + side.stop - side.start) for side in part)
    chance[rows, cols] = seen[tuple(inner)]


def _framed(picture: np.ndarray) -> np.ndarray:
    """The picture with a mirrored frame, so that every tile is whole."""
    frame = ((_OVERLAP, _OVERLAP + 8), (_OVERLAP, _OVERLAP + 8))
    framed: np.ndarray = np.pad(picture, frame, mode="symmetric")
    return framed


def _tiles(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    for row in range(0, shape[0], _TILE):
        for col in range(0, shape[1], _TILE):
            yield slice(row, min(row + _TILE, shape[0])), slice(col, min(col + _TILE, shape[1]))


def _whole(size: int) -> int:
    from dkl_core.discovery.atoms.network import MULTIPLE

    return -(-size // MULTIPLE) * MULTIPLE
