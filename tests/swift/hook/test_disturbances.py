"""Whatever the user or the hardware does during an exposure: no wrong pattern is kept, and it is told what happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from nion.utils import Geometry

from dkl_core.errors import InstrumentError, MeasurementError
from dkl_core.measurement import Measurement
from nionswift_plugin.dkl.acquisition.beam import BlankerError
from nionswift_plugin.dkl.acquisition.hook import SwiftMicroscope
from tests.swift.hook.harness import SwiftBench, is_intact, settings_for_tests, site

Disturbance = Callable[[SwiftBench], object]
MODES = ["record", "sequence"]
DISTURBANCES: dict[str, tuple[Disturbance, str]] = {
    "scan pressed": (lambda bench: bench.scan.start_playing(), "a scan was started"),
    "probe dragged": (
        lambda bench: bench.stem.set_probe_position(Geometry.FloatPoint(y=0.11, x=0.22)),
        "the probe was moved",
    ),
    "positioned unticked": (lambda bench: bench.stem.set_probe_position(None), "the probe was moved"),
    "field of view changed": (lambda bench: bench.user_changes_fov(), "the scan frame was changed"),
    "blanker pressed": (lambda bench: bench.stem.SetVal("C_Blank", 1.0), "the beam was blanked"),
}
SPOILS: dict[str, tuple[Callable[[np.ndarray], object], str]] = {
    "dropped": (lambda data: data.fill(0), "the frame was dropped"),
    "dark": (lambda data: np.multiply(data, 0.001, out=data, casting="unsafe"), "the frame is dark"),
    "half exposed": (lambda data: np.multiply(data, 0.5, out=data, casting="unsafe"), "counts where"),
}


def measured(bench: SwiftBench, prepare: Callable[[], object], **pattern: object) -> list[Measurement]:
    """Five sites, of which the third is disturbed."""

    def work() -> list[Measurement]:
        with bench.microscope(settings_for_tests(pattern=pattern)) as microscope:
            microscope.image()
            measurements = [microscope.measure(site(number)) for number in range(2)]
            prepare()
            measurements += [microscope.measure(site(number)) for number in range(2, 5)]
            assert bench.is_blanked
            return measurements

    return bench.run(work)


def troubles(microscope: SwiftMicroscope) -> list[str]:
    return [str(note.data["what"]) for note in microscope.take_notes() if note.kind == "trouble"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_disturbed_exposure_is_repeated(bench: SwiftBench, name: str, mode: str) -> None:
    disturb, message = DISTURBANCES[name]

    def prepare() -> None:
        bench.camera.during[bench.camera.count + 1] = lambda: disturb(bench)

    measurements = measured(bench, prepare, mode=mode)
    assert all(is_intact(one, site(number)) for number, one in enumerate(measurements))
    # a busy machine may spoil a try more; what the user did spoils one of this site
    spoilt, after = (" ".join(measurements[number].details["spoilt"]) for number in (2, 3))
    assert message in spoilt
    assert message not in after


@pytest.mark.parametrize(
    ("act", "message"),
    [(lambda bench: bench.scan.start_playing(), "was started by somebody"), (SwiftBench.user_changes_fov, "set again")],
)
def test_what_is_put_right_between_sites_is_told(bench: SwiftBench, act: Disturbance, message: str) -> None:
    def work() -> list[str]:
        with bench.microscope() as microscope:
            microscope.image()
            act(bench)
            time.sleep(0.1)
            microscope.measure(site(0))
            return troubles(microscope)

    # a scan that has hardly begun may spoil the pattern as well
    assert message in bench.run(work)[0]


def test_a_pattern_that_is_repeated_is_told(bench: SwiftBench) -> None:
    def work() -> list[str]:
        with bench.microscope() as microscope:
            microscope.image()
            microscope.measure(site(0))
            microscope.take_notes()
            bench.camera.spoil[bench.camera.count + 1] = SPOILS["dropped"][0]
            microscope.measure(site(1))
            return troubles(microscope)

    (told,) = bench.run(work)
    assert "a pattern is taken again: the frame was dropped" in told


@pytest.mark.parametrize("number", range(5))
def test_a_dark_frame_that_is_dropped_is_taken_again_and_told(bench: SwiftBench, number: int) -> None:
    def dark(dropped: bool) -> Callable[[np.ndarray], object]:
        return lambda data: data.fill(0) if dropped else np.copyto(data, 100 + np.indices(data.shape).sum(axis=0) % 2)

    def work() -> tuple[list[str], np.ndarray]:
        first = bench.camera.count + 1
        for at in range(6):
            bench.camera.spoil[first + at] = dark(at == number)
        with bench.microscope(settings_for_tests(pattern={"dark_frames": 3})) as microscope:
            return troubles(microscope), np.asarray(microscope.care.dark)

    told, level = bench.run(work)
    assert level.mean() == pytest.approx(100.5, abs=0.1)
    # nothing is known yet of the first one
    assert [("the frame was dropped" in text) for text in told] == [True] * (number > 0)


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_disturbance_between_sites_does_no_harm(bench: SwiftBench, name: str) -> None:
    measurements = measured(bench, lambda: DISTURBANCES[name][0](bench))
    assert all(is_intact(one, site(number)) for number, one in enumerate(measurements))


@pytest.mark.parametrize("mode", MODES)
def test_a_camera_that_the_user_plays_does_no_harm(bench: SwiftBench, mode: str) -> None:
    measurements = measured(bench, bench.devices.camera.start_playing, mode=mode)
    assert all(is_intact(one, site(number)) for number, one in enumerate(measurements))
    bench.run(lambda: bench.devices.camera.abort_playing(sync_timeout=5.0))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", SPOILS)
def test_a_spoilt_frame_is_taken_again(bench: SwiftBench, name: str, mode: str) -> None:
    spoil, message = SPOILS[name]

    def prepare() -> None:
        bench.camera.spoil[bench.camera.count + 1] = spoil

    measurements = measured(bench, prepare, mode=mode)
    assert all(is_intact(one, site(number)) for number, one in enumerate(measurements))
    assert message in measurements[2].details["spoilt"][0]


@pytest.mark.parametrize("mode", MODES)
def test_the_frame_of_the_previous_site_is_refused(bench: SwiftBench, mode: str) -> None:
    previous: list[np.ndarray] = []

    def prepare() -> None:
        bench.camera.spoil[bench.camera.count + 1] = lambda data: previous.append(np.array(data))
        bench.camera.spoil[bench.camera.count + 2] = lambda data: np.copyto(data, previous[0])

    measurements = measured(bench, prepare, mode=mode)
    assert all(is_intact(one, site(number)) for number, one in enumerate(measurements))
    assert "the previous frame again" in measurements[3].details["spoilt"][0]


@pytest.mark.parametrize("mode", MODES)
def test_a_disturbed_frame_that_comes_again_is_refused(bench: SwiftBench, mode: str) -> None:
    disturbed: list[np.ndarray] = []

    def prepare() -> None:
        count = bench.camera.count
        bench.camera.during[count + 1] = lambda: DISTURBANCES["probe dragged"][0](bench)
        bench.camera.spoil[count + 1] = lambda data: disturbed.append(np.array(data))
        bench.camera.spoil[count + 2] = lambda data: np.copyto(data, disturbed[0])

    measurements = measured(bench, prepare, mode=mode)
    assert all(is_intact(one, site(number)) for number, one in enumerate(measurements))
    moved, again = measurements[2].details["spoilt"]
    assert "the probe was moved" in moved
    assert "the previous frame again" in again


@pytest.mark.parametrize("mode", MODES)
def test_a_late_frame_is_given_up_with_the_beam_off(bench: SwiftBench, mode: str) -> None:
    def prepare() -> None:
        bench.camera.during[bench.camera.count + 1] = lambda: time.sleep(0.6)

    began = time.monotonic()
    measurements = measured(bench, prepare, mode=mode, late_ms=300.0)
    assert all(is_intact(one, site(number)) for number, one in enumerate(measurements))
    assert "no frame within 0.32 s" in measurements[2].details["spoilt"][0]
    assert time.monotonic() - began < 5.0


@pytest.mark.parametrize("mode", MODES)
def test_a_device_error_is_survived(bench: SwiftBench, mode: str) -> None:
    def fail() -> None:
        raise RuntimeError("unplugged")

    def prepare() -> None:
        bench.camera.during[bench.camera.count + 1] = fail

    measurements = measured(bench, prepare, mode=mode)
    assert all(is_intact(one, site(number)) for number, one in enumerate(measurements))
    assert measurements[2].details["spoilt"]


@pytest.mark.parametrize("mode", MODES)
def test_a_camera_that_hangs_once_is_survived(bench: SwiftBench, mode: str) -> None:
    def prepare() -> None:
        bench.camera.hangs = bench.camera.count + 1
        threading.Timer(0.5, lambda: setattr(bench.camera, "hangs", None)).start()

    measurements = measured(bench, prepare, mode=mode, late_ms=300.0)
    assert all(is_intact(one, site(number)) for number, one in enumerate(measurements))


def test_a_camera_that_always_hangs_ends_the_run(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope(
            settings_for_tests(pattern={"late_ms": 50.0, "tries": 2, "give_up_after": 2})
        ) as microscope:
            microscope.image()
            bench.camera.hangs = bench.camera.count + 1
            with pytest.raises(MeasurementError, match="no usable pattern in 2 tries"):
                microscope.measure(site(0))
            assert bench.is_blanked
            microscope.measure(site(1))

    with pytest.raises(InstrumentError, match="2 sites in a row could not be measured; the last: no usable pattern"):
        bench.run(work)
    assert bench.is_blanked
    bench.camera.hangs = None


def test_a_site_that_is_always_disturbed_fails_with_what_happened(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope() as microscope:
            microscope.image()
            for number in range(3):
                disturb = list(DISTURBANCES.values())[number][0]
                bench.camera.during[bench.camera.count + 1 + number] = lambda act=disturb: act(bench)
            with pytest.raises(MeasurementError, match=r"in 3 tries: .*a scan was started.*the probe was moved"):
                microscope.measure(site(0))
            doses = [note.data["what"] for note in microscope.take_notes() if note.kind == "dose"]
            assert doses == ["survey", "failed site (7, 5)"]
            assert is_intact(microscope.measure(site(1)), site(1))

    bench.run(work)


@pytest.mark.parametrize("how", ["refuses", "pretends", "raises"])
def test_a_blanker_that_sticks_open_parks_the_probe_and_ends_the_run(bench: SwiftBench, how: str) -> None:
    orders = bench.stem.SetValAndConfirm

    def stuck(name: str, value: float, tolerance: float, timeout_ms: int) -> bool:
        if name == "C_Blank" and value == 1.0:
            if how == "raises":
                raise RuntimeError("no connection")
            return how == "pretends"
        return bool(orders(name, value, tolerance, timeout_ms))

    def work() -> None:
        with bench.microscope() as microscope:
            microscope.image()
            bench.stem.SetValAndConfirm = stuck
            microscope.measure(site(0))

    bench.stem.set_probe_position(Geometry.FloatPoint(y=0.5, x=0.5))
    with pytest.raises(InstrumentError, match="THE BEAM IS ON THE SAMPLE"):
        bench.run(work)
    assert bench.stem.probe_position == Geometry.FloatPoint(y=0.0, x=0.0)
    del bench.stem.SetValAndConfirm


def test_a_blanker_that_sticks_closed_ends_the_run(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope() as microscope:
            microscope.image()
            bench.stem.SetValAndConfirm = lambda *_: True
            microscope.measure(site(0))

    with pytest.raises(BlankerError, match="does not open"):
        bench.run(work)
    assert bench.is_blanked
    del bench.stem.SetValAndConfirm


def test_a_scan_that_is_pressed_during_the_survey_spoils_it(bench: SwiftBench) -> None:
    def work() -> None:
        with bench.microscope(settings_for_tests(pattern={"tries": 5})) as microscope:
            timer = threading.Timer(0.02, bench.user_changes_fov)
            timer.start()
            survey = microscope.image()
            timer.join()
            assert survey.pixel_nm == pytest.approx((10.0 / 64, 10.0 / 64))
            assert is_intact(microscope.measure(site(0)), site(0))

    bench.run(work)


def test_swift_does_not_bring_the_probe_back(bench: SwiftBench) -> None:
    def work() -> int:
        repeated = 0
        with bench.microscope(settings_for_tests(pattern={"exposure_ms": 5.0, "mode": "sequence"})) as microscope:
            microscope.image()
            for number in range(40):
                measurement = microscope.measure(site(number))
                assert is_intact(measurement, site(number))
                repeated += len(measurement.details["spoilt"])
        return repeated

    assert bench.run(work) <= 2
