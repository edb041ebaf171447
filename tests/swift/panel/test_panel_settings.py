"""What the microscopist sets, what it means to the experiment, and its text file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dkl_core.errors import InputError
from dkl_core.goal import Goal
from nionswift_plugin.dkl.display.site_area import Shape
from nionswift_plugin.dkl.panel import fields, summary
from nionswift_plugin.dkl.panel.estimate import estimate
from nionswift_plugin.dkl.panel.model import PanelSettings
from nionswift_plugin.dkl.panel.presets import presets
from nionswift_plugin.dkl.panel.status import RunStatus
from nionswift_plugin.dkl.panel.wording import PROPERTIES, duration, with_unit


def test_the_text_file_gives_all_settings_back(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    shape = Shape("ellipse", (0.5, 0.25), (0.1, 0.2), 0.3)
    settings = PanelSettings(
        region=shape, forbidden=(shape,), options={"rotation_deg": 12.0}, aim="value", value=0.3, minutes=2.5
    )
    settings.save(path)
    assert PanelSettings.load(path) == settings


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "other"}', '{"kind": "dkl experiment", "colour": 1}'])
def test_a_text_that_holds_no_settings_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        PanelSettings.from_text(text)


def test_what_is_missing_in_an_older_file_takes_its_default() -> None:
    assert PanelSettings.from_text('{"kind": "dkl experiment", "sites": 40}') == PanelSettings(sites=40)


@pytest.mark.parametrize(
    ("aim", "goal", "ranking"),
    [
        ("strongest", Goal("maximise"), "ei"),
        ("weakest", Goal("minimise"), "ei"),
        ("value", Goal("target", 2.0), "ei"),
        ("explore", Goal("maximise"), "uncertainty"),
    ],
)
def test_an_aim_is_a_goal_and_a_strategy_that_suits_it(aim: Any, goal: Goal, ranking: str) -> None:
    settings = PanelSettings(aim=aim, value=2.0)
    assert settings.goal == goal
    assert settings.experiment().acquisition.name == ranking


@pytest.mark.parametrize(
    "change",
    [{"sites": 1}, {"patch_px": 0}, {"every_px": 0}, {"skip_percent": 100.0}, {"minutes": 0.0}, {"exposure_ms": 0.0},
     {"million_electrons": -1.0}, {"follow_every": -1}, {"aim": "nicest"}],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_when_it_is_typed(change: Any) -> None:
    with pytest.raises(InputError):
        PanelSettings().with_(**change)


def test_few_sites_leave_the_model_half_of_them() -> None:
    assert PanelSettings(sites=10, seeds=20).experiment().seeds.count == 5


def test_every_preset_can_be_used() -> None:
    known = {shown.name for shown in PROPERTIES}
    mine = PanelSettings(camera="mine", fov_nm=7.0)
    for preset in presets():
        settings = preset.applied(mine)
        assert settings.measured in known
        assert (settings.camera, settings.fov_nm) == ("mine", 7.0)


def test_every_property_of_the_panel_is_a_scalarizer() -> None:
    from dkl_core.scalarizers import available_scalarizers, block_of, get_scalarizer

    known = {info.name for info in available_scalarizers()}
    for shown in PROPERTIES:
        assert shown.name in known
        block = block_of(get_scalarizer(shown.name))
        assert shown.patterns == (1 if block is None else block.n**2)


def test_the_first_limit_ends_the_run() -> None:
    settings = PanelSettings(sites=100, exposure_ms=40.0)
    assert estimate(settings, 1000).measured == 100
    assert estimate(settings, 50).limit == "all"
    in_time = estimate(settings.with_(minutes=(12.5 * 0.56 + 4) / 60), 1000, site_s=0.5)
    assert (in_time.limit, in_time.measured, in_time.share) == ("time", 12, 0.012)
    by_dose = estimate(settings.with_(million_electrons=1.0), 1000, site_electrons=1e5)
    assert (by_dose.limit, by_dose.measured, by_dose.saving) == ("dose", 10, 100)


def test_what_comes_beside_the_patterns_costs_too() -> None:
    settings = PanelSettings(sites=100, survey_px=100, dwell_us=10.0, current_pa=16.02, dark_frames=0)
    plain, dark = estimate(settings, 1000), estimate(settings.with_(dark_frames=10), 1000)
    assert dark.seconds - plain.seconds == pytest.approx(10 * (0.02 + 0.06))
    assert plain.seconds > 100 * 0.02 + 100 * 0.06
    followed = estimate(settings.with_(follow_every=10), 1000)
    # ten scans of 40 × 40 px
    assert followed.electrons - plain.electrons == pytest.approx(10 * 1600 * 1e-5 * 1e8, rel=1e-3)
    assert followed.seconds - plain.seconds == pytest.approx(10 * (0.016 + 0.25))


def test_progress_says_what_is_spent_and_of_how_much() -> None:
    status = RunStatus(46, 100, 75.0, 4.2e6, seconds_limit=300.0, electron_limit=1e7, drift_nm=0.31)
    shown = summary.progress("running", status)
    assert "46 / 100" in shown
    assert "1:15 min of 5:00 min" in shown
    assert "4.2 × 10⁶ e⁻ of 10 × 10⁶ e⁻" in shown
    assert "left" in shown
    assert "drift 0.31 nm" in summary.found(status, "mrad")


def test_a_dose_needs_the_beam_current() -> None:
    assert estimate(PanelSettings(), 1000).electrons is None
    settings = PanelSettings(current_pa=16.02, exposure_ms=20.0, survey_px=100, dwell_us=10.0)
    # 100 patterns of 20 ms, each with 50 ms of the beam on the sample beside; a survey of 0.1 s
    assert estimate(settings, 1000).electrons == pytest.approx((100 * 0.07 + 0.1) * 1e8, rel=1e-3)


def test_options_are_typed_as_names_and_values() -> None:
    typed = fields.options("rotation_deg=12.5; flip=yes, n=3, reference=none")
    assert typed == {"rotation_deg": 12.5, "flip": True, "n": 3, "reference": None}
    assert fields.options(fields.shown_options({"flip": False, "margin": 0.1})) == {"flip": False, "margin": 0.1}
    with pytest.raises(InputError, match="rotation_deg=12"):
        fields.options("rotation_deg")


def test_values_and_times_are_shown_with_their_units() -> None:
    assert with_unit(0.4213, "mrad", 0.021) == "0.421 ± 0.021 mrad"
    assert duration(75) == "1:15 min"
    assert duration(3700) == "1:01 h"


def test_opening_the_panel_does_not_load_the_model() -> None:
    code = (
        "import sys, nionswift_plugin.dkl.panel.view; assert not {'torch', 'gpytorch', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
