import json
import math
from collections.abc import Sequence

import numpy as np
import pytest

from dkl_core.measurement import Scalar
from dkl_core.scalarizers import FieldScalarizer, Pattern, Reading, field_scalarizer, get_scalarizer, revised
from dkl_core.scalarizers.reading import Judging

PLACES = np.zeros((3, 2))


class Fixed:
    """Gives the scalars it was made with, and remembers which sites were called vacuum."""

    def __init__(self, *scalars: Scalar) -> None:
        self.given = list(scalars)
        self.vacuum: np.ndarray | None = None

    def reading(self, pattern: Pattern) -> Reading:
        return Reading((float(pattern.values.sum()),))

    def scalars(
        self, readings: Sequence[Reading], positions_nm: np.ndarray, vacuum: np.ndarray | None = None
    ) -> list[Scalar]:
        assert len(positions_nm) == len(readings)
        self.vacuum = vacuum
        return self.given[: len(readings)]


def changes(before: list[Scalar], after: list[Scalar]) -> dict[int, Scalar]:
    return revised(Fixed(*after), [Reading((1.0,))] * len(after), PLACES[: len(after)], before)


@pytest.mark.parametrize(
    "reading",
    [
        Reading((1.0, 2.0), (0.1, 0.2), electrons=100.0),
        Reading((1.0,)),
        Reading.invalid("no beam", 3.0),
    ],
)
def test_a_reading_survives_being_written(reading: Reading) -> None:
    assert Reading.from_json(json.loads(json.dumps(reading.to_json(), allow_nan=False))) == reading


def test_what_is_not_known_is_written_as_null() -> None:
    data = Reading((1.0, math.nan)).to_json()
    assert data["values"] == [1.0, None]
    assert math.isnan(Reading.from_json(data).values[1])


def test_what_needs_the_run_is_a_field_scalarizer_and_what_does_not_is_none() -> None:
    for name in ("com_x", "bright_field", "strain_xx"):
        assert isinstance(field_scalarizer(get_scalarizer(name)), FieldScalarizer)
    assert field_scalarizer(get_scalarizer("bragg_distance")) is None


@pytest.mark.parametrize("name", ["com_magnitude", "annular_bright_field", "strain_xx"])
def test_a_judge_says_of_the_readings_it_was_made_of_what_the_run_says(name: str) -> None:
    field, rng = field_scalarizer(get_scalarizer(name)), np.random.default_rng(0)
    assert isinstance(field, Judging)
    values = {
        "com_magnitude": (5.0, 6.0, 5.1, 5.9, math.nan, math.nan, 30.0),
        "annular_bright_field": (0.75, 0.02, 30.0),
    }
    means = values.get(name, (21.0, 3.0, 8.0, 19.0, 0.1))
    variances = (0.1,) * {"com_magnitude": 2, "annular_bright_field": 1}.get(name, 5)
    readings = [Reading(tuple(rng.normal(means, 0.01).tolist()), variances) for _ in range(12)]
    readings[4] = Reading.invalid("no beam")
    places = rng.uniform(-1, 1, (12, 2))
    judge = field.judge(readings, places)
    np.testing.assert_equal(
        [(one.value, one.reason) for one in field.scalars(readings, places)],
        [(one.value, one.reason) for one in map(judge, readings, places)],
    )


def test_a_change_of_less_than_a_tenth_of_the_noise_is_not_worth_it() -> None:
    before = [Scalar(1.0, noise_variance=1.0), Scalar(1.0, noise_variance=1.0)]
    after = [Scalar(1.09, noise_variance=1.0), Scalar(1.11, noise_variance=1.0)]
    assert changes(before, after) == {1: after[1]}


def test_without_known_noise_a_thousandth_of_the_spread_decides() -> None:
    before = [Scalar(-1.0), Scalar(1.0)]
    after = [Scalar(-1.0005), Scalar(1.002)]
    assert changes(before, after) == {1: after[1]}


def test_a_change_of_validity_is_a_change() -> None:
    before = [Scalar(1.0), Scalar.invalid("no vacuum"), Scalar.invalid("no beam")]
    after = [Scalar.invalid("no vacuum"), Scalar(1.0), Scalar.invalid("no beam")]
    assert changes(before, after) == {0: after[0], 1: after[1]}


def test_no_readings_change_nothing() -> None:
    assert revised(Fixed(), [], np.zeros((0, 2)), []) == {}


def test_known_vacuum_is_passed_on() -> None:
    scalarizer, vacuum = Fixed(Scalar(1.0)), np.array([True])
    revised(scalarizer, [Reading((1.0,))], PLACES[:1], [Scalar(1.0)], vacuum)
    assert scalarizer.vacuum is vacuum
