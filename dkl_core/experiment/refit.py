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

    def to_event(self) -> tuple[dict[str, Any], Mapping[str, NDArray[Any]]]:
        """The data and arrays of a `fit` event."""
        judged = self.surrogate.judgement
        data = {
            "measurements": len(self.data),
            "seconds": self.seconds,
            "depth_weight": judged.depth_weight,
            "structure_share": judged.structure_share,
            "held_out_r2": judged.r2,
            "jitter": self.surrogate.jitter,
        }
        return data, self.surrogate.state()
