"""The command `dkl`."""

from dkl_core.cli.main import main

__all__ = ["main"]
