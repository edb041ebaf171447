"""Commands of other packages."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import metadata
from types import ModuleType
from typing import Any

import pytest

from dkl_core.cli import common, main
from tests.cli.conftest import Command

Install = Callable[..., None]


def greeting() -> ModuleType:
    """A command that greets."""
    module = ModuleType("greeting_command")

    def add_parser(commands: Any) -> argparse.ArgumentParser:
        parser = common.add_command(commands, "greet", "say hello", "dkl greet you")
        parser.add_argument("whom")
        return parser

    module.add_parser = add_parser  # type: ignore[attr-defined]
    module.run = lambda args: print(f"hello {args.whom}")  # type: ignore[attr-defined]
    return module


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes modules known as commands."""

    def known(**modules: ModuleType | None) -> None:
        points = []
        for name, module in modules.items():
            if module is not None:
                monkeypatch.setitem(sys.modules, module.__name__, module)
            value = "package_that_is_not_there" if module is None else module.__name__
            points.append(metadata.EntryPoint(name.replace("_", "-"), value, "dkl.commands"))
        monkeypatch.setattr(metadata, "entry_points", lambda **_: points)

    return known


def test_a_command_of_another_package_is_run(dkl: Command, install: Install) -> None:
    install(greet=greeting())
    assert dkl("greet", "you") == (0, "hello you\n", "")


def test_it_is_listed(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install(greet=greeting())
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "say hello" in capsys.readouterr().out


def test_a_broken_one_says_why_when_it_is_called(dkl: Command, install: Install) -> None:
    install(greet=greeting(), broken_one=None)
    status, _, error = dkl("broken-one", "some", "words")
    assert status == 1
    assert error.startswith(
        "dkl broken-one: broken-one is not available: package_that_is_not_there: ModuleNotFoundError"
    )
    assert len(error.splitlines()) == 1


def test_a_broken_one_harms_no_other(dkl: Command, install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    headless = ModuleType("command_without_run")
    headless.add_parser = greeting().add_parser  # type: ignore[attr-defined]
    install(broken_one=None, greet=greeting(), headless=headless)
    assert dkl("greet", "you")[0] == 0
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "not available" in capsys.readouterr().out


def test_a_command_of_the_core_cannot_be_replaced(dkl: Command, install: Install) -> None:
    install(info=greeting())
    status, _, error = dkl("info", "nothing.h5")
    assert status == 1
    assert "nothing.h5 cannot be read" in error


def test_one_that_fails_half_way_is_broken(dkl: Command, install: Install) -> None:
    module = greeting()
    declare = module.add_parser
    module.add_parser = lambda commands: declare(commands).add_argument("--x", type="no type")  # type: ignore[attr-defined]
    install(greet=module)
    status, _, error = dkl("greet", "you")
    assert status == 1
    assert "greet is not available: greeting_command: ValueError" in error


def test_one_that_takes_an_option_of_all_commands_for_itself_is_broken(dkl: Command, install: Install) -> None:
    module = greeting()
    declare = module.add_parser

    def add_parser(commands: Any) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = declare(commands)
        parser.add_argument("--json")
        return parser

    module.add_parser = add_parser  # type: ignore[attr-defined]
    install(greet=module)
    status, _, error = dkl("greet", "you")
    assert status == 1
    assert "conflicting option string: --json" in error
