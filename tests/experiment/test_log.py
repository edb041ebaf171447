"""What an experiment knows of its sites."""

from __future__ import annotations

import numpy as np
import pytest

from dkl_core.experiment.journal import Told
from dkl_core.experiment.log import SiteLog
from dkl_core.goal import Goal
from dkl_core.measurement import Measurement, Site


def told(index: int, value: float, noise: float | None = None) -> Told:
    return Told(Site(index, index, 0), Measurement.of(value, noise))


def failed(index: int) -> Told:
    return Told(Site(index, index, 0), Measurement.failed("tip crash"))


def log_of(*taken: Told, sites: int = 5, retries: int = 2) -> SiteLog:
    log = SiteLog(sites, retries)
    for one in taken:
        log.add(one)
    return log


def test_every_site_is_open_at_first() -> None:
    assert log_of().open_mask().tolist() == [True] * 5
    assert log_of().best(Goal()) is None
    assert log_of().since_best(Goal()) == 0


def test_measured_pending_and_excluded_sites_are_closed() -> None:
    log = log_of(told(0, 1.0))
    log.pending.append(2)
    log.exclude([4])
    assert log.open_mask().tolist() == [False, True, False, True, False]
    assert [log.is_open(index) for index in range(5)] == log.open_mask().tolist()


def test_a_site_that_is_told_or_excluded_is_no_longer_pending() -> None:
    log = log_of()
    log.pending += [1, 2, 3]
    log.add(told(2, 0.5))
    log.exclude([3])
    assert log.pending == [1]


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_a_site_that_fails_is_tried_again_as_often_as_allowed(retries: int) -> None:
    log = log_of(retries=retries)
    for attempt in range(1, retries + 2):
        assert log.is_open(3)
        log.add(failed(3))
        assert log.attempts(3) == attempt
    assert log.excluded == {3}
    assert not log.is_open(3)


def test_a_failure_at_a_measured_site_takes_nothing_away() -> None:
    log = log_of(told(1, 2.0), failed(1), retries=0)
    assert log.excluded == set()
    assert log.observed().indices.tolist() == [1]


def test_failed_measurements_are_kept_and_not_learned_from() -> None:
    log = log_of(told(0, 1.0, 0.1), failed(1), told(2, -1.0), told(3, float("nan")))
    assert (len(log.told), log.valid_count) == (4, 2)
    seen = log.observed()
    assert (seen.indices.tolist(), seen.values.tolist()) == ([0, 2], [1.0, -1.0])
    np.testing.assert_array_equal(seen.noise, [0.1, np.nan])


def test_scalars_that_are_not_positive_are_learned_from() -> None:
    assert log_of(told(0, 0.0), told(1, -3.0)).valid_count == 2


@pytest.mark.parametrize(("goal", "best"), [(Goal(), 1), (Goal("minimise"), 0), (Goal("target", 2.2), 2)])
def test_the_best_is_the_best_for_the_goal(goal: Goal, best: int) -> None:
    log = log_of(told(0, 1.0), told(1, 3.0), told(2, 2.0), failed(3))
    found = log.best(goal)
    assert found is not None
    assert found.site.index == best
    assert log.since_best(goal) == 2 - best


def test_of_equals_the_earliest_is_the_best() -> None:
    log = log_of(told(0, 1.0), told(1, 3.0), told(2, 3.0), told(3, 0.0))
    found = log.best(Goal())
    assert found is not None
    assert found.site.index == 1
    assert log.since_best(Goal()) == 2


def test_a_site_may_be_measured_again_with_raw_data() -> None:
    again = [Told(Site(0, 0, 0), Measurement(Measurement.of(v).scalar, np.arange(3))) for v in (1.0, 1.0, 2.0)]
    log = log_of(*again)
    assert log.best(Goal()) is again[2]
    assert log.since_best(Goal()) == 0
