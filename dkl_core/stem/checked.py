"""Checks of settings, and settings from their JSON form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from dkl_core.errors import InputError


def require_not_negative(**values: float) -> None:
    """Check that named values are 0 or more.

    Raises:
        InputError: one that is not.
    """
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"{name} is {value:g}, expected 0 or more; give 0 to switch it off")


def require_positive(**values: float) -> None:
    """Check that named values are more than 0.

    Raises:
        InputError: one that is not.
    """
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value:g}, expected more than 0; give a positive number")


def made(kind: Any, data: Any) -> Any:
    """A dataclass from its JSON form; fields that are missing take their defaults.

    Args:
        kind: the dataclass; parts of it may be dataclasses, pairs of numbers, or tuples of dataclasses.
        data: names and values.

    Raises:
        InputError: a field that does not exist or has an unusable value.
    """
    if not isinstance(data, Mapping):
        raise InputError(f"{kind.__name__} is {data!r}; give an object with named values")
    defaults = _defaults(kind)
    known = [item.name for item in fields(kind)]
    for name in data:
        if name not in known:
            raise InputError(f"{kind.__name__} has no field {name!r}; choose among {', '.join(known)}")
    try:
        return kind(
            **{name: _value(f"{kind.__name__}.{name}", value, defaults.get(name)) for name, value in data.items()}
        )
    except TypeError as error:
        raise InputError(
            f"{kind.__name__} cannot be made of {dict(data)!r} ({error}); give every value it needs"
        ) from error


def _defaults(kind: Any) -> dict[str, Any]:
    """Default values, none for a class whose fields all have to be given."""
    if any(item.default is MISSING and item.default_factory is MISSING for item in fields(kind)):
        return {}
    default = kind()
    return {item.name: getattr(default, item.name) for item in fields(kind)}


def _value(name: str, value: Any, default: Any) -> Any:
    """A value as the field needs it, by the type of its default."""
    if isinstance(default, tuple) and default and is_dataclass(default[0]):
        return tuple(made(type(default[0]), row) for row in value)
    if hasattr(default, "__dataclass_fields__"):
        return made(type(default), value)
    if isinstance(default, tuple):
        if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(_is_number, value)):
            raise InputError(f"{name} is {value!r}; give two finite numbers")
        return float(value[0]), float(value[1])
    if isinstance(default, bool) and not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}; give true or false")
    if isinstance(default, int | float) and not isinstance(default, bool) and not _is_number(value):
        raise InputError(f"{name} is {value!r}; give a finite number")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
