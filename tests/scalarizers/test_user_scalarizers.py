import math
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dkl_core.errors import InputError, ScalarizerError
from dkl_core.measurement import Scalar
from dkl_core.scalarizers import as_scalarizer, get_scalarizer, registry, try_scalarizer
from dkl_core.scalarizers.user import is_reference


class Tensor:
    """Looks like a zero-dimensional tensor."""

    shape = ()

    def item(self) -> float:
        return 2.5


def returning(result: object) -> Scalar:
    def mine(raw: object) -> object:
        return result

    return try_scalarizer(mine, None)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "result", [2.5, np.float32(2.5), np.float64(2.5), np.array(2.5), Fraction(5, 2), Tensor(), (2.5, True), Scalar(2.5)]
)
def test_any_number_becomes_a_valid_scalar(result: object) -> None:
    scalar = returning(result)
    assert scalar == Scalar(2.5)
    assert type(scalar.value) is float


@pytest.mark.parametrize("result", [3, np.int16(3), np.uint64(3)])
def test_integers_are_numbers(result: object) -> None:
    assert returning(result) == Scalar(3.0)


@pytest.mark.parametrize("result", [math.nan, np.inf, -math.inf, np.float32("nan"), (math.nan, True), Scalar(math.nan)])
def test_a_number_that_is_not_finite_is_invalid(result: object) -> None:
    scalar = returning(result)
    assert not scalar.valid
    assert "mine returned" in scalar.reason


@pytest.mark.parametrize("valid", [False, np.False_])
def test_a_pair_carries_its_validity_and_keeps_the_number(valid: bool) -> None:
    scalar = returning((2.5, valid))
    assert (scalar.value, scalar.valid, scalar.reason) == (2.5, False, "mine called it invalid")


def test_a_scalar_keeps_its_reason_and_its_noise() -> None:
    assert returning(Scalar.invalid("tip changed", 2.0)) == Scalar(2.0, False, "tip changed")
    assert returning(Scalar(2.0, noise_variance=np.float64(0.5))).noise_variance == 0.5


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "NoneType None"),
        ("2.5", "str '2.5'"),
        (b"2", "bytes"),
        (1j, "complex"),
        (np.complex128(1), "complex"),
        ([2.5], "list"),
        ({}, "dict"),
        (np.zeros(3), r"ndarray of shape \(3,\)"),
        (np.zeros(1), r"ndarray of shape \(1,\)"),
        (np.array("2.5"), "ndarray"),
        (True, r"True.*float\(True\)"),
        (np.True_, "True"),
        ((1.0, 2.0), "second part is not True or False"),
        ((True, 2.5), "second part is not True or False"),
        ((1.0, True, "why"), "tuple"),
        (Scalar("high"), "str 'high'"),  # type: ignore[arg-type]
        (Scalar(1.0, noise_variance=-1.0), "noise variance of -1"),
        (Scalar(1.0, noise_variance=math.nan), "noise variance of nan"),
    ],
)
def test_anything_else_is_an_error_that_names_the_function(result: object, message: str) -> None:
    with pytest.raises(ScalarizerError, match=f"^mine returned.* {message}"):
        returning(result)


def test_an_exception_is_told_with_function_error_file_and_line() -> None:
    def divides(raw: float) -> float:
        return 1 / raw

    line = divides.__code__.co_firstlineno + 1
    with pytest.raises(
        ScalarizerError, match=rf"^divides: ZeroDivisionError: .*\({Path(__file__).name}, line {line}\)$"
    ):
        try_scalarizer(divides, 0)


def test_an_error_of_this_package_is_passed_on_in_its_own_words() -> None:
    def picky(raw: object) -> float:
        raise InputError("give a spectrum")

    with pytest.raises(ScalarizerError, match=r"^picky: give a spectrum$"):
        try_scalarizer(picky, None)


def test_an_interrupt_is_not_an_error_of_the_function() -> None:
    def interrupted(raw: object) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        try_scalarizer(interrupted, None)


def test_an_object_without_name_is_called_by_its_type() -> None:
    class Constant:
        def __call__(self, _: object) -> float:
            return 1.0

    assert as_scalarizer(Constant()).name == "Constant"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("package.module:function", True),
        ("my file.py:function", True),
        (r"C:\data\mine.py:function", True),
        ("area", False),
        ("file.py", False),
        (r"C:\data\mine.py", False),
        (":function", False),
        ("file.py:two words", False),
    ],
)
def test_a_reference_is_known_by_the_name_after_its_last_colon(name: str, expected: bool) -> None:
    assert is_reference(name) is expected


def test_a_function_of_a_module_is_loaded() -> None:
    scalarizer = get_scalarizer("numpy:mean")
    assert scalarizer(np.arange(5.0)) == Scalar(2.0)
    assert scalarizer.name == "numpy:mean"


def test_a_function_of_a_file_is_loaded_and_given_its_options(tmp_path: Path) -> None:
    file = write(tmp_path / "my own.py", "def peak(raw, factor=1.0):\n    return factor * raw.max()\n")
    scalarizer = get_scalarizer(f"{file}:peak", factor=3.0)
    assert scalarizer(np.array([1.0, 2.0])).value == 6.0
    assert scalarizer.options == {"factor": 3.0}


def test_a_class_of_a_file_is_made_with_its_options(tmp_path: Path) -> None:
    text = """
from __future__ import annotations
from dataclasses import dataclass

@dataclass(frozen=True)
class Above:
    level: float

    def __call__(self, raw):
        return float((raw > self.level).sum()), True
"""
    file = write(tmp_path / "above.py", text)
    assert get_scalarizer(f"{file}:Above", level=1.5)(np.arange(5.0)).value == 3.0
    with pytest.raises(ScalarizerError, match="needs the option level"):
        get_scalarizer(f"{file}:Above")


def test_an_edited_file_is_loaded_anew(tmp_path: Path) -> None:
    file = write(tmp_path / "edited.py", "def mine(raw):\n    return 1\n")
    assert get_scalarizer(f"{file}:mine")(None).value == 1.0
    write(file, "def mine(raw):\n    return 22.0\n")
    assert get_scalarizer(f"{file}:mine")(None).value == 22.0


def test_files_of_the_same_name_are_kept_apart(tmp_path: Path) -> None:
    made = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        made.append(get_scalarizer(f"{write(folder / 'mine.py', f'def f(raw): return {number}')}:f"))
    assert [scalarizer(None).value for scalarizer in made] == [1.0, 2.0]


def test_a_file_may_register_its_function_and_so_say_its_raw_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    text = "from dkl_core.scalarizers import register\n@register('mine', raw_kind='pattern')\ndef mine(raw): return 1\n"
    file = write(tmp_path / "registered.py", text)
    assert get_scalarizer(f"{file}:mine").raw_kind == "pattern"
    assert get_scalarizer(f"{file}:mine").raw_kind == "pattern"
    assert get_scalarizer("mine")(None).value == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def other(raw): return 1", "has no 'mine'"),
        ("mine = 3", "int, not a scalarizer"),
        ("def mine(raw) return 1", "SyntaxError"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("raise RuntimeError('no licence')", r"RuntimeError: no licence \(broken\.py, line 1\)"),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(tmp_path: Path, text: str, message: str) -> None:
    file = write(tmp_path / "broken.py", text)
    with pytest.raises(ScalarizerError, match=message):
        get_scalarizer(f"{file}:mine")


def test_a_file_that_fails_while_it_is_loaded_leaves_no_module_behind(tmp_path: Path) -> None:
    before = set(sys.modules)
    file = write(tmp_path / "half.py", "raise RuntimeError")
    with pytest.raises(ScalarizerError, match="RuntimeError"):
        get_scalarizer(f"{file}:mine")
    assert set(sys.modules) == before


def test_a_file_that_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ScalarizerError, match=r"there is no file .*absent\.py"):
        get_scalarizer(f"{tmp_path / 'absent.py'}:mine")


def test_a_module_that_is_not_there_is_explained() -> None:
    with pytest.raises(ScalarizerError, match="module no_such_module: ModuleNotFoundError"):
        get_scalarizer("no_such_module:mine")


def test_an_error_within_a_file_names_the_reference(tmp_path: Path) -> None:
    file = write(tmp_path / "fails.py", "def mine(raw):\n    return raw['missing']\n")
    scalarizer = get_scalarizer(f"{file}:mine")
    with pytest.raises(ScalarizerError, match=r"fails\.py:mine: KeyError: 'missing' \(fails\.py, line 2\)"):
        scalarizer({})


def test_options_that_a_function_does_not_take_are_refused_before_the_run(tmp_path: Path) -> None:
    file = write(tmp_path / "power.py", "def power(raw, exponent=2.0):\n    return raw**exponent\n")
    with pytest.raises(ScalarizerError, match="has no option base; it has exponent"):
        get_scalarizer(f"{file}:power", base=3.0)
