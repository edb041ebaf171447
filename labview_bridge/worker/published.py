"""The worker's part of the drop-in for the published VI.

The drop-in keeps the truth: a journal beside each run (`journal.jsonl` in the run's folder), one JSON object a line,
read by `labview_bridge.worker.journal.read_journal` and turned into a run record by `dkl import-journal`
(`labview_bridge.worker.published_import`).
Its events, each with `event` and `time` (s since 1970):

- `start`: `kind` "published", `version` 1, `run`, `name`; `scan_file`, `compilation_file`, `step`, `window` (pixels),
  and `settings`, those of the drop-in, unless the scalarizer began the run.
- `image`: `file` it was read from, `size` (pixels per line, and lines), `first_row` of the file (`top` or `bottom`),
  `kept_as`: file beside the journal with the heights as little-endian float64, top row first, and their `sha256`.
- `suggest`: `iteration` from 1, `index`, `x` (column), `y` (row from the bottom), `sites` (how many there are), `step`,
  `window`, `source` (`seed`, `model`, `last posterior`, `space-filling`, `previous point`), `reason`, `measured` (how
  many measurements were known), `pixel_nm` (width of a pixel, or null), and `mean` and `std` where the model gave them.
- `measurement`: `iteration`, `x`, `y`, `scalar` (full precision, null if there is none), `valid`, `reason`,
  `scalarizer`, `options`, and `spectrum`: rows of bias V, current A, LIX, LIY, …, bias ascending; lost: null.
- `trouble`: `iteration`, `text`, and the `x`, `y` the VI got although no site could be chosen.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from dkl_core.errors import InputError
from dkl_core.scalarizers import NamedScalarizer, Spectrum, get_scalarizer
from dkl_core.survey import FloatArray
from labview_bridge.worker.published_request import Request
from labview_bridge.worker.published_run import PublishedRun, Suggestion

Answer = tuple[dict[str, Any], list[FloatArray]]
MOST_OPEN = 4
_USUAL = ("bias", "current", "didv", "lockin_y")


class PublishedRuns:
    """The runs that this worker has open, the latest last."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._open: dict[str, PublishedRun] = {}
        self._pool = ThreadPoolExecutor(1, "dkl-published", initializer=_in_background)

    def suggest(self, params: Mapping[str, Any], arrays: Sequence[FloatArray]) -> Answer:
        """Where to measure next, of a run whose measurements are all given.

        Args:
            params: see `Request`.
            arrays: measured sites, their scalars, closed sites and, if it was asked for, the image.

        Returns:
            `need_image`: true when the image has to be sent along; otherwise `index` (-1: none), `source`, `reason`,
            and `mean` and `std` where they are known.

        Raises:
            InputError: a request that cannot be used.
        """
        request = Request.of(params, arrays)
        run = self._run(request)
        if run is None:
            return {"need_image": True}, []
        if not run.lock.acquire(timeout=request.wait_s):
            return _as_answer(Suggestion(-1, reason="the worker is busy with an earlier request of this run")), []
        try:
            return _as_answer(run.answer(request)), []
        finally:
            run.lock.release()

    def close(self) -> None:
        """Put all records in order; for tests and an orderly end."""
        with self._mutex:
            for run in self._open.values():
                with run.lock:
                    run.close()
            self._open.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, request: Request) -> PublishedRun | None:
        with self._mutex:
            run = self._open.pop(request.run, None)
            if run is not None and run.key != request.key:
                run.close()
                run = None
            if run is None and request.image is None:
                return None
            self._open[request.run] = run = run or PublishedRun(request, self._pool)
            while len(self._open) > MOST_OPEN:
                self._open.pop(next(iter(self._open))).close()
            return run


def scalarize(params: Mapping[str, Any], arrays: Sequence[FloatArray]) -> Answer:
    """The scalar of one spectrum, by any scalarizer of the core or the user's own `file.py:function`.

    Args:
        params: `scalarizer`, and `options` of it.
        arrays: the spectrum, rows bias V, current A, LIX, LIY, …

    Returns:
        `value` (null if there is none), `valid`, `reason`.

    Raises:
        InputError, ScalarizerError: no spectrum, or a scalarizer that cannot be used.
    """
    name, options = params.get("scalarizer"), params.get("options", {})
    if not isinstance(name, str) or not isinstance(options, dict) or len(arrays) != 1:
        raise InputError("scalarizer (text), options (object) and one spectrum are needed")
    channels = (*_USUAL, *(f"channel_{row}" for row in range(len(_USUAL), len(arrays[0]))))[: len(arrays[0])]
    scalar = _scalarizer(name, json.dumps(options))(Spectrum.from_array(arrays[0], channels))
    value = scalar.value if math.isfinite(scalar.value) else None
    return {"value": value, "valid": scalar.valid and value is not None, "reason": scalar.reason}, []


@lru_cache(maxsize=16)
def _scalarizer(name: str, options: str) -> NamedScalarizer:
    return get_scalarizer(name, **json.loads(options))


def _as_answer(suggestion: Suggestion) -> dict[str, Any]:
    known = {name: value for name in ("mean", "std") if math.isfinite(value := getattr(suggestion, name))}
    return {"index": suggestion.index, "source": suggestion.source, "reason": suggestion.reason, **known}


def _in_background() -> None:
    # torch is loaded with the first run, not with the worker.
    from dkl_core.surrogate.threads import work_in_background

    work_in_background()


_RUNS = PublishedRuns()
METHODS = {"published.suggest": _RUNS.suggest, "published.scalarize": scalarize}
