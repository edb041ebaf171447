"""Following a sample that drifts, with a headless Swift."""

from __future__ import annotations

import numpy as np
import pytest

from dkl_core.errors import InstrumentError
from dkl_core.measurement import Measurement
from nionswift_plugin.dkl.acquisition.hook import SwiftMicroscope
from nionswift_plugin.dkl.acquisition.settings import DriftSettings, HookSettings
from tests.swift.hook.harness import SIZE_PX, SwiftBench, settings_for_tests, site


def following(**drift: object) -> HookSettings:
    return settings_for_tests(drift=DriftSettings(**({"every_sites": 2, "max_jump_nm": 1.0} | drift)))  # type: ignore[arg-type]


def displacement_nm(microscope: SwiftMicroscope, measurement: Measurement, number: int) -> np.ndarray:
    """How far from its site the probe was, nm."""
    where = microscope.geometry.to_frame_nm(microscope.geometry.to_fractions((site(number).row, site(number).col)))
    return np.asarray(measurement.details["position_nm"]) - where


@pytest.mark.parametrize("kind", ["subscan", "frame"])
def test_sites_follow_the_sample(bench: SwiftBench, kind: str) -> None:
    def work() -> None:
        with bench.microscope(following(kind=kind, share=0.5)) as microscope:
            microscope.image()
            before = [microscope.measure(site(number)) for number in range(2)]
            bench.sample.moved_nm = (0.4, -0.3)
            after = microscope.measure(site(2))
            np.testing.assert_allclose(displacement_nm(microscope, before[1], 1), 0.0, atol=1e-9)
            np.testing.assert_allclose(displacement_nm(microscope, after, 2), (0.4, -0.3), atol=0.1)
            np.testing.assert_allclose(after.details["drift_nm"], (0.4, -0.3), atol=0.1)

    bench.run(work)


def test_the_path_of_the_sample_is_told(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope(following()) as microscope:
            microscope.image()
            for number in range(5):
                microscope.measure(site(number))
            path = microscope.drift_path
            assert path is not None
            assert len(path.points) == 3
            notes = microscope.take_notes()
            assert [note.data["what"] for note in notes if note.kind == "dose"] == ["survey"] + 2 * ["reference scan"]
            (first, _) = (note.data for note in notes if note.kind == "drift")
            np.testing.assert_allclose(first["drift_nm"], 0.0, atol=0.05)
            assert first["score"] > 0.9

    bench.run(work)


def test_reference_scans_cost_what_they_were_said_to(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope(following()) as microscope:
            microscope.image()
            for number in range(2):
                microscope.measure(site(number))
            site_alone = microscope._in_use().sites.cost().electrons
            assert microscope.next_cost().electrons > site_alone
            exposed = microscope.account.map_e_per_a2
            microscope.measure(site(2))
            received = microscope.account.map_e_per_a2 - exposed
            received[site(2).row, site(2).col] = 1.0
            assert (received > 0).sum() - round(0.4 * SIZE_PX) ** 2 in (0, 1)

    bench.run(work)


def test_a_sample_that_jumps_ends_the_run(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope(following(max_jump_nm=0.5)) as microscope:
            microscope.image()
            microscope.measure(site(0))
            microscope.measure(site(1))
            bench.sample.moved_nm = (3.0, 3.0)
            microscope.measure(site(2))

    with pytest.raises(InstrumentError, match="the sample is lost"):
        bench.run(work)
    assert bench.is_blanked


def test_an_earlier_run_goes_on_where_the_sample_is(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope(following(max_jump_nm=2.0)) as microscope:
            survey = microscope.image()
        bench.sample.moved_nm = (-0.5, 0.2)
        with bench.microscope(following(max_jump_nm=2.0)) as microscope:
            microscope.adopt(survey)
            measurement = microscope.measure(site(0))
            np.testing.assert_allclose(measurement.details["drift_nm"], (-0.5, 0.2), atol=0.1)

    bench.run(work)


def test_the_survey_of_another_frame_is_not_adopted(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope(following()) as microscope:
            survey = microscope.image()
        with bench.microscope(settings_for_tests(survey={"fov_nm": 20.0})) as microscope:
            microscope.adopt(survey)

    with pytest.raises(InstrumentError, match="set the scan as it was"):
        bench.run(work)
