import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.scalarizers import DetectorCare

SHAPE = (32, 48)


def dark_frames(count: int = 16, noise: float = 3.0) -> np.ndarray:
    rng = np.random.default_rng(1)
    level = 100 + rng.normal(0, 2, SHAPE)
    return rng.normal(level, noise, (count, *SHAPE))


def test_the_dark_level_is_taken_off_and_the_gain_divided_out() -> None:
    gain = np.full(SHAPE, 1.0)
    gain[3, 4] = 1.25
    raw = np.full(SHAPE, 105, dtype=np.uint16)
    values = DetectorCare(100.0, gain).corrected(raw, 0.5).values
    assert values[0, 0] == 5.0
    assert values[3, 4] == 4.0


def test_counts_below_the_dark_level_become_negative_and_do_not_wrap() -> None:
    assert DetectorCare(100.0).corrected(np.full(SHAPE, 90, dtype=np.uint16), 0.5).values[0, 0] == -10


def test_the_pattern_knows_its_calibration() -> None:
    care = DetectorCare(read_noise_counts=2.5)
    pattern = care.corrected(np.ones(SHAPE), 0.5, 4.0, (15.5, 20.0))
    assert (pattern.mrad_per_px, pattern.counts_per_electron, pattern.centre_px) == (0.5, 4.0, (15.5, 20.0))
    assert pattern.read_noise_counts == 2.5


def test_a_bad_pixel_gets_the_median_of_its_good_neighbours() -> None:
    bad = np.zeros(SHAPE, dtype=bool)
    bad[5, 5] = bad[5, 6] = True
    raw = np.full(SHAPE, 7.0)
    raw[5, 5:7] = 9000, 0
    pattern = DetectorCare(bad=bad).corrected(raw, 0.5)
    assert pattern.values[5, 5] == pattern.values[5, 6] == 7
    assert pattern.bad is not None
    assert pattern.bad[5, 5]


def test_a_group_of_bad_pixels_is_filled_from_its_rim() -> None:
    bad = np.zeros(SHAPE, dtype=bool)
    bad[:7, 10:17] = True
    raw = np.zeros(SHAPE)
    raw[:20, :30] = 50.0
    raw[bad] = 60000.0
    assert (DetectorCare(bad=bad).corrected(raw, 0.5).values[bad] == 50).all()


def test_bad_pixels_in_a_corner_have_fewer_neighbours() -> None:
    bad = np.zeros(SHAPE, dtype=bool)
    bad[0, 0] = bad[-1, -1] = True
    raw = np.where(bad, 1e6, 3.0)
    assert (DetectorCare(bad=bad).corrected(raw, 0.5).values == 3).all()


def test_saturated_pixels_are_counted_but_not_those_known_to_be_bad() -> None:
    bad = np.zeros(SHAPE, dtype=bool)
    bad[0, 0] = True
    raw = np.zeros(SHAPE, dtype=np.uint16)
    raw[0, :3] = 65535
    assert DetectorCare(bad=bad, saturation_level=65535).corrected(raw, 0.5).saturated_px == 2


def test_the_raw_frame_is_left_as_it_was() -> None:
    raw = np.full(SHAPE, 7.0)
    DetectorCare(5.0, bad=np.eye(*SHAPE, dtype=bool)).corrected(raw, 0.5)
    assert (raw == 7).all()


def test_dark_frames_tell_the_level_of_each_pixel_and_the_read_noise() -> None:
    frames = dark_frames()
    care = DetectorCare.from_dark(frames)
    np.testing.assert_allclose(care.dark, frames.mean(axis=0))
    assert care.read_noise_counts == pytest.approx(3.0, rel=0.03)
    assert care.bad is None


def test_dark_frames_tell_hot_dead_and_flickering_pixels() -> None:
    frames = dark_frames()
    frames[:, 2, 3] = 40000
    frames[:, 4, 5] = 0
    frames[::2, 6, 7] += 300
    bad = DetectorCare.from_dark(frames).bad
    assert bad is not None
    assert {(int(row), int(col)) for row, col in np.argwhere(bad)} == {(2, 3), (4, 5), (6, 7)}


def test_one_dark_frame_does_not_tell_the_read_noise() -> None:
    care = DetectorCare.from_dark(dark_frames(1))
    assert care.read_noise_counts == 0
    assert care.bad is None


def test_an_electron_counting_camera_without_dark_counts_has_no_bad_pixels() -> None:
    care = DetectorCare.from_dark(np.zeros((8, *SHAPE), dtype=np.uint16))
    assert care.bad is None
    assert care.read_noise_counts == 0


def test_dark_frames_with_the_beam_on_are_refused() -> None:
    frames = dark_frames()
    frames[:, 8:24, 10:30] += 200
    with pytest.raises(InputError, match="check that the beam was blanked"):
        DetectorCare.from_dark(frames)


def test_what_is_no_stack_of_frames_is_refused() -> None:
    with pytest.raises(InputError, match=r"give \(frames, rows, columns\)"):
        DetectorCare.from_dark(np.zeros(SHAPE))


def test_a_frame_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match="take new dark frames"):
        DetectorCare(np.zeros(SHAPE)).corrected(np.zeros((8, 8)), 0.5)


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"dark": np.zeros((2, 2)), "gain": np.ones((3, 3))}, "give them for one camera"),
        ({"dark": np.nan}, "dark level is not finite"),
        ({"gain": np.zeros((2, 2))}, "not positive"),
        ({"bad": np.ones((2, 2), dtype=bool)}, "all pixels are marked as bad"),
        ({"read_noise_counts": -1.0}, "read_noise_counts"),
    ],
)
def test_care_that_cannot_be_is_refused(parts: dict[str, np.ndarray], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        DetectorCare(**parts)
