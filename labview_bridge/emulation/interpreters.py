"""The CPython interpreters of this machine, for sessions of an emulated LabVIEW."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

SUPPORTED = tuple((3, minor) for minor in range(6, 14))
LIMIT_S = 60.0
_ASK = "import sys, platform; print(platform.python_implementation(), *sys.version_info[:2])"


@lru_cache(maxsize=1)
def interpreters() -> dict[tuple[int, int], str]:
    """One interpreter of each version from 3.6 to 3.13 that is found on the path or among pyenv's, and runs."""
    found: dict[tuple[int, int], str] = {}
    for python in _candidates():
        version = _version(python)
        if version in SUPPORTED:
            found.setdefault(version, python)
    return dict(sorted(found.items()))


def _candidates() -> Iterator[str]:
    yield sys.executable
    for root in _pyenv_roots():
        yield from (str(python) for python in sorted(root.glob("versions/3.*/bin/python")))
    for major, minor in SUPPORTED:
        named = shutil.which(f"python{major}.{minor}")
        if named is not None:
            yield named


def _pyenv_roots() -> Iterator[Path]:
    named = os.environ.get("PYENV_ROOT")
    if named:
        yield Path(named)
    pyenv = shutil.which("pyenv")
    if pyenv is not None:
        yield Path(_printed(pyenv, "root"))
    yield Path.home() / ".pyenv"


def _version(python: str) -> tuple[int, int] | None:
    # Names that pyenv puts on the path fail when run, so each is run.
    words = _printed(python, "-c", _ASK).split()
    return (int(words[1]), int(words[2])) if len(words) == 3 and words[0] == "CPython" else None


def _printed(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
