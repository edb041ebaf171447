"""In the place of the published `DKL_using_gpax.py`: `py_for_dkl.vi` asks here where to measure next.

Standard library only, Python 3.6 syntax, loaded by its path alone.
"""

import os
import sys
from typing import Any, List, Tuple

_FOLDER = os.path.dirname(os.path.abspath(__file__))
if _FOLDER not in sys.path:
    # LabVIEW loads this file by its path: the modules beside it are found only so.
    sys.path.insert(0, _FOLDER)

import _dropin_decide as _decide  # noqa: E402
import _dropin_status as _status  # noqa: E402


def dkl_gpax_LV(scan_file: Any, compilation_file: Any, step: Any, window_size: Any, iter_no: Any) -> List[int]:  # noqa: N802
    """The next place to measure.

    Args:
        scan_file: name of the topograph's text file in the base folder.
        compilation_file: name of the text file with one row per measurement.
        step: distance of neighbouring sites, pixels.
        window_size: edge of the window round a site, pixels.
        iter_no: number of the measurement, from 1; 1 begins a new run.

    Returns:
        [x, y, index, number of sites]: column, row counted from the bottom of the frame, number of the site in the
        fitting grid. It never raises: the VI takes no notice of errors and would drive to the frame's corner.
    """
    given = (scan_file, compilation_file, step, window_size, iter_no)
    try:
        return _decide.remember(_decide.next_point(_FOLDER, given))
    except Exception as error:  # noqa: BLE001 - whatever happens, the tip must not be sent to the corner
        answer = _decide.last_resort(given)
        _status.report(_FOLDER, "dkl", _status.ERROR, f"{type(error).__name__}: {error}", x=answer[0], y=answer[1])
        return answer


def last_error() -> Tuple[int, str]:
    """Code and text of the last call, for a VI that looks: (0, "") when all was well."""
    return _status.last_error()
