"""Retraining on the user's own images, and the judgement whether it helped.

Positions are given with an image, or those that the present network finds. Found positions are right by definition
where they were found; what the network may learn, and what it is judged by, is therefore the same image with as much
noise again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from dkl_core.discovery.atoms.candidates import scaled_to_standard
from dkl_core.discovery.atoms.crystals import Arrangement
from dkl_core.discovery.atoms.find import find_atoms
from dkl_core.discovery.atoms.network import AtomNetwork
from dkl_core.discovery.atoms.prepare import prepared
from dkl_core.discovery.atoms.refine import width_of
from dkl_core.discovery.atoms.scenes import STANDARD_WIDTH, Conditions, Scene, scene
from dkl_core.discovery.atoms.score import scored
from dkl_core.discovery.atoms.train import check_course, examples, learned
from dkl_core.discovery.atoms.validate import REACH, Judged, judged, positions_in
from dkl_core.discovery.atoms.width import spot_of
from dkl_core.errors import InputError
from dkl_core.survey import FloatArray

Told = Callable[[int, float], None]
# The last columns of an image are for judging.
HELD_OUT = 0.3
SMALLEST_PX = 64
SMALLEST_PICTURE_PX = 32
_TRIALS = 3


@dataclass(frozen=True)
class RetrainSettings:
    """How the network is retrained.

    Attributes:
        steps: number of batches.
        batch: pictures in each, half of them simulated.
        size: edge of a picture at the network's scale, px; a multiple of 8.
        rate: largest step of the optimiser.
        seed: what pictures are drawn from.
    """

    steps: int = 150
    batch: int = 8
    size: int = 96
    rate: float = 3e-4
    seed: int = 0

    def __post_init__(self) -> None:
        check_course(self.steps, self.seed)


@dataclass(frozen=True, eq=False)
class Labelled:
    """An image with the positions of its atoms.

    Attributes:
        image: (rows, columns), finite.
        positions: (n, 2) as (row, column), px.
        width: standard deviation of a spot, px.
        noise: standard deviation of a pixel's noise, units of the image.
        height: median height of an atom, units of the image.
        given: whether the positions came with the image.
    """

    image: FloatArray
    positions: FloatArray
    width: float
    noise: float
    height: float
    given: bool

    def part(self, first: int, last: int) -> Labelled:
        """The columns from `first` to `last`."""
        inside = (self.positions[:, 1] > first - 0.5) & (self.positions[:, 1] < last - 0.5)
        return replace(self, image=self.image[:, first:last], positions=self.positions[inside] - (0, first))

    def halves(self) -> tuple[Labelled, Labelled]:
        """What is learned from, and what is judged by."""
        cut = round((1 - HELD_OUT) * self.image.shape[1])
        return self.part(0, cut), self.part(cut, self.image.shape[1])


@dataclass(frozen=True)
class Change:
    """Before and after.

    Attributes:
        before, after: on the held-out parts of the user's images.
        simulated_before, simulated_after: on simulated images of their noise.
    """

    before: Judged
    after: Judged
    simulated_before: Judged
    simulated_after: Judged

    @property
    def better(self) -> bool:
        """Whether the new weights are worth more on the user's images."""
        return self.after.worth > self.before.worth


def labelled(image: FloatArray, positions: FloatArray | None, weights: Path | None = None) -> Labelled:
    """An image with given positions (n, 2), or with those that the present network finds.

    Raises:
        InputError: an image in which atoms cannot be found, too small, or positions that do not fit it.
    """
    ready = prepared(image)
    if min(ready.values.shape) < SMALLEST_PX:
        raise InputError(
            f"an image of {ready.values.shape[0]} x {ready.values.shape[1]} px is too small to learn from; give "
            f"{SMALLEST_PX} x {SMALLEST_PX} px or more"
        )
    spot = spot_of(ready.values)
    if positions is None or spot is None:
        found = find_atoms(image, weights=weights)
        noise = spot.noise if spot else 0.0
        return Labelled(
            ready.values, found.positions, found.width_px, noise, float(np.median(found.intensities)), given=False
        )
    places = np.asarray(positions, dtype=float)
    if places.ndim != 2 or places.shape[1] != 2 or not len(places) or not np.isfinite(places).all():
        raise InputError(f"the positions have shape {places.shape}; give (n, 2) finite numbers as row and column in px")
    if (places < -0.5).any() or (places > np.array(ready.values.shape) - 0.5).any():
        raise InputError("some positions lie outside of the image; give row and column in px of this image")
    width = width_of(ready.values, places, spot.width_px, spot.noise)
    return Labelled(ready.values, places, width, spot.noise, math.sqrt(12) * spot.contrast, given=True)


def retrained(
    network: AtomNetwork, images: Sequence[Labelled], settings: RetrainSettings, told: Told | None = None
) -> tuple[AtomNetwork, Change]:
    """A network that learned from images, and whether it helped; the given one is left as it is."""
    torch.manual_seed(settings.seed)
    parts = [one.halves() for one in images]
    size = _size_of([part for part, _ in parts], settings.size)
    conditions = _conditions(images)
    fresh = deepcopy(network).train()
    optimiser = torch.optim.AdamW(fresh.parameters(), lr=settings.rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.rate, total_steps=settings.steps + 1)
    for step in range(settings.steps):
        rng = np.random.default_rng([settings.seed, 1, step])
        own = [_cut(rng, parts[int(rng.integers(len(parts)))][0], size) for _ in range(settings.batch // 2)]
        made = [scene(rng, size, conditions) for _ in range(settings.batch - len(own))]
        loss = learned(fresh, optimiser, *examples([*own, *made], rng))
        schedule.step()
        if told is not None:
            told(step + 1, loss)
    fresh = fresh.eval()
    held = [part for _, part in parts]
    rngs = [np.random.default_rng([settings.seed, 2, index]) for index in range(4)]
    scenes = [scene(rng, settings.size + 48, conditions) for rng in rngs]
    own_before, own_after = (on_images(one, held) for one in (network, fresh))
    return fresh, Change(own_before, own_after, judged(network, scenes), judged(fresh, scenes))


def on_images(network: AtomNetwork, images: Sequence[Labelled]) -> Judged:
    """A network by images with known positions; those that were found are looked for under more noise."""
    scores, found = [], []
    for number, one in enumerate(images):
        for trial in range(1 if one.given else _TRIALS):
            image = one.image if one.given else _noisier(np.random.default_rng([number, trial]), one, 1.0)
            noise = one.noise if one.given else math.sqrt(2) * one.noise
            places = positions_in(network, image, one.width, noise)
            scores.append(scored(places, one.positions, REACH * one.width, image.shape, 2 * one.width))
            found.append(len(places))
    return Judged.of(scores, found)


def _noisier(rng: np.random.Generator, one: Labelled, share: float) -> FloatArray:
    noisy: FloatArray = one.image + rng.normal(0, share * max(one.noise, 0.05 * one.height), one.image.shape)
    return noisy


def _conditions(images: Sequence[Labelled]) -> Conditions:
    """Simulated images of about the noise of these."""
    counts = [min((one.height / max(one.noise, 1e-3 * one.height)) ** 2, 400.0) for one in images]
    return Conditions(
        width_px=(0.85 * STANDARD_WIDTH, 1.2 * STANDARD_WIDTH),
        counts=(max(min(counts) / 2, 1.5), max(2 * max(counts), 4.0)),
        clean=0.0,
    )


def _size_of(parts: Sequence[Labelled], wanted: int) -> int:
    """The edge of a picture that fits into every image at the network's scale, px."""
    edge: int = min(8 * (n // 8) for one in parts for n in scaled_to_standard(one.image, one.width)[0].shape)
    if edge < SMALLEST_PICTURE_PX:
        raise InputError(
            f"an image leaves pictures of {edge} px at the network's scale to learn from, too few; give images with "
            "more atoms"
        )
    return min(wanted, edge)


def _cut(rng: np.random.Generator, one: Labelled, size: int) -> Scene:
    """A piece of an image at the network's scale, turned, mirrored and with some more noise."""
    image = one.image if one.given else _noisier(rng, one, float(rng.uniform(0, 1.2)))
    scaled, ratio = scaled_to_standard(image, one.width)
    positions = (one.positions + 0.5) / ratio - 0.5
    corner = np.array([rng.integers(0, n - size + 1) for n in scaled.shape])
    piece = scaled[corner[0] : corner[0] + size, corner[1] : corner[1] + size]
    places = positions - corner
    near = (np.abs(places - size / 2) < size / 2 + 4).all(axis=1)
    turned, moved = _turned(piece, places[near], int(rng.integers(4)), bool(rng.integers(2)))
    return Scene(turned, Arrangement(moved, np.ones(len(moved))), one.width / float(ratio.mean()))


def _turned(image: FloatArray, places: FloatArray, quarters: int, mirrored: bool) -> tuple[FloatArray, FloatArray]:
    for _ in range(quarters):
        image, places = np.rot90(image), np.stack([image.shape[1] - 1 - places[:, 1], places[:, 0]], axis=1)
    if mirrored:
        image, places = image[:, ::-1], np.stack([places[:, 0], image.shape[1] - 1 - places[:, 1]], axis=1)
    return np.ascontiguousarray(image), places
