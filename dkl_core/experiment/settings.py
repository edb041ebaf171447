"""The configuration of an experiment, and its form as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from dkl_core.acquisition import AcquisitionSettings, AnnealedBeta, BetaSchedule, ConstantBeta
from dkl_core.errors import InputError
from dkl_core.goal import Goal
from dkl_core.patches import PatchSettings
from dkl_core.surrogate.settings import Priors, SurrogateSettings

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


@dataclass(frozen=True)
class StopRules:
    """When an experiment ends.

    Attributes:
        budget: number of measurements, failed ones included.
        patience: stop after so many measurements by the model without a better one; None never.
        uncertainty: stop when no open site is more uncertain than this share of the measured scalars' standard
            deviation; None never.
    """

    budget: int = 100
    patience: int | None = None
    uncertainty: float | None = None

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise InputError(f"the budget is {self.budget}; give the number of measurements, 1 or more")
        if self.patience is not None and self.patience < 1:
            raise InputError(f"patience is {self.patience}; give the number of measurements to wait, 1 or more")
        if self.uncertainty is not None and not self.uncertainty > 0:
            raise InputError(f"uncertainty is {self.uncertainty}; give a positive share, e.g. 0.1")


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

    def __post_init__(self) -> None:
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
        beta = self.acquisition.beta
        data["acquisition"]["beta"]["schedule"] = "annealed" if isinstance(beta, AnnealedBeta) else "constant"
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ExperimentSettings:
        """Settings from `to_json`; fields that are missing take their defaults.

        Raises:
            InputError: a field that does not exist or has an unusable value.
        """
        parts = dict(data)
        try:
            for name, kind in _PARTS.items():
                if name in parts:
                    parts[name] = kind(parts[name])
            return cls(**parts)
        except TypeError as error:
            known = ", ".join(item.name for item in fields(cls))
            raise InputError(f"the settings cannot be used: {error}; known fields are {known}") from error


def _beta(data: Mapping[str, Any]) -> BetaSchedule:
    values = dict(data)
    return AnnealedBeta(**values) if values.pop("schedule", "annealed") == "annealed" else ConstantBeta(**values)


def _acquisition(data: Mapping[str, Any]) -> AcquisitionSettings:
    values = dict(data)
    if "beta" in values:
        values["beta"] = _beta(values["beta"])
    return AcquisitionSettings(**values)


def _surrogate(data: Mapping[str, Any]) -> SurrogateSettings:
    values = dict(data)
    if "priors" in values:
        values["priors"] = Priors(**values["priors"])
    return SurrogateSettings(**values)


def _seeds(data: Mapping[str, Any]) -> SeedSettings:
    values = dict(data)
    values["points"] = tuple((float(row), float(col)) for row, col in values.get("points", ()))
    return SeedSettings(**values)


_PARTS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "patches": lambda data: PatchSettings(**data),
    "surrogate": _surrogate,
    "acquisition": _acquisition,
    "goal": lambda data: Goal(**data),
    "seeds": _seeds,
    "stop": lambda data: StopRules(**data),
}
