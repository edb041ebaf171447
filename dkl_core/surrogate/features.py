"""What the kernel sees of a site: its position and the structure round it, each as a block of columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dkl_core.patches import Patches
from dkl_core.representation.pretrained import Pretrained, Progress, pretrained
from dkl_core.surrogate.settings import SurrogateSettings
from dkl_core.surrogate.threads import one_thread_each
from dkl_core.survey import FloatArray

_PCA_SAMPLE = 4000
_NETWORK_COMPONENTS = 16
_GRADIENT_ORDERS = ((0, 0), (0, 1), (1, 0), (0, 2), (2, 0), (1, 1))


@dataclass(frozen=True)
class Block:
    """Columns of the feature table that share one kernel term.

    Attributes:
        name: `position`, `components`, `invariants`, `gradients` or `codes`.
        columns: where they stand in the table.
        structural: whether they describe the image rather than the place.
    """

    name: str
    columns: slice
    structural: bool

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.columns.stop - self.columns.start)


@dataclass(frozen=True)
class Features:
    """The feature table of all sites.

    Attributes:
        table: shape (M, D); position in half frame edges, the rest with mean 0 and standard deviation 1.
        blocks: the kernel's terms.
        network_columns: what a network on features takes in.
        pretrained: the encoder that was pre-trained; None if none was.
    """

    table: FloatArray
    blocks: tuple[Block, ...]
    network_columns: slice
    pretrained: Pretrained | None = None


def compute_features(patches: Patches, settings: SurrogateSettings, progress: Progress | None = None) -> Features:
    """Describe every site.

    Principal components of the patches carry what is common in this image; the differential invariants of the image
    under Gaussian blur (intensity, gradient magnitude, Laplacian, curvature difference; Koenderink and van Doorn,
    Biol. Cybern. 55, 367 (1987)) carry what any image has, whichever way it is turned; the oriented derivatives carry
    the direction that properties with a sign depend on. None of them costs a measurement, nor do the codes of a
    pre-trained encoder.

    Args:
        patches: the sites and their patches.
        settings: which features, and which pre-training.
        progress: called with the share of the pre-training that is done; what it raises ends it.
    """
    columns: list[FloatArray] = []
    blocks: list[Block] = []
    width = 0

    def add(name: str, values: FloatArray, kernel_width: int, structural: bool) -> None:
        nonlocal width
        columns.append(values)
        if kernel_width:
            blocks.append(Block(name, slice(width, width + kernel_width), structural))
        width += values.shape[1]

    add("position", _positions(patches), 2 if settings.position else 0, structural=False)
    network = settings.depth != "never" and settings.extractor == "mlp" and not settings.is_finetuned
    if settings.components or network:
        wanted = max(settings.components, _NETWORK_COMPONENTS if network else 0)
        components = principal_components(patches, wanted, settings.seed)
        add("components", components, min(settings.components, components.shape[1]), structural=True)
    if settings.invariants or settings.gradients or network:
        gradients, invariants = local_jets(patches)
        if settings.invariants or network:
            add("invariants", invariants, invariants.shape[1] * settings.invariants, structural=True)
        if settings.gradients or network:
            add("gradients", gradients, gradients.shape[1] * settings.gradients, structural=True)
    encoder = _encoder(patches, settings, progress)
    if encoder is not None and settings.has_codes:
        codes = encoder.codes()
        add("codes", _standardised(codes), codes.shape[1], structural=True)
    return Features(np.concatenate(columns, axis=1), tuple(blocks), slice(2, width), encoder)


def _encoder(patches: Patches, settings: SurrogateSettings, progress: Progress | None) -> Pretrained | None:
    if settings.pretrain == "none":
        return None
    # On one thread sums are in the same order whatever the machine is busy with: the codes come out the same.
    with one_thread_each():
        return pretrained(settings.pretrain, patches, settings.codes, settings.seed, progress)


def principal_components(patches: Patches, count: int, seed: int = 0) -> FloatArray:
    """Whitened principal components of the patches, shape (M, at most count).

    The components come from a random sample of the patches; the projection runs over all of them in chunks.
    """
    chosen = np.random.default_rng(seed).permutation(len(patches))[:_PCA_SAMPLE]
    sample = patches.take(np.sort(chosen)).reshape(len(chosen), -1).astype(np.float64)
    mean = sample.mean(axis=0)
    centred = sample - mean
    variance, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    order = np.argsort(variance)[::-1][:count]
    order = order[variance[order] > 1e-12 * max(float(variance[-1]), 1e-300)]
    axes = vectors[:, order]
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(len(order))] < 0, -1.0, 1.0)
    scores = np.empty((len(patches), len(order)))
    for part, chunk in patches.chunks():
        scores[part] = (chunk.reshape(len(chunk), -1) - mean) @ axes
    return _standardised(scores)


def local_jets(patches: Patches) -> tuple[FloatArray, FloatArray]:
    """Derivatives up to second order of the blurred image at each site, and their rotation invariants.

    Returns:
        Oriented derivatives (M, 6 S) and invariants (M, 4 S), S the number of scales that fit the window.
    """
    from scipy.ndimage import gaussian_filter

    rows, cols = patches.sites.positions.T
    oriented: list[FloatArray] = []
    invariant: list[FloatArray] = []
    for scale in _scales(patches.window):
        jet = [
            gaussian_filter(patches.image, scale, order=order, mode="reflect")[rows, cols] * scale ** sum(order)
            for order in _GRADIENT_ORDERS
        ]
        level, right, down, right2, down2, mixed = jet
        oriented += jet
        invariant += [
            level,
            np.hypot(right, down),
            right2 + down2,
            np.sqrt((right2 - down2) ** 2 + 4 * mixed**2),
        ]
    return _standardised(np.stack(oriented, axis=1)), _standardised(np.stack(invariant, axis=1))


def patch_batches(patches: Patches, size: int = 4096) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """All patches as network inputs (n, 1, window, window), chunk by chunk."""
    for part, chunk in patches.chunks(size):
        yield part, chunk[:, None]


def _scales(window: int) -> list[int]:
    return [scale for scale in (1, 2, 4, 8, 16, 32) if 3 * scale <= window] or [1]


def _positions(patches: Patches) -> FloatArray:
    positions = patches.sites.positions.astype(np.float64)
    centre = (np.asarray(patches.sites.shape) - 1) / 2
    return (positions - centre) / max(max(patches.sites.shape) / 2, 1.0)


def _standardised(values: FloatArray) -> FloatArray:
    spread = values.std(axis=0)
    standardised: FloatArray = (values - values.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0)
    return standardised
