"""All kinds of experiments on simulated samples, in a Swift without a window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")
from dkl_core.acquisition import AcquisitionSettings
from dkl_core.experiment import ExperimentSettings, SeedSettings, StopRules
from dkl_core.goal import Goal
from dkl_core.patches import PatchSettings
from dkl_core.record import read_run
from dkl_core.scalarizers import get_scalarizer
from dkl_core.stem.detectors import DetectorSettings
from dkl_core.stem.microscope import VirtualMicroscope
from dkl_core.stem.optics import Optics
from dkl_core.stem.realism import Realism
from dkl_core.stem.settings import DopantSettings, SampleSettings
from nionswift_plugin.dkl.acquisition.devices import find_devices
from nionswift_plugin.dkl.acquisition.hook import SwiftMicroscope
from nionswift_plugin.dkl.acquisition.settings import HookSettings, PatternSettings, SurveySettings
from nionswift_plugin.dkl.headless import HeadlessSwift
from nionswift_plugin.dkl.plan import NewRun, host_of
from nionswift_plugin.dkl.session import Outcome, Session
from nionswift_plugin.dkl_simulator.configuration import Configuration

SEEDS, BUDGET, LIMIT_S = 10, 20, 200.0


@dataclass(frozen=True)
class Case:
    """A scalar, and a sample where it means something.

    Attributes:
        target: name of the scalarizer, and of the truth.
    """

    target: str
    sample: SampleSettings
    optics: Optics
    fov_nm: float
    sensor_px: int
    exposure_ms: float = 10.0
    counts_per_electron: float = 4.0


CASES = {
    "deflection": Case(
        "com_magnitude",
        SampleSettings("twisted_bilayer", 9.0, dopants=DopantSettings(per_nm2=0.3)),
        Optics(),
        fov_nm=6.0,
        sensor_px=128,
    ),
    "bright field": Case(
        "annular_bright_field", SampleSettings("mnps3", 8.0), Optics(defocus_nm=20.0), fov_nm=4.0, sensor_px=64
    ),
    # the small disc holds all of the beam: more electrons need a lower gain
    "Bragg": Case(
        "bragg_distance",
        SampleSettings("strained_flake", 20.0),
        Optics(semiangle_mrad=5.0),
        fov_nm=8.0,
        sensor_px=128,
        exposure_ms=40.0,
        counts_per_electron=1.0,
    ),
}
GOALS = {
    "maximise": (Goal("maximise"), AcquisitionSettings("ei")),
    "minimise": (Goal("minimise"), AcquisitionSettings("ucb")),
    "explore": (Goal(), AcquisitionSettings("uncertainty")),
}


def realism() -> Realism:
    """Realistic but for drift and wear, so that a site has one true value."""
    full = Realism.realistic()
    still = {name: replace(getattr(full, name), on=False) for name in ("drift", "damage", "contamination")}
    return replace(full, **still)


def microscope_for(case: Case) -> VirtualMicroscope:
    detector = DetectorSettings((case.sensor_px, case.sensor_px), counts_per_electron=case.counts_per_electron)
    return VirtualMicroscope(case.sample, optics=case.optics, detector=detector, realism=realism())


def experiment(microscope: VirtualMicroscope, case: Case, goal: str, path: Path) -> Outcome:
    hook = HookSettings(
        survey=SurveySettings(size_px=64, fov_nm=case.fov_nm, pixel_time_us=10.0),
        pattern=PatternSettings(exposure_ms=case.exposure_ms, dark_frames=4),
    )
    projection = microscope.realism.projection
    turned = case.target == "com_magnitude"
    options = {"rotation_deg": projection.rotation_deg, "flip": projection.flip} if turned else {}
    scalarizer = get_scalarizer(case.target, **options)
    wanted, acquisition = GOALS[goal]
    settings = ExperimentSettings(
        patches=PatchSettings(window=8, stride=4),
        acquisition=acquisition,
        goal=wanted,
        seeds=SeedSettings(SEEDS),
        stop=StopRules(BUDGET),
    )
    with HeadlessSwift(Configuration(microscope)) as swift:
        devices = find_devices()
        driven = SwiftMicroscope(devices, hook, scalarizer, main=swift.main, document_model=swift.document_model)
        session = Session(driven, NewRun(path, settings, host=host_of(hook, scalarizer, devices.name)))
        session.start()
        assert swift.pump(lambda: session.is_over, LIMIT_S)
        assert microscope.blanked
        outcome = session.outcome
    assert outcome is not None
    return outcome


def measured_and_true(microscope: VirtualMicroscope, case: Case, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Valid scalars of a run, and what is true at their places."""
    with read_run(path) as contents:
        table = contents.measurements
        assert len(table.value) == BUDGET
        places = np.array([details["position_nm"] for details in table.details])
        valid, values = np.asarray(table.valid, dtype=bool), np.asarray(table.value)
    truth = microscope.truth(case.target, places[:, 0], places[:, 1])
    # no discs, no distance: vacuum gives no number
    assert not np.any(valid & ~np.isfinite(truth))
    return values[valid], truth[valid]


@pytest.mark.parametrize(
    ("name", "goal"),
    [
        ("deflection", "maximise"),
        ("deflection", "explore"),
        ("bright field", "minimise"),
        ("Bragg", "maximise"),
        ("Bragg", "minimise"),
    ],
)
def test_an_experiment_runs_to_its_end_and_measures_the_truth(name: str, goal: str, tmp_path: Path) -> None:
    case, path = CASES[name], tmp_path / "run.h5"
    microscope = microscope_for(case)
    assert experiment(microscope, case, goal, path).ending == "finished"
    values, truth = measured_and_true(microscope, case, path)
    assert len(values) >= BUDGET // 3
    # beside an edge the discs are cut, and their distance is not that of the atoms: one site in ten may stand there
    error = np.abs(values - truth - np.median(values - truth))
    most = np.argsort(error)[: int(0.9 * len(error))]
    assert np.corrcoef(values[most], truth[most])[0, 1] > 0.85
