"""The model's choice: the sites that the acquisition ranks first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dkl_core.acquisition import evaluate, short_path, with_travel
from dkl_core.experiment.log import SiteLog
from dkl_core.experiment.settings import ExperimentSettings
from dkl_core.patches import Sites
from dkl_core.survey import FloatArray

if TYPE_CHECKING:
    from dkl_core.surrogate import Surrogate

_THOMPSON = 2


@dataclass(frozen=True)
class Chooser:
    """Ranks sites at one moment of an experiment.

    Attributes:
        surrogate: the model.
        sites: the candidate positions.
        log: what is measured, pending and excluded.
        settings: acquisition, goal and seed.
    """

    surrogate: Surrogate
    sites: Sites
    log: SiteLog
    settings: ExperimentSettings

    def best_sites(self, count: int, taken: list[int]) -> list[int]:
        """Up to `count` open sites in a short path, each chosen as if those before it were measured already.

        Args:
            count: how many.
            taken: sites chosen otherwise just now.
        """
        chosen: list[int] = []
        is_open = self.log.open_mask()
        is_open[taken] = False
        with self.surrogate.imagining([*self.log.pending, *taken]):
            while len(chosen) < count and is_open.any():
                best = self._best_site(is_open, chosen, len(taken))
                chosen.append(best)
                is_open[best] = False
                if len(chosen) < count:
                    self.surrogate.imagine(best)
        order = (
            short_path(self.sites.positions[chosen], self._last_position()) if len(chosen) > 1 else range(len(chosen))
        )
        return [chosen[i] for i in order]

    def acquisition(self, ahead: int = 0) -> FloatArray:
        """The acquisition of every site (M,).

        Args:
            ahead: sites chosen and not yet pending; it sets the random stream of Thompson samples.
        """
        prediction = self.surrogate.predict()
        settings = self.settings.acquisition
        mean = prediction.mean
        if settings.name == "thompson":
            stream = [self.settings.seed, _THOMPSON, len(self.log.told), len(self.log.pending) + ahead]
            mean = self.surrogate.sample(np.random.default_rng(stream))
        return evaluate(settings, mean, prediction.std, self.log.values, self.settings.goal)

    def _best_site(self, is_open: NDArray[np.bool_], chosen: list[int], taken: int) -> int:
        ranked = self.acquisition(taken + len(chosen))
        weight = self.settings.acquisition.travel_weight
        if weight:
            ranked = with_travel(ranked, self._distance(chosen), is_open, weight)
        # Of equals the most uncertain one: EI and PI can underflow to zero at every site. NaN counts as equal.
        best = is_open & ~(ranked < ranked[is_open].max())
        return int(np.argmax(np.where(best, self.surrogate.predict().std, -np.inf)))

    def _last_position(self) -> NDArray[np.int64] | None:
        last = self.log.pending[-1:] or [told.site.index for told in self.log.told[-1:]]
        return np.asarray(self.sites.positions[last[0]]) if last else None

    def _distance(self, chosen: list[int]) -> FloatArray:
        last = self.sites.positions[chosen[-1]] if chosen else self._last_position()
        if last is None:
            return np.zeros(len(self.sites))
        distance: FloatArray = np.linalg.norm(self.sites.positions - last, axis=1) / math.hypot(*self.sites.shape)
        return distance
