"""The settings of a sample: kept as JSON, refused when unusable."""

from __future__ import annotations

import json

import pytest

from dkl_core.errors import InputError
from dkl_core.stem import DopantSettings, HoleSettings, SampleSettings, StrainSettings


def test_settings_survive_json() -> None:
    settings = SampleSettings(
        "strained_flake", 33.0, dopants=DopantSettings(count=4), strain=StrainSettings("mos2"), seed=3
    )
    assert SampleSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_missing_fields_take_their_defaults() -> None:
    assert SampleSettings.from_json({"kind": "mnps3", "holes": {"count": 2}}) == SampleSettings(
        "mnps3", holes=HoleSettings(count=2)
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"knid": "mnps3"}, "no field 'knid'"),
        ({"holes": {"radius": 1}}, "no field 'radius'"),
        ({"holes": 3}, "give an object"),
        ({"field_nm": "wide"}, "cannot be made"),
        ({"field_nm": 2.0}, "field_nm is 2, expected 4 to 200"),
        ({"kind": "gold"}, "unknown kind of sample 'gold'"),
        ({"seed": -1}, "seed is -1"),
        ({"dopants": {"count": -2}}, "count is -2"),
        ({"dopants": {"threefold": 0, "fourfold": 0, "trimer": 0}}, "one above 0"),
        ({"strain": {"material": "tin"}}, "unknown material 'tin'"),
        ({"strain": {"bubble": 0.5}}, "bubble is 0.5"),
    ],
)
def test_unusable_settings_are_refused(data, said) -> None:
    with pytest.raises(InputError, match=said):
        SampleSettings.from_json(data)
