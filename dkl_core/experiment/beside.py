"""Refits in a thread of their own, while the instrument measures."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from threading import Event

from dkl_core.experiment.experiment import Experiment
from dkl_core.experiment.refit import RefitTask

FAILED = "refit_failed"


class Refitter:
    """Begins the refits of an experiment when they are due and has them adopted; never two at once.

    A refit that fails costs no measurement: it is noted, the model stays as it is, and the next one is begun after the
    next measurement.

    Args:
        experiment: whose model is fitted; it is touched by the calling thread only.
        deadline_s: how long to wait for a refit under way before a decision.
    """

    def __init__(self, experiment: Experiment, deadline_s: float) -> None:
        self._experiment = experiment
        self._deadline_s = deadline_s
        self._pool = ThreadPoolExecutor(1, "dkl-refit", initializer=_initialise)
        self._under_way: Future[RefitTask] | None = None
        self._closing = Event()
        self._ready: Future[None] = self._pool.submit(experiment.prepare, self._go_on)

    def begin(self) -> None:
        """Begin a refit if one is due and none is under way."""
        if self._under_way is None and self._ready.done() and self._experiment.refit_due:
            self._under_way = self._pool.submit(self._experiment.begin_refit().run)

    def before_decision(self) -> None:
        """Adopt a refit that is ready within the deadline; the very first one is waited for."""
        is_first = self._experiment.surrogate is None
        if is_first and self._experiment.refit_due:
            wait([self._ready])
        self.begin()
        self.adopt(None if is_first else self._deadline_s)

    def adopt(self, timeout_s: float | None = 0.0) -> None:
        """Adopt the refit under way if it is ready in time.

        Args:
            timeout_s: how long to wait for it, s; None until it is ready.
        """
        task = self._under_way
        if task is None or not wait([task], timeout_s).done:
            return
        self._under_way = None
        failure = task.exception()
        if failure is None:
            self._experiment.adopt(task.result())
        else:
            self._experiment.note(FAILED, {"reason": f"{type(failure).__name__}: {failure}"})

    def close(self) -> None:
        """Wait for the refit under way without adopting it; a pre-training is broken off."""
        self._closing.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _go_on(self, _share: float) -> None:
        if self._closing.is_set():
            raise CancelledError


def _initialise() -> None:
    # torch is loaded with the first refit, not with the package.
    from dkl_core.surrogate.threads import work_in_background

    work_in_background()
