"""The configuration of an experiment and its form as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkl_core.acquisition import AcquisitionSettings, AnnealedBeta, ConstantBeta
from dkl_core.errors import InputError
from dkl_core.experiment import ExperimentSettings, SeedSettings, StopRules
from dkl_core.goal import Goal
from dkl_core.patches import PatchSettings
from dkl_core.surrogate.settings import MODELS, Priors, SurrogateSettings

COUNT = st.integers(1, 500)
PIXELS = st.floats(-10, 2000)
SHARE = st.floats(1e-6, 10)

BETAS = st.one_of(
    st.builds(ConstantBeta, SHARE),
    st.builds(AnnealedBeta, start=SHARE, decay=st.floats(0.1, 1), offset=st.integers(0, 50), floor=SHARE),
)
ACQUISITIONS = st.builds(
    AcquisitionSettings,
    name=st.sampled_from(["ei", "ucb", "pi", "uncertainty", "thompson"]),
    xi=SHARE,
    beta=BETAS,
    travel_weight=SHARE,
)
SEEDS = st.one_of(
    st.builds(SeedSettings, count=st.integers(1, 50), method=st.sampled_from(["random", "latin", "grid"])),
    st.lists(st.tuples(PIXELS, PIXELS), min_size=1).map(lambda points: SeedSettings(5, "points", tuple(points))),
)
SETTINGS = st.builds(
    ExperimentSettings,
    patches=st.builds(
        PatchSettings,
        window=COUNT,
        stride=COUNT,
        edge=st.sampled_from(["inside", "reflect", "nearest"]),
        levelling=st.sampled_from(["none", "plane", "rows", "steps"]),
        nan=st.sampled_from(["exclude", "fill"]),
    ),
    surrogate=st.one_of(
        st.sampled_from(list(MODELS.values())),
        st.builds(SurrogateSettings, position=st.booleans(), priors=st.builds(Priors, noise=SHARE)),
    ),
    acquisition=ACQUISITIONS,
    goal=st.one_of(st.just(Goal("minimise")), SHARE.map(lambda value: Goal("target", value))),
    seeds=SEEDS,
    stop=st.builds(StopRules, budget=st.integers(50, 900), patience=st.none() | COUNT, uncertainty=st.none() | SHARE),
    retries=st.integers(0, 5),
    refit_growth=st.floats(0, 1),
    seed=st.integers(0, 2**63),
)


@given(SETTINGS)
def test_settings_come_back_from_json_as_they_were(settings: ExperimentSettings) -> None:
    text = json.dumps(settings.to_json(), allow_nan=False)
    assert ExperimentSettings.from_json(json.loads(text)) == settings


def test_what_is_not_said_takes_its_default() -> None:
    assert ExperimentSettings.from_json({}) == ExperimentSettings()
    some = ExperimentSettings.from_json({"patches": {"window": 12}, "acquisition": {"beta": {"offset": 5}}})
    assert some == ExperimentSettings(
        patches=PatchSettings(window=12), acquisition=AcquisitionSettings(beta=AnnealedBeta(offset=5))
    )


def test_whole_numbers_do_where_a_number_is_asked_for() -> None:
    assert ExperimentSettings.from_json({"acquisition": {"xi": 0}}).acquisition.xi == 0


def test_the_defaults_are_the_published_ones() -> None:
    settings = ExperimentSettings()
    assert (settings.patches.window, settings.patches.stride) == (30, 10)
    assert (settings.seeds.count, settings.seeds.method, settings.stop.budget) == (20, "random", 100)
    assert settings.acquisition == AcquisitionSettings("ucb", beta=AnnealedBeta(10.0, 0.9, 20, 0.001))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"sed": 1}, "ExperimentSettings has no field 'sed'; choose among patches, surrogate, acquisition, .*, seed"),
        ({"patches": {"windw": 30}}, "PatchSettings has no field 'windw'; choose among window, stride, edge"),
        ({"surrogate": {"priors": {"x": 1}}}, "Priors has no field 'x'; choose among position_lengthscale"),
        ({"acquisition": {"beta": {"value": 4.0}}}, "AnnealedBeta has no field 'value'; choose among start, decay"),
        ({"acquisition": {"beta": {"schedule": "cosine"}}}, "schedule of beta 'cosine'; choose one of annealed, const"),
        ({"acquisition": {"beta": 4.0}}, "the settings hold 4.0 where fields .* expected; give an object"),
        ({"patches": None}, "the settings hold None where fields"),
        ({"patches": {"window": 30.5}}, "window of PatchSettings is 30.5; give a whole number"),
        ({"patches": {"window": "30"}}, "window of PatchSettings is '30'; give a whole number"),
        ({"patches": {"edge": 3}}, "edge of PatchSettings is 3; give a text"),
        ({"surrogate": {"position": "yes"}}, "position of SurrogateSettings is 'yes'; give true or false"),
        ({"refit_growth": "often"}, "refit_growth of ExperimentSettings is 'often'; give a number"),
        ({"seeds": {"method": "points", "points": [[1]]}}, r"seed points are \[\[1\]\]; give \(row, column\) pairs"),
        ({"seeds": {"method": "points", "points": 7}}, r"seed points are 7; give \(row, column\) pairs"),
        ({"goal": {"direction": "target", "value": "high"}}, "Goal cannot be made of .*; correct the values"),
        ({"stop": {"patience": "long"}}, "StopRules cannot be made of .*; correct the values"),
        ({"patches": {"window": 0}}, "window is 0; give the edge of the patch in pixels"),
    ],
)
def test_json_that_cannot_be_used_is_answered_with_what_to_write(data: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ExperimentSettings.from_json(data)


@pytest.mark.parametrize(
    ("kind", "chosen", "message"),
    [
        (SeedSettings, {"count": 0}, "number of seeds is 0; the model needs at least 1 measurement to start"),
        (SeedSettings, {"method": "sobol"}, "unknown seeding 'sobol'; choose one of random, latin, grid, points"),
        (SeedSettings, {"method": "points"}, "give points with the seeding 'points', and only there"),
        (SeedSettings, {"points": ((1.0, 2.0),)}, "give points with the seeding 'points', and only there"),
        (SeedSettings, {"method": "points", "points": ((float("nan"), 2.0),)}, "a seed point is not finite; give"),
        (StopRules, {"budget": 0}, "the budget is 0; give the number of measurements, 1 or more"),
        (StopRules, {"patience": 0}, "patience is 0; give the number of measurements to wait, 1 or more"),
        (StopRules, {"uncertainty": 0.0}, "uncertainty is 0.0; give a positive share, e.g. 0.1"),
        (StopRules, {"uncertainty": float("nan")}, "uncertainty is nan; give a positive share"),
        (ExperimentSettings, {"retries": -1}, "retries is -1; give 0 .a failed site is excluded at once. or more"),
        (ExperimentSettings, {"refit_growth": -0.1}, "refit_growth is -0.1; give 0 .refit every time. or a positive"),
        (ExperimentSettings, {"refit_growth": float("inf")}, "refit_growth is inf; give"),
        (ExperimentSettings, {"seed": -1}, "random seed is -1; give 0 or a positive whole number"),
        (
            ExperimentSettings,
            {"stop": StopRules(19)},
            "budget of 19 measurements is below the 20 seeds; raise the budget or lower the seeds",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_once(kind: Any, chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        kind(**chosen)
