"""The invariant autoencoder as a decomposition: two components that do not depend on how a window is turned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from dkl_core.discovery.decompose import Verdict
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


@dataclass(frozen=True, eq=False)
class InvariantDecomposition:
    """A trained autoencoder, the start that agrees best with the others.

    Attributes:
        descriptor: whose rows it takes.
        model: the network.
        scale: mean and standard deviation of the pictures it learned from.
        verdict: whether to believe it; agreement is that of the angles, for both components.
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
    ) -> InvariantDecomposition:
        """Train all starts.

        Args:
            rows: descriptors (n, d).
            descriptor: what they are.
            settings: how to train.
            progress: called with the share that is done; what it raises ends the training.

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
            found = [model.encode(pictures) for model in models]
        chosen, agreement = _most_consistent(found)
        mask = models[chosen].mask
        varies = float((pictures**2 * mask).sum() / (mask.sum() * len(pictures)))
        explained = max(0.0, 1 - float(found[chosen].residual.mean()) / varies)
        settled = sum(1 - float(each.residual.mean()) / varies > _LEAST_EXPLAINED for each in found)
        verdict = Verdict((agreement,) * LATENT, settled, settings.starts, explained)
        return cls(descriptor, models[chosen], scale, verdict)

    @property
    def components(self) -> FloatArray:
        """The pictures at the end of both latent axes, shape (2, side, side)."""
        return self.model.decode(_MANIFOLD_REACH * np.eye(LATENT))

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


def _most_consistent(found: list[Encoded]) -> tuple[int, float]:
    """The start whose angles agree best with those of the others, and by how much; a single one agrees by NaN."""
    if len(found) == 1:
        return 0, float("nan")
    table = np.array([[angle_agreement(one.angle, other.angle) for other in found] for one in found])
    mean = (table.sum(axis=1) - np.diagonal(table)) / (len(found) - 1)
    return int(np.argmax(mean)), float(mean.max())


def _pictures(descriptor: Descriptor, rows: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.stack([descriptor.picture(row) for row in rows])
