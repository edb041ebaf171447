"""Getting ready: what the dark frames say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dkl_core.errors import InstrumentError
from nionswift_plugin.dkl.acquisition.preparing import Readiness
from nionswift_plugin.dkl.acquisition.recording import Frame
from nionswift_plugin.dkl.acquisition.settings import PatternSettings


class Camera:
    """Gives frames with a beam on part of the pixels."""

    def __init__(self, lit: float) -> None:
        self._rng, self._lit, self._count = np.random.default_rng(0), lit, 0

    def frame(self) -> Frame:
        self._count += 1
        data = self._rng.poisson(10.0, (32, 32)) + 500 * (np.arange(1024).reshape(32, 32) < 1024 * self._lit)
        return Frame(data.astype(np.uint16), float(self._count))

    def rest(self) -> None:
        """Nothing is exposed."""


def readiness(lit: float) -> Readiness:
    camera: Any = Camera(lit)
    return Readiness(camera, PatternSettings(dark_frames=4), is_dark=True, tell=str)


def test_dark_frames_make_the_care() -> None:
    assert readiness(0.0).care(None).read_noise_counts == pytest.approx(10**0.5, rel=0.1)


def test_a_beam_in_the_dark_frames_is_an_instrument_error_that_says_what_to_do() -> None:
    with pytest.raises(InstrumentError, match=r"dark frames cannot be used: .*Look whether the blanker keeps the beam"):
        readiness(0.3).care(None)
