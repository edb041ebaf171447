import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.scalarizers import Spectrum, repair_shifted_samples, shifted_samples

LIMIT = 1.00014352e-8


def shifted_spectrum() -> Spectrum:
    return Spectrum(
        np.array([0.0, 0.1, 0.2, 0.3]),
        current_a=np.array([1e-9, LIMIT, 0.0, LIMIT]),
        didv=np.array([1e-10, 1e-18, LIMIT, 1e-18]),
        extra={"lockin_y": np.array([1e-12, 1e-18, 0.0, 1e-18])},
    )


def test_a_falling_sweep_is_turned_round_with_all_its_channels() -> None:
    spectrum = Spectrum(np.array([1.0, 0.0, -1.0]), np.array([3.0, 2.0, 1.0]), extra={"z": np.array([6.0, 5.0, 4.0])})
    np.testing.assert_array_equal(spectrum.bias_v, [-1.0, 0.0, 1.0])
    np.testing.assert_array_equal(spectrum.channel("current"), [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(spectrum.channel("z"), [4.0, 5.0, 6.0])


def test_a_spectrum_cannot_be_changed_from_outside() -> None:
    bias = np.array([0.0, 1.0])
    spectrum = Spectrum(bias, bias)
    bias[0] = 7.0
    assert spectrum.bias_v[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        spectrum.channel("current")[0] = 1.0


def test_integers_become_floats_and_lost_samples_stay_nan() -> None:
    spectrum = Spectrum(np.array([0, 1, 2]), np.array([1.0, np.nan, 3.0]))
    assert spectrum.bias_v.dtype == np.float64
    assert np.isnan(spectrum.channel("current")[1])


@pytest.mark.parametrize(
    ("bias", "message"),
    [
        ([0.0], "at least two"),
        ([[0.0, 1.0]], r"shape \(1, 2\)"),
        ([0.0, np.nan], "NaN"),
        ([0.0, 1.0, 0.5], r"turns or stops after sample 1 \(1 V\)"),
        ([0.0, 0.0, 1.0], "one sweep"),
        ([2.0, 1.0, 1.0], "one sweep"),
        ([0.0, 1.0j], "complex"),
        (["0", "1"], "real numbers"),
    ],
)
def test_a_bias_that_is_not_one_sweep_is_refused(bias: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Spectrum(np.array(bias))


def test_a_channel_of_another_length_is_refused() -> None:
    with pytest.raises(InputError, match=r"didv has shape \(3,\).*2 bias samples"):
        Spectrum(np.array([0.0, 1.0]), didv=np.zeros(3))


def test_an_infinite_value_is_refused() -> None:
    with pytest.raises(InputError, match="infinite"):
        Spectrum(np.array([0.0, 1.0]), np.array([0.0, np.inf]))


@pytest.mark.parametrize("name", ["bias", "didv", "two words", ""])
def test_an_extra_channel_needs_a_name_of_its_own(name: str) -> None:
    with pytest.raises(InputError, match="cannot name"):
        Spectrum(np.array([0.0, 1.0]), extra={name: np.zeros(2)})


def test_a_missing_channel_is_named_together_with_those_there_are() -> None:
    with pytest.raises(InputError, match="no channel 'didv'; it has current, z"):
        Spectrum(np.array([0.0, 1.0]), np.zeros(2), extra={"z": np.zeros(2)}).channel("didv")


def test_rows_of_an_array_are_taken_in_the_usual_order() -> None:
    spectrum = Spectrum.from_array(np.arange(8.0).reshape(4, 2))
    assert spectrum.channel_names == ("current", "didv", "lockin_y")
    np.testing.assert_array_equal(spectrum.channel("didv"), [4.0, 5.0])


def test_rows_of_an_array_are_taken_by_the_names_given() -> None:
    spectrum = Spectrum.from_array([[5.0, 6.0], [0.0, 1.0]], channels=("phase", "bias"))
    assert spectrum.channel_names == ("phase",)
    np.testing.assert_array_equal(spectrum.bias_v, [0.0, 1.0])


@pytest.mark.parametrize("channels", [("bias",), ("bias", "bias"), ("current", "didv"), ()])
def test_names_that_do_not_fit_the_rows_are_refused(channels: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="do not fit 2 rows"):
        Spectrum.from_array([[0.0, 1.0], [0.0, 1.0]], channels=channels)


def test_an_array_of_other_dimensions_is_refused() -> None:
    with pytest.raises(InputError, match="two-dimensional"):
        Spectrum.from_array(np.zeros((2, 3, 4)))


def test_the_array_of_a_spectrum_makes_the_same_spectrum_again() -> None:
    spectrum = shifted_spectrum()
    again = Spectrum.from_array(spectrum.as_array(), ("bias", *spectrum.channel_names))
    np.testing.assert_array_equal(again.as_array(), spectrum.as_array())


def test_a_shifted_sample_is_known_by_its_signature() -> None:
    np.testing.assert_array_equal(shifted_samples(shifted_spectrum()), [False, False, True, False])


@pytest.mark.parametrize(
    ("current", "didv", "lockin_y"), [(0.0, 0.9 * LIMIT, 0.0), (0.0, LIMIT, 1e-15), (1e-15, LIMIT, 0.0)]
)
def test_a_sample_without_the_whole_signature_is_not_shifted(current: float, didv: float, lockin_y: float) -> None:
    rows = np.array([[0.0, 1.0], [current, 1e-9], [didv, 1e-9], [lockin_y, 1e-9]])
    assert not shifted_samples(Spectrum.from_array(rows)).any()


def test_repair_puts_the_current_back_and_leaves_the_other_samples() -> None:
    before, after = shifted_spectrum(), repair_shifted_samples(shifted_spectrum())
    np.testing.assert_array_equal(after.channel("current"), [1e-9, LIMIT, LIMIT, LIMIT])
    np.testing.assert_array_equal(after.channel("didv"), [1e-10, 1e-18, 0.0, 1e-18])
    np.testing.assert_array_equal(after.channel("lockin_y"), before.channel("lockin_y"))


def test_repair_returns_a_sound_spectrum_as_it_is() -> None:
    sound = repair_shifted_samples(shifted_spectrum())
    assert repair_shifted_samples(sound) is sound
