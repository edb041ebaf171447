"""The configuration of an experiment, and its form as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from dkl_core.acquisition import AcquisitionSettings, AnnealedBeta, BetaSchedule, ConstantBeta
from dkl_core.errors import InputError
from dkl_core.goal import Goal
from dkl_core.patches import PatchSettings
from dkl_core.surrogate.settings import Priors, SurrogateSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

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
        kinds = {kind: name for name, kind in _SCHEDULES.items()}
        data["acquisition"]["beta"]["schedule"] = kinds[type(self.acquisition.beta)]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ExperimentSettings:
        """Settings from `to_json`; fields that are missing take their defaults.

        Raises:
            InputError: a field that does not exist or has an unusable value.
        """
        parts = {name: _PARTS[name](value) if name in _PARTS else value for name, value in _mapping(data).items()}
        return _made(cls, parts)


_Settings = TypeVar("_Settings", bound="DataclassInstance")
_SCHEDULES: dict[str, type[BetaSchedule]] = {"annealed": AnnealedBeta, "constant": ConstantBeta}
_NEEDED = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def _made(kind: type[_Settings], data: Mapping[str, Any]) -> _Settings:
    values, defaults = _mapping(data), {item.name: item.default for item in fields(kind)}
    for name, value in values.items():
        if name not in defaults:
            raise InputError(f"{kind.__name__} has no field {name!r}; choose among {', '.join(defaults)}")
        needed = type(defaults[name])
        fits = type(value) is needed or (needed is float and type(value) is int)
        if needed in _NEEDED and not fits:
            raise InputError(f"{name} of {kind.__name__} is {value!r}; give {_NEEDED[needed]}")
    try:
        return kind(**values)
    except TypeError as error:
        raise InputError(f"{kind.__name__} cannot be made of {values}: {error}; correct the values") from error


def _mapping(data: object) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise InputError(f"the settings hold {data!r} where fields and their values are expected; give an object")
    return dict(data)


def _beta(data: object) -> BetaSchedule:
    values = _mapping(data)
    name = values.pop("schedule", "annealed")
    if name not in _SCHEDULES:
        raise InputError(f"unknown schedule of beta {name!r}; choose one of {', '.join(_SCHEDULES)}")
    return _made(_SCHEDULES[name], values)


def _acquisition(data: object) -> AcquisitionSettings:
    values = _mapping(data)
    if "beta" in values:
        values["beta"] = _beta(values["beta"])
    return _made(AcquisitionSettings, values)


def _surrogate(data: object) -> SurrogateSettings:
    values = _mapping(data)
    if "priors" in values:
        values["priors"] = _made(Priors, values["priors"])
    return _made(SurrogateSettings, values)


def _seeds(data: object) -> SeedSettings:
    values = _mapping(data)
    points = values.get("points", ())
    try:
        values["points"] = tuple((float(row), float(col)) for row, col in points)
    except (TypeError, ValueError) as error:
        raise InputError(f"the seed points are {points!r}; give (row, column) pairs in pixels") from error
    return _made(SeedSettings, values)


_PARTS: dict[str, Callable[[Any], Any]] = {
    "patches": partial(_made, PatchSettings),
    "surrogate": _surrogate,
    "acquisition": _acquisition,
    "goal": partial(_made, Goal),
    "seeds": _seeds,
    "stop": partial(_made, StopRules),
}
