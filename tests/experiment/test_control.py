from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dkl_core.acquisition import AcquisitionSettings
from dkl_core.errors import InputError
from dkl_core.experiment import Experiment, StopRules
from dkl_core.goal import Goal
from dkl_core.measurement import Site

Make = Callable[..., Experiment]
Drive = Callable[..., list[int]]
Value = Callable[[Site], float]
SEEDS = 6


def test_it_ends_with_its_budget(make: Make, drive: Drive) -> None:
    experiment = make(budget=9)
    assert len(drive(experiment)) == 9
    assert experiment.stop_reason == "the budget of 9 measurements is used up"
    assert experiment.phase == "finished"
    assert experiment.ask() == []


def test_it_ends_when_no_site_is_left(make: Make, drive: Drive) -> None:
    experiment = make(budget=1000)
    assert sorted(drive(experiment)) == list(range(99))
    assert experiment.stop_reason == "every site is measured or excluded"


def test_it_does_not_end_while_measurements_are_under_way(make: Make, drive: Drive) -> None:
    experiment = make(budget=1000)
    drive(experiment, 98)
    (last,) = experiment.ask()
    assert experiment.stop_reason is None
    experiment.tell_failed(last, "no counts")
    assert experiment.ask() == [last]


def test_it_ends_when_patience_is_used_up(make: Make, drive: Drive) -> None:
    experiment = make(stop=StopRules(90, patience=5), acquisition="uncertainty")
    drive(experiment, measure=lambda _: 1.0 if experiment.told else 2.0)
    assert len(experiment.told) == SEEDS + 5
    assert experiment.stop_reason == "no better measurement among the last 5"


def test_patience_starts_anew_with_a_better_measurement(make: Make, drive: Drive) -> None:
    experiment = make(stop=StopRules(90, patience=5), acquisition="uncertainty")
    drive(experiment, measure=lambda _: 3.0 if len(experiment.told) == SEEDS + 3 else 1.0)
    assert len(experiment.told) == SEEDS + 3 + 1 + 5


def test_failed_measurements_do_not_use_up_patience(make: Make, drive: Drive) -> None:
    experiment = make(stop=StopRules(60, patience=5), acquisition="uncertainty", retries=0)
    drive(experiment, measure=lambda _: np.nan if len(experiment.told) % 2 else 1.0 / (1 + len(experiment.told)))
    assert sum(told.measurement.ok for told in experiment.told) == SEEDS + 5


def test_it_ends_when_nothing_is_uncertain_any_more(make: Make, drive: Drive) -> None:
    experiment = make(stop=StopRules(90, uncertainty=0.4), acquisition="uncertainty")
    drive(experiment)
    assert experiment.stop_reason == "no open site is more uncertain than 0.4 of the measured spread"
    assert SEEDS < len(experiment.told) < 90
    prediction = experiment.predict()
    assert prediction is not None
    still_open = np.setdiff1d(np.arange(99), [told.site.index for told in experiment.told])
    spread = np.std([told.measurement.scalar.value for told in experiment.told])
    assert prediction.std[still_open].max() < 0.4 * spread


def test_a_paused_experiment_is_not_asked(make: Make) -> None:
    experiment = make()
    experiment.pause()
    assert (experiment.phase, experiment.is_active) == ("paused", False)
    with pytest.raises(InputError, match=r"the experiment is paused; call resume\(\) first"):
        experiment.ask()


def test_a_measurement_under_way_can_be_told_during_a_pause(make: Make, value: Value) -> None:
    experiment = make()
    (site,) = experiment.ask()
    experiment.pause()
    experiment.tell(site, value(site))
    assert len(experiment.told) == 1


def test_a_pause_changes_nothing_but_the_time(make: Make, drive: Drive) -> None:
    experiment = make()
    drive(experiment, SEEDS + 3)
    experiment.pause()
    experiment.resume()
    assert drive(experiment) == drive(make())


def test_a_stopped_experiment_asks_for_nothing_and_says_why(make: Make, value: Value) -> None:
    experiment = make()
    (site,) = experiment.ask()
    experiment.stop("the sample is gone")
    assert experiment.ask() == []
    assert (experiment.phase, experiment.stop_reason) == ("finished", "the sample is gone")
    experiment.tell(site, value(site))
    assert len(experiment.told) == 1


def test_excluded_sites_are_not_asked(make: Make, drive: Drive) -> None:
    experiment = make(budget=1000)
    drive(experiment, SEEDS + 2)
    measured = {told.site.index for told in experiment.told}
    zone = [site for site in map(experiment.sites.__getitem__, range(99)) if site.col < 20]
    experiment.exclude(zone)
    later = drive(experiment)[SEEDS + 2 :]
    assert set(later) == set(range(99)) - {site.index for site in zone} - measured


def test_an_excluded_site_is_no_longer_pending(make: Make, value: Value) -> None:
    experiment = make()
    first, second = experiment.ask(2)
    experiment.exclude([first])
    assert experiment.pending == (second,)
    experiment.tell(first, value(first))
    assert len(experiment.told) == 1


def test_excluding_every_site_ends_it(make: Make) -> None:
    experiment = make()
    experiment.exclude(range(99))
    assert experiment.stop_reason == "every site is measured or excluded"


def test_excluding_most_sites_ends_seeding_early(make: Make, drive: Drive) -> None:
    experiment = make(budget=99)
    drive(experiment, 2)
    keep = {told.site.index for told in experiment.told} | {0, 50}
    experiment.exclude(set(range(99)) - keep)
    assert set(drive(experiment)) == keep


def test_a_site_that_does_not_exist_cannot_be_excluded(make: Make) -> None:
    experiment = make()
    with pytest.raises(InputError, match="there is no site 99"):
        experiment.exclude([3, 99])
    assert experiment.excluded == frozenset()


def test_changing_the_goal_turns_the_search_round(make: Make, drive: Drive, value: Value) -> None:
    experiment = make(acquisition="ei", budget=30)
    drive(experiment, SEEDS + 2)
    experiment.change(goal=Goal("minimise"))
    sites = drive(experiment)[SEEDS + 2 :]
    truth = np.array([value(site) for site in map(experiment.sites.__getitem__, range(99))])
    assert np.mean(truth[sites]) < np.median(truth)
    assert experiment.best is not None
    assert experiment.best.measurement.scalar.value == min(t.measurement.scalar.value for t in experiment.told)


def test_changing_the_acquisition_takes_effect_at_once(make: Make, drive: Drive) -> None:
    experiment = make(acquisition="ei")
    drive(experiment, SEEDS + 3)
    experiment.change(acquisition=AcquisitionSettings("uncertainty"))
    prediction = experiment.predict()
    assert prediction is not None
    assert np.array_equal(experiment.acquisition_map(), prediction.std)  # type: ignore[arg-type]


def test_lowering_the_budget_ends_it(make: Make, drive: Drive) -> None:
    experiment = make()
    drive(experiment, 12)
    experiment.change(stop=StopRules(10))
    assert experiment.stop_reason == "the budget of 10 measurements is used up"


def test_a_change_that_cannot_be_leaves_everything_as_it_was(make: Make) -> None:
    experiment = make()
    with pytest.raises(InputError, match="below the 6 seeds"):
        experiment.change(goal=Goal("minimise"), stop=StopRules(3))
    assert experiment.settings == make().settings


def test_a_change_lets_a_stopped_experiment_go_on(make: Make, drive: Drive) -> None:
    experiment = make()
    experiment.stop()
    experiment.change(stop=StopRules(8))
    assert len(drive(experiment)) == 8


def test_what_the_sink_refuses_does_not_happen(make: Make, drive: Drive, value: Value) -> None:
    def refuse(*_: object) -> None:
        raise OSError("the disk is full")

    actions: list[Callable[[Experiment], object]] = [
        lambda e: e.ask(2),
        lambda e: e.ask_for(0, 0),
        lambda e: e.withdraw(e.pending[0]),
        lambda e: e.tell(e.pending[0], value(e.pending[0])),
        lambda e: e.adopt(e.begin_refit().run()),
        lambda e: e.pause(),
        lambda e: e.stop(),
        lambda e: e.exclude([0, 1, 2]),
        lambda e: e.change(goal=Goal("minimise")),
    ]
    for action in actions:
        experiment, twin = make(budget=SEEDS + 5), make(budget=SEEDS + 5)
        for one in (experiment, twin):
            drive(one, SEEDS + 2)
            one.ask()
        experiment.sink = refuse
        with pytest.raises(OSError, match="full"):
            action(experiment)
        experiment.sink = twin.sink
        for one in (experiment, twin):
            one.tell(one.pending[0], value(one.pending[0]))
        assert (experiment.phase, experiment.excluded) == (twin.phase, twin.excluded)
        assert drive(experiment) == drive(twin)
