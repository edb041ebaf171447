from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dkl_core.experiment import Experiment
from dkl_core.goal import Goal
from dkl_core.measurement import Site
from dkl_core.surrogate import SurrogateSettings

Make = Callable[..., Experiment]
Drive = Callable[..., list[int]]
Value = Callable[[Site], float]
ACQUISITIONS = ["ei", "ucb", "pi", "uncertainty", "thompson"]
SEEKING = [name for name in ACQUISITIONS if name != "uncertainty"]
DETERMINISTIC = [name for name in ACQUISITIONS if name != "thompson"]
DEEP = SurrogateSettings(components=4, iterations=10, warm_iterations=3)
SEEDS = 6


def truth(experiment: Experiment, value: Value) -> np.ndarray:
    """The scalar of every site."""
    return np.array([value(experiment.sites[index]) for index in range(len(experiment.sites))])


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_the_same_seed_gives_the_same_sites(make: Make, drive: Drive, acquisition: str) -> None:
    assert drive(make(acquisition=acquisition)) == drive(make(acquisition=acquisition))


def test_the_same_seed_gives_the_same_sites_with_networks(make: Make, drive: Drive) -> None:
    assert drive(make(surrogate=DEEP, budget=26)) == drive(make(surrogate=DEEP, budget=26))


def test_thompson_sampling_looks_at_another_function_for_each_site(make: Make, drive: Drive) -> None:
    experiment = make(acquisition="thompson")
    drive(experiment, SEEDS + 1)
    experiment.ask()
    first = experiment.acquisition_map()
    experiment.ask()
    second = experiment.acquisition_map()
    assert np.corrcoef(first, second)[0, 1] < 0.95  # type: ignore[arg-type]


def test_thompson_sampling_follows_the_seed(make: Make, drive: Drive) -> None:
    experiment, other = make(acquisition="thompson", seed=3), make(acquisition="thompson", seed=4)
    drive(experiment, SEEDS)
    for told in experiment.told:
        other.tell(told.site, told.measurement)
    assert experiment.ask(4) != other.ask(4)


def test_looking_at_the_map_changes_no_decision(make: Make, drive: Drive, value: Value) -> None:
    watched = make(acquisition="thompson")
    while sites := watched.ask():
        watched.acquisition_map()
        watched.predict()
        watched.tell(sites[0], value(sites[0]))
    assert [told.site.index for told in watched.told] == drive(make(acquisition="thompson"))


@pytest.mark.parametrize("acquisition", DETERMINISTIC)
def test_minimising_s_visits_the_sites_of_maximising_k_minus_s(
    make: Make, drive: Drive, value: Value, acquisition: str
) -> None:
    minimised = drive(make(acquisition=acquisition, goal=Goal("minimise")))
    flipped = drive(make(acquisition=acquisition), measure=lambda site: 4.0 - value(site))
    assert minimised == flipped


def test_scaling_and_shifting_the_scalar_changes_no_decision(make: Make, drive: Drive, value: Value) -> None:
    assert drive(make(acquisition="ei")) == drive(
        make(acquisition="ei"), measure=lambda site: 1e-9 * value(site) - 3e-9
    )


@pytest.mark.parametrize("acquisition", SEEKING)
def test_maximising_finds_large_values_and_minimising_small_ones(
    make: Make, drive: Drive, value: Value, acquisition: str
) -> None:
    upward, downward = make(acquisition=acquisition), make(acquisition=acquisition, goal=Goal("minimise"))
    scalars = truth(upward, value)
    assert scalars[drive(upward)[SEEDS:]].mean() > scalars.mean() + 0.3 * scalars.std()
    assert scalars[drive(downward)[SEEDS:]].mean() < scalars.mean() - 0.3 * scalars.std()


@pytest.mark.parametrize("acquisition", SEEKING)
def test_a_target_is_looked_for_from_both_sides(make: Make, drive: Drive, value: Value, acquisition: str) -> None:
    experiment = make(acquisition=acquisition, goal=Goal("target", 2.25), budget=30)
    scalars = truth(experiment, value)
    missed = np.abs(scalars - 2.25)
    assert missed[drive(experiment)[SEEDS:]].mean() < 0.7 * missed.mean()
    assert experiment.best is not None
    assert abs(experiment.best.measurement.scalar.value - 2.25) <= np.percentile(missed, 5)


def test_the_best_is_the_earliest_of_equals(make: Make) -> None:
    experiment = make()
    for site, scalar in enumerate([1.0, 3.0, 2.0, 3.0]):
        experiment.tell(site, scalar)
    assert experiment.best is experiment.told[1]
