from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.stem.detectors import DetectorSettings
from dkl_core.stem.microscope import VirtualMicroscope
from dkl_core.stem.optics import Optics
from dkl_core.stem.realism import DriftSettings, Realism, ScanDistortion
from dkl_core.stem.scan import ScanFrame
from tests.stem.fakes import Clock, centre_of_mass, fake_physics, honeycomb

ELECTRONS_10MS = 30e-12 * 0.01 / 1.602176634e-19
FRAME = ScanFrame((32, 32), 3.0, pixel_time_s=1e-5)


def made(realism: Realism | None = None, clock: Clock | None = None, **options: Any) -> VirtualMicroscope:
    return VirtualMicroscope(
        honeycomb(),
        detector=DetectorSettings(shape=(64, 64)),
        realism=realism or Realism.ideal(),
        clock=clock or Clock(),
        make_scatterer=fake_physics,
        **options,
    )


def with_parts(**parts: Any) -> Realism:
    return replace(Realism.ideal(), **parts)


# --- exposures


def test_an_ideal_frame_is_exactly_the_physics() -> None:
    microscope = made()
    microscope.place_probe(0.4, -0.3, at=0.0)
    counts = microscope.expose(0.01, 0.0, 0.01)
    np.testing.assert_allclose(
        counts, microscope.scatterer.pattern(0.4, -0.3) * ELECTRONS_10MS * 4, rtol=1e-5, atol=1e-6
    )


def test_a_blanked_exposure_is_dark() -> None:
    microscope = made()
    microscope.blank(True, at=0.0)
    assert microscope.expose(0.01, 0.0, 0.01).sum() == 0
    assert microscope.electrons == 0


def test_an_exposure_counts_only_what_was_not_blanked() -> None:
    microscope = made()
    microscope.blank(True, at=0.5)
    assert microscope.expose(1.0, 0.0, 1.0).sum() == pytest.approx(50 * ELECTRONS_10MS * 4, rel=1e-4)


def test_an_exposure_over_a_move_mixes_both_places() -> None:
    microscope = made()
    microscope.place_probe(1.0, 0.0, at=0.0)
    microscope.place_probe(-1.0, 0.0, at=0.75)
    counts = microscope.expose(1.0, 0.0, 1.0)
    both = 0.75 * microscope.scatterer.pattern(1.0, 0.0) + 0.25 * microscope.scatterer.pattern(-1.0, 0.0)
    np.testing.assert_allclose(counts / counts.sum(), both, atol=1e-6)


def test_an_old_exposure_shows_the_old_place() -> None:
    microscope = made()
    microscope.place_probe(1.0, 0.0, at=0.0)
    microscope.place_probe(-1.0, 0.0, at=5.0)
    assert centre_of_mass(microscope.expose(0.01, 4.0, 4.01))[0] > centre_of_mass(microscope.expose(0.01, 5.0, 5.01))[0]


def test_an_exposure_during_a_scan_sees_the_scan() -> None:
    microscope = made()
    microscope.place_probe(1.9, 1.9, at=0.0)
    microscope.begin_scan(ScanFrame((32, 32), 2.0, pixel_time_s=1e-3), begin=0.0)
    row, col = centre_of_mass(microscope.expose(1.0, 0.0, 1.024))
    assert (row, col) == pytest.approx((32, 32), abs=0.4)


def test_a_synchronised_exposure_sees_its_own_pixel() -> None:
    microscope, frame = made(), ScanFrame((8, 8), 2.0, pixel_time_s=0.01)
    microscope.begin_scan(frame, begin=0.0)
    y, x = (np.broadcast_to(places, (8, 8)) for places in frame.positions_nm())
    counts = microscope.expose(0.01, 0.01 * 19, 0.01 * 20)
    np.testing.assert_allclose(
        counts / counts.sum(), microscope.scatterer.pattern(float(y[2, 3]), float(x[2, 3])), atol=1e-6
    )


def test_time_that_runs_backwards_is_refused() -> None:
    with pytest.raises(InputError, match="exposure"):
        made().expose(0.01, 1.0, 0.5)


# --- images


def test_an_ideal_image_is_the_physics_at_the_scanned_places() -> None:
    microscope = made()
    image = microscope.scan(FRAME, begin=0.0)
    expected = microscope.scatterer.haadf(*np.broadcast_arrays(*FRAME.positions_nm()))
    np.testing.assert_allclose(image, expected * ELECTRONS_10MS * 1e-3 * 20, rtol=1e-5)


def test_a_blanked_scan_is_dark_from_that_line_on() -> None:
    microscope = made()
    microscope.blank(True, at=FRAME.line_s * 10)
    image = microscope.scan(FRAME, begin=0.0)
    assert image[:10].min() > 0
    assert image[10:].max() == 0


def test_a_scan_that_is_broken_off_has_no_further_lines() -> None:
    microscope = made()
    image = microscope.scan(FRAME, begin=0.0, end=FRAME.line_s * 8)
    assert image[:8].min() > 0
    assert image[8:].max() == 0
    assert microscope.sample_nm(0.0, 0.0, 0.0) == (0.0, 0.0)


def test_drift_moves_the_image() -> None:
    drift = DriftSettings(velocity_nm_per_min=(0.0, 6.0), walk_nm=0.0)
    microscope = made(with_parts(drift=drift))
    fast = replace(FRAME, pixel_time_s=1e-9)
    seconds = 10 * FRAME.pixel_nm / 0.1
    first, later = microscope.scan(fast, begin=0.0), microscope.scan(fast, begin=seconds)
    assert microscope.drift_nm(seconds) == pytest.approx((0.0, 10 * FRAME.pixel_nm))
    np.testing.assert_allclose(later[:, 10:], first[:, :-10], rtol=1e-4)


def test_distortion_and_parked_offset_part_image_and_probe() -> None:
    scan = ScanDistortion(scale_error=(0.1, 0.0), shear=0.0, parked_offset_nm=(0.0, 0.2))
    microscope = made(with_parts(scan=scan))
    assert microscope.sample_nm(1.0, 1.0, 0.0) == pytest.approx((1.1, 1.2))
    assert float(microscope.truth("com_y", 1.0, 1.0)) == pytest.approx(2.2)


def test_flyback_lags_at_the_beginning_of_lines() -> None:
    still = ScanDistortion(scale_error=(0, 0), shear=0, line_jitter_nm=0, mains_nm=0, flyback_nm=0.2, flyback_s=2e-5)
    lag = made(with_parts(scan=still)).scan(FRAME, begin=0.0) - made().scan(FRAME, begin=0.0)
    assert np.abs(lag[:, :2]).max() > 100 * np.abs(lag[:, -2:]).max()


def test_noise_is_that_of_counting() -> None:
    realism = replace(Realism.realistic().noise, flicker=0.0)
    noisy, clean = made(with_parts(noise=realism)).scan(FRAME, begin=0.0), made().scan(FRAME, begin=0.0)
    assert np.var((noisy - clean) / np.sqrt(clean * 20)) == pytest.approx(1, abs=0.15)


# --- the sample's history


def test_equal_calls_give_equal_counts() -> None:
    def run(seed: int) -> list[Any]:
        microscope = made(Realism.hostile(), seed=seed)
        microscope.place_probe(0.2, 0.1, at=0.0)
        return [microscope.expose(0.01, 0.0, 0.01), microscope.scan(FRAME, begin=1.0)]

    for one, same, other in zip(run(3), run(3), run(4), strict=True):
        np.testing.assert_array_equal(one, same)
        assert (one != other).any()


def test_every_electron_is_accounted_for() -> None:
    clock = Clock()
    microscope = made(clock=clock)
    microscope.place_probe(0.5, 0.5, at=0.0)
    microscope.scan(FRAME, begin=1.0)
    microscope.blank(True, at=2.0)
    clock.now = 3.0
    assert microscope.electrons == pytest.approx(200 * ELECTRONS_10MS)
    dose = microscope.dose_map
    assert dose.values.sum(dtype=float) * dose.pitch_nm**2 == pytest.approx(200 * ELECTRONS_10MS, rel=1e-3)


def test_dose_of_a_scan_is_the_electrons_per_area_of_a_pixel() -> None:
    clock = Clock()
    microscope = made(clock=clock)
    microscope.blank(True, at=0.0)
    microscope.blank(False, at=1.0)
    microscope.scan(FRAME, begin=1.0)
    microscope.blank(True, at=1.0 + FRAME.seconds)
    clock.now = 2.0
    per_a2 = ELECTRONS_10MS * 1e-3 / (FRAME.pixel_nm * 10) ** 2
    assert microscope.dose_e_per_A2_at([0.0, 1.0, 1.9], 0.0) == pytest.approx([per_a2, per_a2, 0.0], rel=0.02)


def test_a_parked_beam_contaminates_image_and_pattern() -> None:
    clock = Clock()
    contamination = replace(Realism().contamination, parked_nm_per_min=60.0)
    microscope = made(with_parts(contamination=contamination), clock)
    clean = microscope.scan(FRAME, begin=0.0)
    before = microscope.pattern(0.0, 0.0)
    clock.now = 20.0
    microscope.blanked = True
    microscope.blanked = False
    after, dirty = microscope.pattern(0.0, 0.0), microscope.scan(FRAME, begin=20.0)
    assert dirty[16, 16] > 5 * clean[16, 16]
    assert dirty[0, 0] == pytest.approx(clean[0, 0], rel=0.1)
    assert after[32, 32] < 0.95 * before[32, 32]
    assert after.sum() == pytest.approx(before.sum())


def test_a_change_of_optics_keeps_the_damaged_structure() -> None:
    clock = Clock()
    damage = replace(Realism().damage, scale=1e3)
    microscope = made(with_parts(damage=damage), clock)
    clock.now = 10.0
    events = microscope.events
    assert events
    microscope.optics = Optics(semiangle_mrad=25.0)
    rebuilt: Any = microscope.scatterer
    assert rebuilt.removed == [event.atom for event in events if event.kind == "remove"]


def test_a_blanker_does_not_wait_for_new_optics() -> None:
    building, blanked = threading.Event(), threading.Event()

    def slow(sample: Any, optics: Optics, *rest: Any) -> Any:
        if optics.semiangle_mrad == 25.0:
            building.set()
            assert blanked.wait(10)
        return fake_physics(sample, optics, *rest)

    microscope = VirtualMicroscope(
        honeycomb(), detector=DetectorSettings(shape=(64, 64)), clock=Clock(), make_scatterer=slow
    )
    thread = threading.Thread(target=setattr, args=(microscope, "optics", Optics(semiangle_mrad=25.0)))
    thread.start()
    assert building.wait(10)
    microscope.blanked = True
    microscope.place_probe(0.1, 0.1)
    assert microscope.expose(0.01, 0.0, 0.01).shape == (64, 64)
    assert microscope.optics.semiangle_mrad == 30.0
    blanked.set()
    thread.join(10)
    assert microscope.optics.semiangle_mrad == 25.0


def test_damage_during_a_change_of_optics_is_not_lost() -> None:
    clock = Clock()

    def slow(sample: Any, optics: Optics, *rest: Any) -> Any:
        if optics.semiangle_mrad == 25.0:
            clock.now = 10.0
        return fake_physics(sample, optics, *rest)

    damage = replace(Realism().damage, scale=1e3)
    microscope = VirtualMicroscope(
        honeycomb(),
        detector=DetectorSettings(shape=(64, 64)),
        realism=with_parts(damage=damage),
        clock=clock,
        make_scatterer=slow,
    )
    microscope.optics = Optics(semiangle_mrad=25.0)
    events = microscope.events
    rebuilt: Any = microscope.scatterer
    assert events
    assert rebuilt.removed == [event.atom for event in events if event.kind == "remove"]


def test_current_changes_from_now_on() -> None:
    clock = Clock()
    microscope = made(clock=clock)
    clock.now = 1.0
    microscope.current_pa = 60.0
    clock.now = 2.0
    assert microscope.electrons == pytest.approx(300 * ELECTRONS_10MS)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("com_y", 1.0), ("com_x", -0.25), ("com_magnitude", np.hypot(1, 0.25)), ("vacuum", 0.0), ("layers", 1.0)],
)
def test_truth_is_known(kind: str, value: float) -> None:
    assert float(made(Realism.hostile()).truth(kind, 0.5 / 1.02, 0.25)) == pytest.approx(value, abs=0.03)


def test_truth_of_virtual_detectors_comes_from_the_pattern() -> None:
    truth = made(optics=Optics(semiangle_mrad=20.0)).truth("annular_bright_field", [0.0, 0.1], [0.0, 0.0])
    assert truth == pytest.approx([0.75, 0.75], abs=0.04)


def test_unknown_truth_is_refused() -> None:
    with pytest.raises(InputError, match="choose from com_y"):
        made().truth("beauty", 0.0, 0.0)
