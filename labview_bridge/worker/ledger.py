"""What a run's journal says so far: frames, points and jobs, and what is still to be done.

Inputs are what the VI asked for; they are in the journal before the answer is given. Outcomes are what became of them:
the events of the core, in the order in which they took effect. The ledger follows from the events alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

INPUTS = frozenset({"submit", "suggest", "next_frame", "cancel"})
JobState = Literal["waiting", "ready", "finished", "cancelled", "failed"]


@dataclass
class Point:
    """A place that was suggested.

    Attributes:
        number: its number in the run, from 1.
        frame: number of the frame that it lies in, from 0.
        site: index of its site.
        expected: predicted value, its standard deviation, and the acquisition; None before the first fit.
        digest: of what was submitted for it; empty while it is outstanding.
        withdrawn: whether its suggestion was cancelled.
        told: what became of it: value, valid, reason; None while that is not known.
    """

    number: int
    frame: int
    site: int
    expected: tuple[float | None, float | None, float | None]
    digest: str = ""
    withdrawn: bool = False
    told: Mapping[str, Any] | None = None


@dataclass
class Job:
    """A decision that was asked for.

    Attributes:
        number: its number in the run, from 1.
        kind: the next point, or the next frame.
        frame: number of the frame that it is about.
        asked: number of the event that asked for it.
        request: the name that the client gave to its request; one that is sent again has the same.
        state: how far it is.
        point: the point that was decided on; 0 if none.
        result: what else was decided.
        code: why there is no decision; 0 if there is one.
        text: the same in words.
    """

    number: int
    kind: str
    frame: int
    asked: int = 0
    request: str = ""
    state: JobState = "waiting"
    point: int = 0
    result: Mapping[str, Any] = field(default_factory=dict)
    code: int = 0
    text: str = ""


@dataclass
class Ledger:
    """See the module.

    Attributes:
        events: how many there were; the number of the next one.
        frames: the `image` event of each frame.
        points: number → point.
        jobs: number → job.
        offered: outstanding points to be suggested again, after the VI was started anew.
        last: number of the point that was suggested last; 0 if none.
        undone: inputs by their number that have no outcome yet, in order.
    """

    events: int = 0
    frames: list[Mapping[str, Any]] = field(default_factory=list)
    points: dict[int, Point] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)
    offered: list[int] = field(default_factory=list)
    last: int = 0
    undone: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def frame(self) -> int:
        """Number of the present frame; -1 before the first image."""
        return len(self.frames) - 1

    def outstanding(self) -> list[int]:
        """Points of the present frame that nothing was submitted for."""
        return [
            point.number
            for point in self.points.values()
            if point.frame == self.frame and not point.digest and not point.withdrawn
        ]

    def apply(self, event: Mapping[str, Any]) -> int:
        """Take an event in.

        Returns:
            Its number.
        """
        number, kind = self.events, event["kind"]
        self.events += 1
        if kind in INPUTS:
            self.undone[number] = event
        for done in event.get("done", ()):
            self.undone.pop(done, None)
        follow = getattr(self, f"_{kind}", None)
        if follow is not None:
            follow(number, event)
        return number

    # ------------------------------------------------------------------ inputs

    def _image(self, _number: int, event: Mapping[str, Any]) -> None:
        self.frames.append({name: value for name, value in event.items() if name != "image"})
        self.offered = []
        for job in self.jobs.values():
            if job.state == "waiting":
                self.undone.pop(job.asked, None)
                job.state, job.text = "cancelled", "a new image was set"

    def _submit(self, _number: int, event: Mapping[str, Any]) -> None:
        point = self.points[event["point"]]
        point.digest = event["digest"]
        if point.number in self.offered:
            self.offered.remove(point.number)

    def _suggest(self, number: int, event: Mapping[str, Any]) -> None:
        self.jobs[event["job"]] = Job(event["job"], "suggest", event["frame"], number, event.get("request", ""))

    def _next_frame(self, number: int, event: Mapping[str, Any]) -> None:
        self.jobs[event["job"]] = Job(event["job"], "next_frame", event["frame"], number, event.get("request", ""))

    def _cancel(self, number: int, event: Mapping[str, Any]) -> None:
        job = self.jobs[event["job"]]
        if job.point and not self.points[job.point].digest:
            self.points[job.point].withdrawn = True
        else:
            self.undone.pop(number, None)
        self.undone.pop(job.asked, None)
        job.state, job.text = "cancelled", "cancelled by the VI"

    def _reopen(self, _number: int, _event: Mapping[str, Any]) -> None:
        self.offered = self.outstanding()

    # ------------------------------------------------------------------ outcomes

    def _core(self, _number: int, event: Mapping[str, Any]) -> None:
        if "point" not in event:
            return
        if event["event"] == "ask":
            site = int(event["data"]["sites"][0])
            self.points[event["point"]] = Point(event["point"], event["frame"], site, tuple(event["expected"]))
            self._decided_on(event["job"], event["point"])
        elif event["event"] == "tell":
            self.points[event["point"]].told = {name: event["data"][name] for name in ("value", "valid", "reason")}

    def _again(self, _number: int, event: Mapping[str, Any]) -> None:
        self.offered.remove(event["point"])
        self._decided_on(event["job"], event["point"])

    def _decided(self, _number: int, event: Mapping[str, Any]) -> None:
        job = self.jobs[event["job"]]
        job.state, job.code, job.text = event["state"], event["code"], event["text"]
        job.result = event["result"]

    def _given_up(self, _number: int, event: Mapping[str, Any]) -> None:
        self.points[event["point"]].withdrawn = True
        if event["point"] in self.offered:
            self.offered.remove(event["point"])

    def _decided_on(self, number: int, point: int) -> None:
        job = self.jobs[number]
        job.state, job.point = "ready", point
        self.last = point
