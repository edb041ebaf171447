from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkl_core.errors import InputError
from dkl_core.record import jsontext

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def there_and_back(value: object) -> Any:
    return jsontext.decoded(jsontext.from_text(jsontext.to_text(jsontext.encoded(value, "value"))))


@given(VALUES)
def test_every_json_value_comes_back_equal(value: object) -> None:
    assert there_and_back(value) == value


@given(st.floats(allow_nan=False))
def test_a_float_comes_back_to_the_last_bit(value: float) -> None:
    back = there_and_back(value)
    assert np.float64(back).tobytes() == np.float64(value).tobytes()


def test_nan_comes_back_as_nan() -> None:
    assert math.isnan(there_and_back({"value": [math.nan]})["value"][0])


def test_a_user_key_that_looks_like_the_marker_of_a_float_is_kept() -> None:
    value = {"$float": "nan", "$$float": 1, "$": {"$float": 2.5}}
    assert there_and_back(value) == value


def test_the_text_is_strict_json_of_one_ascii_line() -> None:
    text = jsontext.to_text(jsontext.encoded({"Å": [math.inf, "two\nlines\0"]}, "value"))
    assert text.isascii()
    assert text.isprintable()
    json.loads(text, parse_constant=pytest.fail)


def test_numpy_scalars_and_tuples_become_plain_values() -> None:
    assert there_and_back((np.int16(3), np.float32(0.5), np.bool_(True), np.str_("a"))) == [3, 0.5, True, "a"]


@pytest.mark.parametrize("value", [np.zeros(2), {1, 2}, object(), b"bytes", 1j, np.datetime64("2026-01-01")])
def test_a_value_json_lacks_is_refused_by_its_place(value: object) -> None:
    with pytest.raises(InputError, match=r"tell\.details\[1\]"):
        jsontext.encoded({"details": [0, value]}, "tell")


def test_a_key_that_is_not_text_is_refused() -> None:
    with pytest.raises(InputError, match="key 3"):
        jsontext.encoded({3: 1}, "settings")
