"""Names of runs: each is a folder of that name directly in the runs folder, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from labview_bridge.worker.problems import Code, WorkerError

_ALLOWED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .+-]{0,79}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def run_folder(runs: Path, name: object) -> Path:
    """The folder of a run; it need not be there yet.

    Args:
        runs: the runs folder, symbolic links resolved.
        name: what the user calls the run.

    Raises:
        WorkerError: the name is no plain folder name, or its folder lies elsewhere by a link.
    """
    if not isinstance(name, str) or not name.strip():
        raise WorkerError(Code.INPUT, "the run has no name: give 'run' in the configuration, e.g. \"2026-05-04_gold\"")
    text = name.strip()
    if not _ALLOWED.fullmatch(text) or _RESERVED.fullmatch(text) or ".." in text or text.endswith("."):
        raise WorkerError(
            Code.INPUT,
            f"the run cannot be called {text[:80]!r}: use up to 80 letters, digits, blanks and _ . + -, no folders, "
            "no name that Windows keeps for itself",
        )
    folder = runs / text
    if folder.is_symlink() or folder.resolve().parent != runs.resolve():
        raise WorkerError(Code.INPUT, f"the folder of the run {text!r} is a link to elsewhere; give another name")
    return folder
