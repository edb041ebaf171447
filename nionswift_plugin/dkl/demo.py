"""The demonstration: an automated 4D-STEM experiment on a simulated microscope, in a Swift without a window."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dkl_core.acquisition import AcquisitionSettings
from dkl_core.errors import InstrumentError
from dkl_core.experiment import Experiment, ExperimentSettings, Progress, SeedSettings, StopRules
from dkl_core.experiment.recorded import rebuilt
from dkl_core.patches import PatchSettings
from dkl_core.record import read_run
from dkl_core.scalarizers import NamedScalarizer, get_scalarizer
from dkl_core.stem.realism import Realism
from dkl_core.stem.settings import DopantSettings, SampleSettings
from dkl_core.survey import FloatArray
from nionswift_plugin.dkl.acquisition.settings import DriftSettings, HookSettings, PatternSettings, SurveySettings
from nionswift_plugin.dkl.listening import Listener, Message
from nionswift_plugin.dkl.plan import NewRun, host_of
from nionswift_plugin.dkl.rings import IntArray, Ring, found_curve, rings_of

if TYPE_CHECKING:
    from dkl_core.stem.microscope import VirtualMicroscope
    from nionswift_plugin.dkl.headless import HeadlessSwift

Method = Literal["dkl", "random"]
TARGET = "com_magnitude"
FOV_NM, SIZE_PX, WINDOW_PX, STRIDE_PX = 10.5, 210, 12, 2
SEEDS, BUDGET = 20, 100


@dataclass(frozen=True)
class DemoSettings:
    """The demonstration.

    Attributes:
        seed: of the sample, of all noise and of the experiment.
        budget: measurements.
        sample: what is looked at.
        realism: what the microscope adds to the physics.
        hook: how it is acquired.
        experiment: how sites are chosen.
    """

    seed: int
    budget: int
    sample: SampleSettings
    realism: Realism
    hook: HookSettings
    experiment: ExperimentSettings

    @classmethod
    def of(cls, seed: int, budget: int = BUDGET) -> DemoSettings:
        """Twisted bilayer graphene with silicon dopants, looked at as a microscopist would."""
        return cls(
            seed,
            budget,
            SampleSettings("twisted_bilayer", FOV_NM + 2, dopants=DopantSettings(per_nm2=0.12), seed=seed),
            Realism.realistic(),
            HookSettings(
                survey=SurveySettings(size_px=SIZE_PX, fov_nm=FOV_NM, pixel_time_us=40.0),
                pattern=PatternSettings(exposure_ms=20.0, dark_frames=8),
                drift=DriftSettings(every_sites=50),
            ),
            ExperimentSettings(
                patches=PatchSettings(window=WINDOW_PX, stride=STRIDE_PX),
                acquisition=AcquisitionSettings("ei", xi=0.01),
                seeds=SeedSettings(min(SEEDS, budget)),
                stop=StopRules(budget),
                seed=seed,
            ),
        )

    def chosen_by(self, method: Method) -> ExperimentSettings:
        """How a method chooses sites: random sampling is nothing but seeds."""
        if method == "dkl":
            return self.experiment
        return replace(self.experiment, seeds=SeedSettings(self.budget))


@dataclass(frozen=True, eq=False)
class DemoRun:
    """One run of the demonstration.

    Attributes:
        method: who chose the sites.
        experiment: as it ended, its model fitted.
        truth: true |CoM| at the sites (M,), mrad.
        rings: those of the dopants that the sites cover.
        seconds: from the start of the session to its end, s.
        reason: why it ended.
        path: its file.
    """

    method: Method
    experiment: Experiment
    truth: FloatArray
    rings: tuple[Ring, ...]
    seconds: float
    reason: str
    path: Path

    @property
    def visited(self) -> IntArray:
        """Measured sites in order (n,)."""
        return np.array([told.site.index for told in self.experiment.told], dtype=np.int64)

    @property
    def found(self) -> IntArray:
        """Dopants found after each measurement (n,)."""
        return found_curve(self.rings, self.visited)

    def result(self) -> dict[str, Any]:
        """How well it did, as one flat mapping."""
        told, prediction = self.experiment.told, self.experiment.predict()
        left = np.setdiff1d(np.arange(len(self.truth)), self.visited)
        predicted = None if prediction is None else prediction.mean[left]
        correlation = np.nan if predicted is None else float(np.corrcoef(predicted, self.truth[left])[0, 1])
        found = int(self.found[-1]) if len(told) else 0
        return {
            "method": self.method,
            "seed": self.experiment.settings.seed,
            "n_sites": len(self.truth),
            "measured": len(told),
            "failed": sum(not one.measurement.ok for one in told),
            "dopants": len(self.rings),
            "found": found,
            "found_share": found / max(1, len(self.rings)),
            "map_correlation": correlation,
            "dose_share": self.dose_share,
            "seconds": self.seconds,
            "stop_reason": self.reason,
        }

    @property
    def dose_share(self) -> float:
        """Electrons spent, survey and reference scans included, over those of a measurement at every site."""
        each = [told.measurement.electrons or 0.0 for told in self.experiment.told]
        beside = sum(float(note.get("electrons") or 0.0) for note in self.experiment.notes if note["kind"] == "dose")
        return (sum(each) + beside) / (float(np.median(each)) * len(self.truth))


def scalarizer_of(settings: DemoSettings) -> NamedScalarizer:
    """The deflection of the beam, turned to the scan's axes."""
    projection = settings.realism.projection
    return get_scalarizer(TARGET, rotation_deg=projection.rotation_deg, flip=projection.flip)


def run_demo(
    settings: DemoSettings,
    folder: Path,
    method: Method = "dkl",
    *,
    progress: Callable[[Progress], object] | None = None,
    message: Callable[[Message], object] | None = None,
) -> DemoRun:
    """Run the whole chain: a Swift without a window, the simulated microscope, the acquisition, the experiment.

    Args:
        settings: the demonstration.
        folder: where the run's file goes.
        method: who chooses the sites.
        progress: called after each measurement.
        message: called with what the user should know.

    Raises:
        InstrumentError: the session failed; what was measured is in its file.
    """
    from nionswift_plugin.dkl.headless import HeadlessSwift
    from nionswift_plugin.dkl_simulator.configuration import Configuration

    path = folder / ("run.h5" if method == "dkl" else f"{method}.h5")
    configuration = Configuration(settings.sample, settings.realism, seed=settings.seed)
    microscope = configuration.instrument.ready()
    with HeadlessSwift(configuration) as swift:
        began = time.monotonic()
        reason = _measured(swift, settings, path, method, Listener(progress=progress, message=message))
        seconds = time.monotonic() - began
    experiment = reopened(path)
    truth, sites_nm = truth_of(microscope, experiment)
    return DemoRun(method, experiment, truth, rings_of(microscope.sample, sites_nm, truth), seconds, reason, path)


def reopened(path: Path) -> Experiment:
    """The experiment of a file, its model fitted to all measurements; nothing is written."""
    with read_run(path) as contents:
        experiment = rebuilt(contents)
    if experiment.surrogate is None and any(told.measurement.ok for told in experiment.told):
        experiment.adopt(experiment.begin_refit().run())
    return experiment


def truth_of(microscope: VirtualMicroscope, experiment: Experiment) -> tuple[FloatArray, FloatArray]:
    """True |CoM| at the sites (M,), mrad, and where they are (M, 2), nm."""
    survey = experiment.survey
    assert survey.pixel_nm is not None
    middle = (np.asarray(survey.values.shape) - 1) / 2
    sites_nm = (experiment.sites.positions - middle) * np.asarray(survey.pixel_nm)
    return microscope.truth(TARGET, sites_nm[:, 0], sites_nm[:, 1]), sites_nm


def _measured(swift: HeadlessSwift, settings: DemoSettings, path: Path, method: Method, listener: Listener) -> str:
    from nionswift_plugin.dkl.acquisition.devices import find_devices
    from nionswift_plugin.dkl.acquisition.hook import SwiftMicroscope
    from nionswift_plugin.dkl.session import Session

    devices, scalarizer = find_devices(), scalarizer_of(settings)
    microscope = SwiftMicroscope(
        devices, settings.hook, scalarizer, main=swift.main, document_model=swift.document_model
    )
    host = host_of(settings.hook, scalarizer, devices.name, demo=_kept(settings))
    plan = NewRun(path, settings.chosen_by(method), host=host, overwrite=True)
    session = Session(microscope, plan, listener=listener)
    session.start()
    with closing(_Leaving(swift, session)):
        swift.pump(lambda: session.is_over)
    outcome = session.outcome
    assert outcome is not None
    if outcome.ending == "failed":
        raise InstrumentError(f"{outcome.reason}; what was measured is in {path}") from outcome.error
    return outcome.reason


def _kept(settings: DemoSettings) -> Mapping[str, Any]:
    return {"seed": settings.seed, "sample": asdict(settings.sample), "realism": settings.realism.to_json()}


@dataclass(frozen=True)
class _Leaving:
    """An interrupted program waits for its session to give the microscope back."""

    swift: HeadlessSwift
    session: Any

    def close(self) -> None:
        if not self.session.is_over:
            self.session.leave()
            self.swift.pump(lambda: bool(self.session.is_over), timeout_s=10.0)
