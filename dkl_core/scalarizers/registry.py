"""Scalarizers by name: the built-in ones, those of installed packages, and the user's own function.

A scalarizer is any callable from a raw measurement to a `Scalar`. The registry knows nothing of spectra or patterns but
the word for them, so that one list serves every host.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from numbers import Integral, Real
from types import MappingProxyType, NoneType
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from dkl_core.errors import ScalarizerError
from dkl_core.measurement import Scalar
from dkl_core.scalarizers.results import as_scalar, display_name, guarded
from dkl_core.scalarizers.user import is_reference, load_reference

ENTRY_POINT_GROUP = "dkl.scalarizers"
RawKind = Literal["spectrum", "pattern", "block", "any"]
_PLAIN: Mapping[str, tuple[type, str]] = {
    "bool": (bool, "true or false"),
    "int": (Integral, "a whole number"),
    "float": (Real, "a number"),
    "str": (str, "a text"),
    "None": (NoneType, "none"),
}
Maker = TypeVar("Maker", bound=Callable[..., Any])


@runtime_checkable
class Scalarizer(Protocol):
    """What an experiment needs: one number from one raw measurement, under a name."""

    @property
    def name(self) -> str:
        """How the record and the figures call it."""

    def __call__(self, raw: Any, /) -> Scalar:
        """The scalar of one raw measurement."""


@dataclass(frozen=True)
class ScalarizerOption:
    """An option of a scalarizer.

    Attributes:
        name: the option, in the field's terms and with its unit.
        kind: its type, as written in the code; empty if not stated.
        required: whether it has no default.
        default: its default, None if it is required.
    """

    name: str
    kind: str
    required: bool
    default: object = None


@dataclass(frozen=True)
class ScalarizerInfo:
    """A scalarizer that can be asked for by name.

    Attributes:
        name: what `get_scalarizer` takes.
        raw_kind: the raw measurement it works on; `any` where it is not stated.
        summary: one line on what it measures.
        options: what it can be given.
        problem: why it cannot be loaded; empty if it can.
    """

    name: str
    raw_kind: RawKind = "any"
    summary: str = ""
    options: tuple[ScalarizerOption, ...] = ()
    problem: str = ""


@dataclass(frozen=True, eq=False)
class NamedScalarizer:
    """A scalarizer as the experiment holds it: it returns a `Scalar`, or raises a `ScalarizerError` that names it.

    Attributes:
        name: registered name or reference; `get_scalarizer(name, **options)` makes it again.
        function: what is called with the raw measurement.
        raw_kind: the raw measurement it works on.
        options: all options with their values, defaults included.
    """

    name: str
    function: Callable[[Any], object]
    raw_kind: RawKind = "any"
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    def __call__(self, raw: Any, /) -> Scalar:
        """The scalar of one raw measurement.

        Raises:
            ScalarizerError: the function raised, or returned something that is not a number.
        """
        return as_scalar(guarded(self.function, raw, name=self.name), name=self.name)


@dataclass(frozen=True)
class _Entry:
    """What makes a scalarizer: a class to build with options, or a function to call with raw data and options."""

    maker: Callable[..., Any]
    raw_kind: RawKind


_entries: dict[str, _Entry] = {}


def register(name: str, *, raw_kind: RawKind = "any") -> Callable[[Maker], Maker]:
    """Make a class or a function known under a name (a decorator).

    Args:
        name: lower-case letters, digits and _.
        raw_kind: the raw measurement it takes.

    Returns:
        The decorator. It takes a class whose instances are called with the raw measurement and whose fields are the
        options, or a function whose further arguments are the options.

    Raises:
        ScalarizerError: the name is malformed or stands for something else already.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ScalarizerError(f"{name!r} cannot name a scalarizer; use lower-case letters, digits and _")

    def remember(maker: Maker) -> Maker:
        known = _entries.get(name)
        if known is not None and _origin(known.maker) != _origin(maker):
            raise ScalarizerError(f"the scalarizer {name!r} is {_origin(known.maker)} already; choose another name")
        _entries[name] = _Entry(maker, raw_kind)
        return maker

    return remember


def get_scalarizer(name: str, **options: Any) -> NamedScalarizer:
    """The scalarizer of that name, built with its options.

    Args:
        name: a registered name, the name of an entry point in the group `dkl.scalarizers`, or the user's own function
            or class as `package.module:function` or `path/to/file.py:function`.
        **options: the fields of the class, or the further arguments of the function.

    Raises:
        ScalarizerError: unknown name, code that cannot be loaded, or options that do not fit.
    """
    entry = _entries.get(name)
    if entry is None and is_reference(name):
        entry = _entry_of(load_reference(name))
    if entry is None:
        entry = _installed(name)
    if entry is None:
        raise ScalarizerError(_unknown(name))
    known = _options(entry.maker)
    _check_options(name, entry.maker, known, options)
    values = {option.name: option.default for option in known if not option.required} | options
    function = _built(name, entry.maker, options) if inspect.isclass(entry.maker) else partial(entry.maker, **options)
    return NamedScalarizer(name, function, entry.raw_kind, MappingProxyType(values))


def as_scalarizer(function: Callable[[Any], object], name: str = "", raw_kind: RawKind = "any") -> NamedScalarizer:
    """The user's own function object as a scalarizer; what it returns is normalised to a `Scalar`.

    Args:
        function: called with the raw measurement. It may return a number, (number, valid) or a `Scalar`.
        name: what to call it; by default the function's own name.
        raw_kind: the raw measurement it takes.
    """
    if isinstance(function, NamedScalarizer):
        return function
    return NamedScalarizer(name or display_name(function), function, raw_kind)


def try_scalarizer(scalarizer: Callable[[Any], object], raw: Any) -> Scalar:
    """The dry run: what a scalarizer makes of one measurement, before an experiment starts with it.

    Args:
        scalarizer: any scalarizer or function.
        raw: one raw measurement, as the host delivers it.

    Returns:
        The scalar; an invalid one is a possible answer (its `reason` says why).

    Raises:
        ScalarizerError: it raised, or returned something that is not a number.
    """
    return as_scalarizer(scalarizer)(raw)


def available_scalarizers(raw_kind: RawKind | None = None) -> tuple[ScalarizerInfo, ...]:
    """The scalarizers that can be asked for by name, sorted; those of installed packages are loaded for it.

    Args:
        raw_kind: list only those that take this kind of raw measurement, and those that do not say; None lists all.
    """
    found = {name: _info(name, entry) for name, entry in _entries.items()}
    for point in metadata.entry_points(group=ENTRY_POINT_GROUP):
        if point.name not in found:
            found[point.name] = _installed_info(point.name)
    return tuple(
        info for _, info in sorted(found.items()) if raw_kind in (None, info.raw_kind) or info.raw_kind == "any"
    )


def _installed(name: str) -> _Entry | None:
    for point in metadata.entry_points(group=ENTRY_POINT_GROUP, name=name):
        return _entry_of(guarded(lambda found: found.load(), point, name=f"entry point {name} ({point.value})"))
    return None


def _installed_info(name: str) -> ScalarizerInfo:
    try:
        entry = _installed(name)
    except ScalarizerError as error:
        return ScalarizerInfo(name, problem=str(error))
    return ScalarizerInfo(name) if entry is None else _info(name, entry)


def _entry_of(maker: object) -> _Entry:
    for entry in _entries.values():
        if entry.maker is maker:
            return entry
    if not callable(maker):
        raise ScalarizerError(f"{maker!r} is a {type(maker).__name__}, not a scalarizer; give a function or a class")
    return _Entry(maker, "any")


def _info(name: str, entry: _Entry) -> ScalarizerInfo:
    summary = (inspect.getdoc(entry.maker) or "").partition("\n")[0]
    return ScalarizerInfo(name, entry.raw_kind, summary, _options(entry.maker))


def _parameters(maker: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    parameters = tuple(guarded(inspect.signature, maker, name=display_name(maker)).parameters.values())
    return parameters if inspect.isclass(maker) else parameters[1:]


def _options(maker: Callable[..., Any]) -> tuple[ScalarizerOption, ...]:
    named = (p for p in _parameters(maker) if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    return tuple(
        ScalarizerOption(
            p.name,
            "" if p.annotation is p.empty else inspect.formatannotation(p.annotation).strip("'"),
            p.default is p.empty,
            None if p.default is p.empty else p.default,
        )
        for p in named
    )


def _check_options(
    name: str, maker: Callable[..., Any], known: tuple[ScalarizerOption, ...], given: Mapping[str, object]
) -> None:
    names = [option.name for option in known]
    unknown = [option for option in given if option not in names]
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in _parameters(maker)):
        raise ScalarizerError(f"{name} has no option {', '.join(unknown)}; it has {', '.join(names) or 'none'}")
    missing = [option.name for option in known if option.required and option.name not in given]
    if missing:
        raise ScalarizerError(f"{name} needs the option {' and '.join(missing)}")
    for option in known:
        if option.name in given:
            _check_kind(f"{name}: {option.name}", given[option.name], option.kind.split(" | "))


def _check_kind(what: str, value: object, kinds: list[str]) -> None:
    """Refuse a value that is of none of the kinds; where one of them is not plain, the maker has to judge."""
    if not all(kind in _PLAIN for kind in kinds):
        return
    fits = "bool" in kinds if isinstance(value, bool) else isinstance(value, tuple(_PLAIN[kind][0] for kind in kinds))
    if not fits:
        raise ScalarizerError(f"{what} is {value!r}; give {' or '.join(_PLAIN[kind][1] for kind in kinds)}")


def _built(name: str, maker: type, options: Mapping[str, Any]) -> Callable[[Any], object]:
    built: object = guarded(lambda given: maker(**given), options, name=name)
    if callable(built):
        return built
    raise ScalarizerError(f"{name} makes a {type(built).__name__} that cannot be called; give it __call__(self, raw)")


def _origin(maker: Callable[..., Any]) -> str:
    return f"{maker.__module__}.{maker.__qualname__}"


def _unknown(name: str) -> str:
    names = sorted({*_entries, *(point.name for point in metadata.entry_points(group=ENTRY_POINT_GROUP))})
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"choose one of {', '.join(names)}, or give file.py:function"
    return f"there is no scalarizer {name!r}; {hint}"
