"""Settings from their JSON form: what is given, what is missing, what cannot be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from dkl_core.errors import InputError
from dkl_core.settings_json import made, mapping


@dataclass(frozen=True)
class Row:
    name: str
    share: float


@dataclass(frozen=True)
class Part:
    at: tuple[float, float] = (0.0, 0.0)
    on: bool = True


@dataclass(frozen=True)
class Whole:
    count: int = 3
    share: float = 0
    label: str = ""
    limit: float | None = None
    part: Part = field(default_factory=Part)
    rows: tuple[Row, ...] = (Row("a", 1.0),)
    other: object = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 0:
            raise InputError("limit is below 0")


def test_what_is_missing_takes_its_default() -> None:
    assert made(Whole, {}) == Whole()
    assert made(Whole, {"share": 2, "part": {"on": False}}) == Whole(share=2, part=Part(on=False))


def test_pairs_and_rows_are_made_of_lists() -> None:
    found = made(Whole, {"part": {"at": [1, 2.5]}, "rows": [{"name": "b", "share": 2}]})
    assert found == Whole(part=Part(at=(1.0, 2.5)), rows=(Row("b", 2),))


def test_a_field_may_be_made_in_its_own_way() -> None:
    assert made(Whole, {"other": 2}, {"other": lambda value: value * 2}).other == 4


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (5, "Whole cannot be made of 5: .*give an object"),
        ({"cuont": 1}, "Whole has no field 'cuont'; choose among count, share"),
        ({"count": 2.5}, "Whole cannot be made: count of Whole is 2.5; give a whole number"),
        ({"count": True}, "count of Whole is True; give a whole number"),
        ({"share": "much"}, "share of Whole is 'much'; give a number"),
        ({"share": float("nan")}, "share of Whole is nan; give a number"),
        ({"label": 3}, "label of Whole is 3; give a text"),
        ({"part": {"on": 1}}, "on of Part is 1; give true or false"),
        ({"part": {"at": [1]}}, r"at of Part is \[1\]; give two finite numbers"),
        ({"part": 3}, "Part cannot be made of 3"),
        ({"rows": 3}, "rows of Whole is 3; give a list of objects"),
        ({"rows": [{"name": "b"}]}, "Row cannot be made of .*'share'"),
        ({"rows": [{"nmae": "b"}]}, "Row has no field 'nmae'; choose among name, share"),
        ({"limit": "low"}, "Whole cannot be made of .*; correct the values"),
        ({"limit": -1}, "limit is below 0"),
    ],
)
def test_what_cannot_be_is_said(data: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(Whole, data)


def test_a_mapping_is_a_copy() -> None:
    data = {"a": 1}
    mapping(data)["a"] = 2
    assert data == {"a": 1}
