"""What an experiment knows of its sites: measured, failed, pending, excluded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dkl_core.experiment.journal import Told
from dkl_core.experiment.refit import Observed
from dkl_core.goal import Goal
from dkl_core.survey import FloatArray


class SiteLog:
    """The measurements told so far and the state of every site.

    Attributes:
        told: all measurements in order, failed ones included.
        valid: those that can be learned from, in order.
        pending: sites that were asked and not told yet, in order.
        excluded: sites that may not be measured (any more).
    """

    def __init__(self, sites: int, retries: int) -> None:
        self.told: list[Told] = []
        self.pending: list[int] = []
        self.excluded: set[int] = set()
        self._sites = sites
        self._retries = retries
        self._attempts: Counter[int] = Counter()
        self._measured: set[int] = set()
        self.valid: list[Told] = []

    @property
    def valid_count(self) -> int:
        """Number of measurements that can be learned from."""
        return len(self.valid)

    @property
    def values(self) -> FloatArray:
        """The scalars that can be learned from, in order (n,)."""
        return np.array([told.measurement.scalar.value for told in self.valid], dtype=np.float64)

    def attempts(self, index: int) -> int:
        """How often a site has been tried."""
        return self._attempts[index]

    def add(self, told: Told) -> None:
        """Take a measurement in; a site that failed too often is excluded."""
        index = told.site.index
        self.told.append(told)
        self._attempts[index] += 1
        if index in self.pending:
            self.pending.remove(index)
        if told.measurement.ok:
            self._measured.add(index)
            self.valid.append(told)
        elif index not in self._measured and self._attempts[index] > self._retries:
            self.excluded.add(index)

    def exclude(self, indices: Iterable[int]) -> None:
        """Take sites out, pending ones too."""
        self.excluded.update(indices)
        self.pending = [index for index in self.pending if index not in self.excluded]

    def is_open(self, index: int) -> bool:
        """Whether a site may still be asked."""
        return index not in self._measured and index not in self.excluded and index not in self.pending

    def open_mask(self) -> NDArray[np.bool_]:
        """Which sites may still be asked, shape (M,)."""
        mask = np.ones(self._sites, dtype=bool)
        mask[[*self._measured, *self.excluded, *self.pending]] = False
        return mask

    def observed(self) -> Observed:
        """What the model may learn from."""
        valid = self.valid
        noise = [told.measurement.scalar.noise_variance for told in valid]
        return Observed(
            np.array([told.site.index for told in valid], dtype=np.int64),
            self.values,
            np.array([np.nan if variance is None else variance for variance in noise], dtype=np.float64),
        )

    def best(self, goal: Goal) -> Told | None:
        """The best valid measurement, the earliest of equals; None when there is none."""
        return self.valid[self._best(goal)] if self.valid else None

    def since_best(self, goal: Goal) -> int:
        """Valid measurements since the best one."""
        return len(self.valid) - 1 - self._best(goal) if self.valid else 0

    def _best(self, goal: Goal) -> int:
        return int(np.argmax(goal.merit([told.measurement.scalar.value for told in self.valid])))
