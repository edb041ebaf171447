"""Where everything is on the panel."""

from __future__ import annotations

import gettext
from typing import Any

from nion.ui import Declarative

from nionswift_plugin.dkl.panel.modes_layout import afterwards_rows, recorded_row

_ = gettext.gettext
UI = dict[str, Any]
_NARROW, _WIDTH, _LEAST_HEIGHT = 46, 330, 140
_u = Declarative.DeclarativeUI()


def panel_layout() -> UI:
    """The whole panel: what is set up scrolls where the screen is low; the run below it is always in sight."""
    steps = _u.create_column(
        _microscope(), _survey(), _where(), _what(), _how_much(), _advanced(), _u.create_stretch(), spacing=4, margin=6
    )
    # what scrolls has no width of its own, and other panels would leave it no height
    scrolled = _u.create_scroll_area(
        steps, horizontal_scroll_bar_policy="off", min_width=_WIDTH + 40, min_height=_LEAST_HEIGHT
    )
    return _u.create_column(scrolled, _u.create_row(_run(), margin=6), spacing=2)


def _microscope() -> UI:
    return _u.create_column(
        _row(
            _u.create_combo_box(
                name="preset_combo",
                items_ref="preset_names",
                current_index="@binding(preset_model.value)",
                width=_WIDTH - 110,
            ),
            _button("workspace", _("Lay out"), None, _("Six views for the run; other panels are in the menu Window")),
        ),
        _row(_label(_("Microscope")), _combo("instrument")),
        _row(_label(_("Camera")), _combo("camera")),
        recorded_row(),
        _lines("device"),
        _u.create_column(
            _u.create_push_button(
                text=_("I agree: use this microscope"), name="consent_button", on_clicked="consent_clicked"
            ),
            visible="@binding(consent_flag.value)",
        ),
        spacing=4,
    )


def _survey() -> UI:
    return _step(
        _("1 Survey"),
        _fold(
            "frame",
            [
                _button("acquire", _("Acquire"), "free", _("Scan one frame of the sample")),
                _button("displayed", _("Use displayed image"), None, _("Use the selected HAADF scan, without dose")),
            ],
            _row(_edit("survey_px"), _label("px"), _edit("fov_nm"), _label("nm"), _edit("dwell_us"), _label("µs/px")),
        ),
        _text("survey"),
    )


def _where() -> UI:
    return _step(
        _("2 Where"),
        _row(
            _label(_("Patch")),
            _edit("patch_px"),
            _text("patch_nm"),
            _u.create_spacing(8),
            _label(_("Every")),
            _edit("every_px"),
            _label("px"),
        ),
        _row(
            _label(_("Skip darker than")),
            _u.create_slider(name="skip_slider", value="@binding(skip_model.value)", minimum=0, maximum=99, width=110),
            _label("%"),
        ),
        _row(
            _button("region", _("Draw region"), None, _("Sites lie within this rectangle")),
            _button("forbidden", _("Draw forbidden"), None, _("No site lies within this rectangle")),
            _button("clear", _("Clear"), None, _("Use the whole image")),
        ),
        _lines("grid"),
    )


def _what() -> UI:
    return _step(
        _("3 What"),
        _row(_label(_("Property")), _combo("measured")),
        _fold(
            "options",
            [
                _button("live", _("Value now"), None, _("What the pattern on the camera's display gives")),
                _button("try", _("Try 5 sites"), "can_try", _("Measure five sites, from dark to bright")),
            ],
            _edit("options", width=_WIDTH - 40),
            _lines("option_hint"),
        ),
        _lines("live", visible="@binding(live_flag.value)"),
        _lines("trial", visible="@binding(trial_flag.value)"),
        _row(
            _label(_("Goal")),
            _combo("aim"),
            _u.create_row(_edit("value"), _text("unit"), spacing=4, visible="@binding(value_flag.value)"),
        ),
        _u.create_column(
            _row(_combo("workflow"), _label(_("in")), _edit("structure_px"), _label("px")),
            _row(_label(_("or a saved target")), _edit("target_file", width=_WIDTH - 140)),
            spacing=4,
            visible="@binding(structure_flag.value)",
        ),
    )


def _how_much() -> UI:
    return _step(
        _("4 How much"),
        _row(
            _label(_("Sites")), _edit("sites"), _u.create_spacing(8), _label(_("Time")), _edit("minutes"), _label("min")
        ),
        _row(_label(_("Dose")), _edit("million_electrons"), _label(_("× 10⁶ e⁻ (the first limit ends it)"))),
        _lines("estimate"),
    )


def _advanced() -> UI:
    return _fold(
        "advanced",
        [],
        _row(_label(_("Exposure")), _edit("exposure_ms"), _label("ms"), _label(_("Binning")), _edit("binning")),
        _row(_label(_("Take patterns by")), _combo("mode")),
        _row(_label(_("Beam current")), _edit("current_pa"), _label(_("pA (empty: as measured)"))),
        _row(
            _label(_("Dark frames")),
            _edit("dark_frames"),
            _label(_("Drift every")),
            _edit("follow_every"),
            _label(_("sites")),
        ),
        _row(_label(_("First")), _edit("seeds"), _label(_("sites")), _combo("seed_method")),
        _row(_label(_("Strategy")), _combo("strategy")),
        _row(_label(_("Random seed")), _edit("random_seed")),
        _row(_label(_("Folder")), _edit("folder", width=200)),
        _row(
            _button("save", _("Save settings…"), None, _("Write a small text file")),
            _button("load", _("Load settings…"), None, _("Of a text file, or of an earlier run")),
        ),
        _row(_button("resume", _("Resume a run…"), "free", _("Go on where an earlier run ended"))),
    )


def _run() -> UI:
    return _u.create_column(
        _row(
            _button("start", _("Start"), "can_start", _("Begin a new experiment")),
            _u.create_push_button(
                name="pause_button", text="@binding(pause_text.value)", on_clicked="pause_clicked",
                enabled="@binding(can_pause_flag.value)",
            ),
            _button("step", _("Step"), "can_step", _("Measure one site, then wait")),
            _u.create_push_button(
                name="stop_button", text="@binding(stop_text.value)", on_clicked="stop_clicked",
                enabled="@binding(can_stop_flag.value)", tool_tip=_("End after this site; press again to end at once"),
            ),
        ),
        _u.create_progress_bar(value="@binding(share_model.value)", minimum=0, maximum=100, width=_WIDTH),
        _lines("progress"),
        _lines("best"),
        _lines("message"),
        afterwards_rows(),
        _fold(
            "override",
            [],
            _row(
                _button("accept", _("Accept"), "can_steer", _("Keep the last measurement and go on by one")),
                _button("reject", _("Reject"), "can_steer", _("Learn nothing from the last measurement")),
                _button("undo", _("Undo"), "can_steer", _("Use the measurement again that was rejected last")),
            ),
            _u.create_check_box(
                name="click_check", text=_("A click on a map measures there next"), checked="@binding(click_flag.value)"
            ),
        ),
        spacing=4,
    )  # fmt: skip


def _step(title: str, *content: UI) -> UI:
    return _u.create_group(_u.create_column(*content, spacing=4, margin=4), title=title)


def _fold(name: str, beside: list[UI], *content: UI) -> UI:
    """What is folded away until its button is pressed, with others beside that button."""
    head = _u.create_push_button(
        name=f"{name}_button", text=f"@binding({name}_fold_text.value)", on_clicked=f"{name}_clicked"
    )
    body = _u.create_column(*content, spacing=4, visible=f"@binding({name}_flag.value)")
    return _u.create_column(_row(*beside, head), body, spacing=4)


def _row(*content: UI) -> UI:
    return _u.create_row(*content, _u.create_stretch(), spacing=4)


def _label(text: str) -> UI:
    return _u.create_label(text=text, text_alignment_vertical="vcenter")


def _lines(name: str, **how: str) -> UI:
    """A text that may be long."""
    return _u.create_label(name=f"{name}_label", text=f"@binding({name}_text.value)", word_wrap=True, **how)


def _text(name: str) -> UI:
    return _u.create_label(name=f"{name}_label", text=f"@binding({name}_text.value)", text_alignment_vertical="vcenter")


def _edit(name: str, width: int = _NARROW) -> UI:
    return _u.create_line_edit(name=f"{name}_edit", text=f"@binding({name}_field.text.value)", width=width)


def _combo(name: str) -> UI:
    return _u.create_combo_box(
        name=f"{name}_combo",
        items_ref=f"@binding({name}_field.titles.value)",
        current_index=f"@binding({name}_field.index.value)",
    )


def _button(name: str, text: str, enabled: str | None, tip: str) -> UI:
    extra = {} if enabled is None else {"enabled": f"@binding({enabled}_flag.value)"}
    return _u.create_push_button(name=f"{name}_button", text=text, on_clicked=f"{name}_clicked", tool_tip=tip, **extra)
