from dataclasses import replace

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.report import EvaluationFigureData, MethodRuns, RunFigureData, best_so_far, summary
from dkl_core.report.data import RunLabels
from dkl_core.report.units import Scale
from dkl_core.survey import SurveyImage

NAN = float("nan")


def small_run(**changes):
    data = RunFigureData(
        survey=SurveyImage(np.zeros((8, 8))),
        site_positions=np.array([[1.0, 1.0], [1.0, 5.0], [5.0, 1.0], [5.0, 5.0]]),
        visited_positions=np.array([[1.0, 1.0], [5.0, 5.0], [1.0, 5.0]]),
        values=np.array([1.0, NAN, 3.0]),
        ok=np.array([True, False, True]),
        predicted_mean=np.array([NAN, 2.0, 2.5]),
        predicted_std=np.array([NAN, 0.5, 0.5]),
        seeds=1,
    )
    return replace(data, **changes)


def test_only_finite_measurements_marked_ok_are_usable():
    assert small_run().usable.tolist() == [True, False, True]
    assert small_run(ok=np.array([True, True, False])).usable.tolist() == [True, False, False]


def test_only_usable_measurements_with_a_prediction_count_as_predicted():
    assert small_run().predicted.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("site_positions", np.zeros((4, 3))),
        ("visited_positions", np.zeros(3)),
        ("values", np.zeros(2)),
        ("ok", np.ones(4, dtype=bool)),
        ("hits", np.ones(2, dtype=bool)),
        ("predicted_std", np.zeros(1)),
        ("mean", np.zeros(3)),
        ("acquisition", np.zeros((2, 2))),
    ],
)
def test_an_array_of_the_wrong_shape_is_refused_by_name(name, value):
    with pytest.raises(InputError, match=f"{name} has shape"):
        small_run(**{name: value})


def test_reaching_needs_a_value_to_reach():
    with pytest.raises(InputError, match="goal_value is missing"):
        small_run(direction="reach")


def test_an_unknown_direction_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="maximise, minimise, reach"):
        small_run(direction="up")


def test_best_so_far_skips_what_is_not_usable():
    values = np.array([NAN, 2.0, NAN, 1.0, 4.0])
    assert best_so_far(values)[1:].tolist() == [2.0, 2.0, 2.0, 4.0]
    assert np.isnan(best_so_far(values)[0])


def test_best_so_far_of_a_minimum_falls():
    assert best_so_far(np.array([3.0, 5.0, 1.0]), "minimise").tolist() == [3.0, 3.0, 1.0]


def test_best_so_far_of_a_value_to_reach_is_the_nearest():
    values = np.array([NAN, 3.0, 1.5, 2.6, 2.1])
    assert best_so_far(values, "reach", 2.0)[1:].tolist() == [3.0, 1.5, 1.5, 2.1]


def test_runs_of_a_method_have_one_row_per_repeat():
    with pytest.raises(InputError, match="best of method 'dkl'"):
        MethodRuns("dkl", np.zeros(5))
    with pytest.raises(InputError, match="hit_rate of method 'dkl'"):
        MethodRuns("dkl", np.zeros((2, 5)), np.zeros(5))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((np.zeros((2, 2)), np.zeros(2), np.ones(2)), "measured has shape"),
        ((np.zeros(0), np.zeros(0), np.ones(0)), "measured has shape"),
        ((np.zeros(2), np.zeros(3), np.ones(2)), "predicted_mean has shape"),
        ((np.array([0.0, NAN]), np.zeros(2), np.ones(2)), "not finite"),
        ((np.zeros(2), np.zeros(2), np.array([1.0, 0.0])), "predicted_std holds values of 0"),
    ],
)
def test_an_evaluation_that_cannot_be_scored_is_refused(arrays, message):
    with pytest.raises(InputError, match=message):
        EvaluationFigureData(*arrays)


def test_the_summary_names_goal_acquisition_counts_and_share_of_structure():
    labels = RunLabels("band gap", "eV", goal="find wide gaps", acquisition="UCB")
    text = summary(small_run(labels=labels, structure_share=0.625))
    assert text.split("  ·  ") == [
        "Goal: find wide gaps",
        "acquisition: UCB",
        "3 measurements of 4 sites (1 seed)",
        "1 failed",
        "structure carries 62 % of the explained variance",
    ]


def test_the_goal_is_written_from_the_direction_when_not_given():
    assert summary(small_run(direction="minimise")).startswith("Goal: minimise scalar  ·")
    text = summary(small_run(direction="reach", goal_value=2e-9, labels=RunLabels("current", "A")))
    assert text.startswith("Goal: reach current = 2 nA")


@pytest.mark.parametrize(
    ("values", "unit", "label", "factor"),
    [
        ([0.5, -2.0], "eV", "gap (eV)", 1.0),
        ([3e-9, NAN], "A", "gap (nA)", 1e9),
        ([4e-10], "A V", "gap (pA V)", 1e12),
        ([2e-8], "A/V", "gap (nA/V)", 1e9),
        ([5e5], "Hz", "gap (kHz)", 1e-3),
        ([3e-9], "", "gap (10⁻⁹)", 1e9),
        ([2e6], "counts", "gap (10⁶ counts)", 1e-6),
        ([0.0], "A", "gap (A)", 1.0),
        ([], "", "gap", 1.0),
        ([NAN], "mrad", "gap (mrad)", 1.0),
    ],
)
def test_values_far_from_one_are_scaled_and_the_unit_says_so(values, unit, label, factor):
    scale = Scale.fitting(values, unit)
    assert scale.label("gap") == label
    assert scale.factor == pytest.approx(factor)
