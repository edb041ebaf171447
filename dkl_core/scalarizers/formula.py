"""A scalarizer written as a formula, such as `area(didv, 0, 0.5) / area(didv, 0, 1.5)`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from dkl_core.errors import InputError
from dkl_core.measurement import Scalar
from dkl_core.scalarizers.formula_syntax import CONSTANTS, Shape, parsed
from dkl_core.scalarizers.quality import SpectrumChecks, coverage_problem
from dkl_core.scalarizers.registry import register
from dkl_core.scalarizers.spectroscopy import trapezoid_weights, within
from dkl_core.scalarizers.spectrum import BoolArray, FloatArray, Spectrum, checked_spectrum

Operand = float | FloatArray


def _area(bias: FloatArray, values: FloatArray) -> float:
    return float(trapezoid_weights(bias, np.ones(bias.shape, dtype=np.bool_)) @ values)


def _slope(bias: FloatArray, values: FloatArray) -> float:
    offset = bias - bias.mean()
    return float(offset @ values / (offset @ offset))


_OVER_RANGE: Mapping[str, Callable[[FloatArray, FloatArray], float]] = {
    "area": _area,
    "mean": lambda _, values: float(values.mean()),
    "max": lambda _, values: float(values.max()),
    "min": lambda _, values: float(values.min()),
    "std": lambda _, values: float(values.std()),
    "slope": _slope,
    "bias_at_max": lambda bias, values: float(bias[values.argmax()]),
    "bias_at_min": lambda bias, values: float(bias[values.argmin()]),
}
_ELEMENTARY: Mapping[str, Callable[[Operand], Operand]] = {
    "abs": np.abs,
    "sqrt": np.sqrt,
    "log": np.log,
    "log10": np.log10,
    "exp": np.exp,
}
_OPERATORS: Mapping[type[ast.operator], Callable[[Operand, Operand], Operand]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_SHAPES: Mapping[str, Shape] = {
    "value_at": Shape(channel=True, bounds=(1,)),
    **dict.fromkeys(_OVER_RANGE, Shape(channel=True, bounds=(0, 2))),
    **dict.fromkeys(_ELEMENTARY, Shape(channel=False, bounds=(0,))),
}


@register("formula", raw_kind="spectrum")
@dataclass(frozen=True, kw_only=True)
class Formula(SpectrumChecks):
    """An arithmetic expression over the channels of a spectrum.

    Over a range of bias, or the whole sweep where none is given: area, mean, max, min, std, slope (of a straight line),
    bias_at_max, bias_at_min, as in `mean(current, -1, 0)`. At one bias: `value_at(didv, 0.3)`, interpolated.
    Of numbers, or of channels sample by sample: abs, sqrt, log, log10, exp and + - * / **, as in
    `mean(didv * bias / current, 0.5, 1)`. The constants pi and e. Nothing else is understood: the expression is parsed
    and walked, never run as Python.

    Every channel is checked (`SpectrumChecks`) in each range in which it is used. The noise of the result is not known.

    Attributes:
        expression: the formula; it gives one number.
        extra_channels: names of channels it may use beyond bias, current and didv.
    """

    expression: str
    extra_channels: tuple[str, ...] = ()
    _tree: ast.expr = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        channels = ("bias", "current", "didv", *self.extra_channels)
        object.__setattr__(self, "_tree", parsed(self.expression, channels, MappingProxyType(_SHAPES)))

    def __call__(self, raw: Spectrum) -> Scalar:
        """The value of the formula."""
        walk = _Walk(checked_spectrum(raw), self)
        with np.errstate(all="ignore"):
            value = float(walk.operand(self._tree))
        return self.verdict(value, walk.problems)


class _Walk:
    """One evaluation: the spectrum, and what was found wrong with it on the way."""

    def __init__(self, spectrum: Spectrum, checks: SpectrumChecks) -> None:
        self.spectrum = spectrum
        self.checks = checks
        self.problems: list[str] = []

    def operand(self, node: ast.expr) -> Operand:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name):
                return CONSTANTS[name] if name in CONSTANTS else self.spectrum.channel(name)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self.operand(inner)
            case ast.UnaryOp(operand=inner):
                return self.operand(inner)
            case ast.BinOp(left=left, op=op, right=right):
                return _OPERATORS[type(op)](np.float64(self.operand(left)), self.operand(right))
            case ast.Call(func=ast.Name(id=name), args=args) if name in _ELEMENTARY:
                return _ELEMENTARY[name](self.operand(args[0]))
            case ast.Call(func=ast.Name(id=name), args=args):
                return self.over_range(name, args[0], [float(self.operand(bound)) for bound in args[1:]])
        raise InputError(f"the formula holds {ast.unparse(node)!r}, which is not understood")

    def over_range(self, name: str, channel: ast.expr, bounds: list[float]) -> float:
        bias, values = self.spectrum.bias_v, np.asarray(self.operand(channel))
        if name == "value_at":
            return self.value_at(channel, values, bounds[0])
        low, high = bounds or (float(bias[0]), float(bias[-1]))
        used = within(self.spectrum, low, high)
        self.problems.extend(self.found(channel, used, low, high))
        return _OVER_RANGE[name](bias[used], values[used]) if used.any() else float("nan")

    def value_at(self, channel: ast.expr, values: FloatArray, at_v: float) -> float:
        bias = self.spectrum.bias_v
        right = int(np.clip(np.searchsorted(bias, at_v), 1, bias.size - 1))
        # the checks want three samples: those beside the value and one more
        used = within(self.spectrum, bias[max(right - 2, 0)], bias[min(right + 1, bias.size - 1)])
        self.problems.extend(self.found(channel, used, at_v, at_v))
        return float(np.interp(at_v, bias, values)) if bias[0] <= at_v <= bias[-1] else float("nan")

    def found(self, channel: ast.expr, used: BoolArray, low: float, high: float) -> Iterator[str]:
        names = dict.fromkeys(node.id for node in ast.walk(channel) if isinstance(node, ast.Name))
        problems = [coverage_problem(self.spectrum, low, high)]
        problems += [self.checks.problem(self.spectrum, name, used) for name in names if name in self.measured()]
        return (problem for problem in problems if problem)

    def measured(self) -> tuple[str, ...]:
        return self.spectrum.channel_names
