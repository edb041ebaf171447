"""Measuring sites with a headless Swift."""

from __future__ import annotations

import numpy as np
import pytest
from nion.utils import Geometry

from dkl_core.errors import InputError, InstrumentError, MeasurementError
from dkl_core.measurement import Site
from dkl_core.scalarizers.blocks import BlockShape, PatternBlock
from dkl_core.scalarizers.registry import as_scalarizer
from tests.swift.hook.harness import CURRENT_PA, ONE, SIZE_PX, SwiftBench, is_intact, settings_for_tests, site


@pytest.mark.parametrize("mode", ["record", "sequence"])
def test_each_pattern_is_exposed_at_its_site_with_the_beam_on(bench: SwiftBench, mode: str) -> None:
    def work() -> None:
        with bench.microscope(settings_for_tests(pattern={"mode": mode})) as microscope:
            microscope.image()
            for number in range(8):
                where = site(number)
                assert is_intact(microscope.measure(where), where)
                assert bench.is_blanked

    bench.run(work)


def test_in_a_live_view_a_whole_frame_is_exposed(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope(settings_for_tests(pattern={"mode": "live"})) as microscope:
            microscope.image()
            measurements = [microscope.measure(site(number)) for number in range(8)]
            counts = [float(np.sum(one.raw, dtype=float)) for one in measurements]
            assert min(counts) > 0.95 * max(counts)
            assert bench.is_blanked

    bench.run(work)


def test_the_survey_is_calibrated(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope() as microscope:
            survey = microscope.image()
            assert survey.shape == (SIZE_PX, SIZE_PX)
            assert survey.pixel_nm == pytest.approx((10.0 / SIZE_PX, 10.0 / SIZE_PX))
            assert survey.size_nm == pytest.approx((10.0, 10.0))
            np.testing.assert_allclose(survey.to_nm(((SIZE_PX - 1) / 2, (SIZE_PX - 1) / 2)), 0.0, atol=1e-9)
            assert survey.values.std() > 0
            assert bench.is_blanked

    bench.run(work)


def test_the_last_scan_can_be_the_survey_without_dose(bench: SwiftBench) -> None:
    parameters = bench.scan.get_current_frame_parameters()
    parameters.pixel_size, parameters.fov_nm = Geometry.IntSize(48, 48), 12.0
    parameters.subscan_pixel_size = None
    expected = bench.run(lambda: bench.scan.record_immediate(parameters)[0])
    bench.pump(lambda: not bench.scan.is_recording)

    def work() -> None:
        with bench.microscope(settings_for_tests(survey={"source": "last"})) as microscope:
            np.testing.assert_array_equal(microscope.image().values, expected.data)
            assert microscope.geometry.fov_nm == 12.0
            assert microscope.account.electrons == 0.0
            assert microscope.measure(Site(0, 47, 47)).ok

    bench.run(work)


def test_without_a_last_scan_there_is_no_survey(bench: SwiftBench) -> None:
    for item in list(bench.controller.document_model.data_items):
        bench.controller.document_model.remove_data_item(item)
    with pytest.raises(InstrumentError, match="holds no frame"):
        bench.run(bench.microscope(settings_for_tests(survey={"source": "last"})).__enter__)
    assert bench.stem.probe_position is None


def test_what_was_measured_is_told(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope() as microscope:
            microscope.image()
            measurement = microscope.measure(Site(0, 0, SIZE_PX - 1))
            position = np.asarray(measurement.details["position_nm"])
            np.testing.assert_allclose(position, (-5.0 + 5.0 / SIZE_PX, 5.0 - 5.0 / SIZE_PX))
            assert measurement.details["drift_nm"] == [0.0, 0.0]
            assert measurement.scalar.value > 0
            assert measurement.seconds > 0.02

    bench.run(work)


def test_a_site_at_the_edge_is_measured_within_the_margin(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope(settings_for_tests(margin=0.1)) as microscope:
            microscope.image()
            measurement = microscope.measure(Site(0, 0, 32))
            assert measurement.details["position_nm"] == pytest.approx([-4.0, 5.0 / SIZE_PX])

    bench.run(work)


def test_a_broken_scalarizer_keeps_the_pattern(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope(scalarizer=as_scalarizer(lambda _: 1 / 0, name="broken")) as microscope:
            microscope.image()
            measurement = microscope.measure(site(0))
            assert not measurement.ok
            assert "ZeroDivisionError" in measurement.reason
            assert is_intact(measurement, site(0))

    bench.run(work)


def test_electrons_are_those_of_the_time_the_beam_was_on(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope(settings_for_tests()) as microscope:
            microscope.image()
            microscope.measure(site(0))
            before = microscope.account.electrons
            assert before is not None
            predicted = microscope.next_cost()
            measurement = microscope.measure(site(1))
            assert measurement.electrons is not None
            assert predicted.electrons is not None
            # 20 ms of exposure at least, and what starting it takes
            exposed = 0.02 * CURRENT_PA * 1e-12 / 1.6e-19
            assert exposed < measurement.electrons < 20 * exposed
            assert exposed < predicted.electrons < 20 * exposed
            assert microscope.account.electrons == pytest.approx(before + measurement.electrons)
            assert [note.data["what"] for note in microscope.take_notes() if note.kind == "dose"] == ["survey"]

    bench.run(work)


def test_the_run_stops_before_its_electrons_are_used_up(bench: SwiftBench) -> None:
    limit = 2e5

    def work() -> float:
        settings = settings_for_tests(beam={"max_electrons": limit})
        with bench.microscope(settings) as microscope:
            microscope.image()
            with pytest.raises(InstrumentError, match="raise max_electrons to go on"):
                _ = [microscope.measure(site(number)) for number in range(100)]
            return microscope.account.electrons or 0.0

    # an exposure that takes longer than any before cannot be foreseen
    assert 0.3 * limit < bench.run(work) <= 1.2 * limit


def test_real_hardware_needs_consent(bench: SwiftBench) -> None:
    bench.stem.is_simulator = False
    moved: list[object] = []
    listener = bench.stem.probe_state_changed_event.listen(lambda *event: moved.append(event))
    with pytest.raises(InstrumentError, match="Set consent to true"):
        bench.run(bench.microscope().__enter__)
    assert not moved
    assert not bench.is_blanked
    assert bench.camera.count == -1
    bench.run(lambda: bench.microscope(settings_for_tests(consent=True)).__enter__().__exit__(None, None, None))
    assert bench.camera.count >= 0
    listener.close()


@pytest.mark.parametrize("pattern", [{"binning": 3}])
def test_what_the_camera_cannot_do_is_refused(bench: SwiftBench, pattern: dict[str, object]) -> None:
    with pytest.raises(InputError, match="has no binning 3; choose one of 1, 2, 4"):
        bench.run(bench.microscope(settings_for_tests(pattern=pattern)).__enter__)


def test_a_microscope_out_of_use_says_so(bench: SwiftBench) -> None:
    with pytest.raises(InstrumentError, match="with statement"):
        bench.microscope().measure(site(0))


def test_after_the_end_nothing_is_exposed(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope() as microscope:
            microscope.image()
        with pytest.raises(InstrumentError, match="has ended"):
            microscope.measure(site(0))

    bench.run(work)
    assert bench.is_blanked


def test_without_a_blanker_the_probe_is_parked_between_sites(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope(settings_for_tests(beam={"blanker": "none", "park": (0.9, 0.1)})) as microscope:
            microscope.image()
            for number in range(5):
                where = site(number)
                assert is_intact(microscope.measure(where), where)
                assert bench.stem.probe_position == Geometry.FloatPoint(y=0.9, x=0.1)

    bench.run(work)
    bench.controller.periodic()
    assert bench.stem.probe_position == Geometry.FloatPoint(y=0.9, x=0.1)


def test_a_block_of_patterns_is_measured_round_a_site(bench: SwiftBench) -> None:
    class Block:
        block = BlockShape(3, 0.4)

        def __call__(self, raw: PatternBlock) -> float:
            return float(len(raw.patterns))

    def work() -> None:
        with bench.microscope(scalarizer=as_scalarizer(Block(), name="block")) as microscope:
            microscope.image()
            measurement = microscope.measure(Site(0, 20, 40))
            assert measurement.scalar.value == 9
            assert measurement.raw is not None
            assert measurement.raw.shape == (3, 3, 32, 32)
            probe = measurement.raw[:, :, 1, :2] / ONE
            middle = microscope.geometry.to_fractions((20, 40))
            for row in range(3):
                for col in range(3):
                    np.testing.assert_allclose(
                        probe[row, col], middle + np.asarray((row - 1, col - 1)) * 0.04, atol=0.004
                    )
            cost = microscope.next_cost().electrons
            assert cost is not None
            assert cost > 9 * 0.02 * CURRENT_PA * 1e-12 / 1.6e-19

    bench.run(work)


def test_a_site_that_drifted_out_of_the_frame_fails(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope() as microscope:
            microscope.image()
            use = microscope._in_use()
            use.sites._drift_nm = lambda: np.asarray((-1.0, 0.0))
            with pytest.raises(MeasurementError, match="the site has left the scan frame"):
                microscope.measure(Site(0, 3, 30))
            measurement = microscope.measure(Site(0, 30, 30))
            np.testing.assert_allclose(measurement.details["position_nm"], np.asarray((-1.5, -1.5)) * 10 / 64 - (1, 0))

    bench.run(work)
