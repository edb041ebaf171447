"""JSON text that gives every float back exactly, NaN and infinity included, and stays valid JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dkl_core.errors import InputError

_FLOAT = "$float"


def encoded(value: object, where: str) -> Any:
    """The value as plain JSON types; a float that JSON lacks becomes {"$float": "nan"}.

    Args:
        value: None, bool, int, float, str, NumPy scalars, and sequences and mappings of these.
        where: name of the value, for the error message.

    Raises:
        InputError: the value or one inside it is of another type.
    """
    if isinstance(value, np.generic):
        value = value.item()
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {_FLOAT: str(float(value))}
        case list() | tuple():
            return [encoded(item, f"{where}[{index}]") for index, item in enumerate(value)]
        case Mapping():
            return {_key(key, where): encoded(item, f"{where}.{key}") for key, item in value.items()}
    raise InputError(
        f"{where} is a {type(value).__name__}, which a record cannot keep as text; "
        f"give numbers, text, lists or mappings, and put arrays among the event's arrays"
    )


def decoded(value: Any) -> Any:
    """The inverse of `encoded`; tuples come back as lists."""
    match value:
        case list():
            return [decoded(item) for item in value]
        case {"$float": text}:
            return float(text)
        case dict():
            return {key.removeprefix("$"): decoded(item) for key, item in value.items()}
    return value


def to_text(value: Any) -> str:
    """One line of ASCII for a value that went through `encoded`."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def from_text(text: str | bytes) -> Any:
    """What `to_text` wrote, still encoded."""
    return json.loads(text)


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise InputError(f"{where} has the key {key!r}; keys must be text")
    # A second "$" tells a user's key from the marker of a float.
    return f"${key}" if key.startswith("$") else key
