"""The invariant autoencoder as a decomposition: two components that do not depend on how a window is turned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dkl_core.discovery.decompose import AGREEMENT, Verdict
from dkl_core.discovery.descriptors import Descriptor
from dkl_core.errors import InputError
from dkl_core.representation.rvae import (
    LATENT,
    Encoded,
    InvariantAutoencoder,
    InvariantSettings,
    angle_agreement,
    as_pictures,
    scale_of,
    trained,
)
from dkl_core.surrogate.threads import one_thread_each
from dkl_core.survey import FloatArray

_MANIFOLD_REACH = 2.0
_LEAST_EXPLAINED = 0.02
_AXES_TRIED = 36


@dataclass(frozen=True)
class InvariantVerdict(Verdict):
    """Whether an invariant autoencoder may be believed, with its angles and its maps judged apart.

    Attributes:
        angles: how well the starts agree on how windows are turned, 0 to 1; NaN of a single start.
        maps: how well the map of each component follows from the latent numbers of the other starts, a correlation.
        of_maps: whether the maps decide: round atoms, as surroundings that look alike however they are turned have no
            angle to agree on. The angles decide otherwise.
    """

    angles: float = math.nan
    maps: tuple[float, ...] = ()
    of_maps: bool = False

    def text(self, component: int) -> str:
        """The same in words."""
        if self.starts == 1 or not self.maps:
            return super().text(component)
        words = "converged" if self.converged(component) else "did not converge"
        angles, its_map = self.angles, self.maps[component]
        low_map = f"on the map of component {component} by {its_map:.2f}"
        low_angle = f"on angles by {angles:.2f}"
        first, second = (low_map, low_angle) if self.of_maps else (low_angle, low_map)
        reason = f"{self.rested} of {self.starts} starts came to rest and agree {first}, {second}"
        advice = ""
        if angles < AGREEMENT:
            advice = " (do not read the angles: windows that look alike however they are turned have none)"
        if its_map < AGREEMENT and not self.of_maps:
            advice += " (the map depends on the start: do not rely on which windows stand out)"
        return f"{words}: {reason}{advice}; all components explain {self.explained:.0%} of the variance"


@dataclass(frozen=True, eq=False)
class InvariantDecomposition:
    """A trained autoencoder, the start that agrees best with the others.

    Attributes:
        descriptor: whose rows it takes.
        model: the network.
        scale: mean and standard deviation of the pictures it learned from.
        verdict: whether to believe it; agreement is that of the angles, for both components, or that of the maps.
    """

    descriptor: Descriptor
    model: InvariantAutoencoder
    scale: tuple[float, float]
    verdict: Verdict

    @classmethod
    def learn(
        cls,
        rows: NDArray[np.floating],
        descriptor: Descriptor,
        settings: InvariantSettings,
        progress: Callable[[float], None] | None = None,
        *,
        rare: bool = False,
    ) -> InvariantDecomposition:
        """Train all starts.

        Args:
            rows: descriptors (n, d).
            descriptor: what they are.
            settings: how to train.
            progress: called with the share that is done; what it raises ends the training.
            rare: whether few windows that differ are looked for. The axes of the latent numbers, which the training
                leaves open, are then turned to where the few lie, and the maps decide whether it converged.

        Raises:
            InputError: fewer than 8 windows, or windows that are all the same.
        """
        if len(rows) < 8:
            raise InputError(f"there are {len(rows)} windows; the autoencoder learns from 8 or more")
        bare = as_pictures(_pictures(descriptor, rows), (0.0, 1.0))
        scale = scale_of(bare)
        if float(bare.std()) <= 1e-9 * max(float(bare.abs().max()), 1e-300):
            raise InputError(
                "all windows look the same, so there is nothing to tell apart; take another image or window"
            )
        pictures, done = (bare - scale[0]) / scale[1], 0

        def one_more() -> None:
            nonlocal done
            done += 1
            if progress is not None:
                progress(done / (settings.epochs * settings.starts))

        with one_thread_each():
            models = [trained(pictures, settings, settings.seed + n, one_more) for n in range(settings.starts)]
            if rare:
                for model in models:
                    _turn_latent(model, _sparse_turn(model.encode(pictures).latent))
            found = [model.encode(pictures) for model in models]
        chosen, angles, maps = _most_consistent(found, by_maps=rare)
        mask = models[chosen].mask
        varies = float((pictures**2 * mask).sum() / (mask.sum() * len(pictures)))
        explained = max(0.0, 1 - float(found[chosen].residual.mean()) / varies)
        settled = sum(1 - float(each.residual.mean()) / varies > _LEAST_EXPLAINED for each in found)
        agreements = maps if rare else (angles,) * LATENT
        verdict = InvariantVerdict(agreements, settled, settings.starts, explained, angles, maps, rare)
        return cls(descriptor, models[chosen], scale, verdict)

    @property
    def components(self) -> FloatArray:
        """The pictures at the end of both latent axes, shape (2, side, side)."""
        return self.model.decode(_MANIFOLD_REACH * np.eye(LATENT))

    def look(self, latent: FloatArray) -> FloatArray:
        """What windows of some latent numbers (n, 2) look like, neither turned nor shifted, (n, side, side)."""
        with one_thread_each():
            return self.model.decode(latent)

    def encode(self, rows: NDArray[np.floating]) -> Encoded:
        """Latent, angle and loss of descriptors (n, d)."""
        with one_thread_each(), torch.no_grad():
            return self.model.encode(as_pictures(_pictures(self.descriptor, rows), self.scale))

    def transform(self, rows: NDArray[np.floating]) -> FloatArray:
        """The two latent numbers of descriptors (n, d), shape (n, 2)."""
        return self.encode(rows).latent if len(rows) else np.empty((0, LATENT))


def invariant_settings(starts: int, seed: int) -> InvariantSettings:
    """The usual training with a number of starts."""
    return replace(InvariantSettings(), starts=starts, seed=seed)


def _most_consistent(found: list[Encoded], *, by_maps: bool) -> tuple[int, float, tuple[float, ...]]:
    """The start that agrees best with the others, and by how much in angles and in maps; a single one by NaN."""
    if len(found) == 1:
        return 0, math.nan, (math.nan,) * LATENT
    angles, maps = np.empty(len(found)), np.empty((len(found), LATENT))
    for number, one in enumerate(found):
        others = [other for other in found if other is not one]
        angles[number] = np.mean([angle_agreement(one.angle, other.angle) for other in others])
        maps[number] = np.mean([map_agreement(one.latent, other.latent) for other in others], axis=0)
    chosen = int(np.argmax(maps.max(axis=1) if by_maps else angles))
    return chosen, float(angles[chosen]), tuple(float(value) for value in maps[chosen])


def map_agreement(one: FloatArray, other: FloatArray) -> FloatArray:
    """How well each latent number of one start (n, 2) follows from those of another: multiple correlations (2,).

    Latent axes may be turned, mirrored, stretched and bent between starts; a polynomial of second order allows for it.
    """
    first, second = (other - other.mean(axis=0)).T
    terms = np.column_stack([np.ones(len(other)), first, second, first**2, first * second, second**2])
    explained = terms @ np.linalg.lstsq(terms, one, rcond=None)[0]
    total = ((one - one.mean(axis=0)) ** 2).sum(axis=0)
    rest = ((one - explained) ** 2).sum(axis=0)
    agreement: FloatArray = np.sqrt(np.clip(1 - rest / np.where(total > 0, total, np.inf), 0.0, 1.0))
    return np.where(total > 0, agreement, 0.0)


def _sparse_turn(latent: FloatArray) -> FloatArray:
    """The rotation (2, 2) after which the first latent number is as far from normal as possible, and high.

    That is where few windows lie far from all others (projection pursuit by kurtosis; Huber 1985).
    """
    centred = latent - latent.mean(axis=0)
    angles = np.arange(_AXES_TRIED) * np.pi / _AXES_TRIED
    axes = np.stack([np.cos(angles), np.sin(angles)])
    along = centred @ axes
    variance = (along**2).mean(axis=0)
    peaked = (along**4).mean(axis=0) / np.where(variance > 0, variance, np.inf) ** 2
    number = int(np.argmax(peaked))
    best = angles[number] + (np.pi if (along[:, number] ** 3).sum() < 0 else 0.0)
    return np.array([[np.cos(best), np.sin(best)], [-np.sin(best), np.cos(best)]])


def _turn_latent(model: InvariantAutoencoder, turn: FloatArray) -> None:
    """Turn the latent axes: the encoder gives turned numbers, and the decoder takes them."""
    matrix = torch.as_tensor(turn, dtype=torch.float32)
    last, first = model.encoder[-1], model.decoder[0]
    assert isinstance(last, nn.Linear)
    assert isinstance(first, nn.Linear)
    with torch.no_grad():
        last.weight[:LATENT] = matrix @ last.weight[:LATENT]
        last.bias[:LATENT] = matrix @ last.bias[:LATENT]
        first.weight.copy_(first.weight @ matrix.T)


def _pictures(descriptor: Descriptor, rows: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.stack([descriptor.picture(row) for row in rows])
