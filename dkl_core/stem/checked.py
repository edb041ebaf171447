"""Checks of settings."""

from __future__ import annotations

import math

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
