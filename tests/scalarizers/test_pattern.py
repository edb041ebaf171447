import math

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.scalarizers import Pattern


def test_numpy_functions_take_a_pattern_as_its_values() -> None:
    pattern = Pattern(np.arange(6).reshape(2, 3), 0.5)
    assert np.sum(pattern) == 15
    assert np.asarray(pattern, dtype=np.float32).dtype == np.float32
    assert pattern.shape == (2, 3)


def test_any_kind_of_number_is_kept_as_double_precision() -> None:
    pattern = Pattern(np.ones((2, 2), dtype=np.uint16), 0.5)
    assert pattern.values.dtype == np.float64


def test_the_array_of_a_pattern_is_a_copy_when_asked_for() -> None:
    pattern = Pattern(np.zeros((2, 2)), 0.5)
    np.array(pattern, copy=True)[0, 0] = 1
    assert pattern.values[0, 0] == 0


def test_electrons_are_counts_over_the_gain() -> None:
    assert Pattern(np.full((2, 2), 10.0), 0.5, counts_per_electron=4.0).electrons == 10.0


def test_values_that_are_no_counts_have_no_electrons() -> None:
    assert Pattern(np.ones((2, 2)), 0.5).electrons is None


def test_the_middle_of_the_frame_is_not_taken_for_the_centre() -> None:
    assert Pattern.from_array(np.ones((4, 4)), {"det_mrad": 2.0}).centre_px is None


def test_a_recorded_pattern_takes_what_its_file_says() -> None:
    constants = {"det_mrad": 2.0, "centre_px": 23.75, "counts_per_electron": 3.0}
    pattern = Pattern.from_array([[1, 2]], constants)
    assert (pattern.mrad_per_px, pattern.centre_px, pattern.counts_per_electron) == (2.0, (23.75, 23.75), 3.0)


def test_a_file_without_angles_is_refused() -> None:
    with pytest.raises(InputError, match="add det_mrad"):
        Pattern.from_array(np.ones((4, 4)), {})


@pytest.mark.parametrize("values", [np.ones(4), np.ones((0, 4)), np.ones((2, 2), dtype=complex)])
def test_what_is_no_image_is_refused(values: np.ndarray) -> None:
    with pytest.raises(InputError, match="a pattern has shape"):
        Pattern(values, 0.5)


@pytest.mark.parametrize("angle", [0.0, -1.0, math.nan, math.inf])
def test_an_angle_that_is_none_is_refused(angle: float) -> None:
    with pytest.raises(InputError, match="mrad_per_px"):
        Pattern(np.ones((2, 2)), angle)


@pytest.mark.parametrize("gain", [0.0, -2.0, math.nan])
def test_a_gain_that_is_none_is_refused(gain: float) -> None:
    with pytest.raises(InputError, match="counts_per_electron"):
        Pattern(np.ones((2, 2)), 0.5, counts_per_electron=gain)


def test_a_negative_read_noise_is_refused() -> None:
    with pytest.raises(InputError, match="read_noise_counts"):
        Pattern(np.ones((2, 2)), 0.5, read_noise_counts=-1.0)
