"""Figures to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dkl_core.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".pdf", ".svg")
PRINT_DPI = 200


def save_figure(figure: Figure, path: str | Path, dpi: float = PRINT_DPI) -> Path:
    """Write a figure in the format that the suffix names.

    Args:
        figure: what to write.
        path: where to; `.png`, `.pdf` or `.svg`.
        dpi: pixels per inch of a `.png`.

    Returns:
        The path.

    Raises:
        InputError: another suffix, or a file that cannot be written there.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path.name!r} ends in {path.suffix!r}; give a file name ending in {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} does not exist; create it or choose another one")
    try:
        figure.savefig(path, dpi=dpi)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error}); choose another folder") from error
    return path
