"""Memory that a fit has freed goes back to the system.

glibc keeps freed blocks of up to 32 MB, and those of a fit are of all sizes up to that: after 2,000 measurements it
kept 1.5 GB that nothing used.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any


def give_back() -> bool:
    """Return freed memory to the system; False where the C library has no such call, and needs none."""
    trim = _trim()
    return trim is not None and trim(0) >= 0


@cache
def _trim() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
