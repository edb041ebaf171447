import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.scalarizers import AreaInRange, Formula, Spectrum

BIAS = np.linspace(-1.5, 1.5, 121)
SPECTRUM = Spectrum(BIAS, BIAS**3 + BIAS, didv=3 * BIAS**2 + 1.0, extra={"height": np.cos(BIAS)})


def value(expression: str, spectrum: Spectrum = SPECTRUM) -> float:
    return Formula(expression=expression)(spectrum).value


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3 - 4 / 8", 6.5),
        ("-2 ** 2", -4.0),
        ("+(2 - 3)", -1.0),
        ("2 ** -1", 0.5),
        ("sqrt(abs(-16))", 4.0),
        ("log(e) + log10(100) + exp(0)", 4.0),
        ("pi", np.pi),
        ("7.5e-1", 0.75),
    ],
)
def test_arithmetic_is_that_of_numbers(expression: str, expected: float) -> None:
    assert value(expression) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("area(bias, 0, 1.5)", 1.125),
        ("mean(bias, 0, 1)", 0.5),
        ("mean(didv)", float(np.mean(3 * BIAS**2 + 1.0))),
        ("max(current, -1, 1)", 2.0),
        ("min(current)", -(1.5**3) - 1.5),
        ("std(bias)", float(np.std(BIAS))),
        ("slope(2 * bias + 1, 0, 1)", 2.0),
        ("bias_at_min(didv)", 0.0),
        ("bias_at_max(current, -1, 0.5)", 0.5),
        ("value_at(bias, 0.3333)", 0.3333),
        ("value_at(current, 1.5)", 1.5**3 + 1.5),
    ],
)
def test_functions_make_a_number_of_a_channel(expression: str, expected: float) -> None:
    assert value(expression) == pytest.approx(expected, abs=1e-12)


def test_the_ratio_of_two_areas_is_that_of_the_scalarizer_area() -> None:
    inner, outer = (AreaInRange(channel="didv", low_v=0.0, high_v=high)(SPECTRUM).value for high in (0.5, 1.5))
    assert value("area(didv, 0, 0.5) / area(didv, 0, 1.5)") == pytest.approx(inner / outer, rel=1e-14)


def test_channels_combine_sample_by_sample() -> None:
    here = (BIAS >= 0.5) & (BIAS <= 1.0)
    normalised = (3 * BIAS[here] ** 2 + 1) * BIAS[here] / (BIAS[here] ** 3 + BIAS[here])
    assert value("mean(didv * bias / current, 0.5, 1)") == pytest.approx(normalised.mean())


def test_bounds_may_be_computed() -> None:
    assert value("area(bias, 1 - 1, value_at(bias, 1.5))") == pytest.approx(1.125)


def test_a_further_channel_is_known_once_declared() -> None:
    assert Formula(expression="value_at(height, 0)", extra_channels=("height",))(SPECTRUM).value == pytest.approx(1.0)
    with pytest.raises(InputError, match="'height' in the formula is unknown; the channels are bias, current, didv"):
        Formula(expression="value_at(height, 0)")


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "__import__(1)",
        "eval(1)",
        "().__class__",
        "didv.mean()",
        "area.__globals__",
        "(lambda: 1)()",
        "[x for x in (1, 2)]",
        "{1: 2}",
        "'text'",
        "1j",
        "True",
        "None",
        "...",
        "didv[0]",
        "1 if 2 else 3",
        "1 < 2",
        "1 and 2",
        "7 // 2",
        "7 % 2",
        "1 << 9",
        "~1",
        "not 1",
        "f'{1}'",
        "(x := 1)",
        "area(*didv)",
        "area(didv, low=0, high=1)",
        "area(**didv)",
        "sqrt()",
        "unknown(didv)",
        "unknown",
        "open",
        "area",
        "area + 1",
        "await didv",
    ],
)
def test_anything_but_arithmetic_on_channels_is_refused_before_it_is_used(expression: str) -> None:
    with pytest.raises(InputError, match="formula"):
        Formula(expression=expression)


@pytest.mark.parametrize("expression", ["", "   ", "1 +", "area(didv", "import os", "1; 2", "a = 1", "\0", "(" * 300])
def test_what_cannot_be_read_as_an_expression_is_refused(expression: str) -> None:
    with pytest.raises(InputError, match="the formula"):
        Formula(expression=expression)


def test_a_formula_of_excessive_length_is_refused() -> None:
    with pytest.raises(InputError, match="601 characters"):
        Formula(expression="1" + "+1" * 300)


def test_the_deepest_formula_of_allowed_length_is_read() -> None:
    assert value("-" * 498 + "1") == 1.0


@pytest.mark.parametrize("expression", ["didv", "2 * current", "sqrt(abs(didv))", "-bias"])
def test_a_formula_that_gives_a_whole_channel_is_refused(expression: str) -> None:
    with pytest.raises(InputError, match="whole channel"):
        Formula(expression=expression)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("area(didv, 0)", "area takes 1 or 3 arguments, not 2"),
        ("value_at(didv)", "value_at takes 2 arguments, not 1"),
        ("sqrt(1, 2)", "sqrt takes 1 argument, not 2"),
        ("mean(3)", r"channel first, then numbers, e\.g\. mean\(didv, 0\.5, 0\.5\)"),
        ("area(didv, current, 1)", "channel first, then numbers"),
        ("max(1, 2, 3)", "channel first"),
    ],
)
def test_a_call_of_the_wrong_form_is_explained(expression: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Formula(expression=expression)


@pytest.mark.parametrize("expression", ["1 / 0", "log(-1)", "0 / 0", "10 ** 400", "9 ** 9 ** 9", "sqrt(0 - 1)"])
def test_a_result_that_is_not_finite_is_invalid(expression: str) -> None:
    scalar = Formula(expression=expression, strict=False)(SPECTRUM)
    assert not scalar.valid
    assert "not a finite number" in scalar.reason


def test_a_channel_that_was_not_recorded_is_named() -> None:
    with pytest.raises(InputError, match="no channel 'didv'; it has current"):
        value("mean(didv)", Spectrum(BIAS, BIAS))


def test_a_range_beyond_the_sweep_is_invalid() -> None:
    assert "does not cover" in Formula(expression="area(didv, 0, 2.4)")(SPECTRUM).reason


def test_a_range_without_samples_has_no_number() -> None:
    scalar = Formula(expression="mean(didv, 0.501, 0.502)")(SPECTRUM)
    assert np.isnan(scalar.value)
    assert "only 0 samples" in scalar.reason


def test_a_value_beyond_the_sweep_has_no_number() -> None:
    scalar = Formula(expression="value_at(didv, 2)", strict=False)(SPECTRUM)
    assert np.isnan(scalar.value)
    assert "does not cover" in scalar.reason


@pytest.mark.parametrize("at_v", [-1.5, -1.49, 0.0, 0.01, 1.49, 1.5])
def test_a_value_within_the_sweep_is_valid(at_v: float) -> None:
    assert Formula(expression=f"value_at(current, {at_v})")(SPECTRUM).valid


def test_saturation_in_any_range_that_is_used_makes_the_formula_invalid() -> None:
    clipped = Spectrum(BIAS, np.minimum(BIAS, 1.0))
    assert Formula(expression="mean(current, 0, 0.5) / value_at(current, -0.5)")(clipped).valid
    scalar = Formula(expression="mean(current, 0, 0.5) / mean(abs(current), 1, 1.5)")(clipped)
    assert "saturated" in scalar.reason
    assert scalar.value == pytest.approx(0.25)


def test_nan_in_the_range_is_reported() -> None:
    lost = Spectrum(BIAS, np.where(BIAS > 1.0, np.nan, BIAS))
    assert Formula(expression="mean(current, 0, 0.5)")(lost).valid
    assert "NaN" in Formula(expression="max(current)")(lost).reason
