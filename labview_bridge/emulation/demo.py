"""The emulated published VI round the drop-in, on the simulated STM: one run, and how well it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.sample import RealismSettings, SimulatedSurface, SurfaceSettings
from dkl_core.sample.kinds import DefectKind, defects_at
from dkl_core.scalarizers import Spectrum, get_scalarizer
from dkl_core.survey import FloatArray, SurveyImage
from labview_bridge.emulation.faults import Faults, Struck, every_fault
from labview_bridge.emulation.interpreters import interpreters
from labview_bridge.emulation.published_vi import PublishedVI, VISettings, Visit
from labview_bridge.emulation.samples import SimulatedSample
from labview_bridge.emulation.workplace import Workplace

KIND: DefectKind = "vacancy"
# The state of a vacancy falls off by a factor e over this length.
WITHIN_NM = 0.9
SEEDS = 20
DRAWS = 200
REALISM = RealismSettings(drift_nm_per_min=(0.01, 0.006), tip_change_s=None)


@dataclass(frozen=True)
class DemoSettings:
    """What is demonstrated.

    Attributes:
        seed: of the surface, the noise, the drop-in and the faults.
        iterations: the VI's `Iterations`; one more is measured.
        faults: share of the calls after the seeds during which something goes wrong.
        wait_s: how long the VI waits at each point, s; the published one waits 2.2 s and sweeps.
        deadline_s: the drop-in's deadline for a decision, s.
    """

    seed: int = 0
    iterations: int = 100
    faults: float = 0.06
    wait_s: float = 0.4
    deadline_s: float = 3.0


@dataclass(frozen=True)
class DemoRun:
    """What became of it.

    Attributes:
        settings: what was asked for.
        python: version of the Python in which the VI's nodes ran.
        image: the topograph.
        sites: (row, column) of the candidate sites (M, 2), pixels.
        truth: in-gap ratio of a perfect spectrum at each site (M,).
        defects: number of the vacancy on which each site stands (M,), -1 for none.
        visits: the VI's turns.
        spectra: what was measured at each (channels, points).
        statuses: what the drop-in said of each decision.
        struck: the faults.
    """

    settings: DemoSettings
    python: tuple[int, int]
    image: SurveyImage
    sites: NDArray[np.int64]
    truth: FloatArray
    defects: NDArray[np.intp]
    visits: list[Visit] = field(default_factory=list)
    spectra: list[FloatArray] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    struck: list[Struck] = field(default_factory=list)

    @property
    def visited(self) -> NDArray[np.intp]:
        """Number of the site of each visit (n,), -1 for a place that is none."""
        return np.array([visit.index if visit.on_site else -1 for visit in self.visits], dtype=np.intp)

    @property
    def sources(self) -> list[str]:
        """What each decision came from, by what the drop-in says; `unknown` where its status was lost."""
        said = {status["iteration"]: str(status["source"]) for status in self.statuses if "source" in status}
        return [said.get(visit.iteration, "unknown") for visit in self.visits]

    @property
    def seconds(self) -> FloatArray:
        """How long the VI waited for each decision (n,), s."""
        return np.array([visit.decision.elapsed_s for visit in self.visits])

    @property
    def found(self) -> NDArray[np.int64]:
        """Different vacancies measured after each visit (n,)."""
        return distinct(self.defects[self.visited])

    @property
    def expected_at_random(self) -> FloatArray:
        """The same for sites drawn at random, on average (n,)."""
        rng, count = np.random.default_rng([self.settings.seed, 5]), len(self.visits)
        draws = [distinct(self.defects[rng.permutation(len(self.sites))[:count]]) for _ in range(DRAWS)]
        mean: FloatArray = np.mean(draws, axis=0)
        return mean

    def result(self) -> dict[str, Any]:
        """The run as one flat mapping."""
        after = self.visited[SEEDS:]
        on_kind = float((self.defects[after] >= 0).mean()) if len(after) else np.nan
        return {
            "python": "{}.{}".format(*self.python),
            "measured": len(self.visits),
            "sites": len(self.sites),
            "off_site": int((self.visited < 0).sum()),
            "errors": sum(not visit.decision.ok or not visit.scalarized.ok for visit in self.visits),
            "faults": len(self.struck),
            "model": self.sources.count("model"),
            "found": int(self.found[-1]),
            "in_frame": len(set(self.defects[self.defects >= 0].tolist())),
            "found_at_random": float(self.expected_at_random[-1]),
            "share_on_kind": on_kind,
            "share_on_kind_at_random": float((self.defects >= 0).mean()),
            "median_s": float(np.median(self.seconds)),
            "first_s": float(self.seconds[0]),
            "worst_s": float(self.seconds.max()),
        }


def run_demo(settings: DemoSettings, folder: Path, progress: Callable[[Visit], None] = lambda _: None) -> DemoRun:
    """Run the VI.

    Args:
        settings: what is demonstrated.
        folder: for the VI's files, the journal and the settings.
        progress: called after each turn of the VI's loop.
    """
    surface = SimulatedSurface(SurfaceSettings(seed=settings.seed, realism=REALISM))
    sample = SimulatedSample(surface)
    own = {"seeds": SEEDS, "seed": settings.seed, "levelling": "steps"}
    place = Workplace.made(folder, own, deadline_s=settings.deadline_s)
    python, program = next(iter(interpreters().items()))
    faults = Faults(every_fault(place.runs), settings.seed, share=settings.faults, spared=SEEDS)
    panel = VISettings(name="DEMO", step=5, window=20, iterations=settings.iterations)
    try:
        with place.session(program) as session:
            vi = PublishedVI(session, place.modules, place.base, sample, panel, before=faults, wait_s=settings.wait_s)
            run = _empty(settings, python, vi, sample)
            for visit in vi.turns():
                run.visits.append(visit)
                run.spectra.append(vi.data)
                progress(visit)
            faults.end()
    finally:
        place.end_worker()
    run.statuses.extend(place.statuses())
    run.struck.extend(faults.struck)
    return run


def distinct(defects: NDArray[np.intp]) -> NDArray[np.int64]:
    """How many different defects were met after each of n visits (n,); -1 stands for none."""
    first = np.zeros(len(defects), dtype=np.int64)
    _, places = np.unique(defects, return_index=True)
    first[[place for place in places if defects[place] >= 0]] = 1
    return np.cumsum(first)


def _empty(settings: DemoSettings, python: tuple[int, int], vi: PublishedVI, sample: SimulatedSample) -> DemoRun:
    rows = sample.image.shape[0]
    sites = np.array([(rows - 1 - y, x) for x, y in vi.sites], dtype=np.int64)
    places = sample.image.to_nm(sites)
    ratio, surface = get_scalarizer("in_gap_ratio"), sample.surface
    current, didv = surface.ideal_spectra(places)
    bias = surface.bias_v
    truth = np.array([ratio(Spectrum(bias, i, g)).value for i, g in zip(current, didv, strict=True)])
    return DemoRun(settings, python, sample.image, sites, truth, defects_at(surface, KIND, places, WITHIN_NM))
