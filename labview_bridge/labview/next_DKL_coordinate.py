"""In the place of the published `next_DKL_coordinate.py`: where the next, smaller frame lies.

Standard library only, Python 3.6 syntax, loaded by its path alone.
"""

import os
import sys
from typing import Any, List

_FOLDER = os.path.dirname(os.path.abspath(__file__))
if _FOLDER not in sys.path:
    # LabVIEW loads this file by its path: the modules beside it are found only so.
    sys.path.insert(0, _FOLDER)

import _dropin_status as _status  # noqa: E402
import _dropin_zoom as _zoom  # noqa: E402


def next_scan_coords(file_name: Any, pixels: Any, frame_old: Any, frame_new: Any) -> List[float]:
    """The middle of the window that holds most measurements.

    Args:
        file_name: the compilation file.
        pixels: pixels per line of the old image.
        frame_old: width of the old frame, in any unit.
        frame_new: width of the new frame, in the same unit.

    Returns:
        [x, y] in the unit of the frames, from the old frame's lower left corner. Its middle where nothing scores.
    """
    return _next((file_name, pixels, frame_old, frame_new), weighted=False)


def next_scan_coordWeight(file_name: Any, pixels: Any, frame_old: Any, frame_new: Any) -> List[float]:  # noqa: N802
    """The middle of the window with the largest sum of scalars; arguments and result as in `next_scan_coords`."""
    return _next((file_name, pixels, frame_old, frame_new), weighted=True)


def _next(given: Any, weighted: bool) -> List[float]:
    try:
        return _zoom.next_frame(_FOLDER, given, weighted)
    except Exception as error:  # noqa: BLE001 - the VI takes no notice of errors and would go to the corner
        _status.report(_FOLDER, "dkl", _status.ERROR, f"{type(error).__name__}: {error}")
        return _zoom.middle_of(given[2])
