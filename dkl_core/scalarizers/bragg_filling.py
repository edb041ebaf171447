"""How evenly a diffraction disc is filled: beside an edge or where layers meet it is not, and its centroid misleads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dkl_core.scalarizers.bragg_disc import RING, WINDOW, Disc, FloatArray, camera_variance

# The centroid of a disc whose intensity changes by a times its mean from the middle to the rim lies a·R/4 off.
_PER_TILT = 0.25
# A gradient is the least that is wrong with an uneven disc: the error stated is that of one half as large again.
_COVERED = 1.5
# The gradients of a pattern count where they are so many deviations more than their noise makes them.
_SIGNIFICANT = 5.0
# The fit of a place is linear, so that it is done anew from where it came to; a disc stays within so many radii.
_STEPS, _STEP_PX, _REACH = 4, 0.5, 0.5
_SETTLED_PX = 0.1
_DETERMINED = 1e12


@dataclass(frozen=True)
class Tilt:
    """The gradient of the intensity over a disc.

    Attributes:
        row: how much more there is at the lower rim than in the middle, in mean intensities.
        col: the same for the right rim.
        variance: of row and of column, from the counting noise.
    """

    row: float
    col: float
    variance: tuple[float, float]


def tilt_of(values: FloatArray, disc: Disc, radius: float, gain: float) -> Tilt | None:
    """The gradient over a disc whose place is left open: both move the centroid, and the rim tells which it was.

    Args:
        values: the pattern (rows, columns).
        disc: as it was found.
        radius: of the disc, px.
        gain: counts per electron.

    Returns:
        The gradient; None where the pixels do not determine it.
    """
    row, col = disc.row, disc.col
    tilt = None
    for _ in range(_STEPS):
        found = _fitted(values, (row, col), radius, gain)
        if found is None:
            return None
        tilt, shift = found
        if (
            max(map(abs, shift)) < _SETTLED_PX
            or not math.dist((row + shift[0], col + shift[1]), (disc.row, disc.col)) <= _REACH * radius
        ):
            break
        row, col = row + shift[0], col + shift[1]
    return tilt


def _fitted(
    values: FloatArray, place: tuple[float, float], radius: float, gain: float
) -> tuple[Tilt, tuple[float, float]] | None:
    """Weighted least squares of an evenly filled disc at a place, its shift, a gradient, and a plane of background.

    Returns:
        The gradient and the shift (rows, columns).
    """
    row, col = place
    reach = math.ceil(RING * radius) + 1
    top, left = max(0, round(row) - reach), max(0, round(col) - reach)
    cut = values[top : round(row) + reach + 1, left : round(col) + reach + 1]
    y = (np.arange(cut.shape[0]) + top - row)[:, None]
    x = (np.arange(cut.shape[1]) + left - col)[None, :]
    distance = np.hypot(y, x)
    used = distance <= RING * radius
    y, x = (np.broadcast_to(offset, cut.shape)[used] for offset in (y, x))
    distance, counts = distance[used], cut[used]
    share = np.clip(radius + 0.5 - distance, 0.0, 1.0)
    rim = ((share > 0) & (share < 1)) / np.maximum(distance, 1e-9)
    model = np.stack([share, rim * y, rim * x, share * y / radius, share * x / radius, np.ones_like(y), y, x], axis=1)
    level, around = counts[share == 1].mean(), counts[distance > WINDOW * radius + 0.5]
    # where no electron came, one might have
    background = max(float(around.mean()), gain / around.size)
    lit = share * max(float(level) - background, 0.0) + background
    noise = gain * lit + camera_variance(around, gain)
    normal = model.T @ (model / noise[:, None])
    if not np.linalg.cond(normal) < _DETERMINED:
        return None
    covariance = np.linalg.inv(normal)
    solution = covariance @ (model.T @ (counts / noise))
    intensity = float(solution[0])
    if not intensity > 0:
        return None
    # the columns of the rim are those of a disc of intensity 1; farther than half a pixel they say only which way
    down, right = np.clip(solution[1:3] / intensity, -_STEP_PX, _STEP_PX)
    (tilt_row, tilt_col), variances = solution[3:5] / intensity, np.diag(covariance)[3:5] / intensity**2
    tilt = Tilt(float(tilt_row), float(tilt_col), (float(variances[0]), float(variances[1])))
    return tilt, (float(down), float(right))


def uneven_variance(tilts: Sequence[Tilt], radius: float) -> float:
    """Variance of each coordinate of a centroid that comes from uneven filling, in the square of the radius's unit.

    Args:
        tilts: those of a pattern's discs.
        radius: of the discs.

    Returns:
        0 where the gradients are no more than their noise.
    """
    if not tilts:
        return 0.0
    squares = np.array([(tilt.row**2, tilt.col**2) for tilt in tilts])
    variances = np.array([tilt.variance for tilt in tilts])
    if (squares / variances).mean() <= 1 + _SIGNIFICANT * math.sqrt(2 / squares.size):
        return 0.0
    return (_COVERED * _PER_TILT * radius) ** 2 * max(0.0, float((squares - variances).mean()))
