"""What a VI can ask of a run: every answer is given at once; long work is left to the run's own thread."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from dkl_core.errors import InputError
from dkl_core.survey import FloatArray
from labview_bridge.worker.deciding import Deciding
from labview_bridge.worker.frame_run import packed_image
from labview_bridge.worker.geometry import FrameGeometry
from labview_bridge.worker.ledger import Job, Point
from labview_bridge.worker.problems import Code, WorkerError
from labview_bridge.worker.view import View

STATES = {"waiting": 0, "ready": 1, "finished": 2, "cancelled": 3, "failed": 4}
_MOST_PIXELS = 4096 * 4096
_NEARLY = 0.95
_QUICK_S = 0.05


class Session:
    """A run as the VI sees it.

    Args:
        run: the run.
    """

    def __init__(self, run: Deciding) -> None:
        self.run = run

    # ------------------------------------------------------------------ image

    def set_image(self, image: FloatArray, geometry: Mapping[str, Any]) -> None:
        """Begin a frame; the same image and geometry as those of the present frame change nothing.

        Raises:
            InputError: image or geometry cannot be used; the present frame stays.
        """
        _check_image(image)
        rows, cols = image.shape
        placed = FrameGeometry(rows, cols, **geometry, clockwise=self.run.config.clockwise)
        packed = {**packed_image(image), "geometry": placed.to_json()}
        with self.run.mutex:
            if self._is_present(packed):
                return
            number = self.run.ledger.frame + 1
        frame = self.run.new_frame(number, placed, image)
        with self.run.mutex:
            if self.run.ledger.frame + 1 != number:
                raise WorkerError(Code.CONFLICT, "another image was set at the same time; set this one again")
            self.run.write({"kind": "image", "frame": number, **packed})
            self.run.adopt_frame(frame)

    def _is_present(self, packed: Mapping[str, Any]) -> bool:
        frames = self.run.ledger.frames
        return bool(frames) and all(frames[-1][name] == packed[name] for name in ("sha256", "shape", "geometry"))

    # ------------------------------------------------------------------ measurements

    def submit(self, number: int, bias: FloatArray, channels: FloatArray) -> None:
        """Take a spectrum in; the same one again changes nothing.

        Raises:
            WorkerError: there is no such point, or something else was submitted for it.
            InputError: bias and channels do not fit together; nothing was taken in.
        """
        _check_spectrum(bias, channels)
        self.run.config.channel_names(len(channels))
        digest = hashlib.sha256(
            json.dumps(list(channels.shape)).encode() + bias.tobytes() + channels.tobytes()
        ).hexdigest()
        content = {"bias": bias.tolist(), "channels": channels.tolist()}
        self._take_in(number, digest, content)

    def submit_failed(self, number: int, reason: str) -> None:
        """Say that a point could not be measured, and why.

        Raises:
            WorkerError: there is no such point, or something else was submitted for it.
        """
        if not reason.strip():
            raise InputError("the reason is empty; say why the point could not be measured")
        digest = hashlib.sha256(b"failed" + reason.strip().encode()).hexdigest()
        self._take_in(number, digest, {"failed": reason.strip()})

    def _take_in(self, number: int, digest: str, content: Mapping[str, Any]) -> None:
        with self.run.mutex:
            point = self._point(number)
            if point.digest == digest:
                return
            if point.digest:
                raise WorkerError(
                    Code.CONFLICT,
                    f"something else was submitted for point {number} before; the first is kept. A new measurement "
                    "needs a new point: suggest_start",
                )
            self.run.write({"kind": "submit", "point": number, "digest": digest, **content})

    def result(self, number: int) -> dict[str, Any]:
        """What became of what was submitted for a point.

        Raises:
            WorkerError: there is no such point, or nothing was submitted for it.
        """
        with self.run.mutex:
            point = self._point(number)
            if not point.digest:
                raise WorkerError(Code.NOT_READY, f"nothing was submitted for point {number} yet")
            told = point.told
        if told is None:
            return {"state": 0, "value": None, "valid": False, "reason": ""}
        value = told["value"]
        valid = bool(told["valid"])
        return {"state": 1, "value": value if math.isfinite(value) else None, "valid": valid, "reason": told["reason"]}

    # ------------------------------------------------------------------ decisions

    def start(self, kind: str, request: str = "", **asked: float) -> int:
        """Ask for a decision.

        Args:
            kind: `suggest` or `next_frame`.
            request: the client's name for this request, the same when it is sent again; empty if it has none.
            **asked: what the event is to hold besides.

        Returns:
            The job's number. That of the same request, or of one of the same kind that still waits, is given again.

        Raises:
            WorkerError: there is no image yet.
        """
        with self.run.mutex:
            ledger = self.run.ledger
            if not ledger.frames:
                raise _no_image()
            for job in ledger.jobs.values():
                if (job.state == "waiting" and job.kind == kind) or (request and job.request == request):
                    return job.number
            number = max(ledger.jobs, default=0) + 1
            self.run.write({"kind": kind, "job": number, "frame": ledger.frame, "request": request, **asked})
            return number

    def poll(self, number: int) -> tuple[int, float, str]:
        """How far a job is: state, progress from 0 to 1, and why there is no decision if there is none."""
        with self.run.mutex:
            job = self._job(number)
            state, text = job.state, job.text
        view = self.run.view
        if state == "ready" and view is None:
            # After a restart its place is not known yet.
            return STATES["waiting"], _NEARLY, self.run.trouble
        if state != "waiting":
            return STATES[state], 1.0, text
        expected = max(_QUICK_S, 0.0 if view is None else view.last_fit_s)
        return STATES[state], min(_NEARLY, self.run.seconds_at_work / expected), self.run.trouble

    def suggestion(self, number: int) -> dict[str, Any]:
        """The point that a job decided on.

        Raises:
            WorkerError: it is not ready, there is nothing left, it was cancelled or failed, or the position is not
                safe.
        """
        with self.run.mutex:
            job = self._ready(number, "suggest")
            point = self._point(job.point)
            geometry = FrameGeometry.from_json(self.run.ledger.frames[point.frame]["geometry"])
            present = point.frame == self.run.ledger.frame
        view = self._view()
        if not present or view.frame != point.frame:
            raise WorkerError(Code.CANCELLED, f"point {point.number} lies in an earlier frame; ask for a new one")
        site = view.sites[point.site]
        (x_px, y_px), (x_m, y_m) = geometry.vi_pixel(site.row, site.col), geometry.metres(site.row, site.col)
        self._require_inside(geometry, x_m, y_m)
        predicted, sigma, acquisition = point.expected
        return {
            "point": point.number,
            "x_px": float(x_px),
            "y_px": float(y_px),
            "x_m": x_m,
            "y_m": y_m,
            "predicted": predicted,
            "sigma": sigma,
            "acquisition": acquisition,
        }

    def frame(self, number: int) -> dict[str, Any]:
        """The frame that a job decided on."""
        with self.run.mutex:
            job = self._ready(number, "next_frame")
            return {**job.result, "reason": job.text}

    def cancel(self, number: int) -> None:
        """Give a job up, or take its point back if nothing was submitted for it; a second time changes nothing."""
        with self.run.mutex:
            job = self._job(number)
            if job.state in {"waiting", "ready"} and not (job.point and self._point(job.point).digest):
                self.run.write({"kind": "cancel", "job": number})

    def check_position(self, x_m: float, y_m: float) -> None:
        """Refuse a place outside the frame, nearer to its edge than the margin, or beyond the maximal step.

        Raises:
            WorkerError: it is refused.
        """
        view = self._view()
        self._require_inside(view.geometry, x_m, y_m)
        with self.run.mutex:
            last = self.run.ledger.points.get(self.run.ledger.last)
        most = self.run.config.max_step_m
        if last is None or most is None or last.frame != view.frame:
            return
        step = math.dist(view.place(last.site), (x_m, y_m))
        if step > most:
            raise WorkerError(Code.OUTSIDE, f"a step of {step:.4g} m is longer than the {most:.4g} m that are allowed")

    # ------------------------------------------------------------------ looking

    def map(self, name: str) -> tuple[FloatArray, tuple[float, float, float, float]]:
        """A map in the VI's order, and its axes."""
        view = self._view()
        return view.map(name), view.axes()

    def status(self) -> dict[str, Any]:
        """How the run stands, JSON-compatible."""
        with self.run.mutex:
            ledger, view = self.run.ledger, self.run.view
            waiting = [job.number for job in ledger.jobs.values() if job.state == "waiting"]
            facts: dict[str, Any] = {} if view is None else dict(view.facts)
            return {
                "run": self.run.config.run,
                "recovered": self.run.recovered,
                "frame": ledger.frame + 1,
                "points": len(ledger.points),
                "outstanding": ledger.outstanding(),
                "last_point": ledger.last,
                "jobs_waiting": waiting,
                "working": self.run.is_busy,
                "trouble": self.run.trouble,
                "scalarizer": self.run.config.scalarizer.name,
                "journal": str(self.run.journal.path),
                "pid": os.getpid(),
                **facts,
            }

    # ------------------------------------------------------------------ inside

    def _view(self) -> View:
        view = self.run.view
        if view is not None:
            return view
        if self.run.ledger.frames:
            why = self.run.trouble or "it takes some seconds"
            raise WorkerError(Code.NOT_READY, f"the run is being taken up again ({why}); ask again")
        raise _no_image()

    def _point(self, number: int) -> Point:
        point = self.run.ledger.points.get(number)
        if point is None:
            raise WorkerError(
                Code.POINT,
                f"there is no point {number} in this run; give the point_id of suggest_get",
            )
        return point

    def _job(self, number: int) -> Job:
        job = self.run.ledger.jobs.get(number)
        if job is None:
            raise WorkerError(Code.JOB, f"there is no job {number} in this run; give the one of suggest_start")
        return job

    def _ready(self, number: int, kind: str) -> Job:
        job = self._job(number)
        if job.kind != kind:
            raise WorkerError(Code.JOB, f"job {number} is a {job.kind}, not a {kind}; ask the function that fits")
        match job.state:
            case "waiting":
                raise WorkerError(Code.NOT_READY, f"job {number} is not ready; poll until its state is not 0")
            case "cancelled":
                raise WorkerError(Code.CANCELLED, f"job {number} was cancelled: {job.text}")
            case "finished" | "failed":
                raise WorkerError(Code(job.code), job.text)
        return job

    def _require_inside(self, geometry: FrameGeometry, x_m: float, y_m: float) -> None:
        if not geometry.contains(x_m, y_m, self.run.config.margin_m):
            raise WorkerError(
                Code.OUTSIDE, f"({x_m:.6g}, {y_m:.6g}) m lies outside the frame or nearer to its edge than the margin"
            )


def _no_image() -> WorkerError:
    return WorkerError(Code.NO_IMAGE, "the run has no image yet; call session_set_image first")


def _check_image(image: FloatArray) -> None:
    if image.ndim != 2 or min(image.shape) < 2:
        raise InputError(f"the image has shape {image.shape}; wire the 2-D array of the scan (rows, columns)")
    if image.size > _MOST_PIXELS:
        raise InputError(f"the image has {image.size} pixels; at most {_MOST_PIXELS} are taken")
    if np.isinf(image).any():
        raise InputError("the image holds infinite values; give heights, NaN where there is no data")


def _check_spectrum(bias: FloatArray, channels: FloatArray) -> None:
    if bias.ndim != 1 or len(bias) < 2:
        raise InputError(f"the bias axis has shape {bias.shape}; wire the 1-D array of the sweep, two values or more")
    if channels.ndim != 2 or not len(channels):
        raise InputError(f"the channels have shape {channels.shape}; wire a 2-D array with one row per channel")
    if channels.shape[1] != len(bias):
        raise InputError(
            f"the channels have {channels.shape[1]} samples, the bias axis {len(bias)}; rows are channels: "
            "transpose the array if its columns are"
        )
    steps = np.diff(bias)
    if not np.isfinite(bias).all() or not ((steps > 0).all() or (steps < 0).all()):
        raise InputError("the bias axis does not rise or fall all the way; give one sweep in V (is it wired?)")
    if np.isinf(channels).any():
        raise InputError("a channel holds infinite values; give numbers, NaN where a sample was lost")
