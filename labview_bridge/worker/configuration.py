"""The configuration of a session: one JSON text, checked key by key."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NoReturn

from dkl_core.acquisition import AcquisitionSettings, AnnealedBeta
from dkl_core.errors import InputError
from dkl_core.experiment import ExperimentSettings
from dkl_core.goal import Goal
from dkl_core.patches import PatchSettings
from dkl_core.scalarizers import NamedScalarizer, get_scalarizer
from dkl_core.zoom import ZoomRules

_USUAL = ("current", "didv", "lockin_y")
_EXAMPLE = '{"run": "gold_1", "scalarizer": "in_gap_ratio"}'


@dataclass(frozen=True)
class SessionConfig:
    """What a session goes by.

    Attributes:
        run: the run's name, which is its folder's.
        experiment: what decides which sites are measured.
        scalarizer: what makes the number of a spectrum.
        channels: names of the channels that come with the bias, in their order; empty for the usual ones.
        zoom: what a window must fulfil to become the next frame.
        margin_m: how far positions keep away from the frame's edges, m.
        max_step_m: the longest way from one position to the next, m; None: no limit.
        clockwise: whether a positive angle turns the frame clockwise.
        take_over: whether a run that another LabVIEW session uses may be taken from it.
        given: the configuration as it was given, without `take_over`.
    """

    run: str
    experiment: ExperimentSettings
    scalarizer: NamedScalarizer
    channels: tuple[str, ...] = ()
    zoom: ZoomRules = field(default_factory=ZoomRules)
    margin_m: float = 0.0
    max_step_m: float | None = None
    clockwise: bool = True
    take_over: bool = False
    given: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def parse(cls, text: str) -> SessionConfig:
        """The configuration in a JSON text.

        Raises:
            InputError: no JSON object, a key that does not exist, or a value that cannot be used.
            ScalarizerError: the scalarizer does not exist or cannot be loaded.
        """
        try:
            data = json.loads(text, parse_constant=_no_constant)
        except ValueError as error:
            raise InputError(f"the configuration is no JSON text ({error}); write for instance {_EXAMPLE}") from error
        if not isinstance(data, dict):
            raise InputError(f"the configuration is no object; write for instance {_EXAMPLE}")
        return cls.of(data)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> SessionConfig:
        """The configuration of a decoded JSON object."""
        _check_keys(data)
        name, options, channels = _scalarizer(data)
        return cls(
            run=str(data["run"]),
            experiment=_experiment(data),
            scalarizer=get_scalarizer(name, **options),
            channels=channels,
            zoom=_zoom(data.get("zoom", {})),
            margin_m=data.get("margin_m", 0.0),
            max_step_m=data.get("max_step_m"),
            clockwise=data.get("clockwise", True),
            take_over=data.get("take_over", False),
            given=MappingProxyType({key: value for key, value in data.items() if key != "take_over"}),
        )

    def channel_names(self, count: int) -> tuple[str, ...]:
        """Names of the rows of a spectrum, the bias first.

        Raises:
            InputError: the configuration names another number of channels.
        """
        if not self.channels:
            more = (f"channel_{number}" for number in range(len(_USUAL) + 1, count + 1))
            return ("bias", *_USUAL[:count], *more)
        if len(self.channels) != count:
            raise InputError(
                f"the spectrum has {count} channels beside the bias, the configuration names {len(self.channels)} "
                f"({', '.join(self.channels)}); one row per channel is needed, the bias apart from them"
            )
        return ("bias", *self.channels)


_KEYS: dict[str, tuple[type, ...]] = {
    "run": (str,),
    "scalarizer": (str, dict),
    "options": (dict,),
    "channels": (list,),
    "window": (int,),
    "step": (int,),
    "levelling": (str,),
    "seeds": (int,),
    "budget": (int,),
    "goal": (str,),
    "acquisition": (str,),
    "retries": (int,),
    "seed": (int,),
    "experiment": (dict,),
    "zoom": (dict,),
    "margin_m": (int, float),
    "max_step_m": (int, float),
    "clockwise": (bool,),
    "take_over": (bool,),
}


def _check_keys(data: Mapping[str, Any]) -> None:
    for key, value in data.items():
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(_KEYS)}"
            raise InputError(f"the configuration has the unknown key {key!r}; {hint}")
        if type(value) not in _KEYS[key]:
            names = " or ".join(kind.__name__ for kind in _KEYS[key])
            raise InputError(f"{key} is {value!r} in the configuration; give {names}")
    for key in ("run", "scalarizer"):
        if not data.get(key):
            raise InputError(f"the configuration lacks {key!r}; write for instance {_EXAMPLE}")
    if not (math.isfinite(data.get("margin_m", 0.0)) and data.get("margin_m", 0.0) >= 0):
        raise InputError(f"margin_m is {data['margin_m']!r}; give metres, zero or positive")
    if not (math.isfinite(data.get("max_step_m", 1.0)) and data.get("max_step_m", 1.0) > 0):
        raise InputError(f"max_step_m is {data['max_step_m']!r}; give metres above 0, or leave it out for no limit")


def _scalarizer(data: Mapping[str, Any]) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    given = data["scalarizer"]
    if isinstance(given, str):
        given = {"name": given}
    unknown = set(given) - {"name", "options"}
    if unknown or not isinstance(given.get("name"), str) or not isinstance(given.get("options", {}), dict):
        raise InputError('the scalarizer must be its name, or {"name": "area", "options": {"low_v": 0, "high_v": 1}}')
    channels = data.get("channels", [])
    if not all(isinstance(name, str) for name in channels):
        raise InputError("channels must be names, one for each row beside the bias")
    return given["name"], {**given.get("options", {}), **data.get("options", {})}, tuple(channels)


def _experiment(data: Mapping[str, Any]) -> ExperimentSettings:
    settings = ExperimentSettings.from_json(data.get("experiment", {}))
    seeds = data.get("seeds", settings.seeds.count)
    acquisition = settings.acquisition
    if "acquisition" not in data.get("experiment", {}):
        # The published annealing begins where the model does.
        acquisition = AcquisitionSettings(data.get("acquisition", acquisition.name), beta=AnnealedBeta(offset=seeds))
    return replace(
        settings,
        patches=_patches(data, settings.patches),
        acquisition=acquisition,
        goal=Goal.parse(data["goal"]) if "goal" in data else settings.goal,
        seeds=replace(settings.seeds, count=seeds) if "seeds" in data else settings.seeds,
        stop=replace(settings.stop, budget=data["budget"]) if "budget" in data else settings.stop,
        retries=data.get("retries", settings.retries),
        seed=data.get("seed", settings.seed),
    )


def _patches(data: Mapping[str, Any], patches: PatchSettings) -> PatchSettings:
    return replace(
        patches,
        window=data.get("window", patches.window),
        stride=data.get("step", patches.stride),
        levelling=data.get("levelling", patches.levelling),
    )


def _zoom(data: Mapping[str, Any]) -> ZoomRules:
    try:
        return ZoomRules(**data)
    except TypeError as error:
        raise InputError(f"zoom cannot be used: {error}; it has min_sites, margin_nm, max_overlap, sigmas") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
