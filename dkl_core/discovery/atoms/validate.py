"""How good a network is on simulated images that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dkl_core.discovery.atoms.candidates import candidates
from dkl_core.discovery.atoms.maps import columns_of
from dkl_core.discovery.atoms.refine import refined
from dkl_core.discovery.atoms.scenes import Conditions, Scene, scene
from dkl_core.discovery.atoms.score import Score, scored
from dkl_core.survey import FloatArray

if TYPE_CHECKING:
    from dkl_core.discovery.atoms.network import AtomNetwork

# Found means nearer than this many widths of a spot.
REACH = 1.0
_SEED = 77_000
DOSES = (3.0, 10.0, 50.0, 500.0)


@dataclass(frozen=True)
class Judged:
    """Columns of atoms found in images.

    Attributes:
        columns: number of columns that count.
        found: share of them that were found.
        false: share of what was found that is no column.
    """

    columns: int
    found: float
    false: float

    @property
    def worth(self) -> float:
        """One number: harmonic mean of the shares found and true."""
        true = 1 - self.false
        return 2 * self.found * true / max(self.found + true, 1e-12)

    @classmethod
    def of(cls, scores: Sequence[Score], found: Sequence[int]) -> Judged:
        """All scores together; `found` is how many positions each had."""
        atoms, places = np.array([score.atoms for score in scores]), np.array(found)
        shares = np.array([score.matched for score in scores]), np.array([score.false for score in scores])
        return cls(
            int(atoms.sum()),
            float((atoms * shares[0]).sum() / max(atoms.sum(), 1)),
            float((places * shares[1]).sum() / max(places.sum(), 1)),
        )


def positions_in(network: AtomNetwork, image: FloatArray, width: float, noise: float) -> FloatArray:
    """Refined positions (n, 2) of atoms in an image whose spots have a known width, px."""
    seen = candidates(network, image, width)
    return refined(image, seen, width, noise).spots.positions if len(seen) else np.zeros((0, 2))


def judged(network: AtomNetwork, scenes: Sequence[Scene], noise: float = 0.05) -> Judged:
    """A network by scenes; atoms nearer to each other than a spot's width count as one column."""
    scores, found = [], []
    for one in scenes:
        places = positions_in(network, one.image, one.width_px, noise)
        true = columns_of(one.atoms, one.width_px).positions
        border = 2 * one.width_px
        scores.append(scored(places, true, REACH * one.width_px, one.image.shape, border))
        found.append(len(places))
    return Judged.of(scores, found)


def validated(network: AtomNetwork, conditions: Conditions, *, scenes: int = 24, size: int = 160) -> dict[str, Judged]:
    """A network by scenes with four doses (electrons at the peak of an ordinary atom), of seeds kept for this."""
    results = {}
    for number, dose in enumerate(DOSES):
        kind = replace(conditions, counts=(dose, dose * 1.001), clean=0.0)
        rngs = (np.random.default_rng([_SEED, number, index]) for index in range(scenes))
        results[f"{dose:g}"] = judged(network, [scene(rng, size, kind) for rng in rngs])
    return results
