"""The beam: on the sample only while it must be, and never after the end."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nion.instrumentation.stem_controller import STEMController
from nion.utils import Geometry

from dkl_core.errors import InstrumentError
from nionswift_plugin.dkl.acquisition.devices import control
from nionswift_plugin.dkl.acquisition.settings import BeamSettings

_TRY_AGAIN_S = 0.5
_logger = logging.getLogger(__name__)


class BlankerError(InstrumentError):
    """The beam blanker does not do what it is told."""


class Beam:
    """The blanker, or the parked probe where the instrument has none. Any thread may close it, at any time.

    Args:
        stem: the instrument.
        settings: control, values, parking position.
        tell: told of what was put right.
        clock: monotonic time, s.
    """

    def __init__(
        self,
        stem: STEMController,
        settings: BeamSettings,
        *,
        tell: Callable[[str], object] = _logger.warning,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stem, self._settings, self._tell, self._clock = stem, settings, tell, clock
        self._lock = threading.RLock()
        self._is_shut = False
        self.has_blanker = control(stem, settings.blanker) is not None

    @property
    def park_position(self) -> Geometry.FloatPoint | None:
        """Where the probe waits, None for Swift's own parking position."""
        park = self._settings.park
        return None if park is None else Geometry.FloatPoint(y=park[0], x=park[1])

    @property
    def is_closed(self) -> bool:
        """Whether the blanker says that the beam is blanked, or the probe is parked where there is none."""
        if not self.has_blanker:
            return bool(self._stem.probe_state == "parked" and self._stem.probe_position == self.park_position)
        return self._reads(self._settings.blanked)

    @property
    def is_open(self) -> bool:
        """Whether the blanker says that the beam is on the sample; always, where there is none."""
        return not self.has_blanker or self._reads(self._settings.open)

    def open(self) -> None:
        """Let the beam onto the sample.

        Raises:
            BlankerError: the blanker does not open; it has been told to close again.
            InstrumentError: the acquisition has ended meanwhile.
        """
        with self._lock:
            if self._is_shut:
                raise InstrumentError("the acquisition has ended; the beam stays off the sample")
            if not self.has_blanker or self._try_switch(self._settings.open):
                return
            if any(self._try_switch(self._settings.open) for _ in range(self._settings.blanker_tries - 1)):
                self._tell(f"the blanker ({self._settings.blanker}) opened only when it was asked again")
                return
            self._close_again()
        raise BlankerError(
            f"the blanker ({self._settings.blanker}) does not open; look at the column, then start again"
        )

    def close(self) -> None:
        """Take the beam off the sample.

        Raises:
            BlankerError: the blanker does not close; the probe has been parked.
        """
        with self._lock:
            if not self.has_blanker:
                self._park()
                return
            if self._try_switch(self._settings.blanked):
                return
            # the beam must not stay on the site while the blanker is asked again
            self._park()
            if any(self._try_switch(self._settings.blanked) for _ in range(self._settings.blanker_tries - 1)):
                self._tell(
                    f"the blanker ({self._settings.blanker}) closed only when it was asked again; the probe was parked "
                    "meanwhile"
                )
                return
            self._park()
        state = "it reads as blanked, but see for yourself" if self.is_closed else "THE BEAM IS ON THE SAMPLE"
        message = (
            f"the blanker ({self._settings.blanker}) does not close: {state}. The probe was parked; "
            "close the column valve or blank by hand"
        )
        _logger.critical(message)
        raise BlankerError(message)

    @contextmanager
    def on_sample(self, charge: Callable[[float], None]) -> Iterator[None]:
        """The beam on the sample within the block; `charge` is told how long that was, s, whatever happens."""
        started = self._clock()
        try:
            self.open()
            yield
        finally:
            try:
                self.close()
            finally:
                charge(self._clock() - started)

    def shut(self) -> str:
        """Close for good: nothing opens it any more. Raises nothing; returns what went wrong, or nothing."""
        with self._lock:
            self._is_shut = True
            try:
                self.close()
            except Exception as error:  # the last line of defence must not raise, whatever the driver does
                _logger.exception("the beam could not be taken off the sample")
                return str(error)
        return ""

    def keep_trying(self, then: Callable[[], object]) -> None:
        """Go on trying to close for good, in the background; `then` is called when it has worked."""

        def go_on() -> None:
            while self.shut():
                time.sleep(_TRY_AGAIN_S)
            _logger.critical("the blanker (%s) has closed at last", self._settings.blanker)
            then()

        threading.Thread(target=go_on, name="dkl-blanker", daemon=True).start()

    def _close_again(self) -> None:
        """Close a blanker that did not open; one that reads as blanked has not moved."""
        try:
            self.close()
        except BlankerError:
            if not self.is_closed:
                raise

    def _park(self) -> bool:
        try:
            self._stem.set_probe_position(self.park_position)
        except Exception:  # a driver may raise anything; the caller is told that the beam is not safe
            _logger.exception("the probe could not be parked")
            return False
        return True

    def _try_switch(self, value: float) -> bool:
        at = self._settings
        try:
            accepted = self._stem.SetValAndConfirm(at.blanker, value, 1.0, at.blanker_timeout_ms)
        except Exception:  # a driver may raise anything; what counts is what the blanker reads afterwards
            _logger.exception("the blanker raised")
            accepted = False
        return bool(accepted) and self._reads(value)

    def _reads(self, value: float) -> bool:
        read = control(self._stem, self._settings.blanker)
        step = abs(self._settings.blanked - self._settings.open)
        return read is not None and math.isclose(read, value, rel_tol=0.0, abs_tol=step / 10)
