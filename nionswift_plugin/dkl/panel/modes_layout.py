"""Where the controls of the modes are: recorded data beside the microscope, figures and comparisons after a run."""

from __future__ import annotations

import gettext
from typing import Any

from nion.ui import Declarative

_ = gettext.gettext
UI = dict[str, Any]
_WIDTH = 310
_u = Declarative.DeclarativeUI()


def recorded_row() -> UI:
    """Recorded data in place of the microscope."""
    return _u.create_row(
        _u.create_push_button(
            name="recorded_button", text=_("Replay a file…"), on_clicked="recorded_clicked",
            enabled="@binding(can_replay_flag.value)",
            tool_tip=_("A 4D set (.npz) or an earlier run (.h5) stands for the microscope: no probe moves, no dose"),
        ),
        _u.create_push_button(
            name="selected_button", text=_("Replay selected 4D data"), on_clicked="selected_clicked",
            enabled="@binding(can_replay_flag.value)",
            tool_tip=_("The selected data item, a synchronized scan for instance, stands for the microscope"),
        ),
        _u.create_stretch(),
        spacing=4,
    )  # fmt: skip


def afterwards_rows() -> UI:
    """What is made of a run that is over."""
    return _u.create_column(
        _u.create_row(
            _u.create_push_button(
                name="figure_button", text=_("Figure"), on_clicked="figure_clicked",
                enabled="@binding(can_draw_flag.value)",
                tool_tip=_("The run on one page: PNG and PDF beside its file, and in the project"),
            ),
            _u.create_push_button(
                name="compare_button", text=_("Compare"), on_clicked="compare_clicked",
                enabled="@binding(can_draw_flag.value)",
                tool_tip=_("Replay it offline against random sites and a grid of as many"),
            ),
            _u.create_push_button(
                name="repeat_button", text=_("Repeat…"), on_clicked="repeat_clicked",
                enabled="@binding(can_draw_flag.value)",
                tool_tip=_("Load the settings of the run, to change some of them and start again"),
            ),
            _u.create_stretch(),
            spacing=4,
        ),
        _u.create_label(
            name="said_label", text="@binding(said_text.value)", word_wrap=True, width=_WIDTH,
            visible="@binding(said_flag.value)",
        ),
        spacing=4,
    )  # fmt: skip
