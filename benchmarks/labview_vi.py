"""The emulated published VI round the drop-in: 270 iterations on each sample, with and without faults at every call.

    python -m benchmarks.labview_vi --data ../shared/data/stm_runs

Samples are the published runs that the folder holds (the spectrum of the nearest site that was measured) and the
simulated STM. For each, a clean run and one in which something goes wrong at every call after the first: exceptions
inside the module, the worker killed or standing still, files empty, missing, locked, half written or with decimal
commas, garbled spectra, a full disk. Counted are measurements, tips at a place that is no site, and errors on the
nodes' error outs (which the VI does not look at); timed is how long the VI waits for a decision: median, first call
(the worker cold), longest. Ends with status 1 when a tip left the sites, a run stopped early, or a call outlasted its
deadline.

A call that is traced in order to raise inside it is slow by that alone and left out of the times.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dkl_core.sample import SimulatedSurface, SurfaceSettings
from labview_bridge.emulation.demo import REALISM
from labview_bridge.emulation.faults import Faults, every_fault
from labview_bridge.emulation.interpreters import interpreters
from labview_bridge.emulation.published_vi import PublishedVI, State, VISettings
from labview_bridge.emulation.samples import RecordedSample, Sample, SimulatedSample
from labview_bridge.emulation.workplace import Workplace

DEADLINE_S, FIRST_DEADLINE_S = 3.0, 12.0
# Transport to the emulated node and the scheduling of a machine that does other things too.
SLACK_S = 0.3


@dataclass(frozen=True)
class Outcome:
    """One run of the VI.

    Attributes:
        name: sample and kind of run.
        wanted: measurements that the front panel asks for.
        measured: those that were made.
        off_site: how often the tip stood on no site.
        errors: answers with an error code.
        struck: faults.
        sources: where the decisions came from.
        seconds: of each decision that was not traced (n,), s; the first call is the first.
    """

    name: str
    wanted: int
    measured: int
    off_site: int
    errors: int
    struck: int
    sources: Mapping[str, int]
    seconds: list[float]

    @property
    def sound(self) -> bool:
        """Whether the run keeps what is promised."""
        whole = self.measured == self.wanted and not self.off_site and not self.errors
        in_time = max(self.seconds[1:], default=0.0) <= DEADLINE_S + SLACK_S
        return whole and in_time and self.seconds[0] <= FIRST_DEADLINE_S + SLACK_S

    def text(self) -> str:
        """A line of the table."""
        sources = ", ".join(f"{count} {name}" for name, count in sorted(self.sources.items()))
        warm = self.seconds[1:]
        return (
            f"{self.name:<34} {self.measured:>4}/{self.wanted:<4} {self.off_site:>4} {self.errors:>4} "
            f"{self.struck:>5}  {1000 * float(np.median(warm)):>6.0f} {1000 * float(np.percentile(warm, 99)):>6.0f} "
            f"{max(warm):>6.2f} {self.seconds[0]:>6.2f}  {sources}{'' if self.sound else '  <-- not sound'}"
        )


HEAD = (
    f"{'run':<34} {'measured':>9} {'off':>4} {'err':>4} {'fault':>5}  "
    f"{'median':>6} {'p99':>6} {'worst':>6} {'first':>6}"
)


def samples(data: Path | None) -> Iterator[tuple[str, Callable[[], Sample]]]:
    """The samples by name, all of 512 x 512 pixels."""
    for path in sorted(data.glob("*.hf5")) if data is not None else []:
        words = path.stem.split("_")
        yield f"{words[0]}_{words[-1]}", partial(RecordedSample, path)
    settings = SurfaceSettings(seed=7, realism=REALISM, shape=(512, 512))
    yield "simulated STM", lambda: SimulatedSample(SimulatedSurface(settings))


def run_one(
    name: str, sample: Sample, panel: VISettings, args: argparse.Namespace, *, faulty: bool, python: str
) -> Outcome:
    """One run in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="labview_vi_", ignore_cleanup_errors=True) as folder:
        place = Workplace.made(Path(folder), {"seed": args.seed, "first_deadline_s": FIRST_DEADLINE_S})
        faults = Faults(every_fault(place.runs), args.seed, spared=1 if faulty else sys.maxsize)
        try:
            with place.session(python) as session:
                vi = PublishedVI(session, place.modules, place.base, sample, panel, before=faults, wait_s=args.wait)
                vi.run()
                faults.end()
        finally:
            faults.end()
            place.end_worker()
        sources = Counter(str(status["source"]) for status in place.statuses() if "source" in status)
    traced = {
        struck.iteration
        for struck in faults.struck
        if struck.state is State.DECIDE and struck.name == "ExceptionInside"
    }
    answers = [answer for visit in vi.visits for answer in (visit.decision, visit.scalarized)]
    return Outcome(
        f"{name}, {'faults' if faulty else 'clean'}",
        panel.iterations + 1,
        len(vi.visits),
        sum(not visit.on_site for visit in vi.visits),
        sum(not answer.ok for answer in answers),
        len(faults.struck),
        sources,
        [visit.decision.elapsed_s for visit in vi.visits if visit.iteration not in traced],
    )


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of published runs; without it the simulated STM alone")
    parser.add_argument("--iterations", type=int, default=270)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--wait", type=float, default=0.3, help="s at each point; the published VI waits 2.2 s and sweeps"
    )
    parser.add_argument("--only", default="", help="part of a sample's name")
    parser.add_argument("--kinds", default="clean,faults")
    args = parser.parse_args()
    version, python = next(iter(interpreters().items()))
    print(f"nodes in Python {version[0]}.{version[1]}, worker in {sys.version.split()[0]}; ms, ms, s, s", flush=True)
    print(HEAD, flush=True)
    sound = True
    for name, made in samples(args.data):
        if args.only not in name:
            continue
        for kind in args.kinds.split(","):
            front = VISettings(iterations=args.iterations)
            outcome = run_one(name, made(), front, args, faulty=kind == "faults", python=python)
            print(outcome.text(), flush=True)
            sound = sound and outcome.sound
    return 0 if sound else 1


if __name__ == "__main__":
    raise SystemExit(main())
