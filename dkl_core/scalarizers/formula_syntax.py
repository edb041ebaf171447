"""What a formula may say: its grammar, checked before anything is measured."""

from __future__ import annotations

import ast
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from dkl_core.errors import InputError

CONSTANTS: Mapping[str, float] = {"pi": math.pi, "e": math.e}
_MAX_LENGTH = 500
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)


@dataclass(frozen=True)
class Shape:
    """How a function is called.

    Attributes:
        channel: whether it makes a number of a channel; otherwise it takes either and gives the same.
        bounds: how many numbers may follow the first argument.
    """

    channel: bool
    bounds: tuple[int, ...]


def parsed(expression: str, channels: Collection[str], functions: Mapping[str, Shape]) -> ast.expr:
    """The expression's tree, after every part of it has been checked.

    Args:
        expression: the formula.
        channels: names that stand for channels.
        functions: the functions by name.

    Raises:
        InputError: it cannot be parsed, holds anything else than numbers, the names given, + - * / ** and calls, or
            does not come to one number.
    """
    if not expression.strip():
        raise InputError("the formula is empty; give an expression such as area(didv, 0, 0.5)")
    if len(expression) > _MAX_LENGTH:
        raise InputError(f"the formula has {len(expression)} characters; give at most {_MAX_LENGTH}")
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else type(error).__name__
        raise InputError(
            f"the formula {expression!r} cannot be read: {reason}; check brackets and operators"
        ) from error
    if _Grammar(channels, functions).gives_channel(tree):
        raise InputError(f"the formula {expression!r} gives a whole channel; make it one number, e.g. mean(...)")
    return tree


@dataclass(frozen=True)
class _Grammar:
    channels: Collection[str]
    functions: Mapping[str, Shape]

    def gives_channel(self, node: ast.expr) -> bool:
        """Whether a part of the formula stands for a channel rather than for a number; refuses what is not allowed."""
        match node:
            case ast.Constant(value=value) if isinstance(value, int | float) and not isinstance(value, bool):
                return False
            case ast.Name(id=name):
                return self._name(name)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner):
                return self.gives_channel(inner)
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _OPERATORS):
                sides = (self.gives_channel(left), self.gives_channel(right))
                return any(sides)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if args:
                return self._call(name, args)
        raise InputError(
            f"the formula holds {ast.unparse(node)!r}, which is not allowed; use numbers, channels, calls, + - * / **"
        )

    def _name(self, name: str) -> bool:
        if name in self.channels:
            return True
        if name in CONSTANTS:
            return False
        what = "a function, write it with brackets" if name in self.functions else "unknown"
        raise InputError(f"{name!r} in the formula is {what}; the channels are {', '.join(self.channels)}")

    def _call(self, name: str, args: list[ast.expr]) -> bool:
        shape = self.functions.get(name)
        if shape is None:
            raise InputError(f"the formula calls {name!r}, which is unknown; use {', '.join(sorted(self.functions))}")
        if len(args) - 1 not in shape.bounds:
            allowed = " or ".join(str(count + 1) for count in shape.bounds)
            raise InputError(f"{name} takes {allowed} argument{'s' * (allowed != '1')}, not {len(args)}")
        channels = [self.gives_channel(arg) for arg in args]
        if shape.channel and (not channels[0] or any(channels[1:])):
            raise InputError(
                f"{name} takes a channel first, then numbers, e.g. {name}(didv{', 0.5' * shape.bounds[-1]})"
            )
        return channels[0] and not shape.channel
