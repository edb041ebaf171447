"""What is looked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkl_core.errors import InputError
from dkl_core.goal import Goal

GOALS = st.one_of(
    st.sampled_from([Goal(), Goal("minimise")]),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: Goal("target", value)),
)


def test_more_merit_is_better_whatever_the_goal() -> None:
    scalars = [-2.0, 0.5, 3.0]
    np.testing.assert_array_equal(Goal().merit(scalars), [-2, 0.5, 3])
    np.testing.assert_array_equal(Goal("minimise").merit(scalars), [2, -0.5, -3])
    np.testing.assert_array_equal(Goal("target", 1.0).merit(scalars), [-3, -0.5, -2])


@given(GOALS)
def test_a_goal_is_read_as_it_is_written(goal: Goal) -> None:
    assert Goal.parse(str(goal)) == goal


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("maximise", Goal()),
        ("minimize", Goal("minimise")),
        (" target=1.4 ", Goal("target", 1.4)),
        ("target=-3e-9", Goal("target", -3e-9)),
    ],
)
def test_a_goal_is_read_from_the_command_line(text: str, goal: Goal) -> None:
    assert Goal.parse(text) == goal


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("best", "unknown goal 'best'; write maximise, minimise or target=VALUE"),
        ("", "write maximise, minimise or target=VALUE"),
        ("target", "give a value with the goal 'target', and only there"),
        ("target=", "give a value with the goal 'target'"),
        ("maximise=3", "give a value with the goal 'target', and only there"),
        ("target=high", "the goal 'target=high' is not understood"),
        ("target=nan", "the target value is nan; give a finite number"),
    ],
)
def test_a_goal_that_is_not_understood_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Goal.parse(text)


def test_an_unknown_direction_is_answered_with_the_known_ones() -> None:
    direction: Any = "max"
    with pytest.raises(InputError, match="unknown goal 'max'; choose one of maximise, minimise, target"):
        Goal(direction)
