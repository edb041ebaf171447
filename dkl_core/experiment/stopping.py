"""When an experiment has nothing left to ask."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dkl_core.experiment.journal import Told
from dkl_core.experiment.log import SiteLog
from dkl_core.experiment.settings import ExperimentSettings
from dkl_core.surrogate.prediction import Prediction

_RECENT = 10
# What is left may be a whole number of measurements but for the rounding of sums.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Spent:
    """What an experiment has used up, and what its next measurement is expected to use: the most of the recent ones.

    Attributes:
        seconds: active time, s.
        electrons: electrons that hit the sample.
        next_seconds: time of a measurement with the decision before it, s.
        next_electrons: electrons of a measurement.
    """

    seconds: float = 0.0
    electrons: float = 0.0
    next_seconds: float = 0.0
    next_electrons: float = 0.0

    @classmethod
    def by(cls, told: Sequence[Told], notes: Sequence[Mapping[str, Any]], elapsed: float) -> Spent:
        """What has been used up.

        Args:
            told: all measurements.
            notes: all notes; those of the kind `dose` count with their `electrons`.
            elapsed: active time, s.
        """
        doses = [float(note.get("electrons") or 0.0) for note in notes if note["kind"] == "dose"]
        recent = told[-_RECENT:]
        before = [0.0 if len(told) <= _RECENT else told[-_RECENT - 1].elapsed, *(one.elapsed for one in recent)]
        steps = [
            max(one.elapsed - last, _counted(one.measurement.seconds))
            for one, last in zip(recent, before, strict=False)
        ]
        electrons = [_counted(one.measurement.electrons) for one in told]
        return cls(
            seconds=elapsed,
            electrons=math.fsum([*electrons, *doses]),
            next_seconds=max(steps, default=0.0),
            next_electrons=max(electrons[-_RECENT:], default=0.0),
        )


def reason_to_end(log: SiteLog, settings: ExperimentSettings, spent: Spent) -> str | None:
    """Why no site can be asked for any more: the budgets, or the sites; None if one can."""
    rules = settings.stop
    if len(log.told) >= rules.budget:
        return f"the budget of {rules.budget} measurements is used up{_all_failed(log)}"
    if _exceeded(rules.seconds, spent.seconds, spent.next_seconds):
        return (
            f"the time limit of {rules.seconds:g} s is reached: {spent.seconds:.4g} s have passed "
            f"and a measurement takes up to {spent.next_seconds:.3g} s{_all_failed(log)}"
        )
    if _exceeded(rules.electrons, spent.electrons, spent.next_electrons):
        return (
            f"the limit of {rules.electrons:.4g} electrons is reached: {spent.electrons:.4g} have hit the sample "
            f"and a measurement takes up to {spent.next_electrons:.3g}{_all_failed(log)}"
        )
    if not log.pending and not log.open_mask().any():
        return f"every site is measured or excluded{_all_failed(log)}"
    return None


def affordable(log: SiteLog, settings: ExperimentSettings, spent: Spent) -> int:
    """How many sites may be asked for, those pending counted in as if they were measured."""
    rules = settings.stop
    counts = [
        rules.budget - len(log.told),
        _times(rules.seconds, spent.seconds, spent.next_seconds),
        _times(rules.electrons, spent.electrons, spent.next_electrons),
    ]
    return max(0, int(min(counts, key=float)) - len(log.pending))


def reason_to_be_content(log: SiteLog, settings: ExperimentSettings, prediction: Prediction | None) -> str | None:
    """Why more measurements would not pay, by the stop rules; None if they do.

    Args:
        log: what is measured.
        settings: stop rules, goal and seeds.
        prediction: the model's, None before the first refit.
    """
    rules = settings.stop
    waited = min(log.since_best(settings.goal), log.valid_count - settings.seeds.count)
    if rules.patience is not None and waited >= rules.patience:
        return f"no better measurement among the last {waited}"
    if rules.uncertainty is not None and _residual_uncertainty(log, prediction) < rules.uncertainty:
        return f"no open site is more uncertain than {rules.uncertainty:g} of the measured spread"
    return None


def _exceeded(limit: float | None, used: float, cost: float) -> bool:
    return _times(limit, used, cost) < 1


def _times(limit: float | None, used: float, cost: float) -> float:
    """How many more measurements the limit allows."""
    if limit is None:
        return math.inf
    if used >= limit:
        return 0
    return math.inf if cost <= 0 else math.floor((limit - used) / cost + _ROUNDING)


def _counted(amount: float | None) -> float:
    """What a measurement says it took; nothing where it does not know."""
    return amount if amount is not None and 0 < amount < math.inf else 0.0


def _all_failed(log: SiteLog) -> str:
    if not log.told or log.valid_count:
        return ""
    return f"; all {len(log.told)} measurements failed, the last because: {log.told[-1].measurement.reason}"


def _residual_uncertainty(log: SiteLog, prediction: Prediction | None) -> float:
    is_open = log.open_mask()
    spread = float(log.values.std())
    if prediction is None or not is_open.any() or spread == 0:
        return math.inf
    return float(prediction.std[is_open].max()) / spread
