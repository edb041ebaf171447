"""Recorded 4D sets: patterns with their angles, and scalars that need the reference of the whole field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from dkl_core.datasets import RecordedData
from dkl_core.datasets.recorded import RawData, of_map
from dkl_core.errors import ScalarizerError
from dkl_core.measurement import Scalar
from dkl_core.patches import PatchSettings
from dkl_core.replay import replay_problem
from dkl_core.scalarizers import NamedScalarizer
from dkl_core.scalarizers.pattern import Pattern
from dkl_core.scalarizers.reading import Reading
from dkl_core.survey import FloatArray, SurveyImage

PATCHES = PatchSettings(window=6, stride=4)
CONSTANTS = {"det_mrad": 2.0, "centre_px": 1.5}


class Excess:
    """The counts of a pattern above those of the vacuum, or above the mean where no vacuum is known."""

    def __init__(self) -> None:
        self.positions_nm: list[FloatArray] = []

    def __call__(self, _: Pattern) -> Scalar:
        return Scalar.invalid("one pattern has no reference")

    def reading(self, pattern: Pattern) -> Reading:
        counts = float(np.sum(pattern))
        return Reading((counts,)) if counts > 0 else Reading.invalid("the pattern is dark")

    def scalars(self, readings: Sequence[Reading], positions_nm: FloatArray, vacuum: Any | None = None) -> list[Scalar]:
        self.positions_nm.append(positions_nm)
        chosen = np.ones(len(readings), dtype=bool) if vacuum is None else vacuum
        level = np.mean([reading.values[0] for reading, taken in zip(readings, chosen, strict=True)
                         if taken and reading.valid])  # fmt: skip
        return [
            Scalar(reading.values[0] - float(level)) if reading.valid else Scalar.invalid(reading.reason)
            for reading in readings
        ]


@pytest.fixture
def stored() -> FloatArray:
    """Patterns of 4 x 4 px on 24 x 24 places; a corner is dark."""
    patterns = np.random.default_rng(6).random((24, 24, 4, 4))
    patterns[:6, :6] = 0.0
    return patterns


def scan(stored: FloatArray, **more: Any) -> RecordedData:
    survey = SurveyImage(np.random.default_rng(1).random(stored.shape[:2]), pixel_nm=(0.5, 0.5))
    return of_map(survey, "", None, raw=RawData("pattern", stored, constants=CONSTANTS), name="scan.npz", **more)


def field(function: Any) -> NamedScalarizer:
    return NamedScalarizer("excess", function, "pattern")


def test_a_scalarizer_gets_a_pattern_with_its_angles(stored: FloatArray) -> None:
    seen: list[Pattern] = []

    def watch(pattern: Pattern) -> float:
        seen.append(pattern)
        return 1.0

    problem = replay_problem(scan(stored), PATCHES, NamedScalarizer("watch", watch, "pattern"))
    row, col = problem.patches.sites.positions[0]
    assert (seen[0].mrad_per_px, seen[0].centre_px) == (2.0, (1.5, 1.5))
    assert np.array_equal(seen[0].values, stored[row, col])


def test_the_truth_refers_to_the_whole_field_and_not_only_to_the_sites(stored: FloatArray) -> None:
    problem = replay_problem(scan(stored), PATCHES, field(Excess()))
    counts = stored.sum(axis=(2, 3))
    level = counts[counts > 0].mean()
    rows, cols = problem.patches.sites.positions.T
    expected = np.where(counts[rows, cols] > 0, counts[rows, cols] - level, np.nan)
    assert np.allclose(problem.truth, expected, equal_nan=True)
    assert np.isnan(problem.truth).any()
    assert problem.target == "excess"


def test_a_measurement_gives_the_truth_and_keeps_its_reading(stored: FloatArray) -> None:
    problem = replay_problem(scan(stored), PATCHES, field(Excess()))
    site = problem.patches.sites[9]
    taken = problem.measure(site)
    assert taken.scalar.value == problem.truth[9]
    reading = taken.details["reading"]
    assert isinstance(reading, dict)
    assert Reading.from_json(reading).values == (stored[site.row, site.col].sum(),)
    assert np.array_equal(taken.raw, stored[site.row, site.col])  # type: ignore[arg-type]


def test_a_reading_that_fails_is_a_failed_measurement(stored: FloatArray) -> None:
    problem = replay_problem(scan(stored), PATCHES, field(Excess()))
    taken = problem.measure(problem.patches.sites.nearest(3, 3))
    assert (taken.ok, taken.reason) == (False, "the pattern is dark")
    assert taken.raw is not None


def test_the_vacuum_of_the_file_is_the_reference(stored: FloatArray) -> None:
    vacuum = np.zeros((24, 24), dtype=bool)
    vacuum[10:12] = True
    problem = replay_problem(scan(stored, vacuum=vacuum), PATCHES, field(Excess()))
    row, col = problem.patches.sites.positions[9]
    counts = stored.sum(axis=(2, 3))
    assert problem.truth[9] == pytest.approx(counts[row, col] - counts[10:12].mean())


def test_places_are_given_in_nm(stored: FloatArray) -> None:
    scalarizer = Excess()
    replay_problem(scan(stored), PATCHES, field(scalarizer))
    (places,) = scalarizer.positions_nm
    assert places.shape == (576, 2)
    assert places[25].tolist() == [0.5, 0.5]


def test_the_reference_of_recorded_places_comes_from_those(stored: FloatArray) -> None:
    places = np.array([[12, 12], [8, 15], [15, 8], [12, 12]])
    data = RecordedData(
        SurveyImage(np.random.default_rng(1).random((24, 24))),
        "",
        np.zeros(4),
        positions=places,
        raw=RawData("pattern", stored[20, :4], constants=CONSTANTS),
    )
    problem = replay_problem(data, PATCHES, field(Excess()), repeats=True)
    counts = stored[20, :4].sum(axis=(1, 2))
    assert np.allclose(problem.truth, counts - counts.mean())
    assert problem.measure(problem.patches.sites[1]).scalar.value == problem.truth[1]


def test_a_reference_that_cannot_be_made_ends_the_replay(stored: FloatArray) -> None:
    class Failing(Excess):
        def scalars(self, readings: Sequence[Reading], *_: object) -> list[Scalar]:
            raise ScalarizerError(f"{len(readings)} readings have no reference")

    with pytest.raises(ScalarizerError, match="576 readings have no reference"):
        replay_problem(scan(stored), PATCHES, field(Failing()))
