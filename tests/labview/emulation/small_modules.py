"""A folder of the VI's modules, as small as they can be: its machinery is tested, not its decisions."""

from __future__ import annotations

from pathlib import Path

DECISION = """
import os

BASE = {base!r}

def _read(name):
    with open(os.path.join(BASE, name)) as file:
        return file.read()

def _rows(text):
    return [line.split() for line in text.splitlines()[1:] if line]

def dkl_gpax_LV(scan_file, compilation_file, step, window_size, iter_no):
    if iter_no == {fails_at!r}:
        raise FileNotFoundError(compilation_file)
    pixels = len(_read(scan_file).splitlines()) - 2
    size = int(pixels ** 0.5)
    done = len(_rows(_read(compilation_file)))
    places = [(x, y) for y in range(0, size, step) for x in range(0, size, step)
              if x >= window_size // 2 and y >= window_size // 2
              and x + window_size // 2 <= size and y + window_size // 2 <= size]
    index = (7 * done) % len(places)
    return [places[index][0], places[index][1], index, len(places)]
"""
SCALARIZER = """
def scalarizer(spectroscopy_filename, spec_array, x_pixel, y_pixel):
    {body}
    return max(spec_array[1])
"""


def small_modules(folder: Path, base: Path, *, fails_at: int = 0, body: str = "pass") -> Path:
    """Write the modules.

    Args:
        folder: where to.
        base: the VI's base folder.
        fails_at: iteration at which the decision raises.
        body: first line of the scalarizer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "DKL_using_gpax.py").write_text(DECISION.format(base=str(base), fails_at=fails_at))
    (folder / "scalarizer.py").write_text(SCALARIZER.format(body=body))
    return folder
