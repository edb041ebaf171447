from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dkl_core.acquisition import AcquisitionSettings
from dkl_core.errors import InputError
from dkl_core.experiment import Experiment, SeedSettings, StopRules
from dkl_core.measurement import Site
from dkl_core.surrogate import SurrogateSettings

Make = Callable[..., Experiment]
Drive = Callable[..., list[int]]
Value = Callable[[Site], float]
SEEDS = 6
POSITION = SurrogateSettings(components=0, invariants=False, gradients=False, depth="never", iterations=15)


def test_the_first_sites_are_the_seeds_and_then_the_model_decides(make: Make, drive: Drive) -> None:
    experiment = make()
    assert experiment.phase == "seeding"
    drive(experiment, SEEDS - 1)
    assert (experiment.phase, experiment.surrogate) == ("seeding", None)
    drive(experiment, SEEDS)
    assert experiment.phase == "deciding"
    assert experiment.acquisition_map() is None
    drive(experiment, SEEDS + 1)
    assert experiment.surrogate is not None


def test_no_site_is_measured_twice(make: Make, drive: Drive) -> None:
    sites = drive(make(budget=40))
    assert len(sites) == 40
    assert len(set(sites)) == 40


def test_another_seed_gives_other_seeds(make: Make, drive: Drive) -> None:
    assert drive(make(seed=1), SEEDS) != drive(make(seed=2), SEEDS)


def test_the_model_asks_for_the_open_site_of_largest_acquisition(make: Make, drive: Drive, value: Value) -> None:
    experiment = make()
    drive(experiment, SEEDS + 1)
    while experiment.stop_reason is None:
        # A refit would change the map after it was looked at.
        if experiment.refit_due:
            experiment.adopt(experiment.begin_refit().run())
        ranked = experiment.acquisition_map()
        assert ranked is not None
        ranked[[told.site.index for told in experiment.told]] = -np.inf
        (site,) = experiment.ask()
        assert site.index == np.argmax(ranked)
        experiment.tell(site, value(site))


@pytest.mark.parametrize("everywhere", [0.0, np.nan, -np.inf])
def test_where_the_acquisition_says_nothing_the_most_uncertain_open_site_is_taken(
    make: Make, drive: Drive, monkeypatch: pytest.MonkeyPatch, everywhere: float
) -> None:
    experiment = make()
    known = drive(experiment, SEEDS + 3)
    monkeypatch.setattr("dkl_core.experiment.choosing.evaluate", lambda *_: np.full(99, everywhere))
    (site,) = experiment.ask()
    prediction = experiment.predict()
    assert prediction is not None
    std = prediction.std.copy()
    std[known] = 0.0
    assert site.index == np.argmax(std)


def test_sites_may_be_asked_while_others_are_pending(make: Make) -> None:
    experiment = make()
    asked = [experiment.ask()[0].index for _ in range(SEEDS)]
    assert len(set(asked)) == SEEDS
    assert [site.index for site in experiment.pending] == asked


def test_pending_sites_are_told_in_any_order(make: Make, value: Value) -> None:
    experiment = make()
    first, second, third = experiment.ask(3)
    experiment.tell(second, value(second))
    assert experiment.pending == (first, third)


def test_the_model_decides_round_the_sites_that_are_pending(make: Make, drive: Drive) -> None:
    experiment = make(acquisition="uncertainty", surrogate=POSITION)
    known = drive(experiment, SEEDS + 2)
    (pending,) = experiment.ask()
    before = experiment.predict()
    assert before is not None
    (after,) = experiment.ask()
    # Without regard to the first the second would be beside it, nearly as uncertain.
    neglectful = next(int(i) for i in np.argsort(before.std)[::-1] if i not in (pending.index, *known))
    apart = np.linalg.norm(experiment.sites.positions - (pending.row, pending.col), axis=1)
    assert apart[after.index] > 2 * apart[neglectful]


def test_looking_ahead_leaves_the_model_as_it_was(make: Make, drive: Drive) -> None:
    experiment = make()
    drive(experiment, SEEDS + 1)
    experiment.adopt(experiment.begin_refit().run())
    before = experiment.predict()
    experiment.ask(5)
    after = experiment.predict()
    assert before is not None
    assert after is not None
    assert np.array_equal(before.mean, after.mean)
    assert np.array_equal(before.std, after.std)


@pytest.mark.parametrize("acquisition", ["ei", "ucb", "pi", "uncertainty", "thompson"])
def test_the_sites_of_a_batch_are_distinct_and_new(make: Make, drive: Drive, acquisition: str) -> None:
    experiment = make(acquisition=acquisition)
    known = set(drive(experiment, SEEDS + 2))
    batch = [site.index for site in experiment.ask(6)]
    assert len(set(batch)) == 6
    assert not known & set(batch)


def test_the_sites_of_a_batch_lie_apart(make: Make, drive: Drive) -> None:
    def least_distance(sites: np.ndarray) -> float:
        places = experiment.sites.positions[sites].astype(float)
        apart = np.linalg.norm(places[:, None] - places, axis=-1)
        return float(apart[~np.eye(len(sites), dtype=bool)].min())

    experiment = make(acquisition="uncertainty", surrogate=POSITION)
    drive(experiment, SEEDS + 2)
    experiment.adopt(experiment.begin_refit().run())
    ranked = experiment.acquisition_map()
    assert ranked is not None
    ranked[[told.site.index for told in experiment.told]] = -np.inf
    batch = np.array([site.index for site in experiment.ask(5)])
    assert least_distance(batch) > 1.5 * least_distance(np.argsort(ranked)[-5:])


def test_a_batch_comes_in_a_short_path_from_the_last_place(make: Make, drive: Drive) -> None:
    experiment = make(acquisition="uncertainty")
    drive(experiment, SEEDS + 1)
    start = experiment.told[-1].site
    places = np.array([(site.row, site.col) for site in (start, *experiment.ask(6))], dtype=float)

    def length(path: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())

    shuffled = [places[[0, *rng.permutation(np.arange(1, 7))]] for rng in map(np.random.default_rng, range(100))]
    assert length(places) <= np.percentile([length(path) for path in shuffled], 2)


def test_a_batch_across_the_end_of_seeding_holds_the_last_seeds(make: Make, drive: Drive) -> None:
    seeds = drive(make(), SEEDS)
    experiment = make()
    drive(experiment, SEEDS - 2)
    batch = [site.index for site in experiment.ask(5)]
    assert batch[:2] == seeds[-2:]
    assert len(set(batch)) == 5


def test_a_batch_ends_with_the_budget(make: Make) -> None:
    experiment = make(budget=8)
    assert len(experiment.ask(50)) == 8
    assert experiment.ask(1) == []
    assert experiment.stop_reason is None


def test_a_batch_ends_with_the_sites(make: Make, drive: Drive) -> None:
    experiment = make(budget=1000)
    sites = len(experiment.sites)
    drive(experiment, sites - 3)
    assert len(experiment.ask(10)) == 3
    assert experiment.ask(10) == []


def test_a_site_far_from_the_last_is_passed_over_when_travel_costs(make: Make, drive: Drive) -> None:
    def travelled(weight: float) -> float:
        acquisition = AcquisitionSettings("uncertainty", travel_weight=weight)
        experiment = make()
        drive(experiment, SEEDS)
        experiment.change(acquisition=acquisition)
        drive(experiment)
        path = np.array([(told.site.row, told.site.col) for told in experiment.told[SEEDS:]])
        return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())

    assert travelled(5.0) < 0.5 * travelled(0.0)


@pytest.mark.parametrize("count", [0, -1])
def test_fewer_than_one_site_cannot_be_asked_for(make: Make, count: int) -> None:
    with pytest.raises(InputError, match=f"{count} sites are asked for; ask for 1 or more"):
        make().ask(count)


def test_a_budget_below_the_seeds_is_refused(make: Make) -> None:
    with pytest.raises(InputError, match="budget of 5 measurements is below the 6 seeds"):
        make(budget=5)


def test_more_seeds_than_sites_are_refused(make: Make) -> None:
    with pytest.raises(InputError, match="200 seeds are asked of 99 sites"):
        make(seeds=SeedSettings(200), budget=200)


def test_as_many_seeds_as_sites_measure_every_site(make: Make, drive: Drive) -> None:
    experiment = make(seeds=SeedSettings(99), budget=99)
    assert sorted(drive(experiment)) == list(range(99))


def test_the_user_may_choose_the_place(make: Make, value: Value) -> None:
    experiment = make()
    site = experiment.ask_for(17.8, 21.0)
    assert (site.row, site.col) == (16, 20)
    assert experiment.pending == (site,)
    experiment.tell(site, value(site))
    assert [told.site for told in experiment.told] == [site]


def test_the_place_that_the_user_chose_is_not_asked_again(make: Make) -> None:
    experiment = make(budget=99)
    site = experiment.ask_for(16, 20)
    assert site not in experiment.ask(98)


def test_a_place_that_is_taken_cannot_be_chosen(make: Make, value: Value) -> None:
    experiment = make()
    pending, measured, excluded = experiment.ask(3)
    experiment.tell(measured, value(measured))
    experiment.exclude([excluded])
    for site in (pending, measured, excluded):
        with pytest.raises(InputError, match=f"row {site.row}, column {site.col} is measured, pending or excluded"):
            experiment.ask_for(site.row, site.col)


def test_a_place_that_is_no_number_cannot_be_chosen(make: Make) -> None:
    with pytest.raises(InputError, match="row nan, column 3 is no place"):
        make().ask_for(float("nan"), 3)


def test_a_site_that_is_withdrawn_may_be_asked_again(make: Make) -> None:
    experiment = make()
    first, second = experiment.ask(2)
    experiment.withdraw(first)
    assert experiment.pending == (second,)
    assert experiment.ask() == [first]


def test_withdrawing_a_site_that_is_not_pending_does_nothing(make: Make) -> None:
    experiment = make()
    (site,) = experiment.ask()
    experiment.withdraw(site.index + 1)
    assert experiment.pending == (site,)


def test_sites_outside_the_mask_are_never_asked(survey: object, settings: Callable[..., object], drive: Drive) -> None:
    mask = np.zeros((40, 48), dtype=bool)
    mask[:, :24] = True
    experiment = Experiment(survey, settings(budget=1000), mask=mask)  # type: ignore[arg-type]
    sites = drive(experiment)
    assert len(sites) == len(experiment.sites) == 45
    assert experiment.sites.positions[sites, 1].max() < 24


def test_the_users_own_sites_take_the_place_of_the_grid(
    survey: object, settings: Callable[..., object], drive: Drive
) -> None:
    places = [(10, 10), (11, 30), (25, 7), (33, 40), (20, 20), (30, 30), (12, 12), (15, 33)]
    experiment = Experiment(survey, settings(), positions=places)  # type: ignore[arg-type]
    drive(experiment)
    assert {(told.site.row, told.site.col) for told in experiment.told} == set(places)


def test_raising_the_budget_lets_a_finished_experiment_go_on(make: Make, drive: Drive) -> None:
    experiment = make(budget=8)
    first = drive(experiment)
    assert experiment.phase == "finished"
    experiment.change(stop=StopRules(12))
    assert drive(experiment)[:8] == first
    assert len(experiment.told) == 12


def test_a_budget_below_what_is_pending_asks_for_nothing_more(make: Make) -> None:
    experiment = make(budget=20)
    experiment.ask(10)
    experiment.change(stop=StopRules(7))
    assert experiment.ask(3) == []
