"""A refit that can run beside the experiment, in another thread, on a snapshot of its measurements."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.survey import FloatArray

if TYPE_CHECKING:
    from dkl_core.surrogate import Surrogate


@dataclass(frozen=True)
class Observed:
    """The valid measurements, in the order they were told.

    Attributes:
        indices: sites (n,).
        values: scalars (n,).
        noise: known noise variances (n,), NaN where unknown.
    """

    indices: NDArray[np.int64]
    values: FloatArray
    noise: FloatArray

    def __len__(self) -> int:
        return len(self.indices)

    def first(self, count: int) -> Observed:
        """The first so many of them."""
        return Observed(self.indices[:count], self.values[:count], self.noise[:count])

    def equals(self, other: Observed) -> bool:
        """Whether both hold the same measurements."""
        return self.has_places_and_noise_of(other) and np.array_equal(self.values, other.values)

    def has_places_and_noise_of(self, other: Observed) -> bool:
        """Whether the other measurements differ in their values at most."""
        return np.array_equal(self.indices, other.indices) and np.array_equal(self.noise, other.noise, equal_nan=True)


@dataclass(frozen=True)
class Steps:
    """How a posterior came about: floating-point sums depend on the order.

    Attributes:
        conditioned: it has learned from the first so many measurements at once, from the later ones one by one.
        revalued: how many there were when all scalars were last exchanged, 0 if they were not.
    """

    conditioned: int = 0
    revalued: int = 0


@dataclass
class RefitTask:
    """Work for `Experiment.adopt`: call `run()` in any thread, then hand the task back.

    Attributes:
        surrogate: a surrogate of its own, at the experiment's last solution.
        data: the measurements to learn from.
        iterations: optimiser steps at most; None for the settings' own.
        seconds: how long `run` took.
    """

    surrogate: Surrogate
    data: Observed
    iterations: int | None = None
    seconds: float = field(default=0.0, init=False)
    done: bool = field(default=False, init=False)

    def run(self) -> RefitTask:
        """Fit; the experiment is not touched."""
        start = time.perf_counter()
        self.surrogate.fit(self.data.indices, self.data.values, self.data.noise, iterations=self.iterations)
        self.seconds = time.perf_counter() - start
        self.done = True
        return self

    def steps_to(self, data: Observed) -> Steps:
        """How its posterior is brought to the present measurements, when it is adopted."""
        known = data.first(len(self.data))
        if not self.data.has_places_and_noise_of(known):
            return Steps(len(data))
        return Steps(len(known), 0 if self.data.equals(known) else len(known))

    def to_event(self, steps: Steps) -> tuple[dict[str, Any], Mapping[str, NDArray[Any]]]:
        """The data and arrays of a `fit` event.

        Args:
            steps: how the posterior is brought to the present measurements.
        """
        judged = self.surrogate.judgement
        data = {
            "measurements": len(self.data),
            "conditioned": steps.conditioned,
            "revalued": steps.revalued,
            "seconds": self.seconds,
            "depth_weight": judged.depth_weight,
            "structure_share": judged.structure_share,
            "held_out_r2": judged.r2,
            "jitter": self.surrogate.jitter,
        }
        return data, self.surrogate.state()
