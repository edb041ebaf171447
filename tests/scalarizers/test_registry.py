from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import pytest

from dkl_core.errors import ScalarizerError
from dkl_core.measurement import Scalar
from dkl_core.scalarizers import (
    NamedScalarizer,
    Scalarizer,
    Spectrum,
    as_scalarizer,
    available_scalarizers,
    get_scalarizer,
    register,
    registry,
    try_scalarizer,
)

BIAS = np.linspace(-1.5, 1.5, 121)
SPECTRUM = Spectrum(BIAS, BIAS**3, didv=3 * BIAS**2)


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))


@pytest.fixture
def entry_points(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[metadata.EntryPoint]]:
    points: list[metadata.EntryPoint] = []

    def find(**wanted: str) -> metadata.EntryPoints:
        return metadata.EntryPoints(points).select(**wanted)

    monkeypatch.setattr(metadata, "entry_points", find)
    return points


def point(name: str, value: str) -> metadata.EntryPoint:
    return metadata.EntryPoint(name, value, "dkl.scalarizers")


def test_the_published_scalarizers_are_there_for_spectra() -> None:
    names = {info.name for info in available_scalarizers("spectrum")}
    assert names >= {
        *("area", "positive_area", "in_gap_ratio", "band_gap", "valence_edge", "conduction_edge", "formula"),
    }


def test_every_scalarizer_says_what_it_is_for() -> None:
    assert all(info.summary.strip() and not info.problem for info in available_scalarizers())


def test_the_list_is_sorted_and_limited_to_a_raw_kind(clean: None) -> None:
    register("zz_pattern", raw_kind="pattern")(lambda _: 1.0)
    register("aa_any")(lambda _: 1.0)
    names = [info.name for info in available_scalarizers("pattern")]
    assert names == sorted(names)
    assert "zz_pattern" in names
    assert "aa_any" in names
    assert "area" not in names


def test_the_options_of_a_scalarizer_are_listed_with_type_and_default() -> None:
    (area,) = (info for info in available_scalarizers() if info.name == "area")
    options = {option.name: option for option in area.options}
    assert options["low_v"].required
    assert (options["channel"].kind, options["channel"].default) == ("str", "current")


def test_a_scalarizer_knows_all_its_options_and_can_be_made_again_from_them() -> None:
    first = get_scalarizer("area", low_v=0, high_v=1, strict=False)
    again = get_scalarizer(first.name, **first.options)
    assert first.options["channel"] == "current"
    assert again.options == first.options
    assert again(SPECTRUM) == first(SPECTRUM)


def test_what_comes_from_the_registry_is_a_scalarizer_with_name_and_raw_kind() -> None:
    scalarizer: Scalarizer = get_scalarizer("positive_area")
    assert isinstance(scalarizer, Scalarizer)
    assert isinstance(scalarizer, NamedScalarizer)
    assert (scalarizer.name, scalarizer.raw_kind) == ("positive_area", "spectrum")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("band_gpa", {}, "no scalarizer 'band_gpa'; did you mean band_gap"),
        ("xyzzy", {}, "choose one of .*area, .*or give file.py:function"),
        ("", {}, "no scalarizer ''"),
        ("area", {"low_v": 0.0}, "area needs the option high_v"),
        ("formula", {}, "formula needs the option expression"),
        ("band_gap", {"window": 0.2}, "band_gap has no option window; it has .*window_v"),
        ("area", {"low_v": 1.0, "high_v": 0.0}, "area: the bias range"),
        ("area", {"low_v": "low", "high_v": 0.0}, "area: low_v is 'low'; give a number"),
        ("com_magnitude", {"semiangle_mrad": "wide"}, "semiangle_mrad is 'wide'; give a number or none"),
        ("com_magnitude", {"mask": 3}, "com_magnitude: mask is 3; give true or false"),
        ("com_divergence", {"n": 2.5}, "com_divergence: n is 2.5; give a whole number"),
        ("com_divergence", {"n": True}, "com_divergence: n is True; give a whole number"),
        ("formula", {"expression": "open(1)"}, "formula: the formula calls 'open'"),
        ("formula", {"expression": 3}, "formula: expression is 3; give a text"),
    ],
)
def test_what_cannot_be_made_is_explained(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ScalarizerError, match=message):
        get_scalarizer(name, **options)


def test_a_function_can_be_registered_and_its_arguments_are_its_options(clean: None) -> None:
    @register("peak", raw_kind="spectrum")
    def peak(raw: Spectrum, factor: float = 1.0) -> float:
        return factor * float(raw.channel("didv").max())

    assert get_scalarizer("peak", factor=2.0)(SPECTRUM).value == pytest.approx(2 * 6.75)
    assert get_scalarizer("peak").options == {"factor": 1.0}


def test_a_class_can_be_registered_and_its_fields_are_its_options(clean: None) -> None:
    @register("mean_of_raw", raw_kind="pattern")
    @dataclass(frozen=True)
    class MeanOfRaw:
        offset: float = 0.0

        def __call__(self, raw: np.ndarray) -> Scalar:
            return Scalar(float(raw.mean()) + self.offset, noise_variance=0.1)

    assert get_scalarizer("mean_of_raw", offset=1.0)(np.ones((4, 4))) == Scalar(2.0, noise_variance=0.1)


def test_a_function_that_takes_any_option_is_given_them(clean: None) -> None:
    register("sum_of_options")(lambda _, **options: float(sum(options.values())))
    assert get_scalarizer("sum_of_options", a=1, b=2)(None).value == 3.0


@pytest.mark.parametrize("name", ["", "Area", "two words", "file:function", "1st"])
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(ScalarizerError, match="cannot name a scalarizer"):
        register(name)


def test_a_name_that_is_taken_is_refused(clean: None) -> None:
    with pytest.raises(ScalarizerError, match=r"'area' is dkl_core\.scalarizers\.spectroscopy\.AreaInRange already"):
        register("area")(len)
    assert get_scalarizer("area", low_v=0, high_v=1)(SPECTRUM).valid


def test_the_same_function_may_be_registered_again_as_a_reloaded_module_does(clean: None) -> None:
    def again(raw: object) -> float:
        return 1.0

    assert register("again")(register("again")(again)) is again


def test_a_class_without_call_is_refused(clean: None) -> None:
    register("mute")(type("Mute", (), {}))
    with pytest.raises(ScalarizerError, match="mute makes a Mute that cannot be called"):
        get_scalarizer("mute")


def test_an_installed_function_is_found_by_its_entry_point(entry_points: list[metadata.EntryPoint]) -> None:
    entry_points.append(point("height_range", "numpy:ptp"))
    assert get_scalarizer("height_range")(np.array([1.0, 4.0])).value == 3.0
    assert "height_range" in {info.name for info in available_scalarizers("pattern")}


def test_an_entry_point_of_a_registered_scalarizer_keeps_its_raw_kind(entry_points: list[metadata.EntryPoint]) -> None:
    entry_points.append(point("my_gap", "dkl_core.scalarizers:BandGap"))
    assert get_scalarizer("my_gap").raw_kind == "spectrum"
    assert "my_gap" not in {info.name for info in available_scalarizers("pattern")}


def test_an_entry_point_that_cannot_be_loaded_is_listed_with_its_problem(
    entry_points: list[metadata.EntryPoint],
) -> None:
    entry_points.append(point("broken", "no_such_module:function"))
    (broken,) = (info for info in available_scalarizers() if info.name == "broken")
    assert "no_such_module" in broken.problem
    with pytest.raises(ScalarizerError, match=r"entry point broken \(no_such_module:function\): ModuleNotFoundError"):
        get_scalarizer("broken")


def test_an_entry_point_that_is_no_function_is_refused(entry_points: list[metadata.EntryPoint]) -> None:
    entry_points.append(point("number", "math:pi"))
    with pytest.raises(ScalarizerError, match="float, not a scalarizer"):
        get_scalarizer("number")


def test_a_built_in_name_goes_before_an_entry_point(entry_points: list[metadata.EntryPoint]) -> None:
    entry_points.append(point("area", "no_such_module:function"))
    (area,) = (info for info in available_scalarizers() if info.name == "area")
    assert area.problem == ""
    assert get_scalarizer("area", low_v=0, high_v=1)(SPECTRUM).valid


def test_a_function_object_becomes_a_scalarizer_under_its_own_name() -> None:
    def brightness(raw: np.ndarray) -> np.floating[Any]:
        return raw.mean()

    scalarizer = as_scalarizer(brightness, raw_kind="pattern")
    assert (scalarizer.name, scalarizer.raw_kind) == ("brightness", "pattern")
    assert scalarizer(np.ones((2, 2))) == Scalar(1.0)
    assert as_scalarizer(scalarizer) is scalarizer


def test_the_dry_run_gives_the_scalar_of_one_measurement() -> None:
    assert try_scalarizer(get_scalarizer("positive_area"), SPECTRUM).valid
    assert try_scalarizer(lambda _: 3, SPECTRUM) == Scalar(3.0)


def test_the_dry_run_names_the_scalarizer_that_was_given_the_wrong_raw_data() -> None:
    with pytest.raises(ScalarizerError, match="band_gap: got ndarray of shape"):
        try_scalarizer(get_scalarizer("band_gap"), np.zeros((64, 64)))
