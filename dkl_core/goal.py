"""What is looked for: the largest scalar, the smallest, or a value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from dkl_core.errors import InputError
from dkl_core.survey import FloatArray

Direction = Literal["maximise", "minimise", "target"]


@dataclass(frozen=True)
class Goal:
    """Maximise the scalar, minimise it, or reach a value.

    The published runs minimise s by maximising k - s with a constant k; `minimise` visits the same sites.

    Attributes:
        direction: `maximise`, `minimise` or `target`.
        value: the value to reach, in the scalar's units; only for `target`.
    """

    direction: Direction = "maximise"
    value: float | None = None

    def __post_init__(self) -> None:
        if self.direction not in get_args(Direction):
            raise InputError(f"unknown goal {self.direction!r}; choose one of {', '.join(get_args(Direction))}")
        if (self.direction == "target") != (self.value is not None):
            raise InputError("give a value with the goal 'target', and only there")
        if self.value is not None and not math.isfinite(self.value):
            raise InputError(f"the target value is {self.value}; give a finite number")

    @classmethod
    def parse(cls, text: str) -> Goal:
        """A goal from `maximise`, `minimise` or `target=VALUE`.

        Raises:
            InputError: anything else.
        """
        name, _, value = text.strip().partition("=")
        name = {"maximize": "maximise", "minimize": "minimise"}.get(name, name)
        if name not in get_args(Direction):
            raise InputError(f"unknown goal {text!r}; write maximise, minimise or target=VALUE")
        try:
            return cls(name, float(value) if value else None)  # type: ignore[arg-type]
        except ValueError as error:
            raise InputError(f"the goal {text!r} is not understood: {error}") from error

    def __str__(self) -> str:
        """The goal as `parse` reads it."""
        return self.direction if self.value is None else f"target={float(self.value)!r}".removesuffix(".0")

    def merit(self, values: ArrayLike) -> FloatArray:
        """Values on a scale where more is better: s, -s or -|s - value|."""
        scalars = np.asarray(values, dtype=np.float64)
        match self.direction:
            case "maximise":
                return scalars
            case "minimise":
                return -scalars
        assert self.value is not None
        return -np.abs(scalars - self.value)
