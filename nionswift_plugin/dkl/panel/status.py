"""How a run stands, as the panel shows it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dkl_core.experiment import Experiment


@dataclass(frozen=True)
class RunStatus:
    """A moment of a run.

    Attributes:
        measured: measurements so far.
        budget: measurements in all.
        elapsed: active time, s.
        electrons: that hit the sample, None when the beam current is unknown.
        seconds_limit: the time limit, s; None for none.
        electron_limit: the limit of electrons, None for none.
        best: the best value so far, None before the first.
        last: the last value, None when it could not be used.
        trouble: why the last one could not be used, empty if it could.
        structure_share: share of what the model explains that it owes to structure, None when not judged.
        drift_nm: how far the sample has drifted, nm; None when it is not followed.
        looked_for: what drives the run, in words, where that is not what is measured; else empty.
    """

    measured: int = 0
    budget: int = 0
    elapsed: float = 0.0
    electrons: float | None = None
    seconds_limit: float | None = None
    electron_limit: float | None = None
    best: float | None = None
    last: float | None = None
    trouble: str = ""
    structure_share: float | None = None
    drift_nm: float | None = None
    looked_for: str = ""

    @classmethod
    def of(cls, experiment: Experiment) -> RunStatus:
        """The present moment; on the session's thread."""
        told, rules, best = experiment.told, experiment.settings.stop, experiment.best
        last = told[-1].measurement if told else None
        structure = experiment.settings.structure
        return cls(
            measured=len(told),
            budget=rules.budget,
            elapsed=experiment.elapsed,
            electrons=_electrons(experiment),
            seconds_limit=rules.seconds,
            electron_limit=rules.electrons,
            best=None if best is None else best.measurement.scalar.value,
            last=last.scalar.value if last is not None and last.ok else None,
            trouble="" if last is None else last.reason,
            structure_share=experiment.telling_share,
            drift_nm=_drift_nm(experiment),
            looked_for="" if structure is None else structure.words,
        )

    @property
    def share(self) -> float:
        """How much of the budget is used up, 0 to 1: that of sites, time or dose, whichever is furthest."""
        shares = [self.measured / self.budget if self.budget else 0.0]
        if self.seconds_limit:
            shares.append(self.elapsed / self.seconds_limit)
        if self.electron_limit and self.electrons:
            shares.append(self.electrons / self.electron_limit)
        return min(1.0, max(shares))

    @property
    def seconds_left(self) -> float | None:
        """How long it will go on, s; None before that can be told."""
        share = self.share
        return None if self.measured < 2 or share <= 0 else self.elapsed * (1 / share - 1)


def _electrons(experiment: Experiment) -> float | None:
    each = [told.measurement.electrons for told in experiment.told]
    beside = [note.get("electrons") for note in experiment.notes if note["kind"] == "dose"]
    known = [float(count) for count in (*each, *beside) if count is not None]
    return math.fsum(known) if known else None


def _drift_nm(experiment: Experiment) -> float | None:
    for note in reversed(experiment.notes):
        if note["kind"] == "drift":
            return math.hypot(*note["drift_nm"])
    return None
