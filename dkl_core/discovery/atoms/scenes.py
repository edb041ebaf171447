"""Training images: an arrangement of atoms seen through a probe with aberrations, with background and noise.

An image is incoherent: the atoms, as points, folded with the intensity of the probe.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from dkl_core.discovery.atoms.crystals import NOTHING, Arrangement, arrangement
from dkl_core.survey import FloatArray

# The network works where an atom's spot has this standard deviation, px.
STANDARD_WIDTH = 2.0
MARGIN = 16
_PROBE = 64
# Half width at half maximum of a Gaussian of standard deviation 1.
_HALF = np.sqrt(2 * np.log(2))


@dataclass(frozen=True)
class Conditions:
    """The range that images are drawn from.

    Attributes:
        width_px: least and largest standard deviation of a spot, px.
        counts: least and largest number of electrons at the peak of an ordinary atom.
        clean: share of images almost without noise.
        empty: share of images without atoms.
    """

    width_px: tuple[float, float] = (1.45, 2.75)
    counts: tuple[float, float] = (2.0, 400.0)
    clean: float = 0.12
    empty: float = 0.06


@dataclass(frozen=True, eq=False)
class Scene:
    """A training image.

    Attributes:
        image: (size, size).
        atoms: what is in it; some lie just outside.
        width_px: standard deviation of a spot by its half width, px.
    """

    image: FloatArray
    atoms: Arrangement
    width_px: float


def scene(rng: np.random.Generator, size: int, conditions: Conditions) -> Scene:
    """A random training image of size x size pixels."""
    low, high = np.log(conditions.width_px)
    width = float(np.exp(rng.uniform(low, high)))
    whole = size + 2 * MARGIN
    empty = rng.random() < conditions.empty
    atoms = NOTHING if empty else arrangement(rng, whole, width)
    image = seen(atoms, probe(rng, width), whole)
    image = _jittered(rng, image) if rng.random() < 0.4 else image
    image = np.maximum(image, 0) + _background(rng, whole, width)
    if empty and rng.random() < 0.6:
        image = image + _distraction(rng, whole, width)
    image = _noisy(rng, image, conditions)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    return Scene(image, Arrangement(atoms.positions - MARGIN, atoms.heights), width)


def probe(rng: np.random.Generator, width: float) -> FloatArray:
    """Intensity of a random probe (64, 64) of a given width with its peak of 1 at [0, 0]."""
    phases = rng.normal(0, 1, 6) * np.array([0.7, 0.5, 0.5, 0.35, 0.35, 0.4]) * rng.uniform(0, 1)
    source = rng.uniform(0.0, 0.8)
    cut = 0.24 / width
    for _ in range(3):
        shape = _probe(cut, phases, source * width)
        cut *= _width_of(shape) / width
    return _probe(cut, phases, source * width)


def _probe(cut: float, phases: FloatArray, source: float) -> FloatArray:
    line = np.fft.fftfreq(_PROBE)
    y, x = line[:, None] / cut, line[None, :] / cut
    squared = x**2 + y**2
    defocus, first, second, coma_y, coma_x, spherical = phases
    chi = defocus * squared + first * (x**2 - y**2) + 2 * second * x * y
    chi = chi + (coma_y * y + coma_x * x) * squared + spherical * squared**2
    # A soft edge keeps a coarse grid from making the probe jump in size.
    inside = np.clip((1 - np.sqrt(squared)) * cut * _PROBE + 0.5, 0, 1)
    intensity = np.abs(fft.ifft2(inside * np.exp(-1j * chi))) ** 2
    blur = np.exp(-2 * (np.pi * source) ** 2 * (line[:, None] ** 2 + line[None, :] ** 2))
    blurred = fft.ifft2(fft.fft2(intensity) * blur).real
    top = np.unravel_index(int(blurred.argmax()), blurred.shape)
    rolled: FloatArray = np.roll(blurred, (-int(top[0]), -int(top[1])), (0, 1)) / blurred.max()
    return rolled


def _width_of(shape: FloatArray) -> float:
    """Mean radius at which a probe falls to half its peak, as the standard deviation of a Gaussian."""
    line = np.fft.fftfreq(_PROBE, 1 / _PROBE)
    ring = np.rint(2 * np.hypot(line[:, None], line[None, :])).astype(int).ravel()
    count = np.maximum(np.bincount(ring), 1)
    mean = np.bincount(ring, shape.ravel()) / count
    # Rings that hold no pixel.
    at, mean = np.flatnonzero(np.bincount(ring)) / 2, mean[np.bincount(ring) > 0]
    below = int(np.argmax(mean < 0.5))
    share = (mean[below - 1] - 0.5) / (mean[below - 1] - mean[below])
    return float((at[below - 1] + share * (at[below] - at[below - 1])) / _HALF)


def seen(atoms: Arrangement, shape: FloatArray, size: int) -> FloatArray:
    """The image (size, size) of atoms through a probe (p, p) whose peak lies at [0, 0]."""
    if not len(atoms.heights):
        return np.zeros((size, size))
    half = len(shape) // 2
    kernel = np.zeros((size, size), dtype=np.float32)
    kernel[:half, :half], kernel[:half, -half:] = shape[:half, :half], shape[:half, half:]
    kernel[-half:, :half], kernel[-half:, -half:] = shape[half:, :half], shape[half:, half:]
    places = atoms.positions.astype(np.float32)
    turn = np.complex64(-2j * np.pi)
    rows = np.exp(turn * np.outer(np.fft.fftfreq(size).astype(np.float32), places[:, 0]))
    cols = np.exp(turn * np.outer(places[:, 1], np.fft.rfftfreq(size).astype(np.float32)))
    points = (rows * atoms.heights.astype(np.float32)) @ cols
    image: FloatArray = fft.irfft2(points * fft.rfft2(kernel), (size, size)).astype(np.float64)
    return image


def _jittered(rng: np.random.Generator, image: FloatArray) -> FloatArray:
    """Each line read a little beside its place."""
    shifts = rng.normal(0, rng.uniform(0, 0.5), len(image))
    ramp = np.exp(-2j * np.pi * np.outer(shifts, np.fft.rfftfreq(image.shape[1])))
    moved: FloatArray = fft.irfft(fft.rfft(image, axis=1) * ramp, image.shape[1], axis=1)
    return moved


def _background(rng: np.random.Generator, size: int, width: float) -> FloatArray:
    """A level, a slope, and contamination that varies over more than a few spots."""
    ground = np.full((size, size), rng.uniform(0, 1.2) if rng.random() < 0.6 else 0.0)
    if rng.random() < 0.5:
        y, x = np.mgrid[:size, :size] / size
        slope = rng.normal(0, 0.6, 2)
        ground += slope[0] * y + slope[1] * x
    if rng.random() < 0.4:
        patches = ndimage.gaussian_filter(rng.normal(size=(size, size)), width * rng.uniform(4, 12), mode="wrap")
        ground += rng.uniform(0, 1.0) * np.exp(patches / patches.std() * 0.7)
    lowest = ground.min()
    return ground - min(float(lowest), 0.0)


def _distraction(rng: np.random.Generator, size: int, width: float) -> FloatArray:
    """What is not an atom: a step, a line, or blobs of another size."""
    points = (
        np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), axis=-1).reshape(-1, 2).astype(float)
    )
    match int(rng.integers(3)):
        case 0:
            drawn = _step(rng, points, size)
            drawn = ndimage.gaussian_filter(drawn, rng.uniform(0.3, 2.0) * width)
        case 1:
            drawn = np.abs(ndimage.gaussian_filter(_step(rng, points, size), 0.6 * width, order=1))
            drawn = drawn / max(float(drawn.max()), 1e-9)
        case _:
            blobs = ndimage.gaussian_filter(rng.normal(size=(size, size)), width * rng.uniform(3.5, 8), mode="wrap")
            drawn = np.maximum(blobs / blobs.std(), 0)
    shown: FloatArray = rng.uniform(0.5, 4.0) * drawn
    return shown


def _step(rng: np.random.Generator, points: FloatArray, size: int) -> FloatArray:
    from dkl_core.discovery.atoms.crystals import beyond_line

    return beyond_line(rng, points, size).reshape(size, size).astype(float)


def _noisy(rng: np.random.Generator, image: FloatArray, conditions: Conditions) -> FloatArray:
    clean = rng.random() < conditions.clean
    counts = 1e4 if clean else float(np.exp(rng.uniform(*np.log(conditions.counts))))
    counted = rng.poisson(np.clip(image, 0, None) * counts) / counts
    if rng.random() < 0.3:
        counted = counted + rng.normal(0, rng.uniform(0, 0.25), image.shape)
    if rng.random() < 0.15:
        counted = counted + rng.normal(0, rng.uniform(0, 0.1), (len(image), 1))
    noisy: FloatArray = counted
    return noisy
