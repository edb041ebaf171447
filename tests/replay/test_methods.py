from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.experiment import Experiment, ExperimentSettings, RecordedExperiment, SeedSettings, StopRules
from dkl_core.goal import Goal
from dkl_core.measurement import Measurement, Site
from dkl_core.replay import BASELINES, ReplayProblem, replay, top_sites
from dkl_core.surrogate import model_settings

Settings = Callable[..., ExperimentSettings]
SEEDS = 6
METHODS = ["dkl", "random", "raster", "position", "pca"]


class Clock:
    """A clock that only moves when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def holed(problem: ReplayProblem, share: float) -> ReplayProblem:
    """The problem with nothing recorded at some of its sites."""
    missing = np.random.default_rng(3).random(len(problem.truth)) < share

    def measure(site: Site) -> Measurement:
        return Measurement.failed("nothing was recorded") if missing[site.index] else problem.measure(site)

    return replace(problem, truth=np.where(missing, np.nan, problem.truth), measure=measure)


def test_the_methods_of_the_comparison_are_there() -> None:
    assert set(METHODS) - {"dkl"} <= set(BASELINES)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_measures_as_many_sites_and_none_twice(
    problem: ReplayProblem, settings: Settings, method: str
) -> None:
    one = replay(problem, settings(), method)
    assert len(one.sites) == len(set(one.sites.tolist())) == 20
    assert one.method == method
    assert np.array_equal(one.values, problem.truth[one.sites])
    assert one.stop_reason in ("the budget of 20 measurements is used up", "all planned sites are measured")


@pytest.mark.parametrize("method", METHODS)
def test_a_replay_is_repeatable(problem: ReplayProblem, settings: Settings, method: str) -> None:
    first, second = (replay(problem, settings(), method, repeat=2) for _ in range(2))
    assert np.array_equal(first.sites, second.sites)


@pytest.mark.parametrize("method", ["dkl", "random", "position", "pca"])
def test_repeats_differ(problem: ReplayProblem, settings: Settings, method: str) -> None:
    first, second = (replay(problem, settings(), method, repeat=repeat).sites for repeat in range(2))
    assert set(first[:SEEDS]) != set(second[:SEEDS])


@pytest.mark.parametrize(
    "seeds", [SeedSettings(SEEDS), SeedSettings(SEEDS, "latin"), SeedSettings(SEEDS, "points", ((20.0, 20.0),))]
)
@pytest.mark.parametrize("method", ["random", "position", "pca"])
def test_all_methods_start_from_the_same_seeds(
    problem: ReplayProblem, settings: Settings, seeds: SeedSettings, method: str
) -> None:
    model, other = (replay(problem, settings(SEEDS, seeds=seeds), name, repeat=1).sites for name in ("dkl", method))
    assert model[:SEEDS].tolist() == other[:SEEDS].tolist()


def test_random_does_not_depend_on_what_is_measured(problem: ReplayProblem, settings: Settings) -> None:
    def nothing(_: Site) -> Measurement:
        return Measurement.failed("no counts")

    blind = replay(replace(problem, measure=nothing), settings(), "random")
    assert np.array_equal(blind.sites, replay(problem, settings(), "random").sites)


def test_the_raster_covers_the_frame_evenly(problem: ReplayProblem, settings: Settings) -> None:
    one = replay(problem, settings(budget=16), "raster")
    places = problem.patches.sites.positions[one.sites]
    rows, cols = np.unique(places[:, 0]), np.unique(places[:, 1])
    assert (len(rows), len(cols)) == (4, 4)
    assert np.ptp(np.diff(rows)) <= 4
    assert np.ptp(np.diff(cols)) <= 4
    assert (np.diff(places[:, 0]) >= 0).all()


def test_a_raster_of_all_sites_visits_all(problem: ReplayProblem, settings: Settings) -> None:
    everything = len(problem.truth)
    one = replay(problem, settings(budget=everything), "raster")
    assert len(one.sites) == everything
    assert one.hits.sum() == top_sites(problem.truth, Goal()).sum()


def test_the_hit_rate_is_the_share_of_the_best_sites_after_seeding(problem: ReplayProblem, settings: Settings) -> None:
    one = replay(problem, settings(), "dkl")
    top = problem.truth >= np.quantile(problem.truth, 0.95)
    assert np.array_equal(one.hits, top[one.sites])
    assert one.seeds == SEEDS
    assert one.hit_rate == top[one.sites[SEEDS:]].mean()


def test_without_a_measurement_after_seeding_there_is_no_hit_rate(problem: ReplayProblem, settings: Settings) -> None:
    assert np.isnan(replay(problem, settings(budget=SEEDS), "dkl").hit_rate)


@pytest.mark.parametrize("goal", [Goal(), Goal("minimise"), Goal("target", 0.2)])
def test_the_regret_is_what_the_best_measurement_lacks(problem: ReplayProblem, settings: Settings, goal: Goal) -> None:
    one = replay(problem, settings(goal=goal), "random")
    merit = goal.merit(problem.truth)
    assert one.regret == merit.max() - merit[one.sites].max()


def test_a_planted_optimum_is_found_by_the_model_far_more_often_than_at_random(
    problem: ReplayProblem, settings: Settings
) -> None:
    found = {
        method: np.mean([replay(problem, settings(), method, repeat).regret == 0 for repeat in range(8)])
        for method in ("dkl", "random")
    }
    assert found["dkl"] >= 0.75
    assert found["random"] <= 0.4


def test_the_model_hits_more_of_the_best_sites_than_random_and_raster(
    problem: ReplayProblem, settings: Settings
) -> None:
    rate = {
        method: np.mean([replay(problem, settings(), method, repeat).hit_rate for repeat in range(3)])
        for method in ("dkl", "random", "raster")
    }
    assert rate["dkl"] > 2 * max(rate["random"], rate["raster"])


def test_only_decisions_of_a_model_are_timed(problem: ReplayProblem, settings: Settings) -> None:
    # The last measurement is followed by no decision.
    assert len(replay(problem, settings(), "dkl").decision_ms) == 20 - SEEDS
    assert len(replay(problem, settings(budget=SEEDS), "dkl").decision_ms) == 0
    for plain in ("random", "raster"):
        assert len(replay(problem, settings(), plain).decision_ms) == 0


def test_neither_the_instrument_nor_the_observer_is_part_of_a_decision(
    problem: ReplayProblem, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("dkl_core.replay.methods.time.perf_counter", clock)

    def slow(site: Site) -> Measurement:
        clock.now += 1000.0
        return problem.measure(site)

    def observe(*_: object) -> None:
        clock.now += 1000.0

    one = replay(replace(problem, measure=slow), settings(budget=9), "dkl", step=observe)
    assert one.decision_ms.tolist() == [0.0, 0.0, 0.0]


def test_every_measurement_is_a_step(problem: ReplayProblem, settings: Settings) -> None:
    seen: list[tuple[str, int]] = []
    replay(problem, settings(budget=9), "pca", step=lambda method, measured: seen.append((method, measured)))
    assert seen == [("pca", count) for count in range(1, 10)]


def test_a_baseline_uses_its_own_model_and_the_users_device(problem: ReplayProblem, settings: Settings) -> None:
    one = replay(problem, settings(budget=8), "position", repeat=2)
    used = one.experiment.settings.surrogate
    assert used == replace(model_settings("position"), seed=2000, device="cpu")


def test_what_was_not_recorded_fails_and_is_no_value(problem: ReplayProblem, settings: Settings) -> None:
    one = replay(holed(problem, 0.3), settings(budget=30), "dkl")
    failed = np.isnan(one.values)
    assert 0 < failed.sum() < 30
    assert not one.hits[failed].any()
    assert one.regret >= 0
    assert len(one.experiment.begin_refit().data) == 30 - failed.sum()


def test_a_map_of_which_nothing_is_measured_has_no_quality(problem: ReplayProblem, settings: Settings) -> None:
    def nothing(_: Site) -> Measurement:
        return Measurement.failed("no counts")

    one = replay(replace(problem, measure=nothing), settings(budget=8), "dkl")
    assert np.isnan([one.regret, one.fit.r2, one.fit.nlpd, one.fit.coverage90]).all()
    assert one.stop_reason.endswith("all 8 measurements failed, the last because: no counts")


@pytest.mark.parametrize("method", ["dkl", "random", "raster"])
def test_the_map_is_judged_on_the_sites_that_were_not_measured(
    problem: ReplayProblem, settings: Settings, method: str
) -> None:
    one = replay(problem, settings(), method)
    prediction = one.experiment.predict()
    assert prediction is not None
    left = np.setdiff1d(np.arange(len(problem.truth)), one.sites)
    error, truth = (prediction.mean - problem.truth)[left], problem.truth[left]
    assert one.fit.r2 == pytest.approx(1 - (error**2).sum() / ((truth - truth.mean()) ** 2).sum())
    assert one.fit.r2 > 0.2


def test_a_recorded_replay_that_is_resumed_goes_on_as_if_it_had_not_been_interrupted(
    tmp_path: Path, problem: ReplayProblem, settings: Settings
) -> None:
    whole = replay(problem, settings())
    with RecordedExperiment.start(tmp_path / "run.h5", problem.survey, settings(budget=11)) as recorded:
        replay(problem, settings(), experiment=recorded.experiment)
    with RecordedExperiment.resume(tmp_path / "run.h5") as recorded:
        recorded.experiment.change(stop=StopRules(20))
        resumed = replay(problem, settings(), experiment=recorded.experiment)
    assert np.array_equal(resumed.sites, whole.sites)
    assert resumed.hit_rate == whole.hit_rate


def test_a_replay_gives_the_sites_of_ask_and_tell(problem: ReplayProblem, settings: Settings) -> None:
    experiment = Experiment(problem.survey, settings())
    while sites := experiment.ask():
        experiment.tell(sites[0], float(problem.truth[sites[0].index]))
    assert [told.site.index for told in experiment.told] == replay(problem, settings()).sites.tolist()


def test_the_truth_is_hidden_from_the_model(problem: ReplayProblem, settings: Settings) -> None:
    # Only what `measure` gives may count: with the truth scrambled the sites are the same.
    scrambled = replace(problem, truth=np.random.default_rng(4).permutation(problem.truth))
    assert np.array_equal(replay(scrambled, settings()).sites, replay(problem, settings()).sites)


def test_an_unknown_method_is_refused(problem: ReplayProblem, settings: Settings) -> None:
    with pytest.raises(InputError, match="unknown method 'magic'; choose dkl or one of random, raster"):
        replay(problem, settings(), "magic")
