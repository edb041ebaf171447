"""What is on the disk, what comes back, and what is refused."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dkl_core
from dkl_core.acquisition import AcquisitionSettings, ConstantBeta
from dkl_core.errors import InputError, RecordError
from dkl_core.experiment import ExperimentSettings, RecordedExperiment, SeedSettings, StopRules
from dkl_core.goal import Goal
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.patches import PatchSettings
from dkl_core.record import read_run
from dkl_core.surrogate.settings import Priors, SurrogateSettings
from dkl_core.survey import SurveyImage

Settings = Callable[..., ExperimentSettings]
Value = Callable[[Site], float]
PACKAGE = Path(next(iter(dkl_core.__path__))).resolve().parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.h5"


def test_every_measurement_is_on_the_disk_when_tell_returns(
    path: Path, survey: SurveyImage, settings: Settings, value: Value
) -> None:
    with RecordedExperiment.start(path, survey, settings(budget=9)) as recorded:
        experiment = recorded.experiment
        while sites := experiment.ask():
            told = experiment.tell(sites[0], Measurement(Scalar(value(sites[0])), np.full(3, sites[0].row)))
            with read_run(path) as contents:
                table = contents.measurements
                assert len(table) == len(experiment.told)
                assert (table.site[-1], table.value[-1]) == (told.site.index, told.measurement.scalar.value)
                raw = [event.arrays["raw"] for event in contents.events() if event.kind == "tell"]
                assert np.array_equal(raw[-1], np.full(3, sites[0].row))


def test_a_failed_measurement_is_recorded_with_its_reason_and_its_value(
    path: Path, survey: SurveyImage, settings: Settings
) -> None:
    with RecordedExperiment.start(path, survey, settings()) as recorded:
        recorded.experiment.tell_failed(3, "no counts")
        recorded.experiment.tell(4, np.inf)
        recorded.experiment.tell(5, Measurement(Scalar(2.5, False, "drift")))
    with read_run(path) as contents:
        table = contents.measurements
    assert table.valid.tolist() == [False, False, False]
    assert table.reason == ("no counts", "the scalar is inf, which is not a finite number", "drift")
    assert np.array_equal(table.value, [np.nan, np.inf, 2.5], equal_nan=True)


def full_disk(*_: object) -> None:
    """What the system says when there is no room."""
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_measurement_that_finds_the_disk_full_can_be_told_again(
    path: Path, survey: SurveyImage, settings: Settings, value: Value, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RecordedExperiment.start(path, survey, settings()) as recorded:
        experiment = recorded.experiment
        for _ in range(9):
            (site,) = experiment.ask()
            experiment.tell(site, value(site))
        (site,) = experiment.ask()
        before = experiment.predict()
        with monkeypatch.context() as patch:
            patch.setattr("dkl_core.record.appender.write_all", full_disk)
            with pytest.raises(RecordError, match="no space left"):
                experiment.tell(site, value(site))
        after = experiment.predict()
        assert before is not None
        assert after is not None
        assert np.array_equal(before.mean, after.mean)
        assert (len(experiment.told), experiment.pending) == (9, (site,))
        experiment.tell(site, value(site))
        assert (len(experiment.told), experiment.pending) == (10, ())
    with read_run(path) as contents:
        assert contents.measurements.site.tolist() == [told.site.index for told in experiment.told]


def test_a_question_that_finds_the_disk_full_can_be_asked_again(
    path: Path, survey: SurveyImage, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RecordedExperiment.start(path, survey, settings()) as recorded:
        with monkeypatch.context() as patch:
            patch.setattr("dkl_core.record.appender.write_all", full_disk)
            with pytest.raises(RecordError, match="no space left"):
                recorded.experiment.ask(2)
        assert recorded.experiment.pending == ()
        assert len(recorded.experiment.ask(2)) == 2


def test_what_a_record_cannot_keep_is_refused_before_it_counts(
    path: Path, survey: SurveyImage, settings: Settings
) -> None:
    with RecordedExperiment.start(path, survey, settings()) as recorded:
        with pytest.raises(InputError, match="details"):
            recorded.experiment.tell(3, Measurement(Scalar(1.0), details={"detector": object()}))
        with pytest.raises(InputError, match="raw"):
            recorded.experiment.tell(3, Measurement(Scalar(1.0), np.array(["text"])))
        assert recorded.experiment.told == ()


ALL_CHANGED = ExperimentSettings(
    patches=PatchSettings(8, 3, "reflect", "plane", "robust", "fill"),
    surrogate=SurrogateSettings(
        False,
        5,
        False,
        True,
        "never",
        "conv",
        members=3,
        folds=4,
        iterations=21,
        warm_iterations=7,
        seed=9,
        priors=Priors(noise=0.2, weight_spread=0.3),
    ),
    acquisition=AcquisitionSettings("pi", 0.2, ConstantBeta(2.5), 0.3),
    goal=Goal("target", 1.25),
    seeds=SeedSettings(4, "points", ((3.0, 4.5), (20.0, 30.0))),
    stop=StopRules(17, 6, 0.05),
    retries=1,
    refit_growth=0.5,
    seed=11,
)


def test_the_settings_come_back_as_they_were(path: Path, survey: SurveyImage) -> None:
    default = ExperimentSettings()
    for name in ("patches", "surrogate", "acquisition", "goal", "seeds", "stop", "retries", "refit_growth", "seed"):
        assert getattr(ALL_CHANGED, name) != getattr(default, name)
    RecordedExperiment.start(path, survey, ALL_CHANGED).close()
    with RecordedExperiment.resume(path) as recorded:
        assert recorded.experiment.settings == ALL_CHANGED


def test_a_changed_setting_comes_back_changed(path: Path, survey: SurveyImage, settings: Settings) -> None:
    with RecordedExperiment.start(path, survey, settings()) as recorded:
        recorded.experiment.change(
            goal=Goal("target", 0.5), acquisition=AcquisitionSettings("ei", 0.5), stop=StopRules(50, patience=9)
        )
        changed = recorded.experiment.settings
    with RecordedExperiment.resume(path) as recorded:
        assert recorded.experiment.settings == changed != settings()


@pytest.mark.parametrize("nan", ["exclude", "fill"])
def test_a_survey_image_with_holes_and_a_mask_come_back_to_the_bit(
    path: Path, survey: SurveyImage, settings: Settings, nan: str
) -> None:
    values = survey.values.copy()
    values[5:9, 10:14] = np.nan
    holed = replace(survey, values=values)
    mask = np.random.default_rng(2).random(survey.shape) > 0.3
    chosen = settings(patches=PatchSettings(window=6, stride=4, nan=nan))  # type: ignore[arg-type]
    with RecordedExperiment.start(path, holed, chosen, mask=mask) as recorded:
        sites = recorded.experiment.sites
        asked = recorded.experiment.ask(4)
    with RecordedExperiment.resume(path) as recorded:
        back = recorded.experiment
        assert np.array_equal(back.survey.values, values, equal_nan=True)
        assert (back.survey.pixel_nm, back.survey.origin_nm) == (survey.pixel_nm, survey.origin_nm)
        assert np.array_equal(back.mask, mask)  # type: ignore[arg-type]
        assert np.array_equal(back.sites.positions, sites.positions)
        assert list(back.pending) == asked


def test_the_users_own_sites_come_back_in_their_order(path: Path, survey: SurveyImage, settings: Settings) -> None:
    places = [(30, 30), (10, 10), (11.4, 29.6), (25, 7), (33, 40), (20, 20), (10, 10)]
    mask = np.ones(survey.shape, dtype=bool)
    mask[25, 7] = False
    with RecordedExperiment.start(path, survey, settings(), mask=mask, positions=places) as recorded:
        assert recorded.experiment.sites.positions.tolist() == [
            [30, 30],
            [10, 10],
            [11, 30],
            [33, 40],
            [20, 20],
            [10, 10],
        ]
    with RecordedExperiment.resume(path) as back:
        assert np.array_equal(back.experiment.sites.positions, recorded.experiment.sites.positions)


def test_what_the_host_added_comes_back(path: Path, survey: SurveyImage, settings: Settings) -> None:
    host = {"kind": "stm", "bias_v": [-1.0, 1.0], "nested": {"limit": float("inf"), "name": "µ"}}
    RecordedExperiment.start(path, survey, settings(), host=host).close()
    with RecordedExperiment.resume(path) as recorded:
        assert recorded.host == host


def test_everything_of_a_measurement_comes_back(path: Path, survey: SurveyImage, settings: Settings) -> None:
    raw = np.arange(12, dtype=np.uint16).reshape(3, 4)
    taken = Measurement(Scalar(1.5, noise_variance=0.25), raw, 2.5, 31.0, {"gain": 3, "names": ["a", "b"]}, 4e6)
    with RecordedExperiment.start(path, survey, settings()) as recorded:
        told = recorded.experiment.tell(3, taken)
    with RecordedExperiment.resume(path) as recorded:
        (back,) = recorded.experiment.told
    assert (back.site, back.attempt, back.time) == (told.site, told.attempt, told.time)
    assert back.measurement.scalar == taken.scalar
    assert (back.measurement.seconds, back.measurement.dose, back.measurement.electrons) == (2.5, 31.0, 4e6)
    assert dict(back.measurement.details) == {"gain": 3, "names": ["a", "b"]}


def test_raw_data_stays_in_the_record_and_not_in_memory(path: Path, survey: SurveyImage, settings: Settings) -> None:
    raw = np.arange(12, dtype=np.uint16).reshape(3, 4)
    with RecordedExperiment.start(path, survey, settings()) as recorded:
        assert recorded.experiment.tell(3, Measurement(Scalar(1.5), raw)).measurement.raw is raw
        assert recorded.experiment.told[0].measurement.raw is None
    with RecordedExperiment.resume(path) as recorded:
        assert recorded.experiment.told[0].measurement.raw is None
    with read_run(path) as contents:
        back = contents.raw(0)
    assert back is not None
    assert back.dtype == raw.dtype
    assert np.array_equal(back, raw)


def test_a_measurement_without_raw_data_has_none_in_the_record(
    path: Path, survey: SurveyImage, settings: Settings
) -> None:
    with RecordedExperiment.start(path, survey, settings()) as recorded:
        recorded.experiment.tell(3, Measurement.of(1.0))
    with read_run(path) as contents:
        assert contents.raw(0) is None
        with pytest.raises(InputError, match=r"there is no measurement 1 in .*; they are counted from 0"):
            contents.raw(1)


def test_the_record_tells_the_versions_that_decide_the_numbers(
    path: Path, survey: SurveyImage, settings: Settings
) -> None:
    RecordedExperiment.start(path, survey, settings()).close()
    with read_run(path) as contents:
        assert {"python", "numpy", "scipy", "torch"} <= set(contents.header.versions)
