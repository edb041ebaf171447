"""What a scalarizer may return, and what happens when it raises: one `Scalar` or one clear error."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from pathlib import PurePath
from typing import Any, TypeVar

import numpy as np

from dkl_core.errors import DKLError, ScalarizerError
from dkl_core.measurement import Scalar

Given = TypeVar("Given")
Returned = TypeVar("Returned")

_EXPECTED = "return a number, (number, valid) or a Scalar"


def as_scalar(result: object, *, name: str) -> Scalar:
    """What a scalarizer returned, as a `Scalar`.

    Args:
        result: a number (NumPy scalars and zero-dimensional arrays or tensors among them), a pair (number, valid) or
            a `Scalar`. A number that is not finite is invalid.
        name: the scalarizer, for messages.

    Raises:
        ScalarizerError: it is something else.
    """
    if isinstance(result, Scalar):
        return _checked(result.value, result, name)
    if isinstance(result, tuple) and len(result) == 2:
        value, valid = result
        if not isinstance(valid, bool | np.bool_):
            raise ScalarizerError(f"{name} returned {result!r}, whose second part is not True or False; {_EXPECTED}")
        reason = "" if valid else f"{name} called it invalid"
        return _checked(value, Scalar(math.nan, bool(valid), reason), name)
    return _checked(result, Scalar(math.nan), name)


def guarded(function: Callable[[Given], Returned], given: Given, *, name: str) -> Returned:
    """The result of code that is not ours.

    Raises:
        ScalarizerError: it raised anything; the message holds the scalarizer's name, the error and its line.
    """
    try:
        return function(given)
    except Exception as error:  # a user's code may raise anything, and the run has to survive it
        what = str(error) if isinstance(error, DKLError) else f"{type(error).__name__}: {error}{_place(error)}"
        raise ScalarizerError(f"{name}: {what}") from error


def display_name(function: object) -> str:
    """What to call a function or an object in messages."""
    own: Any = getattr(function, "name", None) or getattr(function, "__name__", None)
    return own if isinstance(own, str) else type(function).__name__


def _checked(value: object, scalar: Scalar, name: str) -> Scalar:
    number = _number(value, name)
    if not math.isfinite(number) and scalar.valid:
        return Scalar.invalid(f"{name} returned {number}, which is not a finite number", number)
    return Scalar(number, bool(scalar.valid), str(scalar.reason), _variance(scalar.noise_variance, name))


def _variance(value: object, name: str) -> float | None:
    variance = None if value is None else _number(value, name)
    if variance is None or 0.0 <= variance < math.inf:
        return variance
    raise ScalarizerError(f"{name} returned a noise variance of {variance}; give a finite one, not negative, or None")


def _number(value: object, name: str) -> float:
    if isinstance(value, bool | np.bool_):
        raise ScalarizerError(f"{name} returned {value}; {_EXPECTED}, float({value}) if 0 or 1 is meant")
    if isinstance(value, Real):
        return float(value)
    # zero-dimensional arrays and tensors
    single: Any = value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else None
    if isinstance(single, Real) and not isinstance(single, bool):
        return float(single)
    shape = getattr(value, "shape", None)
    what = f"{type(value).__name__} of shape {tuple(shape)}" if shape else f"{type(value).__name__} {value!r:.60}"
    raise ScalarizerError(f"{name} returned a {what}; {_EXPECTED}")


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" ({PurePath(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno})"
