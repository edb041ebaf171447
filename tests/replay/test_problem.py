from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dkl_core.datasets import RecordedData
from dkl_core.datasets.recorded import RawData, of_map
from dkl_core.errors import DataFileError, InputError, MeasurementError
from dkl_core.experiment import Experiment, ExperimentSettings, SeedSettings, run
from dkl_core.measurement import Scalar
from dkl_core.patches import PatchSettings
from dkl_core.replay import RecordedInstrument, ReplayProblem, default_patches, evaluate_model, replay, replay_problem
from dkl_core.scalarizers import NamedScalarizer, Spectrum
from dkl_core.surrogate import SurrogateSettings
from dkl_core.survey import SurveyImage

Settings = Callable[..., ExperimentSettings]
AtSites = Callable[..., RecordedData]
PATCHES = PatchSettings(window=6, stride=4)
QUICK = SurrogateSettings(components=4, depth="never", iterations=15, warm_iterations=4)
PLACES = [(10, 10), (12, 30), (10, 10), (30, 8), (25, 25), (12, 30), (18, 20)]
VALUES = [1.0, 2.0, 7.0, 3.0, 4.0, 9.0, 5.0]


def test_a_full_map_is_replayed_on_the_grid_of_the_patch_settings(planted: RecordedData) -> None:
    problem = replay_problem(planted, PATCHES)
    rows, cols = problem.patches.sites.positions.T
    assert problem.on_grid
    assert len(problem.patches) == 13 * 15
    assert planted.target_map is not None
    assert np.array_equal(problem.truth, planted.target_map[rows, cols])
    assert problem.target == "brightness"


def test_recorded_places_are_kept_as_they_are(at_sites: AtSites) -> None:
    problem = replay_problem(at_sites(PLACES[:2], VALUES[:2]), PATCHES)
    assert not problem.on_grid
    assert problem.patches.sites.positions.tolist() == [[10, 10], [12, 30]]


def test_repeated_places_are_one_site_each_in_a_replay_with_the_first_value(at_sites: AtSites) -> None:
    problem = replay_problem(at_sites(PLACES, VALUES), PATCHES)
    assert problem.patches.sites.positions.tolist() == [[10, 10], [12, 30], [30, 8], [25, 25], [18, 20]]
    assert problem.truth.tolist() == [1, 2, 3, 4, 5]
    assert [problem.measure(problem.patches.sites[i]).scalar.value for i in range(5)] == [1, 2, 3, 4, 5]


def test_repeated_places_are_rows_of_their_own_in_an_evaluation(at_sites: AtSites) -> None:
    problem = replay_problem(at_sites(PLACES, VALUES), PATCHES, repeats=True)
    assert problem.patches.sites.positions.tolist() == [list(place) for place in PLACES]
    assert problem.truth.tolist() == VALUES
    result = evaluate_model(problem, "linear", QUICK, 0, seed=1, train=4)
    assert (result.trained, result.tested) == (4, 3)


def test_a_replay_of_repeated_places_measures_each_place_once(at_sites: AtSites, settings: Settings) -> None:
    problem = replay_problem(at_sites(PLACES, VALUES), PATCHES)
    one = replay(problem, settings(budget=40, seeds=SeedSettings(3)))
    assert sorted(one.sites.tolist()) == [0, 1, 2, 3, 4]
    assert one.stop_reason == "every site is measured or excluded"


def test_a_place_of_which_nothing_was_recorded_cannot_be_measured(planted: RecordedData) -> None:
    assert planted.target_map is not None
    target = planted.target_map.copy()
    target[3:20] = np.nan
    problem = replay_problem(of_map(planted.survey, "gap", target), PATCHES)
    site = problem.patches.sites[0]
    assert np.isnan(problem.truth[0])
    with pytest.raises(MeasurementError, match=f"nothing was recorded at row {site.row}, column {site.col}"):
        problem.measure(site)


def test_holes_in_the_image_of_recorded_places_are_filled(at_sites: AtSites) -> None:
    data = at_sites(PLACES, VALUES)
    values = data.survey.values.copy()
    values[9:12, 9:12] = np.nan
    problem = replay_problem(RecordedData(SurveyImage(values), "gap", data.values, data.positions), PATCHES)
    assert len(problem.patches) == 5
    assert np.isfinite(problem.patches.take(np.arange(5))).all()


def test_data_without_any_scalar_are_refused(planted: RecordedData) -> None:
    empty = of_map(planted.survey, "gap", np.full(planted.survey.shape, np.nan))
    with pytest.raises(InputError, match="no site has a known gap"):
        replay_problem(empty, PATCHES)


def test_a_scalarizer_that_finds_nothing_says_why(planted: RecordedData) -> None:
    raw = RawData("pattern", np.zeros((*planted.survey.shape, 2, 2)))
    data = of_map(planted.survey, "", None, raw=raw)
    dark = NamedScalarizer("dark", lambda _: Scalar.invalid("there is no light"), "pattern")
    with pytest.raises(InputError, match=r"no site has a known dark \(at the first there is no light\); choose"):
        replay_problem(data, PATCHES, dark)


@pytest.mark.parametrize(
    ("shape", "window", "stride"), [((512, 512), 30, 10), ((256, 300), 30, 10), ((64, 90), 8, 1), ((16, 16), 4, 1)]
)
def test_window_and_stride_follow_the_size_of_the_image(shape: tuple[int, int], window: int, stride: int) -> None:
    chosen = default_patches(of_map(SurveyImage(np.zeros(shape)), "gap", None))
    assert (chosen.window, chosen.stride) == (window, stride)


def test_recorded_places_get_the_published_window(at_sites: AtSites) -> None:
    assert default_patches(at_sites(PLACES, VALUES)) == PatchSettings(window=30, stride=10)


def test_the_instrument_of_recorded_data_is_driven_like_any_other(problem: ReplayProblem, settings: Settings) -> None:
    instrument = RecordedInstrument(problem)
    experiment = Experiment(instrument.image(), settings())
    run(experiment, instrument)
    assert [told.site.index for told in experiment.told] == replay(problem, settings()).sites.tolist()
    assert [told.measurement.scalar.value for told in experiment.told] == problem.truth[
        [told.site.index for told in experiment.told]
    ].tolist()


@pytest.fixture
def patterns() -> RecordedData:
    """A pattern of 4 x 4 px at every pixel; some are dark."""
    rng = np.random.default_rng(6)
    stored = rng.random((24, 24, 4, 4))
    stored[:, 20:] = 0.0
    return of_map(SurveyImage(rng.random((24, 24))), "", None, raw=RawData("pattern", stored), name="scan.npz")


def total(raw: Any) -> Scalar:
    """The counts of a pattern, which must not be dark."""
    counts = float(np.sum(raw))
    return Scalar(counts) if counts > 0 else Scalar.invalid("the pattern is dark")


def broken(raw: Any) -> float:
    """Fails on dark patterns."""
    if not np.any(raw):
        raise ZeroDivisionError("no counts")
    return float(np.sum(raw))


def test_scalars_can_be_made_of_the_raw_data(patterns: RecordedData) -> None:
    problem = replay_problem(patterns, PATCHES, NamedScalarizer("total", total, "pattern"))
    site = problem.patches.sites[7]
    assert patterns.raw is not None
    raw = patterns.raw.at((site.row, site.col))
    taken = problem.measure(site)
    assert taken.scalar.value == problem.truth[7] == raw.sum()
    assert np.array_equal(taken.raw, raw)  # type: ignore[arg-type]
    assert problem.target == "total"


@pytest.mark.parametrize(
    ("function", "reason"), [(total, "the pattern is dark"), (broken, "ZeroDivisionError: no counts")]
)
def test_raw_data_without_a_scalar_are_a_failed_measurement_that_keeps_them(
    patterns: RecordedData, function: Callable[[Any], Any], reason: str
) -> None:
    problem = replay_problem(patterns, PATCHES, NamedScalarizer("total", function, "pattern"))
    dark = problem.patches.sites.nearest(12, 20)
    taken = problem.measure(dark)
    assert not taken.ok
    assert reason in taken.reason
    assert taken.raw is not None
    assert np.isnan(problem.truth[dark.index])


def test_scalars_of_recorded_places_can_be_made_of_the_raw_data(at_sites: AtSites) -> None:
    stored = np.random.default_rng(1).random((len(PLACES), 4, 4))
    data = at_sites(PLACES, VALUES, raw=RawData("pattern", stored))
    single = replay_problem(data, PATCHES, NamedScalarizer("total", total, "pattern"))
    assert single.truth.tolist() == [stored[i].sum() for i in (0, 1, 3, 4, 6)]
    rows = replay_problem(data, PATCHES, NamedScalarizer("total", total, "pattern"), repeats=True)
    assert rows.truth.tolist() == [one.sum() for one in stored]


def test_a_spectrum_reaches_its_scalarizer_with_its_channels(planted: RecordedData) -> None:
    bias = np.linspace(-1, 1, 5)
    stored = np.random.default_rng(1).random((*planted.survey.shape, 1, 5))
    raw = RawData("spectrum", stored, channels=("bias", "didv"), axis=bias)
    seen: list[Spectrum] = []

    def zero_bias(spectrum: Spectrum) -> float:
        seen.append(spectrum)
        return float(spectrum.as_array()[1, 2])

    data = of_map(planted.survey, "", None, raw=raw)
    problem = replay_problem(data, PATCHES, NamedScalarizer("zero bias", zero_bias, "spectrum"))
    row, col = problem.patches.sites.positions[0]
    assert problem.truth[0] == stored[row, col, 0, 2]
    assert np.array_equal(seen[0].as_array()[0], bias)


@pytest.mark.parametrize(("kind", "message"), [("spectrum", "has a pattern per site"), (None, "has no raw data")])
def test_a_scalarizer_of_other_raw_data_is_refused(
    patterns: RecordedData, planted: RecordedData, kind: str | None, message: str
) -> None:
    data = planted if kind is None else patterns
    with pytest.raises(DataFileError, match=f"{message}; the scalarizer 'other' takes a spectrum"):
        replay_problem(data, PATCHES, NamedScalarizer("other", total, "spectrum"))
