"""Whole sessions in which something goes wrong: what is kept is right, the beam is off, and it is told why."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")
from benchmarks.swift_faults import BUDGET, Disturbance, Ending, is_told, problems_of, watched
from benchmarks.swift_places import flaw, places_microscope
from dkl_core.measurement import Measurement, Scalar
from dkl_core.stem.faults import FAULT_KINDS, FaultKind, FaultPlan
from nionswift_plugin.dkl_simulator.user import ACTS

# In record mode a device's error is printed and raised by Swift on the device's own thread.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


def scheduled(*kinds: FaultKind, hang_s: float = 1.0) -> FaultPlan:
    """Faults after the test frames, in the middle of the run."""
    return FaultPlan(schedule=dict.fromkeys(kinds, (9, 14)), delay_s=0.5, hang_s=hang_s)


@pytest.mark.parametrize("kind", [kind for kind in FAULT_KINDS if kind != "blanker_stuck"])
def test_a_fault_is_survived_and_told(kind: FaultKind, tmp_path: Path) -> None:
    disturbance, path = Disturbance(scheduled(kind)), tmp_path / "run.h5"
    seen = watched(disturbance, path)
    assert problems_of(seen, disturbance, path) == []
    assert seen.outcome is not None
    assert seen.outcome.ending == "finished"
    assert len(seen.kept) == BUDGET
    assert {kind for kind, _ in seen.faults} == {kind}
    assert is_told(kind, seen) or kind in ACTS


def test_a_blanker_that_is_stuck_for_a_moment_is_survived(tmp_path: Path) -> None:
    disturbance, path = Disturbance(scheduled("blanker_stuck", hang_s=0.15)), tmp_path / "run.h5"
    seen = watched(disturbance, path)
    assert problems_of(seen, disturbance, path) == []
    assert len(seen.kept) == BUDGET
    assert is_told("blanker_stuck", seen)


@pytest.mark.parametrize(("occasion", "message"), [(18, "does not open"), (19, "THE BEAM IS ON THE SAMPLE")])
def test_a_blanker_that_stays_stuck_ends_the_run_and_closes_when_it_can(
    occasion: int, message: str, tmp_path: Path
) -> None:
    plan = FaultPlan(schedule={"blanker_stuck": (occasion,)}, hang_s=2.0)
    disturbance, path = Disturbance(plan), tmp_path / "run.h5"
    seen = watched(disturbance, path)
    assert problems_of(seen, disturbance, path) == []
    assert seen.outcome is not None
    assert seen.outcome.ending == "failed"
    assert message in seen.outcome.reason


@pytest.mark.parametrize("ending", ["cancel", "leave", "stop"])
def test_an_end_in_the_middle_of_trouble_leaves_the_beam_off(ending: Ending, tmp_path: Path) -> None:
    plan = scheduled("camera_hang", "user_drags_probe")
    disturbance, path = Disturbance(plan, ((0.4, "user_scans"),), (ending, 0.7)), tmp_path / "run.h5"
    seen = watched(disturbance, path)
    assert problems_of(seen, disturbance, path) == []
    assert len(seen.kept) < BUDGET


def test_all_at_once_in_sequence_mode(tmp_path: Path) -> None:
    plan = scheduled(*(kind for kind in FAULT_KINDS if kind != "blanker_stuck"))
    disturbance, path = Disturbance(plan, mode="sequence"), tmp_path / "run.h5"
    assert problems_of(watched(disturbance, path), disturbance, path) == []


def test_a_pattern_of_another_place_would_be_noticed() -> None:
    microscope = places_microscope()
    microscope.blanked = False
    microscope.place_probe(1.0, -2.0)
    begun = microscope.clock()
    pattern = microscope.expose(0.005, begun, begun + 0.005)
    there, elsewhere = (
        Measurement(Scalar(0.0), details={"position_nm": place}) for place in ([1.0, -2.0], [1.1, -2.0])
    )
    assert flaw(there, pattern, microscope, 0.005) == ""
    assert "recorded as" in flaw(elsewhere, pattern, microscope, 0.005)
    microscope.place_probe(0.0, -2.0, at=begun + 0.0075)
    microscope.place_probe(2.0, -2.0, at=begun + 0.00875)
    moved = microscope.expose(0.005, begun + 0.005, begun + 0.01)
    assert flaw(elsewhere, moved, microscope, 0.005) != ""
    microscope.blank(at=begun + 0.0125)
    half = microscope.expose(0.005, begun + 0.01, begun + 0.015)
    assert "electrons" in flaw(there, half, microscope, 0.005)
