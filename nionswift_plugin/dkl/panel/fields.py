"""Fields of the panel: what is typed or chosen, and the setting that it stands for."""

from __future__ import annotations

import gettext
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nion.utils import Model

from dkl_core.errors import InputError
from nionswift_plugin.dkl.panel.model import PanelSettings

_ = gettext.gettext
Change = Callable[..., object]


class TextField:
    """A setting that is typed.

    Args:
        name: of the setting.
        parse: from what is typed; raises an `InputError` that says what to type.
        show: as it is shown.
        change: takes the setting.

    Attributes:
        text: what is shown.
    """

    def __init__(self, name: str, parse: Callable[[str], Any], show: Callable[[Any], str], change: Change) -> None:
        self._name, self._parse, self._show, self._change = name, parse, show, change
        self._is_quiet = False
        self.text: Model.PropertyModel[str] = Model.PropertyModel("")
        self.text.on_value_changed = self._typed

    def follow(self, settings: PanelSettings) -> None:
        """Show the setting."""
        self._is_quiet = True
        try:
            self.text.value = self._show(getattr(settings, self._name))
        finally:
            self._is_quiet = False

    def _typed(self, text: str | None) -> None:
        if not self._is_quiet:
            self._change(lambda: {self._name: self._parse((text or "").strip())})


class ChoiceField:
    """A setting that is chosen of a list.

    Args:
        name: of the setting.
        choices: values and their titles.
        change: takes the setting.

    Attributes:
        titles: what is listed.
        index: which is chosen.
    """

    def __init__(self, name: str, choices: Sequence[tuple[Any, str]], change: Change) -> None:
        self._name, self._change = name, change
        self._values = [value for value, _title in choices]
        self._is_quiet = False
        self.titles: Model.PropertyModel[list[str]] = Model.PropertyModel([title for _value, title in choices])
        self.index: Model.PropertyModel[int] = Model.PropertyModel(0)
        self.index.on_value_changed = self._chosen

    def offer(self, choices: Sequence[tuple[Any, str]]) -> None:
        """List something else."""
        values, titles = [value for value, _title in choices], [title for _value, title in choices]
        if (values, titles) != (self._values, self.titles.value):
            self._is_quiet = True
            try:
                self._values, self.titles.value = values, titles
            finally:
                self._is_quiet = False

    def follow(self, settings: PanelSettings) -> None:
        """Show the setting; one that is not listed shows the first."""
        value = getattr(settings, self._name)
        self._is_quiet = True
        try:
            self.index.value = self._values.index(value) if value in self._values else 0
        finally:
            self._is_quiet = False

    def _chosen(self, index: int | None) -> None:
        if not self._is_quiet and index is not None and 0 <= index < len(self._values):
            self._change(lambda: {self._name: self._values[index]})


def whole(text: str) -> int:
    """A whole number.

    Raises:
        InputError: it is none.
    """
    try:
        return int(text)
    except ValueError as error:
        raise InputError(_("{text!r} is no whole number; type digits, for instance 12").format(text=text)) from error


def number(text: str) -> float:
    """A number.

    Raises:
        InputError: it is none.
    """
    try:
        return float(text.replace(",", "."))
    except ValueError as error:
        raise InputError(_("{text!r} is no number; type for instance 2.5").format(text=text)) from error


def or_nothing(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """The same, but nothing typed is None."""
    return lambda text: parse(text) if text else None


def shown(value: object) -> str:
    """A number as it is shown, nothing for None."""
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def options(text: str) -> dict[str, Any]:
    """Options typed as `name=value, name=value`.

    Raises:
        InputError: that is not what was typed.
    """
    found: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in re.split(r"[,;]", text))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name.isidentifier() or not value:
            raise InputError(_("{part!r} is no option; type for instance rotation_deg=12").format(part=part))
        found[name] = _value(value)
    return found


def shown_options(values: Mapping[str, Any]) -> str:
    """Options as they are typed."""
    return ", ".join(
        f"{name}={_SPELT.get(value, value) if isinstance(value, bool) else value}" for name, value in values.items()
    )


_SPELT = {True: "yes", False: "no"}
_MEANT: dict[str, Any] = {"yes": True, "true": True, "no": False, "false": False, "none": None}


def _value(text: str) -> Any:
    if text.lower() in _MEANT:
        return _MEANT[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
