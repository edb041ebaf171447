"""The configuration of an experiment, and its form as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from dkl_core.acquisition import AcquisitionSettings, AnnealedBeta, BetaSchedule, ConstantBeta
from dkl_core.errors import InputError
from dkl_core.experiment.structure import StructureSettings
from dkl_core.goal import Goal
from dkl_core.patches import PatchSettings
from dkl_core.settings_json import made, mapping
from dkl_core.surrogate.settings import SurrogateSettings

SeedMethod = Literal["random", "latin", "grid", "points"]


@dataclass(frozen=True)
class SeedSettings:
    """The measurements before the model decides.

    Attributes:
        count: how many valid measurements.
        method: `random` without repeats, `latin` (Latin hypercube over rows and columns), `grid`, or `points`.
        points: the user's own places as (row, column) in pixels, for `points`; the nearest sites are taken.
    """

    count: int = 20
    method: SeedMethod = "random"
    points: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InputError(f"the number of seeds is {self.count}; the model needs at least 1 measurement to start")
        if self.method not in get_args(SeedMethod):
            raise InputError(f"unknown seeding {self.method!r}; choose one of {', '.join(get_args(SeedMethod))}")
        if (self.method == "points") != bool(self.points):
            raise InputError("give points with the seeding 'points', and only there")
        if not all(math.isfinite(row) and math.isfinite(col) for row, col in self.points):
            raise InputError("a seed point is not finite; give (row, column) in pixels")


@dataclass(frozen=True)
class StopRules:
    """When an experiment ends.

    Attributes:
        budget: number of measurements, failed ones included.
        patience: stop after so many measurements by the model without a better one; None never.
        uncertainty: stop when no open site is more uncertain than this share of the measured scalars' standard
            deviation; None never.
        seconds: stop before the run has been active for longer, s; pauses do not count. None: no limit.
        electrons: stop before more electrons have hit the sample, those of survey and reference images too where the
            host notes them. None: no limit.
    """

    budget: int = 100
    patience: int | None = None
    uncertainty: float | None = None
    seconds: float | None = None
    electrons: float | None = None

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise InputError(f"the budget is {self.budget}; give the number of measurements, 1 or more")
        if self.patience is not None and self.patience < 1:
            raise InputError(f"patience is {self.patience}; give the number of measurements to wait, 1 or more")
        if self.uncertainty is not None and not self.uncertainty > 0:
            raise InputError(f"uncertainty is {self.uncertainty}; give a positive share, e.g. 0.1")
        if self.seconds is not None and not self.seconds > 0:
            raise InputError(f"the time limit is {self.seconds} s; give a positive number of seconds, or None")
        if self.electrons is not None and not self.electrons > 0:
            raise InputError(f"the electron limit is {self.electrons}; give a positive number of electrons, or None")


@dataclass(frozen=True)
class ExperimentSettings:
    """Everything that decides which sites are measured.

    Attributes:
        patches: sites and patches.
        surrogate: the model.
        acquisition: what ranks the sites.
        goal: what is looked for.
        seeds: the measurements before the model decides.
        stop: when to end.
        retries: how often a failed site may be tried again before it is excluded.
        refit_growth: the model is refitted when the measurements have grown by this share since the last refit (and
            by at least one); in between the posterior is updated exactly.
        seed: seed of every random choice.
        structure: what is unusual in the survey image drives the experiment, whatever is measured; None where the
            measured scalar does.
    """

    patches: PatchSettings = field(default_factory=PatchSettings)
    surrogate: SurrogateSettings = field(default_factory=SurrogateSettings)
    acquisition: AcquisitionSettings = field(default_factory=AcquisitionSettings)
    goal: Goal = field(default_factory=Goal)
    seeds: SeedSettings = field(default_factory=SeedSettings)
    stop: StopRules = field(default_factory=StopRules)
    retries: int = 2
    refit_growth: float = 0.05
    seed: int = 0
    structure: StructureSettings | None = None

    def __post_init__(self) -> None:
        if self.structure is not None and self.goal.direction != "maximise":
            raise InputError(
                f"the goal is to {self.goal}, but an experiment that is driven by structure goes where most of it is; "
                "leave the goal at maximise, or leave the structure out"
            )
        if self.retries < 0:
            raise InputError(f"retries is {self.retries}; give 0 (a failed site is excluded at once) or more")
        if not self.refit_growth >= 0 or not math.isfinite(self.refit_growth):
            raise InputError(f"refit_growth is {self.refit_growth}; give 0 (refit every time) or a positive share")
        if self.seed < 0:
            raise InputError(f"the random seed is {self.seed}; give 0 or a positive whole number")
        if self.stop.budget < self.seeds.count:
            raise InputError(
                f"the budget of {self.stop.budget} measurements is below the {self.seeds.count} seeds; "
                "raise the budget or lower the seeds, or the model never decides"
            )

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-compatible values."""
        data = asdict(self)
        kinds = {kind: name for name, kind in _SCHEDULES.items()}
        data["acquisition"]["beta"]["schedule"] = kinds[type(self.acquisition.beta)]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ExperimentSettings:
        """Settings from `to_json`; fields that are missing take their defaults.

        Raises:
            InputError: a field that does not exist or has an unusable value.
        """
        return made(cls, data, {"acquisition": _acquisition, "seeds": _seeds, "structure": _structure})


_SCHEDULES: dict[str, type[BetaSchedule]] = {"annealed": AnnealedBeta, "constant": ConstantBeta}


def _beta(data: object) -> BetaSchedule:
    values = mapping(data, "beta")
    name = values.pop("schedule", "annealed")
    if name not in _SCHEDULES:
        raise InputError(f"unknown schedule of beta {name!r}; choose one of {', '.join(_SCHEDULES)}")
    return made(_SCHEDULES[name], values)


def _acquisition(data: object) -> AcquisitionSettings:
    return made(AcquisitionSettings, data, {"beta": _beta})


def _seeds(data: object) -> SeedSettings:
    return made(SeedSettings, data, {"points": _points})


def _structure(data: object) -> StructureSettings | None:
    return None if data is None else made(StructureSettings, data)


def _points(data: Any) -> tuple[tuple[float, float], ...]:
    try:
        return tuple((float(row), float(col)) for row, col in data)
    except (TypeError, ValueError) as error:
        raise InputError(f"the seed points are {data!r}; give (row, column) pairs in pixels") from error
