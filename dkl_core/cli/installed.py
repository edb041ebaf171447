"""Commands that installed packages add to `dkl`: entry points in the group `dkl.commands`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Protocol

from dkl_core.cli import common
from dkl_core.errors import DKLError, ScalarizerError
from dkl_core.scalarizers.results import guarded

ENTRY_POINT_GROUP = "dkl.commands"


class Command(Protocol):
    """A module that is a command."""

    def add_parser(self, commands: Any) -> argparse.ArgumentParser:
        """Declare the command."""

    def run(self, args: argparse.Namespace) -> None:
        """Do it."""


@dataclass(frozen=True)
class _Broken:
    """Stands for a command that cannot be used, and says why when it is called."""

    name: str
    why: str

    def add_parser(self, commands: Any) -> argparse.ArgumentParser:
        summary = f"not available: {self.why}".replace("%", "%%")
        parser = common.add_command(commands, self.name, summary, f"dkl {self.name}")
        parser.add_argument("ignored", nargs="*", help=argparse.SUPPRESS)
        return parser

    def run(self, args: argparse.Namespace) -> None:
        raise DKLError(f"{args.command} is not available: {self.why}; update or remove the package that brings it")


def declare(command: Command, commands: Any) -> None:
    """Declare a command with the options that all have.

    Args:
        command: what is run.
        commands: the subparsers.
    """
    parser = command.add_parser(commands)
    parser.add_argument("--json", metavar="OUT", help="write the results to this file as JSON")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=command.run)


def add_installed(commands: Any, known: Iterable[str]) -> None:
    """Declare the commands of installed packages; one that is broken says so when it is called.

    Args:
        commands: the subparsers.
        known: names that are taken.
    """
    points = {point.name: point for point in metadata.entry_points(group=ENTRY_POINT_GROUP)}
    for name in sorted(set(points) - set(known)):
        _add(points[name], commands)


def _add(point: metadata.EntryPoint, commands: Any) -> None:
    try:
        guarded(lambda found: _declare_whole(found.load(), commands), point, name=point.value)
    except ScalarizerError as error:
        commands.choices.pop(point.name, None)  # it may have failed half way
        declare(_Broken(point.name, str(error)), commands)


def _declare_whole(command: Command, commands: Any) -> None:
    if not callable(getattr(command, "run", None)):
        raise DKLError("it has no run(args)")
    declare(command, commands)
