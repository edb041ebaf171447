"""The map of atoms: what the network sees of an image, and what it learns to draw."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from dkl_core.discovery.atoms.crystals import Arrangement
from dkl_core.survey import FloatArray

Array32 = np.ndarray
# Atoms nearer to each other than this many widths are one column: no noise level of a real image tells them apart.
ONE_COLUMN = 1.0
# The map is sharper than the image, so that neighbours whose spots overlap are two maxima.
SHARPNESS = 0.5
_GAIN = 4.0


def scale_of(image: FloatArray) -> tuple[float, float]:
    """Middle and range of an image at the network's scale, without most of its noise."""
    smooth = ndimage.gaussian_filter(image, 1.0)
    low, middle, high = np.percentile(smooth[::2, ::2], (0.5, 50, 99.5))
    return float(middle), max(float(high - low), 1e-12 * max(abs(float(middle)), 1e-300))


def shown(image: FloatArray, scale: tuple[float, float]) -> Array32:
    """The image as the network takes it; bright atoms are compressed."""
    return np.arcsinh(_GAIN * (image - scale[0]) / scale[1]).astype(np.float32)


def columns_of(atoms: Arrangement, width: float) -> Arrangement:
    """Atoms that lie within one spot's width joined into columns, at their mean weighted by height."""
    if not len(atoms.heights):
        return atoms
    pairs = KDTree(atoms.positions).query_pairs(ONE_COLUMN * width, output_type="ndarray")
    count = len(atoms.heights)
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    number, label = connected_components(links, directed=False)
    heights: FloatArray = np.bincount(label, atoms.heights, number).astype(float)
    middle = [np.bincount(label, atoms.heights * along, number) / heights for along in atoms.positions.T]
    return Arrangement(np.stack(middle, axis=1), heights)


def drawn(columns: Arrangement, width: float, size: int) -> Array32:
    """The map (size, size) of columns: a narrow peak of height 1 each, the higher one where they overlap."""
    spread = SHARPNESS * width
    reach = int(np.ceil(3.5 * spread))
    picture = np.zeros((size + 2 * reach, size + 2 * reach), dtype=np.float32)
    places = columns.positions
    places = places[((places > -reach / 2) & (places < size - 1 + reach / 2)).all(axis=1)]
    line = np.arange(-reach, reach + 1)
    nearest = np.rint(places).astype(int)
    beside = line[None, None, :] - (places - nearest)[:, :, None]
    profile = np.exp(-0.5 * (beside / spread) ** 2).astype(np.float32)
    patches = profile[:, 0, :, None] * profile[:, 1, None, :]
    rows = nearest[:, 0, None, None] + reach + line[None, :, None]
    cols = nearest[:, 1, None, None] + reach + line[None, None, :]
    inside = (nearest >= 0).all(axis=1) & (nearest < size).all(axis=1)
    np.maximum.at(picture, (rows[inside], cols[inside]), patches[inside])
    return picture[reach : reach + size, reach : reach + size]
