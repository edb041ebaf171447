"""What the worker is asked, and what it answers."""

import time
from array import array
from typing import Any, Dict, List, NamedTuple, Set, Tuple

from _dropin_grid import Grid
from _dropin_link import Arrays, Link, NoAnswerError
from _dropin_run import Image, Measured, Run
from _dropin_settings import Settings

_ANSWERING_S = 0.3
_LEARNING_S = 30.0
_links: Dict[str, Link] = {}


class Choice(NamedTuple):
    """A site and how it came about.

    Attributes:
        site: its number.
        source: `seed`, `model`, `last posterior`, `space-filling`, `previous point` or `repeated`.
        reason: why it is not the model's, empty otherwise.
        details: what the model says of the site.
    """

    site: int
    source: str
    reason: str = ""
    details: Tuple[Tuple[str, float], ...] = ()


class Call(NamedTuple):
    """What the VI asks.

    Attributes:
        scan_file: name of the topograph's file.
        compilation_file: name of the file with one row per measurement.
        step: distance of sites in pixels.
        window: edge of the window in pixels.
        iteration: counted from 1; 0 when the VI gave none.
    """

    scan_file: str
    compilation_file: str
    step: int
    window: int
    iteration: int


class Request:
    """What the worker is asked; it holds everything, so that any worker can answer it at any time."""

    def __init__(
        self,
        settings: Settings,
        run: Run,
        call: Call,
        image: Image,
        grid: Grid,
        measured: List[Measured],
        closed: Set[int],
    ) -> None:
        self._sites = len(grid)
        self._pictured: Arrays = [((image.size, image.size), image.rows)]
        self._closed = closed
        self._link = link(settings)
        self._params: Dict[str, Any] = {
            "run": run.run_id,
            "folder": run.folder or "",
            "step": call.step,
            "window": call.window,
            "size": image.size,
            "sha256": image.sha256,
            "seeds": settings.seeds,
            "seed": settings.seed,
            "retries": settings.retries,
            "goal": settings.goal,
            "model": settings.model,
            "levelling": settings.levelling,
            "sites": len(grid),
        }
        self._arrays = [
            _vector([item.site for item in measured]),
            _vector([item.value for item in measured]),
            _vector(sorted(closed)),
        ]

    def send(self) -> None:
        """Let the worker learn without waiting for it."""
        params = dict(self._params, decide=False, wait_s=_LEARNING_S)
        self._link.tell("published.suggest", params, self._arrays, self._pictured)

    def choice(self, until: float) -> Choice:
        """The worker's site.

        Raises:
            NoAnswerError: none came in time, or one that cannot be used.
        """
        wait = max(0.05, until - time.monotonic())
        params = dict(self._params, decide=True, wait_s=max(0.0, wait - _ANSWERING_S))
        answer = self._link.ask("published.suggest", params, self._arrays, wait, self._pictured)
        index = answer.get("index")
        if not isinstance(index, int) or not 0 <= index < self._sites:
            raise NoAnswerError("the worker chose no site: {}".format(answer.get("reason") or answer))
        if index in self._closed:
            raise NoAnswerError(f"the worker chose site {index}, which is measured already")
        details = tuple((key, answer[key]) for key in ("mean", "std") if isinstance(answer.get(key), float))
        return Choice(index, str(answer.get("source", "model")), str(answer.get("reason", "")), details)


def _vector(values: List[Any]) -> Tuple[Tuple[int, ...], "array[float]"]:
    return (len(values),), array("d", values)


def link(settings: Settings) -> Link:
    """The connection to the worker, one per settings file and Python session."""
    key = repr(sorted(settings.bridge.items(), key=lambda item: item[0]))
    if key not in _links:
        _links[key] = Link(dict(settings.bridge, runs=settings.runs))
    return _links[key]
