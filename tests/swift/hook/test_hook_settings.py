"""Settings of the acquisition."""

from __future__ import annotations

import json

import pytest

from dkl_core.errors import InputError
from nionswift_plugin.dkl.acquisition.settings import (
    BeamSettings,
    DriftSettings,
    HookSettings,
    PatternSettings,
    SurveySettings,
)


def test_settings_come_back_from_json() -> None:
    settings = HookSettings(
        consent=True,
        survey=SurveySettings("last", 128, 20.0),
        pattern=PatternSettings(10.0, 2, "sequence"),
        beam=BeamSettings(park=(0.5, 0.25), current_pa=30.0),
        drift=DriftSettings(every_sites=10, kind="frame"),
        margin=0.02,
    )
    assert HookSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_missing_fields_take_their_defaults() -> None:
    settings = HookSettings.from_json({"pattern": {"exposure_ms": 5.0}})
    assert settings == HookSettings(pattern=PatternSettings(exposure_ms=5.0))


@pytest.mark.parametrize("data", [{"exposure": 5}, {"beam": {"current": 1}}, {"beam": 5}, []])
def test_unknown_fields_are_refused(data: object) -> None:
    with pytest.raises(InputError, match=r"cannot be made of|has no field"):
        HookSettings.from_json(data)  # type: ignore[arg-type]


def test_consent_is_not_given_unless_it_is() -> None:
    assert not HookSettings().consent


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (SurveySettings, {"source": "file"}, "source is 'file'; choose one of scan, last"),
        (SurveySettings, {"fov_nm": -1.0}, "fov_nm is -1.0"),
        (PatternSettings, {"exposure_ms": 0.0}, "exposure_ms is 0.0"),
        (PatternSettings, {"mode": "fast"}, "choose one of record, sequence, live"),
        (PatternSettings, {"settle_ms": float("nan")}, "settle_ms is nan"),
        (BeamSettings, {"park": (0.5, 1.5)}, "fractions of the frame"),
        (BeamSettings, {"open": 1.0}, "two different ones"),
        (DriftSettings, {"share": 0.0}, "give 0.05 to 1"),
        (DriftSettings, {"min_score": 1.0}, "correlation coefficient"),
        (HookSettings, {"margin": 0.5}, "the margin is 0.5"),
    ],
)
def test_unusable_values_are_named(kind: type, values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        kind(**values)
