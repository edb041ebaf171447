"""Multiscale zoom: which smaller frame to look at next, from the predicted scalar of the present one, and going there.

Source: Narasimha et al. 2024: the next frame is the window with the largest sum of the *predicted* scalar; frames of
250, 50 and 10 nm, or of 200, 100 and 20 nm.
"""

from dkl_core.frame import Frame
from dkl_core.zoom.choose import ZoomDecision, next_frame
from dkl_core.zoom.levelfiles import stored_host
from dkl_core.zoom.multiscale import (
    LevelProgress,
    MultiscaleResult,
    ZoomInstrument,
    ZoomLevel,
    resume_multiscale,
    run_multiscale,
)
from dkl_core.zoom.path import ZoomPath
from dkl_core.zoom.plan import decide
from dkl_core.zoom.sizes import LARGE_TO_ATOMIC, LARGE_TO_MEDIUM, ZoomRules, ZoomSize

__all__ = [
    "LARGE_TO_ATOMIC",
    "LARGE_TO_MEDIUM",
    "Frame",
    "LevelProgress",
    "MultiscaleResult",
    "ZoomDecision",
    "ZoomInstrument",
    "ZoomLevel",
    "ZoomPath",
    "ZoomRules",
    "ZoomSize",
    "decide",
    "next_frame",
    "resume_multiscale",
    "run_multiscale",
    "stored_host",
]
