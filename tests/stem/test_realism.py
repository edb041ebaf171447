from __future__ import annotations

import json
from dataclasses import fields

import pytest

from dkl_core.errors import InputError
from dkl_core.stem.realism import Realism


@pytest.mark.parametrize("name", ["ideal", "realistic", "hostile"])
def test_presets_survive_json(name: str) -> None:
    realism = Realism.named(name)
    assert Realism.from_json(json.loads(json.dumps(realism.to_json()))) == realism


def test_every_part_has_a_switch_that_ideal_turns_off() -> None:
    ideal = Realism.ideal()
    parts = [getattr(ideal, item.name) for item in fields(ideal) if item.name != "current_pa"]
    assert len(parts) == 9
    assert not any(part.on for part in parts)


def test_missing_fields_take_their_defaults() -> None:
    assert Realism.from_json({"drift": {"on": False}}).projection == Realism().projection


def test_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="choose from ideal, realistic, hostile"):
        Realism.named("perfect")


@pytest.mark.parametrize(
    "data",
    [
        {"drfit": {}},
        {"drift": {"speed": 1}},
        {"drift": {"walk_nm": -1}},
        {"drift": {"on": 1}},
        {"drift": {"velocity_nm_per_min": [1]}},
        {"damage": {"table": [{"element": 6}]}},
        {"current_pa": "many"},
    ],
)
def test_unusable_settings_are_refused(data: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Realism.from_json(data)
