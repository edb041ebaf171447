"""Sites that were asked and not told when a run was left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dkl_core.experiment import ExperimentSettings, RecordedExperiment
from dkl_core.measurement import Site
from dkl_core.survey import SurveyImage

Settings = Callable[..., ExperimentSettings]
Value = Callable[[Site], float]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.h5"


def ended_after(
    path: Path, survey: SurveyImage, chosen: ExperimentSettings, asked: int, told: int, value: Value
) -> list[Site]:
    """Make a run of which a batch was asked and only its first sites were told; gives the others."""
    with RecordedExperiment.start(path, survey, chosen) as recorded:
        sites = recorded.experiment.ask(asked)
        for site in sites[:told]:
            recorded.experiment.tell(site, value(site))
    return sites[told:]


def test_sites_that_were_asked_and_not_told_are_still_pending(
    path: Path, survey: SurveyImage, settings: Settings, value: Value
) -> None:
    outstanding = ended_after(path, survey, settings(), 5, 2, value)
    with RecordedExperiment.resume(path) as recorded:
        assert list(recorded.experiment.pending) == outstanding


def test_sites_that_were_asked_and_not_told_are_offered_again_first_and_alone(
    path: Path, survey: SurveyImage, settings: Settings, value: Value
) -> None:
    outstanding = ended_after(path, survey, settings(), 5, 2, value)
    with RecordedExperiment.resume(path) as recorded:
        assert recorded.experiment.ask() == outstanding[:1]
        assert recorded.experiment.ask(10) == outstanding[1:]
        assert not set(recorded.experiment.ask(10)) & set(outstanding)


def test_a_site_told_before_it_was_offered_again_is_not_offered(
    path: Path, survey: SurveyImage, settings: Settings, value: Value
) -> None:
    first, second, third = ended_after(path, survey, settings(), 5, 2, value)
    with RecordedExperiment.resume(path) as recorded:
        recorded.experiment.tell(second, value(second))
        assert recorded.experiment.ask(10) == [first, third]


def test_an_outstanding_site_can_be_withdrawn_or_excluded(
    path: Path, survey: SurveyImage, settings: Settings, value: Value
) -> None:
    first, second, third = ended_after(path, survey, settings(), 5, 2, value)
    with RecordedExperiment.resume(path) as recorded:
        recorded.experiment.withdraw(first)
        recorded.experiment.exclude([second])
        assert recorded.experiment.pending == (third,)
        assert recorded.experiment.ask(10) == [third]


def test_outstanding_sites_are_part_of_the_budget(
    path: Path, survey: SurveyImage, settings: Settings, value: Value
) -> None:
    ended_after(path, survey, settings(budget=7), 5, 2, value)
    with RecordedExperiment.resume(path) as recorded:
        assert [len(recorded.experiment.ask(10)) for _ in range(3)] == [3, 2, 0]


def test_a_run_resumed_many_times_asks_for_no_site_twice(
    path: Path, survey: SurveyImage, settings: Settings, value: Value
) -> None:
    ended_after(path, survey, settings(), 3, 1, value)
    while True:
        with RecordedExperiment.resume(path) as recorded:
            experiment = recorded.experiment
            sites = experiment.ask(3)
            if not sites:
                break
            experiment.tell(sites[0], value(sites[0]))
    told = [one.site.index for one in experiment.told]
    assert len(told) == len(set(told)) == 20
