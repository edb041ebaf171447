"""The command `dkl`: parses, runs a command, and turns errors into one line."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence

from dkl_core import __version__
from dkl_core.cli import demo, discover, evaluate, find_atoms, info, replay, resume, show, simulate, train_atoms
from dkl_core.cli.common import check_json
from dkl_core.cli.installed import add_installed, declare
from dkl_core.errors import DKLError

# Those that keep a record which `dkl resume` goes on with.
_RECORDING = ("demo", "replay", "resume", "swift-demo")
_COMMANDS = (demo, replay, evaluate, show, info, resume, simulate, discover, find_atoms, train_atoms)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the words after `dkl`; those of the process if None.

    Returns:
        Exit status: 0 only on success, 1 on an error, 130 when interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    args = _parser(words[0] if words else "").parse_args(words)
    try:
        check_json(getattr(args, "json", None))
        args.run(args)
    except KeyboardInterrupt:
        kept = "; what was measured is kept, continue with: dkl resume RUN" if args.command in _RECORDING else ""
        print(f"dkl: interrupted{kept}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
    except (DKLError, OSError, MemoryError) as error:
        if args.debug:
            traceback.print_exc()
        print(f"dkl {args.command}: {_one_line(error)}", file=sys.stderr)
        return 1
    return 0


def _parser(word: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dkl", description="Deep kernel learning that decides where a microscope measures next."
    )
    parser.add_argument("--version", action="version", version=f"dkl {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        declare(command, commands)
    # Other packages are loaded only where one of theirs may be meant.
    if word not in commands.choices:
        add_installed(commands, commands.choices)
    return parser


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__
