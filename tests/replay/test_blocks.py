"""Recorded 4D sets for scalarizers that take neighbouring patterns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dkl_core.datasets import RecordedData, load_recorded
from dkl_core.datasets.recorded import RawData, of_map
from dkl_core.errors import DataFileError
from dkl_core.patches import PatchSettings
from dkl_core.replay import replay_problem
from dkl_core.scalarizers import NamedScalarizer, get_scalarizer
from dkl_core.scalarizers.blocks import BlockShape, DeflectionDivergence, PatternBlock
from dkl_core.scalarizers.pattern import Pattern
from dkl_core.scalarizers.reading import Reading
from dkl_core.survey import FloatArray, SurveyImage

PATCHES = PatchSettings(window=2, stride=4)


class Slope:
    """Counts to the right less those to the left, per nm."""

    def __init__(self, step_nm: float = 0.5) -> None:
        self.block = BlockShape(3, step_nm)
        self.seen: list[PatternBlock] = []

    def __call__(self, block: PatternBlock) -> float:
        self.seen.append(block)
        counts = np.array([float(np.sum(pattern)) for pattern in block.patterns]).reshape(3, 3)
        return float(counts[:, 2].sum() - counts[:, 0].sum()) / (6 * block.step_nm)


def slope(step_nm: float = 0.5) -> NamedScalarizer:
    return NamedScalarizer("slope", Slope(step_nm), "block")


@pytest.fixture
def ramp() -> FloatArray:
    """Patterns whose counts grow by 3 per column."""
    patterns = np.zeros((20, 20, 2, 2))
    patterns[..., 0, 0] = 3.0 * np.arange(20)
    return patterns


def scan(stored: FloatArray, pixel_nm: tuple[float, float] | None = (0.5, 0.5), **more: Any) -> RecordedData:
    survey = SurveyImage(np.random.default_rng(1).random((20, 20)), pixel_nm=pixel_nm)
    raw = RawData("pattern", stored, constants={"det_mrad": 2.0})
    return of_map(survey, "", None, raw=raw, name="scan.npz", **more)


@pytest.mark.parametrize("step_nm", [0.5, 1.0, 0.1])
def test_a_block_is_made_of_neighbouring_places(ramp: FloatArray, step_nm: float) -> None:
    problem = replay_problem(scan(ramp), PATCHES, slope(step_nm))
    inside = np.isfinite(problem.truth)
    assert inside.any()
    assert np.allclose(problem.truth[inside], 6.0)


def test_a_block_that_leaves_the_field_is_a_failed_measurement(ramp: FloatArray) -> None:
    problem = replay_problem(scan(ramp), PATCHES, slope(4.0))
    taken = problem.measure(problem.patches.sites[0])
    assert (taken.ok, taken.raw) == (False, None)
    assert taken.reason == "the neighbours it needs are beyond the edge of the recorded field"


def test_a_measurement_keeps_all_patterns_of_its_block(ramp: FloatArray) -> None:
    problem = replay_problem(scan(ramp), PATCHES, slope())
    site = problem.patches.sites.nearest(10, 10)
    taken = problem.measure(site)
    assert taken.raw is not None
    around = ramp[site.row - 1 : site.row + 2, site.col - 1 : site.col + 2]
    assert np.array_equal(taken.raw, around.reshape(9, 2, 2))
    assert taken.scalar.value == problem.truth[site.index]


def test_no_pattern_is_read_twice_by_a_scalarizer_that_reads_each(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    whole = DeflectionDivergence.reading

    def reading(scalarizer: DeflectionDivergence, pattern: Pattern) -> Reading:
        seen.append(pattern.values.sum())
        return whole(scalarizer, pattern)

    monkeypatch.setattr(DeflectionDivergence, "reading", reading)
    rows, cols = np.indices((16, 16))
    discs = (np.hypot(rows - 8, cols - 8) < 4) * (1.0 + np.arange(400.0).reshape(20, 20, 1, 1))
    problem = replay_problem(
        scan(discs), PatchSettings(window=2, stride=1), get_scalarizer("com_divergence", step_nm=0.5, mask=False)
    )
    for site in problem.patches.sites:
        problem.measure(site)
    assert len(seen) == len(set(seen)) > 300


def test_overlapping_blocks_give_what_each_gives_alone(fixture_data: Path) -> None:
    data = load_recorded(fixture_data / "fixture_graphene_si_16x16.npz", need_target=False)
    assert data.raw is not None
    assert data.survey.pixel_nm is not None
    step_nm = data.survey.pixel_nm[0]
    scalarizer = get_scalarizer("com_divergence", step_nm=step_nm, semiangle_mrad=30.0)
    problem = replay_problem(data, PATCHES, scalarizer)
    taken = problem.measure(problem.patches.sites.nearest(8, 8))
    assert taken.raw is not None
    patterns = tuple(Pattern.from_array(one, data.raw.constants) for one in taken.raw)
    assert taken.scalar == scalarizer(PatternBlock(patterns, 3, step_nm))


def test_a_set_without_calibration_has_no_blocks(ramp: FloatArray) -> None:
    with pytest.raises(
        DataFileError, match=r"scan\.npz has no calibrated map of patterns, of which 'slope' takes 3 x 3"
    ):
        replay_problem(scan(ramp, pixel_nm=None), PATCHES, slope())


def test_a_set_without_patterns_has_no_blocks(ramp: FloatArray) -> None:
    data = of_map(scan(ramp).survey, "gap", np.ones((20, 20)), name="map.npz")
    with pytest.raises(DataFileError, match="has no raw data; the scalarizer 'slope' takes a block"):
        replay_problem(data, PATCHES, slope())
