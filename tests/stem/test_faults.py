from __future__ import annotations

import pytest

from dkl_core.errors import InputError
from dkl_core.stem.faults import Fault, FaultPlan, Faults


def test_scheduled_faults_happen_at_their_occasions_only() -> None:
    faults = Faults(FaultPlan(schedule={"late_frame": (1, 3)}))
    assert [faults.due("late_frame") for _ in range(5)] == [False, True, False, True, False]
    assert faults.happened == (Fault("late_frame", 1), Fault("late_frame", 3))


def test_rates_are_kept_and_repeat_with_the_seed() -> None:
    plan = FaultPlan(rates={"dropped_frame": 0.3}, seed=4)
    first, second = Faults(plan), Faults(plan)
    drawn = [first.due("dropped_frame") for _ in range(500)]
    assert drawn == [second.due("dropped_frame") for _ in range(500)]
    assert 110 < sum(drawn) < 190


def test_other_kinds_of_fault_do_not_move_a_fault() -> None:
    plan = FaultPlan(rates={"dropped_frame": 0.3, "stale_frame": 0.3})
    alone, mixed = Faults(plan), Faults(plan)
    both = [(mixed.due("stale_frame"), mixed.due("dropped_frame"))[1] for _ in range(50)]
    assert both == [alone.due("dropped_frame") for _ in range(50)]


def test_without_a_plan_nothing_happens() -> None:
    assert not any(Faults().due("camera_hang") for _ in range(100))


def test_plans_survive_json() -> None:
    plan = FaultPlan({"user_scans": 0.1}, {"camera_hang": (2,)}, hang_s=1.0, seed=3)
    assert FaultPlan.from_json(plan.to_json()) == plan


def test_unknown_faults_are_refused() -> None:
    with pytest.raises(InputError, match="there is no fault 'meteor'"):
        FaultPlan(rates={"meteor": 0.1})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="probability"):
        FaultPlan(rates={"camera_hang": 1.5})
