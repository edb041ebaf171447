"""The connection to the worker, which never keeps the VI waiting longer than it is told."""

import threading
import time
from array import array
from typing import Any, Dict, List, Optional, Tuple

Arrays = List[Tuple[Tuple[int, ...], "array[float]"]]
_CONNECT_S = 60.0
_PATIENCE_S = 1.0
_GIVEN_UP = 2


class NoAnswerError(Exception):
    """The worker did not answer in time, or answered with an error; the text says which."""


class Link:
    """One worker, reached by one background thread at a time.

    A thread that is left behind, because the worker did not answer in time, goes on by itself: what it starts, a
    worker for instance, serves the next call.

    Args:
        settings: the bridge's settings file.
    """

    def __init__(self, settings: Dict[str, Any]) -> None:
        self._settings = settings
        self._busy: Optional[_Call] = None
        self._failures = 0

    def ask(
        self, method: str, params: Dict[str, Any], arrays: Arrays, wait_s: float, image: Optional[Arrays] = None
    ) -> Dict[str, Any]:
        """The worker's answer.

        Args:
            method: what is asked.
            params: JSON-compatible values.
            arrays: blocks of (shape, values).
            wait_s: how long to wait, s.
            image: further blocks, sent only if the worker says that it needs them.

        Raises:
            NoAnswerError: none came within `wait_s`, or it was an error.
        """
        until = time.monotonic() + wait_s
        if self._failures >= _GIVEN_UP:
            until = min(until, time.monotonic() + _PATIENCE_S)
        if self._busy is not None and not self._busy.done.wait(max(0.0, until - time.monotonic())):
            self._failures += 1
            raise NoAnswerError("the worker is still starting, or busy with an earlier request")
        self._busy = call = _Call(method, params, arrays, until, image)
        threading.Thread(target=self._work, args=(call,), name="dkl-link", daemon=True).start()
        if not call.done.wait(max(0.0, until - time.monotonic())):
            self._failures += 1
            raise NoAnswerError(f"the worker did not answer within {wait_s:.1f} s")
        if call.answer is None:
            self._failures += 1
            raise NoAnswerError(call.problem)
        self._failures = 0
        return call.answer

    def tell(self, method: str, params: Dict[str, Any], arrays: Arrays, image: Optional[Arrays] = None) -> None:
        """Send something without waiting for the answer; nothing is sent while the worker is busy."""
        if self._busy is not None and not self._busy.done.is_set():
            return
        self._busy = call = _Call(method, params, arrays, time.monotonic() + _CONNECT_S, image)
        threading.Thread(target=self._work, args=(call,), name="dkl-link", daemon=True).start()

    def _work(self, call: "_Call") -> None:
        try:
            import dkl_bridge

            worker = dkl_bridge.connect(self._settings)
            answer, _ = worker.request(call.method, call.params, call.arrays, call.left())
            if answer.get("need_image") and call.image is not None:
                answer, _ = worker.request(call.method, call.params, call.arrays + call.image, call.left())
            call.answer = dict(answer)
            self._failures = 0
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the worker, the run goes on without it
            call.problem = f"the worker: {type(error).__name__}: {error}"
        finally:
            call.done.set()


class _Call:
    def __init__(
        self, method: str, params: Dict[str, Any], arrays: Arrays, until: float, image: Optional[Arrays]
    ) -> None:
        self.method, self.params, self.arrays, self.until, self.image = method, params, arrays, until, image
        self.answer: Optional[Dict[str, Any]] = None
        self.problem = ""
        self.done = threading.Event()

    def left(self) -> float:
        return max(0.1, self.until - time.monotonic())
