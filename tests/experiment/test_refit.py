from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.experiment import Experiment
from dkl_core.measurement import Site

Make = Callable[..., Experiment]
Drive = Callable[..., list[int]]
Value = Callable[[Site], float]
SEEDS = 6


def assert_same_model(left: Experiment, right: Experiment) -> None:
    """Both predict the same, to the bit."""
    first, second = left.predict(), right.predict()
    assert first is not None
    assert second is not None
    assert np.array_equal(first.mean, second.mean)
    assert np.array_equal(first.std, second.std)
    assert first.noise_std == second.noise_std


def in_another_thread(work: Callable[[], object]) -> None:
    """Do it there and wait."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_there_is_nothing_to_fit_before_the_first_measurement(make: Make) -> None:
    experiment = make()
    experiment.tell_failed(3, "no counts")
    with pytest.raises(InputError, match="there is no valid measurement to fit to yet"):
        experiment.begin_refit()


def test_no_refit_is_due_while_seeding(make: Make, drive: Drive) -> None:
    experiment = make()
    drive(experiment, SEEDS - 1)
    assert not experiment.refit_due
    drive(experiment, SEEDS)
    assert experiment.refit_due


@pytest.mark.parametrize(("growth", "fits"), [(0.0, [6, 7, 8, 9, 10, 11, 12]), (0.3, [6, 8, 11]), (2.0, [6])])
def test_the_model_is_refitted_when_the_measurements_have_grown(
    make: Make, drive: Drive, growth: float, fits: list[int]
) -> None:
    experiment = make(refit_growth=growth, budget=13)
    seen = []
    experiment.sink = lambda kind, data, _: seen.append(data["measurements"]) if kind == "fit" else None
    drive(experiment)
    assert seen == fits


def test_failed_measurements_cause_no_refit(make: Make, drive: Drive) -> None:
    experiment = make(refit_growth=0.0)
    drive(experiment, SEEDS + 1)
    experiment.ask()
    assert not experiment.refit_due
    experiment.tell_failed(experiment.pending[0], "no counts")
    assert not experiment.refit_due


def test_a_refit_that_has_not_run_is_refused(make: Make, drive: Drive) -> None:
    experiment = make()
    drive(experiment, SEEDS)
    with pytest.raises(InputError, match=r"the refit has not run yet; call run\(\) first"):
        experiment.adopt(experiment.begin_refit())


def test_a_refit_in_another_thread_gives_the_model_of_a_refit_here(make: Make, drive: Drive) -> None:
    here, there = make(), make()
    for experiment in (here, there):
        drive(experiment, SEEDS + 3)
    here.adopt(here.begin_refit().run())
    task = there.begin_refit()
    in_another_thread(task.run)
    there.adopt(task)
    assert_same_model(here, there)


def test_a_refit_under_way_leaves_the_experiment_alone(make: Make, drive: Drive) -> None:
    experiment, twin = make(refit_growth=2.0), make(refit_growth=2.0)
    drive(experiment, SEEDS + 3)
    task = experiment.begin_refit()
    in_another_thread(task.run)
    assert drive(experiment, SEEDS + 5) == drive(twin, SEEDS + 5)
    assert_same_model(experiment, twin)


def test_measurements_told_during_a_refit_are_added_to_it_exactly(make: Make, drive: Drive, value: Value) -> None:
    during, after = make(refit_growth=10.0), make(refit_growth=10.0)
    for experiment in (during, after):
        drive(experiment, SEEDS + 3)
    more = [5, 40, 77]
    task = during.begin_refit()
    running = threading.Thread(target=task.run)
    running.start()
    for site in more:
        during.tell(site, value(during.sites[site]))
    during.tell_failed(90, "no counts")
    running.join()
    during.adopt(task)

    after.adopt(after.begin_refit().run())
    for site in more:
        after.tell(site, value(after.sites[site]))
    after.tell_failed(90, "no counts")
    assert_same_model(during, after)
    assert during.ask(3) == after.ask(3)


def test_a_refit_adopted_twice_counts_no_measurement_twice(make: Make, drive: Drive, value: Value) -> None:
    experiment, twin = make(refit_growth=10.0), make(refit_growth=10.0)
    for one, times in ((experiment, 2), (twin, 1)):
        drive(one, SEEDS + 2)
        task = one.begin_refit().run()
        one.tell(5, value(one.sites[5]))
        for _ in range(times):
            one.adopt(task)
    assert_same_model(experiment, twin)


def test_a_host_that_refits_beside_the_measurement_never_waits_in_ask(make: Make, drive: Drive, value: Value) -> None:
    experiment = make(refit_growth=0.0)
    drive(experiment, SEEDS)
    fits = []
    experiment.sink = lambda kind, *_: fits.append(kind) if kind == "fit" else None
    experiment.adopt(experiment.begin_refit().run())
    for _ in range(4):
        (site,) = experiment.ask()
        experiment.tell(site, value(site))
        task = experiment.begin_refit()
        in_another_thread(task.run)
        experiment.adopt(task)
    assert len(fits) == 5


def test_a_refit_starts_from_the_last_solution(make: Make, drive: Drive) -> None:
    experiment = make()
    drive(experiment, SEEDS + 2)
    experiment.ask()
    assert experiment.surrogate is not None
    warm = experiment.begin_refit()
    for name, array in experiment.surrogate.state().items():
        assert np.array_equal(warm.surrogate.state()[name], array, equal_nan=True)


def test_the_optimiser_of_a_refit_can_be_cut_short(make: Make, drive: Drive) -> None:
    experiment = make()
    drive(experiment, SEEDS + 2)
    start, short, long = (experiment.begin_refit(iterations) for iterations in (1, 1, 40))
    short.run()
    long.run()
    moved = [np.abs(task.surrogate.state()["vector_linear"] - start.surrogate.state()["vector_linear"]).max()
             for task in (short, long)]  # fmt: skip
    assert 0 < moved[0] < moved[1]
