"""A run's own thread: does what the journal says is still to be done, in order, and never keeps the VI waiting."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dkl_core.errors import DKLError, RecordError
from dkl_core.frame import Frame
from dkl_core.zoom import ZoomSize, decide
from labview_bridge.worker.configuration import SessionConfig
from labview_bridge.worker.frame_run import FrameRun, Place, measured, unpacked_image
from labview_bridge.worker.geometry import FrameGeometry
from labview_bridge.worker.journal import Journal
from labview_bridge.worker.ledger import Ledger
from labview_bridge.worker.models import ModelFolder
from labview_bridge.worker.problems import Code, WorkerError, as_worker_error
from labview_bridge.worker.view import View

_RETRY_S = 1.0
_NM = 1e9
_log = logging.getLogger(__name__)


class CancelledError(Exception):
    """A decision is no longer wanted."""


class Deciding:
    """The state of a run and the thread that changes it.

    Attributes:
        ledger: what the journal says; guarded by `mutex`.
        mutex: to be held while ledger and journal are used together.
        view: how the present frame stood after the last change; None before the first image.
        trouble: what holds the run up at the moment, or went wrong last.
        recovered: whether what an earlier process left has been taken up.
    """

    def __init__(self, folder: Path, config: SessionConfig) -> None:
        """Open or begin the run in a folder.

        Raises:
            RecordError: the journal cannot be used.
        """
        self.folder, self.config = folder, config
        self.mutex = threading.RLock()
        self.ledger = Ledger()
        self.view: View | None = None
        self.trouble = ""
        self.recovered = False
        self.models = ModelFolder(folder)
        self._frames: dict[int, FrameRun] = {}
        self._changed = threading.Condition(self.mutex)
        self._stopping = False
        self._working = False
        self._since = time.monotonic()
        self.journal = Journal(folder / "journal.jsonl")
        try:
            self._left_off = sum(1 for event in self.journal.events() if self.ledger.apply(event) >= 0)
        except (DKLError, KeyError, TypeError, ValueError) as error:
            self.journal.close()
            raise RecordError(f"the journal in {folder} cannot be taken up: {error}") from error
        self._thread = threading.Thread(target=self._run, name="dkl-run", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after what is under way, and close the journal."""
        with self.mutex:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()
        self.journal.close()

    @property
    def is_busy(self) -> bool:
        """Whether something is under way or waits."""
        with self.mutex:
            if self._stopping or (not self.recovered and self.trouble):
                return False
            return self._working or not self.recovered or bool(self.ledger.undone)

    @property
    def seconds_at_work(self) -> float:
        """How long the present piece of work has taken, s."""
        return time.monotonic() - self._since

    def write(self, event: Mapping[str, Any]) -> None:
        """Put an event on the disk and take it in.

        Raises:
            CancelledError: it belongs to a job that is no longer wanted.
            RecordError: it cannot be written; nothing has changed.
        """
        with self.mutex:
            job = event.get("job")
            if event["kind"] in {"core", "again", "decided"} and job and self.ledger.jobs[job].state != "waiting":
                raise CancelledError
            self.journal.append({**event, "time": time.time()})
            self.ledger.apply(event)
            self._changed.notify_all()

    def new_frame(self, number: int, geometry: FrameGeometry, image: Any) -> FrameRun:
        """A frame that is not yet part of the run.

        Raises:
            InputError: image or settings cannot be used.
        """
        return FrameRun(number, geometry, image, self.config, self.models, self.write, self._check)

    def adopt_frame(self, frame: FrameRun) -> None:
        """Make a new frame part of the run, after its image is in the journal."""
        self._frames[frame.number] = frame
        self._publish(frame)

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Whether nothing is left to do within the time."""
        until = time.monotonic() + timeout_s
        with self.mutex:
            while self.is_busy:
                left = until - time.monotonic()
                if left <= 0 or not self._thread.is_alive():
                    return False
                self._changed.wait(min(left, 0.1))
        return True

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        while not self._stopping and not self.recovered:
            self._guarded(self._recover)
        while (work := self._next()) is not None:
            self._guarded(lambda: self._do(*work))
            with self.mutex:
                self._working = False
                self._changed.notify_all()

    def _next(self) -> tuple[int, Mapping[str, Any]] | None:
        with self.mutex:
            while not self._stopping and not self.ledger.undone:
                self._changed.wait()
            if self._stopping:
                return None
            self._working, self._since = True, time.monotonic()
            return next(iter(self.ledger.undone.items()))

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
            return
        except CancelledError:
            return
        except RecordError as error:
            # A full disk: wait until there is room, nothing is lost meanwhile.
            self.trouble = str(error)
        except Exception as error:  # noqa: BLE001 - the thread must go on; status and log say what happened
            self.trouble = f"{type(error).__name__}: {error}"
            _log.exception("a run is held up")
        with self.mutex:
            if not self._stopping:
                self._changed.wait(_RETRY_S)

    def _recover(self) -> None:
        frames: dict[int, FrameRun] = {}
        for _, event in zip(range(self._left_off), self.journal.events(), strict=False):
            if event["kind"] == "image":
                geometry = FrameGeometry.from_json(event["geometry"])
                frames[len(frames)] = self.new_frame(len(frames), geometry, unpacked_image(event))
            elif event["kind"] == "core":
                frames[event["frame"]].replay(event)
        for frame in frames.values():
            frame.restore()
        with self.mutex:
            self._frames.update(frames)
            self.recovered = True
            self._changed.notify_all()
        if self._frames:
            self._publish(self._frames[max(self._frames)])

    def _do(self, number: int, event: Mapping[str, Any]) -> None:
        self.trouble = ""
        try:
            getattr(self, f"_do_{event['kind']}")(number, event)
        except (CancelledError, RecordError):
            raise
        except Exception as error:  # noqa: BLE001 - what cannot be done is said once, and the run goes on
            _log.exception("%s failed", event["kind"])
            self._say_failed(number, event, as_worker_error(error))
        with self.mutex:
            frame = self._frames.get(self.ledger.frame)
        if frame is not None:
            self._publish(frame)

    def _do_submit(self, number: int, event: Mapping[str, Any]) -> None:
        point = self.ledger.points[event["point"]]
        context = {"point": point.number, "done": [number]}
        self._frames[point.frame].tell(point.site, measured(event, self.config), context)

    def _do_suggest(self, number: int, event: Mapping[str, Any]) -> None:
        frame, job = self._frames[event["frame"]], event["job"]
        if self._offer_again(frame, number, job):
            return
        with self.mutex:
            point = max(self.ledger.points, default=0) + 1
        context = {"job": job, "point": point, "done": [number]}
        if not frame.choose(self._tip(), context):
            self._decide(number, job, "finished", Code.FINISHED, frame.experiment.stop_reason or "nothing is left")

    def _do_next_frame(self, number: int, event: Mapping[str, Any]) -> None:
        frame, job = self._frames[event["frame"]], event["job"]
        whole = Frame.of_image(frame.experiment.survey)
        found = decide(frame.experiment, whole, ZoomSize(event["size_m"] * _NM), self.config.zoom)
        if found.frame is None:
            self._decide(number, job, "failed", Code.NOT_READY, found.reason)
            return
        x_m, y_m = frame.geometry.centre_of(found.frame)
        height_nm, width_nm = found.frame.size_nm
        result = {"xc_m": x_m, "yc_m": y_m, "width_m": width_nm / _NM, "height_m": height_nm / _NM}
        self._decide(number, job, "ready", 0, found.reason, {**result, "angle_deg": frame.geometry.angle_deg})

    def _do_cancel(self, number: int, event: Mapping[str, Any]) -> None:
        point = self.ledger.points[self.ledger.jobs[event["job"]].point]
        if not self._frames[point.frame].withdraw(point.site, {"done": [number]}):
            self.write({"kind": "nothing", "done": [number]})

    def _offer_again(self, frame: FrameRun, number: int, job: int) -> bool:
        """Suggest a point again that was outstanding when the VI was started anew."""
        while True:
            with self.mutex:
                if not self.ledger.offered:
                    return False
                point = self.ledger.points[self.ledger.offered[0]]
                if self._within_step(frame.position(point.site)):
                    self.write({"kind": "again", "job": job, "point": point.number, "done": [number]})
                    return True
            frame.withdraw(point.site, {})
            self.write({"kind": "given_up", "point": point.number})

    def _check(self) -> None:
        if self._stopping:
            raise CancelledError

    def _within_step(self, place: Place) -> bool:
        tip, most = self._tip(), self.config.max_step_m
        return tip is None or most is None or sum((a - b) ** 2 for a, b in zip(tip, place, strict=True)) <= most**2

    def _tip(self) -> Place | None:
        """Where the tip was sent last, (X, Y) in m."""
        with self.mutex:
            point = self.ledger.points.get(self.ledger.last)
        return None if point is None else self._frames[point.frame].position(point.site)

    def _decide(
        self, number: int, job: int, state: str, code: int, text: str, result: Mapping[str, Any] | None = None
    ) -> None:
        told = {"state": state, "code": int(code), "text": text, "result": dict(result or {})}
        self.write({"kind": "decided", "job": job, "done": [number], **told})

    def _say_failed(self, number: int, event: Mapping[str, Any], problem: WorkerError) -> None:
        self.trouble = problem.text
        if "job" in event and event["kind"] != "cancel":
            self._decide(number, event["job"], "failed", problem.code, problem.text)
        else:
            self.write({"kind": "trouble", "done": [number], "text": problem.text})

    def _publish(self, frame: FrameRun) -> None:
        view = View.of(frame)
        with self.mutex:
            if frame.number == self.ledger.frame:
                self.view = view
            self.trouble = self.trouble or frame.trouble
            self._changed.notify_all()
