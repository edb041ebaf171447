"""How fast the simulated microscope is, and how large samples may be: `python -m benchmarks.stem`.

Times are of the processor that this thread used, so that a busy machine blurs them less; smallest and median per call.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dkl_core.stem import Optics, Realism, SampleSettings, ScanFrame, Scatterer, VirtualMicroscope, build_sample

RESULTS = Path(__file__).parent / "results"
CASES = (
    ("graphene_si", Optics()),
    ("twisted_bilayer", Optics()),
    ("mnps3", Optics(defocus_nm=40.0)),
    ("strained_flake", Optics(semiangle_mrad=5.0)),
)
EXPOSURE_S = 0.01


@dataclass(frozen=True)
class Times:
    """Processor times per call, ms."""

    least: float
    median: float

    @classmethod
    def of(cls, work: Callable[[], object], repeats: int = 40) -> Times:
        """Times of a piece of work, after a first call that does not count."""
        work()
        times = []
        for _ in range(repeats):
            start = time.thread_time()
            work()
            times.append(1e3 * (time.thread_time() - start))
        return cls(min(times), float(np.median(times)))

    def __str__(self) -> str:
        return f"{self.least:.2f} / {self.median:.2f} ms"


class Clock:
    """Time that passes only when it is told to, s."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time, s."""
        return self.now


class Run:
    """A microscope, blanked between exposures as in an experiment, at another place for each."""

    def __init__(self, microscope: VirtualMicroscope, clock: Clock) -> None:
        self._microscope, self._clock = microscope, clock
        self._places = itertools.cycle(np.random.default_rng(0).uniform(-3, 3, (61, 2)).tolist())
        microscope.blanked = True

    def expose(self) -> None:
        """Place, unblank, expose, blank, read."""
        begin = self._clock.now = self._clock.now + 0.1
        self._microscope.place_probe(*next(self._places))
        self._microscope.blanked = False
        self._clock.now += EXPOSURE_S
        self._microscope.blanked = True
        self._microscope.expose(EXPOSURE_S, begin, self._clock.now)

    def scan(self) -> None:
        """Take an image."""
        frame = ScanFrame((256, 256), 0.9 * self._microscope.sample.field_nm)
        begin = self._clock.now = self._clock.now + 0.1
        self._microscope.blanked = False
        self._clock.now += frame.seconds
        self._microscope.blanked = True
        self._microscope.scan(frame, begin)


def made(kind: str, optics: Optics, field_nm: float, realism: Realism) -> tuple[VirtualMicroscope, Clock, float]:
    """A microscope that is ready to expose, its clock, and the processor time it took with its sample, s."""
    start, clock = time.thread_time(), Clock()
    sample = build_sample(SampleSettings.from_json({"kind": kind, "field_nm": field_nm}))
    microscope = VirtualMicroscope(sample, optics=optics, realism=realism, clock=clock)
    return microscope, clock, time.thread_time() - start


def measured(kind: str, optics: Optics, field_nm: float) -> dict[str, Times | float]:
    """Times of one kind of sample."""
    found: dict[str, Times | float] = {}
    for name in ("realistic", "ideal"):
        microscope, clock, seconds = made(kind, optics, field_nm, Realism.named(name))
        run = Run(microscope, clock)
        found |= {f"{name} build_s": seconds, f"{name} frame": Times.of(run.expose)}
        found[f"{name} image"] = Times.of(run.scan, 15)
    scatterer = microscope.scatterer
    assert isinstance(scatterer, Scatterer)
    found["exact pattern"] = Times.of(lambda: scatterer.pattern(0.31, -0.22))
    scatterer.com_mrad(0.0, 0.0)
    atoms = iter(scatterer.atoms_near(0.0, 0.0, 1.5).tolist())
    found["change of an atom"] = Times.of(lambda: scatterer.replace_atom(next(atoms), 14), 20)
    return found


def main() -> None:
    """Measure, print, and write `results/stem.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="fields of 100 nm as well, which take a minute")
    given = parser.parse_args()
    written: dict[str, dict[str, object]] = {}
    for field_nm, (kind, optics) in itertools.product((20.0, 100.0) if given.large else (20.0,), CASES):
        found = measured(kind, optics, field_nm)
        print(f"{kind}, {field_nm:g} nm")
        for name, value in found.items():
            print(f"  {name}: {f'{value:.2f}' if isinstance(value, float) else value}")
        written[f"{kind}, {field_nm:g} nm"] = {
            name: value if isinstance(value, float) else {"min_ms": value.least, "median_ms": value.median}
            for name, value in found.items()
        }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "stem.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
