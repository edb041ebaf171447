"""Runs through several levels of zoom."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dkl_core.errors import InputError, MeasurementError, RecordError
from dkl_core.experiment import Experiment, ExperimentSettings, RecordedExperiment, SeedSettings, StopRules, run
from dkl_core.frame import Frame
from dkl_core.goal import Goal
from dkl_core.patches import PatchSettings
from dkl_core.record import RunRecord, read_run
from dkl_core.sample import SimulatedSTM, SurfaceSettings
from dkl_core.surrogate import SurrogateSettings
from dkl_core.survey import SurveyImage
from dkl_core.zoom import (
    LevelProgress,
    MultiscaleResult,
    ZoomInstrument,
    ZoomRules,
    ZoomSize,
    decide,
    next_frame,
    resume_multiscale,
    run_multiscale,
    stored_host,
)
from tests.zoom.scope import SPOT_NM, WHOLE, RefusingScope, Scope

BUDGET = 14
SETTINGS = ExperimentSettings(
    patches=PatchSettings(window=6, stride=4),
    surrogate=SurrogateSettings(components=4, depth="never", iterations=15, warm_iterations=4),
    seeds=SeedSettings(10),
    stop=StopRules(BUDGET),
    seed=3,
)
SIZES = (ZoomSize(16.0), ZoomSize(6.0))
RULES = ZoomRules(sigmas=0.0)
# Within each level, before its last measurement, before and after the survey of the next.
KILLED_AT = (4, BUDGET - 1, BUDGET, BUDGET + 1, BUDGET + 8, 3 * BUDGET + 1)


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Small matrices are fastest on one thread, and files with a small journal are quickly copied."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        for start in (RunRecord.create, RunRecord.reopen):
            patch.setitem(start.__func__.__kwdefaults__, "journal_bytes", 100_000)
        yield
    torch.set_num_threads(threads)


def zoomed(instrument: ZoomInstrument | None = None, folder: Path | None = None, **changes: object) -> MultiscaleResult:
    asked = {"settings": SETTINGS, "sizes": SIZES, "rules": RULES, "folder": folder, **changes}
    return run_multiscale(instrument or Scope(), **asked)  # type: ignore[arg-type]


def sites(result: MultiscaleResult) -> list[list[int]]:
    return [[told.site.index for told in level.told] for level in result.levels]


def frames(result: MultiscaleResult) -> list[Frame]:
    return [level.frame for level in result.levels]


@pytest.fixture(scope="module")
def plain(quick: None) -> MultiscaleResult:
    """A run through three levels, without records."""
    return zoomed()


@pytest.fixture(scope="module")
def killed(quick: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[MultiscaleResult, Path]:
    """The same with records, and the folder's copies as a killed process would have left it at some steps."""
    folder = tmp_path_factory.mktemp("killed")

    class Copying(Scope):
        def _step(self) -> None:
            if self.steps in KILLED_AT:
                shutil.copytree(folder / "run", folder / str(self.steps))
            super()._step()

    return zoomed(Copying(), folder / "run"), folder


# ---------------------------------------------------------------------- the way inwards


def test_the_levels_close_in_on_what_is_looked_for(plain: MultiscaleResult) -> None:
    result = plain
    assert [level.frame.size_nm for level in result.levels] == [
        pytest.approx((side, side)) for side in (40.0, 16.0, 6.0)
    ]
    for level in result.levels:
        assert len(level.told) == BUDGET
        assert np.abs(np.subtract(level.frame.centre_nm, SPOT_NM)).max() < level.frame.size_nm[0] / 2
    assert result.reason == f"the budget of {BUDGET} measurements is used up"
    assert result.levels[-1].decision is None


def test_each_frame_lies_in_the_one_before_and_knows_it(plain: MultiscaleResult) -> None:
    first, second, third = frames(plain)
    assert third.parent == second
    assert second.parent == first
    assert third.within(second)
    assert second.within(first)
    assert [frame.level for frame in (first, second, third)] == [0, 1, 2]


def test_sites_of_every_level_are_measured_where_they_lie_in_the_outermost_frame() -> None:
    scope = Scope()
    result = zoomed(scope)
    outermost = result.levels[0].frame
    in_outermost_px = [
        level.frame.to_frame(outermost, (told.site.row, told.site.col))
        for level in result.levels
        for told in level.told
    ]
    np.testing.assert_allclose(outermost.to_nm(in_outermost_px), scope.measured_nm, atol=1e-9)


def test_the_next_frame_has_the_largest_predicted_merit(plain: MultiscaleResult) -> None:
    first = plain.levels[0]
    prediction = first.experiment.predict()
    assert prediction is not None
    expected = next_frame(
        first.frame, first.experiment.sites.positions, prediction.mean, SIZES[0], std=prediction.std, rules=RULES
    )
    assert first.decision == expected


def test_a_valley_is_found_like_a_hill(plain: MultiscaleResult) -> None:
    valley = zoomed(Scope(height=-1.0), settings=replace(SETTINGS, goal=Goal("minimise")))
    assert sites(valley) == sites(plain)
    assert frames(valley) == frames(plain)


def test_every_level_can_have_settings_of_its_own() -> None:
    each = [replace(SETTINGS, stop=StopRules(budget)) for budget in (12, 11, 13)]
    assert [len(level.told) for level in zoomed(settings=each).levels] == [12, 11, 13]


def test_seeds_alone_are_enough_to_decide() -> None:
    only_seeds = replace(SETTINGS, stop=StopRules(SETTINGS.seeds.count))
    assert len(zoomed(settings=only_seeds).levels) == 3


def test_excluded_sites_do_not_attract_the_next_frame(plain: MultiscaleResult) -> None:
    first = plain.levels[0]
    experiment = Experiment(first.survey, SETTINGS)
    for told in first.told:
        experiment.tell(told.site, told.measurement)
    before = decide(experiment, WHOLE, SIZES[0], RULES)
    assert before.frame is not None
    places = before.frame.to_pixels(WHOLE.to_nm(experiment.sites.positions))
    inside = ((places > -0.5) & (places < np.subtract(before.frame.shape, 0.5))).all(axis=1)
    experiment.exclude([int(index) for index in np.flatnonzero(inside)])
    after = decide(experiment, WHOLE, SIZES[0], RULES)
    assert before.n_sites == inside.sum()
    assert after.excess < before.excess
    assert after.frame != before.frame


def test_the_observer_sees_frame_experiment_and_measurement_of_each_level() -> None:
    seen: list[LevelProgress] = []
    result = zoomed(progress=seen.append)
    assert [at.frame.level for at in seen] == [0] * BUDGET + [1] * BUDGET + [2] * BUDGET
    assert [at.at.told for at in seen] == [told for level in result.levels for told in level.told]
    assert seen[-1].experiment is result.levels[-1].experiment


def test_the_frame_is_the_one_that_was_imaged_even_if_another_was_asked_for() -> None:
    class Off(Scope):
        def survey(self, frame: Frame) -> SurveyImage:
            row, col = frame.corner_nm
            return super().survey(replace(frame, corner_nm=(row + 0.5, col - 0.25)))

    first, second, _ = zoomed(Off()).levels
    assert first.decision is not None
    assert first.decision.frame is not None
    assert np.subtract(second.frame.corner_nm, first.decision.frame.corner_nm) == pytest.approx((0.5, -0.25))


# ---------------------------------------------------------------------- where it ends


def test_where_nothing_qualifies_the_run_ends_with_the_reason_and_keeps_what_was_measured(tmp_path: Path) -> None:
    scope = Scope(height=0.0)
    result = zoomed(scope, tmp_path)
    assert result.reason == "no window is better than the average by more than its uncertainty; measure more here"
    assert [len(level.told) for level in result.levels] == [BUDGET]
    assert result.levels[0].reason == f"the budget of {BUDGET} measurements is used up"
    assert scope.log[-1] == "park"
    again = resume_multiscale(Scope(height=0.0), tmp_path)
    assert again.reason == result.reason
    assert sites(again) == sites(result)


def test_where_every_measurement_fails_there_is_nothing_to_zoom_into() -> None:
    result = zoomed(RefusingScope())
    assert result.reason == "no site has a finite prediction; measure or train more before zooming"
    assert len(result.levels[0].told) == BUDGET


def test_a_stop_ends_the_level_and_the_zoom_goes_on() -> None:
    def stop_early(at: LevelProgress) -> None:
        if at.frame.level == 0 and at.at.measured == 12:
            at.experiment.stop("enough of this")

    result = zoomed(progress=stop_early)
    assert [len(level.told) for level in result.levels] == [12, BUDGET, BUDGET]
    assert result.levels[0].reason == "enough of this"


def test_a_pause_ends_the_run_until_it_is_resumed(tmp_path: Path, plain: MultiscaleResult) -> None:
    def pause_in_level_one(at: LevelProgress) -> None:
        if at.frame.level == 1 and at.at.measured == 5:
            at.experiment.pause()

    scope = Scope()
    result = zoomed(scope, tmp_path, progress=pause_in_level_one)
    assert (result.reason, len(result.levels), result.levels[-1].decision) == ("paused", 2, None)
    assert scope.log[-1] == "park"
    assert sites(resume_multiscale(Scope(), tmp_path)) == sites(plain)


@pytest.mark.parametrize("step", [0, 7, BUDGET, BUDGET + 5, 3 * BUDGET + 1])
def test_whatever_the_instrument_raises_it_is_parked(step: int) -> None:
    scope = Scope(fails_at=step)
    with pytest.raises(OSError, match="broke down"):
        zoomed(scope)
    assert scope.log[-1] == "park"


def test_an_observer_that_raises_leaves_the_instrument_parked() -> None:
    scope = Scope()

    def interrupt(_: LevelProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        zoomed(scope, progress=interrupt)
    assert scope.log[-1] == "park"


# ---------------------------------------------------------------------- on disk


def test_each_level_has_a_record_that_names_its_frame_level_and_parent(tmp_path: Path) -> None:
    result = zoomed(folder=tmp_path / "new", host={"kind": "scope", "gain": 2})
    assert sorted(path.name for path in (tmp_path / "new").glob("*.h5")) == ["level0.h5", "level1.h5", "level2.h5"]
    for number, level in enumerate(result.levels):
        assert level.path == tmp_path / "new" / f"level{number}.h5"
        with read_run(level.path) as contents:
            host = contents.header.settings["host"]
            assert (host["kind"], host["gain"], host["zoom"]["level"]) == ("scope", 2, number)
            assert Frame.from_json(host["zoom"]["frame"]) == level.frame
            assert host["zoom"].get("parent") == (f"level{number - 1}.h5" if number else None)
            assert len(contents.measurements) == BUDGET
    assert stored_host(tmp_path / "new") == {"kind": "scope", "gain": 2}


def test_records_change_nothing_of_the_run(killed: tuple[MultiscaleResult, Path], plain: MultiscaleResult) -> None:
    assert sites(killed[0]) == sites(plain)
    assert frames(killed[0]) == frames(plain)


@pytest.mark.parametrize("step", KILLED_AT)
def test_a_run_killed_at_any_step_goes_on_through_the_same_sites_and_frames(
    killed: tuple[MultiscaleResult, Path], step: int
) -> None:
    whole, folder = killed
    resumed = resume_multiscale(Scope(), folder / str(step))
    assert sites(resumed) == sites(whole)
    assert frames(resumed) == frames(whole)
    assert [level.decision for level in resumed.levels] == [level.decision for level in whole.levels]
    assert [level.reason for level in resumed.levels] == [level.reason for level in whole.levels]
    assert resumed.reason == whole.reason


def test_a_run_interrupted_before_its_decision_decides_the_same(tmp_path: Path, plain: MultiscaleResult) -> None:
    def interrupt(at: LevelProgress) -> None:
        if at.at.measured == BUDGET:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        zoomed(folder=tmp_path, progress=interrupt)
    assert frames(resume_multiscale(Scope(), tmp_path)) == frames(plain)


def test_an_interrupted_level_goes_on_in_the_image_it_began_with(tmp_path: Path) -> None:
    broken, scope = Scope(fails_at=BUDGET + 6), Scope()
    with pytest.raises(OSError, match="broke down"):
        zoomed(broken, tmp_path)
    resume_multiscale(scope, tmp_path)
    assert [entry for entry in scope.log if isinstance(entry, str)] == ["return", "park", "survey", "park", "park"]
    unbroken = Scope()
    zoomed(unbroken)
    np.testing.assert_allclose(np.concatenate([broken.measured_nm, scope.measured_nm]), unbroken.measured_nm)


def test_a_frame_that_could_not_be_imaged_is_tried_again(tmp_path: Path, plain: MultiscaleResult) -> None:
    with pytest.raises(MeasurementError):
        zoomed(Scope(fails_at=BUDGET, error=MeasurementError), tmp_path)
    assert frames(resume_multiscale(Scope(), tmp_path)) == frames(plain)


def test_a_finished_run_is_read_back_without_measuring(killed: tuple[MultiscaleResult, Path]) -> None:
    (result, folder), scope = killed, Scope()
    again = resume_multiscale(scope, folder / "run")
    assert len(scope.measured_nm) == 0
    assert sites(again) == sites(result)
    assert frames(again) == frames(result)
    for before, after in zip(result.levels, again.levels, strict=True):
        np.testing.assert_array_equal(before.survey.values, after.survey.values)


def test_more_measurements_where_nothing_qualified_are_decided_anew(tmp_path: Path) -> None:
    hopeless = replace(RULES, sigmas=100.0)
    assert len(zoomed(folder=tmp_path, rules=hopeless).levels) == 1
    scope = Scope()
    with RecordedExperiment.resume(tmp_path / "level0.h5") as recorded:
        recorded.experiment.change(stop=StopRules(BUDGET + 4))
        scope.return_to(recorded.experiment.survey)
        run(recorded.experiment, scope)
    resume_multiscale(Scope(), tmp_path)
    with read_run(tmp_path / "level0.h5") as contents:
        rests_on = [event.data["measured"] for event in contents.events() if event.kind == "zoom"]
    assert rests_on == [BUDGET, BUDGET + 4]


def test_overwriting_a_run_leaves_nothing_of_it(tmp_path: Path) -> None:
    zoomed(folder=tmp_path)
    zoomed(Scope(height=0.0), tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.glob("*.h5")] == ["level0.h5"]


def test_a_level_of_another_run_is_not_taken_for_one_of_this_run(
    tmp_path: Path, killed: tuple[MultiscaleResult, Path], plain: MultiscaleResult
) -> None:
    with pytest.raises(OSError, match="broke down"):
        zoomed(Scope(fails_at=4), tmp_path)
    shutil.copy(killed[1] / "run" / "level1.h5", tmp_path / "level1.h5")
    assert sites(resume_multiscale(Scope(), tmp_path)) == sites(plain)


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"sizes": ()}, "no size is given"),
        ({"sizes": (ZoomSize(50.0),)}, "not smaller than the present one of 40 x 40 nm"),
        ({"sizes": (ZoomSize(6.0), ZoomSize(16.0))}, "not smaller than the present one of 6 x 6 nm"),
        ({"rules": ZoomRules(margin_nm=6.0)}, "give a smaller margin"),
        ({"settings": (SETTINGS, SETTINGS)}, "2 settings are given for 3 levels"),
        ({"settings": (SETTINGS, SETTINGS, replace(SETTINGS, patches=PatchSettings(60, 4)))}, "window"),
    ],
)
def test_a_plan_that_cannot_work_is_refused_before_anything_is_measured_or_written(
    tmp_path: Path, changes: dict[str, object], text: str
) -> None:
    scope = Scope()
    with pytest.raises(InputError, match=text):
        zoomed(scope, tmp_path, **changes)
    assert set(scope.log) <= {"image", "park"}
    assert list(tmp_path.iterdir()) == []


def test_a_survey_without_calibration_cannot_be_zoomed() -> None:
    class Uncalibrated(Scope):
        def image(self) -> SurveyImage:
            return SurveyImage(super().image().values)

    with pytest.raises(InputError, match="no calibration; give pixel_nm"):
        zoomed(Uncalibrated())


def test_a_survey_in_coordinates_of_its_own_is_refused() -> None:
    class Lost(Scope):
        def survey(self, frame: Frame) -> SurveyImage:
            return replace(super().survey(frame), origin_nm=(0.0, 0.0))

    with pytest.raises(InputError, match="in the coordinates of the outermost frame"):
        zoomed(Lost())


def test_a_folder_with_a_run_is_not_overwritten_unasked(tmp_path: Path) -> None:
    zoomed(folder=tmp_path, sizes=SIZES[:1])
    with pytest.raises(RecordError, match=r"level0\.h5 is there already"):
        zoomed(folder=tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match="cannot be made"):
        zoomed(folder=tmp_path / "file" / "run")


def test_a_folder_without_such_a_run_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"holds no level0\.h5"):
        resume_multiscale(Scope(), tmp_path)
    RecordedExperiment.start(tmp_path / "level0.h5", Scope().image(), SETTINGS).close()
    with pytest.raises(RecordError, match="holds no plan of a run that zooms"):
        resume_multiscale(Scope(), tmp_path)


def test_a_run_with_a_level_missing_in_between_is_not_resumed(
    tmp_path: Path, killed: tuple[MultiscaleResult, Path]
) -> None:
    shutil.copytree(killed[1] / "run", tmp_path, dirs_exist_ok=True)
    (tmp_path / "level1.h5").unlink()
    with pytest.raises(RecordError, match=r"level2\.h5 is there but not .*level1\.h5; put it back"):
        resume_multiscale(Scope(), tmp_path)


# ---------------------------------------------------------------------- the simulated STM


def test_the_simulated_stm_goes_through_the_levels(tmp_path: Path) -> None:
    stm = SimulatedSTM(SurfaceSettings(shape=(64, 64)))
    settings = replace(SETTINGS, patches=PatchSettings(window=8, stride=4))
    result = run_multiscale(stm, settings, [ZoomSize(20.0)], RULES, tmp_path)
    outer, inner = result.levels
    np.testing.assert_array_equal(stm.image().values, outer.survey.values)
    assert inner.survey.size_nm == pytest.approx((20.0, 20.0))
    with read_run(tmp_path / "level1.h5") as contents:
        spectrum = contents.raw(0)
    assert spectrum is not None
    place = inner.frame.to_nm((inner.told[0].site.row, inner.told[0].site.col))
    ideal, _ = SimulatedSTM(SurfaceSettings(shape=(64, 64)).ideal()).surface.ideal_spectra(place)
    np.testing.assert_allclose(spectrum[1], ideal, rtol=0.1, atol=3e-11)
