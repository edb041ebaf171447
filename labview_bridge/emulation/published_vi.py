"""The published VI as a state machine, round any folder with its three modules.

Reconstructed from the VI of Narasimha et al. (2024): its files and names, the order of its steps, Iterations + 1
measurements, and its neglect of errors: when Python raises, the node's outputs are zero, and **the tip goes to the
frame's corner and measures there**.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dkl_core.survey import FloatArray
from labview_bridge.emulation.node import Answer, Session
from labview_bridge.emulation.samples import Sample
from labview_bridge.emulation.vi_files import NumberFormat, VIFiles

DECISION = "DKL_using_gpax.py", "dkl_gpax_LV"
SCALARIZER = "scalarizer.py", "scalarizer"


class State(Enum):
    """What the VI does next."""

    START = "start"
    DECIDE = "decide"
    MEASURE = "measure"
    COMPILE = "compile"
    STOPPED = "stopped"


@dataclass(frozen=True)
class VISettings:
    """The VI's front panel, and where and on what it runs.

    Attributes:
        name: `Experiment Name`.
        step: `Coordinate step`, pixels.
        window: `Window size`, pixels.
        iterations: `Iterations`; one more is measured.
        numbers: how numbers are written, by Windows' locale.
        centre_m: centre of the scan frame (x, y), m.
        angle_deg: angle of the scan frame, degrees, clockwise.
        scan_first_row: the row of the topograph with which the scan file begins.
        decision_type: the return type wired to the first node.
        zero_row_on_error: whether a failed scalarizer leaves a row with scalar 0 (else none).
    """

    name: str = "EMULATED"
    step: int = 10
    window: int = 30
    iterations: int = 50
    numbers: NumberFormat = field(default_factory=NumberFormat)
    centre_m: tuple[float, float] = (1.2e-7, -4.0e-8)
    angle_deg: float = 0.0
    scan_first_row: Literal["top", "bottom"] = "top"
    decision_type: str = "[DBL]"
    zero_row_on_error: bool = False


@dataclass(frozen=True)
class Visit:
    """One turn of the VI's loop.

    Attributes:
        iteration: counted from 1.
        x_px: where the tip went, column.
        y_px: where the tip went, row from the bottom.
        index: what the decision gave as the site's number.
        scalar: what the scalarizer gave; 0 after an error.
        decision: the first node's answer.
        scalarized: the second node's answer.
        on_site: whether the tip stood on one of the candidate sites, and the index named that site.
    """

    iteration: int
    x_px: float
    y_px: float
    index: int
    scalar: float
    decision: Answer
    scalarized: Answer
    on_site: bool


Hook = Callable[["PublishedVI", State], None]


class PublishedVI:
    """The VI at work.

    Args:
        session: the Python session in which its nodes run.
        modules: folder of the three modules.
        base: the VI's base folder, where its files are.
        sample: what is under the tip.
        settings: the front panel.
        before: called before each state with the VI and the state, to inject faults.
        wait_s: the real waits of the VI add up to some 3 s for each point; 0 leaves them out.

    Attributes:
        visits: the turns of the loop so far.
        stop: the stop button.
        state: what comes next.
        tip_m: where the tip is (x, y), m.
        data: the spectrum measured last (channels, points).
        raise_at: see `Session.call`; for faults.
        sites: the candidate sites (x, y) in pixels, y from the bottom, in the order of their index.
    """

    def __init__(
        self,
        session: Session,
        modules: Path,
        base: Path,
        sample: Sample,
        settings: VISettings | None = None,
        *,
        before: Hook | None = None,
        wait_s: float = 0.0,
    ) -> None:
        self.session, self.modules, self.base, self.sample = session, modules, base, sample
        self.settings = settings or VISettings()
        self.visits: list[Visit] = []
        self.stop = False
        self.state = State.START
        self.tip_m = self.settings.centre_m
        self.files: VIFiles | None = None
        self._before, self._wait_s = before, wait_s
        self.data: FloatArray = np.zeros((0, 0))
        self.raise_at: int | None = None
        self._decision, self._pixels, self._index = Answer(0, "", []), (0.0, 0.0), 0.0
        heights, self._width_m = sample.topography()
        self._heights_nm = heights
        self.sites = candidate_sites(heights, self.settings.step, self.settings.window)
        self._numbers = {site: number for number, site in enumerate(self.sites)}

    @property
    def iteration(self) -> int:
        """`Current iteration`, counted from 1."""
        return len(self.visits) + 1

    def run(self) -> list[Visit]:
        """Run until the VI stops."""
        for _ in self.turns():
            pass
        return self.visits

    def turns(self) -> Iterator[Visit]:
        """Run until the VI stops, giving each turn of its loop when it is over."""
        try:
            while self.state is not State.STOPPED:
                done = len(self.visits)
                self.step()
                if len(self.visits) > done:
                    yield self.visits[-1]
        finally:
            if self.files is not None:
                self.files.close()

    def step(self) -> None:
        """Do what the state says and go to the next."""
        if self._before is not None:
            self._before(self, self.state)
        actions = {
            State.START: self._start,
            State.DECIDE: self._decide,
            State.MEASURE: self._measure,
            State.COMPILE: self._compile,
        }
        self.state = actions[self.state]()

    def _start(self) -> State:
        self.files = VIFiles(self.base, self.settings.name, self.settings.numbers)
        self.files.write_scan(self._heights_nm, self._width_m * 1e9, self.settings.scan_first_row)
        return State.DECIDE

    def _decide(self) -> State:
        assert self.files is not None
        parameters = [
            ("String", self.files.scan.name),
            ("String", self.files.compilation.name),
            ("I16", self.settings.step),
            ("I16", self.settings.window),
            ("I16", self.iteration),
        ]
        module, function = DECISION
        self._decision = self.session.call(
            self.modules / module, function, parameters, self.settings.decision_type, raise_at=self.raise_at
        )
        # The node's error out goes nowhere, and Index Array of an empty array is 0.
        x, y, self._index, _ = [*_numbers(self._decision.value), 0.0, 0.0, 0.0, 0.0][:4]
        self._pixels = x, y
        return State.MEASURE

    def _measure(self) -> State:
        pixel_m = self._width_m / self._heights_nm.shape[1]
        local = self._pixels[0] * pixel_m, self._pixels[1] * pixel_m
        # Go to xy takes single-precision metres.
        self.tip_m = single(to_piezo(local, self._width_m, self.settings.centre_m, self.settings.angle_deg))
        time.sleep(self._wait_s)
        x_px, y_px = self.tip_px()
        self.data = np.asarray(self.sample.spectrum(x_px, y_px), dtype=np.float32).astype(float)
        return State.COMPILE

    def _compile(self) -> State:
        assert self.files is not None
        module, function = SCALARIZER
        answer = self.session.call(
            self.modules / module,
            function,
            [
                ("String", self.files.spectroscopy_name),
                ("[[DBL]]", self.data.tolist()),
                ("DBL", self._pixels[0]),
                ("DBL", self._pixels[1]),
            ],
            "DBL",
            raise_at=self.raise_at,
        )
        if answer.ok or self.settings.zero_row_on_error:
            self._write_row(answer.value)
        self._note(answer)
        last = len(self.visits) > self.settings.iterations
        return State.STOPPED if last or self.stop else State.DECIDE

    def _write_row(self, scalar: float) -> None:
        assert self.files is not None
        pixel_nm = self._width_m / self._heights_nm.shape[1] * 1e9
        x, y = self._pixels
        row = (x, y, scalar, self._index, x * pixel_nm, y * pixel_nm)
        try:
            self.files.write_row(row, first=not self.visits)
        except OSError:
            # Write Delimited Spreadsheet puts it on its error out, which nothing reads either.
            return

    def _note(self, answer: Answer) -> None:
        x_px, y_px = self.tip_px()
        near = round(x_px), round(y_px)
        exact = abs(x_px - near[0]) < 0.01 and abs(y_px - near[1]) < 0.01
        on_site = exact and self._numbers.get(near) == self._index
        self.visits.append(
            Visit(self.iteration, x_px, y_px, int(self._index), answer.value, self._decision, answer, on_site)
        )

    def tip_px(self) -> tuple[float, float]:
        """Where the tip stands: column and row from the bottom of the topograph, in pixels."""
        x, y = to_frame(self.tip_m, self._width_m, self.settings.centre_m, self.settings.angle_deg)
        per_m = self._heights_nm.shape[1] / self._width_m
        return round(x * per_m, 3), round(y * per_m, 3)


def candidate_sites(heights: FloatArray, step: int, window: int) -> list[tuple[int, int]]:
    """The sites of the published fitting grid as (x, y) in pixels, y from the bottom, in the order of their index.

    Multiples of the step whose whole window lies in the image and holds no NaN, row by row (AtomAI,
    `get_coord_grid` and `get_imgstack`).

    Args:
        heights: the topograph (rows, columns), row 0 at the top.
        step: distance of sites, pixels.
        window: edge of the window, pixels.
    """
    flipped, half = heights[::-1], window // 2
    rows, cols = flipped.shape
    sites = []
    for y in range(0, rows, step):
        for x in range(0, cols, step):
            inside = y >= half and x >= half and y - half + window <= rows and x - half + window <= cols
            if inside and not np.isnan(flipped[y - half : y - half + window, x - half : x - half + window]).any():
                sites.append((x, y))
    return sites


Point = tuple[float, float]


def to_piezo(local_m: Point, width_m: float, centre_m: Point, angle_deg: float) -> Point:
    """A point counted from the frame's lower left corner as a position of the piezo, m; positive angles clockwise."""
    u, v, angle = local_m[0] - width_m / 2, local_m[1] - width_m / 2, np.deg2rad(angle_deg)
    x = centre_m[0] + u * np.cos(angle) + v * np.sin(angle)
    y = centre_m[1] - u * np.sin(angle) + v * np.cos(angle)
    return float(x), float(y)


def to_frame(piezo_m: Point, width_m: float, centre_m: Point, angle_deg: float) -> Point:
    """The inverse of `to_piezo`."""
    dx, dy, angle = piezo_m[0] - centre_m[0], piezo_m[1] - centre_m[1], np.deg2rad(angle_deg)
    u = dx * np.cos(angle) - dy * np.sin(angle)
    v = dx * np.sin(angle) + dy * np.cos(angle)
    return float(u + width_m / 2), float(v + width_m / 2)


def single(point: Point) -> Point:
    """A point in single precision."""
    return float(np.float32(point[0])), float(np.float32(point[1]))


def _numbers(value: Any) -> list[float]:
    return [float(part) for part in value]
