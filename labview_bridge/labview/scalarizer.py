"""In the place of the published `scalarizer.py`: `scalarizer.vi` asks here for the scalar of a spectrum.

Standard library only, Python 3.6 syntax, loaded by its path alone.
"""

import os
import sys
from typing import Any, Tuple

_FOLDER = os.path.dirname(os.path.abspath(__file__))
if _FOLDER not in sys.path:
    # LabVIEW loads this file by its path: the modules beside it are found only so.
    sys.path.insert(0, _FOLDER)

import _dropin_measure as _measure  # noqa: E402
import _dropin_status as _status  # noqa: E402


def scalarizer(spectroscopy_filename: Any, spec_array: Any, x_pixel: Any, y_pixel: Any) -> float:
    """The scalar of a spectrum, which is kept in the run's journal.

    Args:
        spectroscopy_filename: `<Name>_spectroscopy.txt`; it names the experiment.
        spec_array: rows are channels: bias in V, current in A, LIX, LIY, …; nested lists, or a NumPy array.
        x_pixel: column of the site.
        y_pixel: row of the site, counted from the bottom.

    Returns:
        The scalar; 0.0 where there is none, which the published rule does not learn from. Never NaN.
    """
    try:
        return _measure.measured(_FOLDER, (spectroscopy_filename, spec_array, x_pixel, y_pixel))
    except Exception as error:  # noqa: BLE001 - the VI takes no notice of errors
        _status.report(_FOLDER, "dkl", _status.ERROR, f"{type(error).__name__}: {error}")
        return _measure.INVALID


def last_error() -> Tuple[int, str]:
    """Code and text of the last call, for a VI that looks: (0, "") when all was well."""
    return _status.last_error()
