"""What an experiment knows of its sites: measured, failed, pending, excluded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from dkl_core.experiment.journal import Revision, Told
from dkl_core.experiment.refit import Observed
from dkl_core.goal import Goal
from dkl_core.survey import FloatArray


class SiteLog:
    """The measurements told so far and the state of every site.

    Attributes:
        told: all measurements in order, failed ones included.
        valid: those that can be learned from, in order.
        pending: sites that were asked and not told yet, in order.
    """

    def __init__(self, sites: int, retries: int) -> None:
        self.told: list[Told] = []
        self.valid: list[Told] = []
        self.pending: list[int] = []
        self._sites = sites
        self._retries = retries
        self._attempts: Counter[int] = Counter()
        self._measured: set[int] = set()
        self._forbidden: set[int] = set()
        self._given_up: set[int] = set()

    @property
    def excluded(self) -> set[int]:
        """Sites that may not be measured (any more): forbidden, or failed too often."""
        return self._forbidden | self._given_up

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
        if index in self.pending:
            self.pending.remove(index)
        self._judge(told)

    def revise(self, changes: Mapping[int, Revision]) -> None:
        """Exchange the scalars of measurements, by their numbers in `told`."""
        for number, revision in changes.items():
            self.told[number] = self.told[number].revised(revision.scalar, revision.measured)
        self.valid, self._attempts, self._measured, self._given_up = [], Counter(), set(), set()
        for told in self.told:
            self._judge(told)

    def exclude(self, indices: Iterable[int]) -> None:
        """Take sites out, pending ones too."""
        self._forbidden.update(indices)
        self.pending = [index for index in self.pending if index not in self._forbidden]

    def is_open(self, index: int) -> bool:
        """Whether a site may still be asked."""
        closed = (self._measured, self._forbidden, self._given_up, self.pending)
        return not any(index in sites for sites in closed)

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

    def _judge(self, told: Told) -> None:
        index = told.site.index
        self._attempts[index] += 1
        if told.measurement.ok:
            self._measured.add(index)
            self._given_up.discard(index)
            self.valid.append(told)
        elif index not in self._measured and self._attempts[index] > self._retries:
            self._given_up.add(index)
