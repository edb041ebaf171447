"""Settings from their JSON form: data classes whose fields are numbers, texts, and data classes again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

from dkl_core.errors import InputError

Settings = TypeVar("Settings")
Parts = Mapping[str, Callable[[Any], Any]]
# What a field of a plain type needs, by the name of the type.
_NEEDED = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "a text"}


def made(kind: type[Settings], data: object, parts: Parts | None = None) -> Settings:
    """A data class from its JSON form; fields that are missing take their defaults.

    Args:
        kind: the data class; a field whose default is a data class, a pair of numbers or a tuple of data classes is
            made of an object, a list of two numbers, a list of objects.
        data: names and values.
        parts: what makes the value of a field that needs more than that, by the field's name.

    Raises:
        InputError: data that are no object, a field that does not exist or has an unusable value, or one that is
            missing and has no default.
    """
    values, defaults = mapping(data, kind.__name__), _defaults(kind)
    for name in values:
        if name not in defaults:
            raise InputError(f"{kind.__name__} has no field {name!r}; choose among {', '.join(defaults)}")
    types = {item.name: item.type for item in fields(kind)}  # type: ignore[arg-type]
    given = {}
    for name, value in values.items():
        if parts and name in parts:
            given[name] = parts[name](value)
        else:
            given[name] = _value(name, kind.__name__, types[name], value, defaults[name])
    try:
        return kind(**given)
    except TypeError as error:
        raise InputError(f"{kind.__name__} cannot be made of {values}: {error}; correct the values") from error


def mapping(data: object, name: str = "an object") -> dict[str, Any]:
    """The fields of a JSON object.

    Raises:
        InputError: it is none.
    """
    if not isinstance(data, Mapping):
        raise InputError(
            f"{name} cannot be made of {data!r}: the settings hold {data!r} where fields and their values are "
            "expected; give an object"
        )
    return dict(data)


def _defaults(kind: Any) -> dict[str, Any]:
    """Default values by the names of all fields; `MISSING` everywhere where one has to be given."""
    known = fields(kind)
    if any(item.default is MISSING and item.default_factory is MISSING for item in known):
        return dict.fromkeys((item.name for item in known), MISSING)
    default = kind()
    return {item.name: getattr(default, item.name) for item in known}


def _value(name: str, kind: str, wanted: object, value: Any, default: Any) -> Any:
    """A value as a field needs it."""
    plain = "str" if isinstance(default, str) else str(wanted)
    if plain in _NEEDED and not _fits(value, plain):
        raise InputError(f"{kind} cannot be made: {name} of {kind} is {value!r}; give {_NEEDED[plain]}")
    if is_dataclass(default):
        return made(type(default), value)
    if isinstance(default, tuple) and default and is_dataclass(default[0]):
        if not isinstance(value, list | tuple):
            raise InputError(f"{kind} cannot be made: {name} of {kind} is {value!r}; give a list of objects")
        return tuple(made(type(default[0]), row) for row in value)
    if isinstance(default, tuple) and len(default) == 2:
        if not isinstance(value, list | tuple) or len(value) != 2 or not all(_fits(part, "float") for part in value):
            raise InputError(f"{kind} cannot be made: {name} of {kind} is {value!r}; give two finite numbers")
        return float(value[0]), float(value[1])
    return value


def _fits(value: object, wanted: str) -> bool:
    match wanted:
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, str)
