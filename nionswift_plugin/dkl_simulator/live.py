"""The live view: the camera free-runs on a thread of its own, like hardware."""

from __future__ import annotations

import threading

from nionswift_plugin.dkl_simulator.faulty import DeviceFaultError
from nionswift_plugin.dkl_simulator.sensor import Request, Sensor, Shot

LONGEST_WAIT_S = 5.0
DEFAULT = Request(exposure_s=0.1)


class LiveView:
    """Frames one after the other while it is on; the last one waits until it is fetched.

    Args:
        sensor: what takes them.
    """

    def __init__(self, sensor: Sensor) -> None:
        self.request = DEFAULT
        self._sensor = sensor
        self._news = threading.Condition()
        self._latest: Shot | None = None
        self._error: Exception | None = None
        self._stopped = threading.Event()
        self._stopped.set()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Switch it on."""
        with self._news:
            if not self._stopped.is_set():
                return
            self._latest, self._error = None, None
            self._stopped = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._stopped,), name="dkl-simulated-live", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Switch it off; the running exposure is given up."""
        self._stopped.set()

    def close(self) -> None:
        """Switch it off and wait for its thread."""
        self.stop()
        if self._thread is not None:
            self._thread.join(LONGEST_WAIT_S)

    def next(self) -> Shot:
        """The frame that came last, if it was not fetched yet, or the next one.

        Raises:
            DeviceFaultError: none comes, or the camera failed.
        """
        patience = max(LONGEST_WAIT_S, 3 * self.request.exposure_s * self.request.count)
        with self._news:
            self._news.wait_for(lambda: self._latest is not None or self._error is not None, patience)
            shot, self._latest = self._latest, None
            error, self._error = self._error, None
        if error is not None:
            raise DeviceFaultError(str(error)) from error
        if shot is None:
            raise DeviceFaultError(f"{patience:g} s without a frame; the camera hangs or was stopped")
        return shot

    def _run(self, stopped: threading.Event) -> None:
        while not stopped.is_set():
            try:
                shot, error = self._sensor.take(self.request, stopped), None
            except Exception as raised:  # noqa: BLE001 - it belongs to whoever waits for the frame
                shot, error = None, raised
            with self._news:
                self._latest, self._error = shot or self._latest, error
                self._news.notify_all()
