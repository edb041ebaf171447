"""One run of the published VI in the worker: an experiment that is told what the drop-in has journalled."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dkl_core.errors import DKLError, InputError, RecordError
from dkl_core.experiment import Experiment, RecordedExperiment, RefitTask
from dkl_core.experiment.journal import no_sink
from dkl_core.measurement import Measurement, Scalar
from labview_bridge.worker.published_request import Request, survey_and_positions

Result = TypeVar("Result")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Suggestion:
    """Where to measure next.

    Attributes:
        index: number of the site, -1 where the model has none.
        source: `model`, or `last posterior` while a refit is still under way.
        reason: why it is not the up-to-date model's.
        mean: predicted scalar there, NaN if not known.
        std: its standard deviation.
    """

    index: int
    source: str = ""
    reason: str = ""
    mean: float = math.nan
    std: float = math.nan


class PublishedRun:
    """An experiment that follows what it is given.

    Refits begin and are adopted at fixed points of the sequence of measurements, never by the clock, so that a worker
    that was killed decides as one that was not, unless a deadline passed. The record in the run's folder is what a new
    worker continues from.

    Args:
        request: the first request; it holds the image.
        pool: where refits run, one at a time.

    Raises:
        InputError: an image or settings that cannot be used.
    """

    def __init__(self, request: Request, pool: ThreadPoolExecutor) -> None:
        self.key = request.key
        self.lock = threading.Lock()
        self._pool = pool
        self._request = request
        self._recorded: RecordedExperiment | None = None
        self._under_way: Future[RefitTask] | None = None
        self._experiment = self._opened(request)
        self._prepared = pool.submit(self._experiment.prepare)

    def answer(self, request: Request) -> Suggestion:
        """Take the measurements in and, if asked, choose a site; the caller holds `lock`."""
        until = time.monotonic() + request.wait_s
        self._follow(request, until)
        try:
            return self._choose(request, until) if request.decide else Suggestion(-1)
        finally:
            self._begin()

    def close(self) -> None:
        """Put the record in order."""
        if self._recorded is not None:
            self._recorded.close()
            self._recorded = None

    # ------------------------------------------------------------------ following

    def _follow(self, request: Request, until: float) -> None:
        news = self._news(request)
        if news is None:
            self._start_again(request)
            news = list(zip(request.indices.tolist(), request.values.tolist(), strict=True))
        for site, value in news:
            self._begin()
            measurement = _measurement(value)
            self._kept(lambda site=site, given=measurement: self._experiment.tell(site, given))  # type: ignore[misc]
            self._adopt(until)
        self._exclude(request)

    def _news(self, request: Request) -> list[tuple[int, float]] | None:
        """What was not told yet, None when what was told is contradicted.

        The order may differ, as rows of the VI's file come after those of the journal; and a request that comes late,
        or while that file cannot be read, knows fewer measurements. Neither contradicts anything.
        """
        told = self._experiment.told
        unmatched = Counter((item.site.index, _comparable(item.measurement.scalar.value)) for item in told)
        news = []
        for site, value in zip(request.indices.tolist(), request.values.tolist(), strict=True):
            if unmatched[site, _comparable(value)] > 0:
                unmatched[site, _comparable(value)] -= 1
            else:
                news.append((int(site), float(value)))
        doubtful = {site for (site, _), count in unmatched.items() if count > 0}
        return None if doubtful & {site for site, _ in news} else news

    def _start_again(self, request: Request) -> None:
        """What was told is not what the drop-in says now: the journal is right."""
        _log.warning("%s: earlier measurements differ from those of the journal; told anew", request.run)
        self._under_way = None
        self.close()
        self._experiment = self._opened(self._request, anew=True)
        self._prepared = self._pool.submit(self._experiment.prepare)

    def _exclude(self, request: Request) -> None:
        measured = {told.site.index for told in self._experiment.told if told.measurement.ok}
        new = sorted(set(request.closed.tolist()) - measured - self._experiment.excluded)
        if new:
            self._kept(lambda: self._experiment.exclude(new))

    # ------------------------------------------------------------------ deciding

    def _choose(self, request: Request, until: float) -> Suggestion:
        is_late = not self._adopt(until)
        if self._experiment.surrogate is None:
            valid = sum(told.measurement.ok for told in self._experiment.told)
            return Suggestion(-1, reason=f"the model has no fit yet, with {valid} valid measurements")
        for site in self._experiment.pending:
            self._kept(lambda site=site: self._experiment.withdraw(site))  # type: ignore[misc]
        asked = self._kept(lambda: self._experiment.ask(1, refit=False))
        if not asked:
            return Suggestion(
                -1, reason=f"no site is left to choose: {self._experiment.stop_reason or 'all are closed'}"
            )
        prediction = self._experiment.predict()
        index = asked[0].index
        mean, std = (
            (math.nan, math.nan)
            if prediction is None
            else (float(prediction.mean[index]), float(prediction.measurement_std[index]))
        )
        reason = f"a refit was not ready within {request.wait_s:.1f} s" if is_late else ""
        return Suggestion(index, "last posterior" if is_late else "model", reason, mean, std)

    def _begin(self) -> None:
        """Begin a refit where one is due."""
        if self._under_way is None and self._experiment.refit_due:
            # `prepare` ran in the same pool before it: nobody may begin a refit earlier.
            wait([self._prepared])
            self._under_way = self._pool.submit(self._experiment.begin_refit().run)

    def _adopt(self, until: float) -> bool:
        """Use the refit under way, if it is ready by then; whether none is left."""
        if self._under_way is None:
            return True
        if not wait([self._under_way], max(0.0, until - time.monotonic())).done:
            return False
        task, self._under_way = self._under_way, None
        failure = task.exception()
        if failure is None:
            self._kept(lambda: self._experiment.adopt(task.result()))
        else:
            _log.error("a refit failed", exc_info=failure)
        return True

    # ------------------------------------------------------------------ the record

    def _kept(self, step: Callable[[], Result]) -> Result:
        """A step of the experiment; when its record cannot be written, it goes on without one."""
        try:
            return step()
        except RecordError as error:
            _log.warning("the record cannot be written, the journal goes on: %s", error)
            self._experiment.sink = no_sink
            self.close()
            return step()

    def _opened(self, request: Request, anew: bool = False) -> Experiment:
        assert request.image is not None
        survey, positions = survey_and_positions(request.image, request.step, request.window)
        if len(positions) != request.sites:
            raise InputError(f"the image has {len(positions)} sites, the drop-in counts {request.sites}")
        if request.folder is not None:
            path = request.folder / f"model_{self.key}.h5"
            try:
                self._recorded = None if anew else _resumed(path)
                if self._recorded is None:
                    self._recorded = RecordedExperiment.start(
                        path, survey, request.settings(), positions=positions, host=_host(request), overwrite=True
                    )
                return self._recorded.experiment
            except (RecordError, OSError) as error:
                _log.warning("%s cannot be written, the journal goes on: %s", path, error)
        return Experiment(survey, request.settings(), positions=positions)


def _resumed(path: Path) -> RecordedExperiment | None:
    if not path.exists():
        return None
    try:
        return RecordedExperiment.resume(path)
    except DKLError as error:
        _log.warning("%s cannot be continued, it is written anew: %s", path, error)
        return None


def _host(request: Request) -> dict[str, str]:
    return {"instrument": "published VI", "run": request.run}


def _comparable(value: float) -> float | None:
    return None if math.isnan(value) else value


def _measurement(value: float) -> Measurement:
    if math.isnan(value):
        return Measurement(Scalar.invalid("no scalar"))
    return Measurement.of(value)
