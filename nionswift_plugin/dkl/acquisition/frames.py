"""Whether a frame is what it should be: new, exposed, and of about the expected number of counts."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from nionswift_plugin.dkl.acquisition.recording import Frame, FrameLostError

DARK_SHARE = 0.05
# Counts of the last frames say what to expect of the next one: it follows a beam that fades.
_REMEMBERED = 25
_ALIKE = 0.1
# So many standard deviations above the dark level a frame surely saw the beam.
_SURELY = 5.0
_CLOCKS_AGREE_S = 0.25
# Some computers' clocks advance in steps as large as this.
_CLOCK_STEP_S = 0.016


class StaleFrameError(FrameLostError):
    """The frame was exposed before it was asked for."""


class RepeatedFrameError(StaleFrameError):
    """Each pixel is that of the previous frame: an old frame, or a camera without noise."""


class UnusualFrameError(FrameLostError):
    """The frame's counts are far off what the beam gives."""


@dataclass(frozen=True)
class DarkLevel:
    """What a frame without beam counts.

    Attributes:
        counts: sum over the frame.
        sigma: standard deviation of that sum from frame to frame.
    """

    counts: float = 0.0
    sigma: float = 0.0

    @classmethod
    def of(cls, data: NDArray[np.generic]) -> DarkLevel:
        """The level that one dark frame tells."""
        values = np.asarray(data, dtype=np.float64)
        # differences of neighbours, for a pattern of fixed offsets is no noise
        noise = float(np.std(np.diff(values, axis=-1))) / np.sqrt(2) if values.shape[-1] > 1 else 0.0
        return cls(float(values.sum()), noise * float(np.sqrt(values.size)))


class FrameCheck:
    """Compares each frame with the ones before.

    An old frame shows by its time stamp (the previous frame's, or from before the call) and, where stamps tell nothing,
    by being the previous frame to the pixel or by its counts: since the beam is blanked between two patterns, what was
    exposed before the call is dark, wholly or in part. A camera without time stamps that gave the whole exposure of the
    previous place with other noise would not be found out.

    Args:
        shape: (rows, cols) of a frame, as the camera's test frame had it.
        tolerance: share by which the counts of a frame may differ from the usual.
        dark: what a frame without beam counts.
        expected: counts per frame above dark that the beam should give, None if unknown.
    """

    def __init__(
        self, shape: tuple[int, ...], tolerance: float, dark: DarkLevel, expected: float | None = None
    ) -> None:
        self._shape, self._tolerance, self._dark, self._expected = shape, tolerance, dark, expected
        self._sums: deque[float] = deque(maxlen=_REMEMBERED)
        self._previous: bytes | None = None
        self._previous_stamp: float | None = None
        self._refused: float | None = None
        self._clock_agrees = False

    def learn_clock(self, frame: Frame, begun_s: float, ended_s: float) -> None:
        """Find out, from a frame that is known to be new, whether the device's clock is the computer's."""
        stamp = frame.time_stamp_s
        self._clock_agrees = begun_s - _CLOCKS_AGREE_S <= stamp <= ended_s + _CLOCKS_AGREE_S
        self._previous_stamp, self._previous = stamp, _digest(frame.data)

    def check(self, frame: Frame, begun_s: float) -> None:
        """Accept a frame that was asked for at a time (seconds since 1970).

        Raises:
            FrameLostError: it is dropped, of the wrong size, stale or unusual; the message says what.
        """
        data = frame.data
        if data.shape != self._shape:
            raise FrameLostError(f"the frame has {data.shape} pixels; the camera's test frame had {self._shape}")
        if not np.isfinite(data).all():
            raise FrameLostError("the frame holds values that are no numbers")
        if data.size and data.min() == data.max():
            raise FrameLostError(f"the frame was dropped: each of its pixels reads {data.flat[0]}")
        self._check_age(frame, begun_s)
        self._check_counts(float(data.sum(dtype=np.float64)) - self._dark.counts)

    def remember(self, frame: Frame) -> None:
        """Take note of a frame that is not kept: one that somebody disturbed, or one without beam after a repeated one.

        A camera that gives old frames gives this one, or the one before it, again. One that gives the one before it
        after this frame exposed it anew: it has no noise, and the two places are alike.
        """
        digest = _digest(frame.data)
        if digest != self._previous:
            self._previous, self._previous_stamp = digest, frame.time_stamp_s

    def _check_age(self, frame: Frame, begun_s: float) -> None:
        digest, stamp = _digest(frame.data), frame.time_stamp_s
        if stamp == self._previous_stamp:
            raise StaleFrameError("the camera gave the previous frame again: it has the same time stamp")
        if self._clock_agrees and stamp < begun_s - _CLOCK_STEP_S:
            raise StaleFrameError(f"the frame was taken {1000 * (begun_s - stamp):.0f} ms before it was asked for")
        if digest == self._previous:
            raise RepeatedFrameError("the camera gave the previous frame again: each pixel is the same")
        self._previous, self._previous_stamp = digest, stamp

    def _check_counts(self, counts: float) -> None:
        usual, refused = self._usual(), self._refused
        self._refused = None
        if counts <= _SURELY * self._dark.sigma or (self._sums and usual is not None and counts < DARK_SHARE * usual):
            raise UnusualFrameError(f"the frame is dark: {counts:.3g} counts{_where_usual(usual)}")
        if usual is not None:
            # A thick place scatters much: what is measured twice is true.
            confirmed = refused is not None and abs(counts - refused) <= _ALIKE * abs(refused)
            if abs(counts - usual) > self._tolerance * usual and not confirmed:
                self._refused = counts
                raise UnusualFrameError(f"the frame has {counts:.3g} counts{_where_usual(usual)}")
        self._sums.append(counts)

    def _usual(self) -> float | None:
        return median(self._sums) if self._sums else self._expected


def _where_usual(usual: float | None) -> str:
    return "" if usual is None else f" where {usual:.3g} are usual"


def _digest(data: NDArray[np.generic]) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(data).tobytes(), digest_size=16).digest()
