"""The buttons of the modes: recorded data in place of the microscope, and what comes after a run."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nion.ui import Declarative
from nion.utils import Model

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController

    from nionswift_plugin.dkl.panel.controller import Controller

_ = gettext.gettext
Widget = Declarative.UIWidget
_RUNS = "Run (*.h5);;All (*.*)"
_SETS = "4D set or run (*.npz *.h5);;All (*.*)"


class ModesView:
    """Binds the modes to their widgets; a part of the panel's view.

    Attributes:
        controller: what the panel does.
    """

    controller: Controller
    _document_controller: DocumentController

    def make_modes(self) -> None:
        """Make what the widgets are bound to; before the widgets."""
        self.said_text: Model.PropertyModel[str] = Model.PropertyModel("")
        self.said_flag: Model.PropertyModel[bool] = Model.PropertyModel(False)
        self.can_replay_flag: Model.PropertyModel[bool] = Model.PropertyModel(False)
        self.can_draw_flag: Model.PropertyModel[bool] = Model.PropertyModel(False)

    def show_modes(self) -> None:
        """Show how things stand; on the main thread."""
        controller = self.controller
        afterwards, coach = controller.modes.afterwards, controller.modes.coach
        is_idle = controller.phase == "idle"
        said = afterwards.doing or afterwards.said
        if coach.is_busy:
            said = _("working out what you missed…")
        self.said_text.value, self.said_flag.value = said, bool(said)
        self.can_replay_flag.value = is_idle and not controller.places.library.is_opening
        self.can_draw_flag.value = is_idle and not afterwards.is_busy

    def recorded_clicked(self, _widget: Widget) -> None:
        """Take a file as the microscope."""
        for path in self._files(_("Replay recorded data"), _SETS):
            self.controller.modes.open_file(path)

    def selected_clicked(self, _widget: Widget) -> None:
        """Take the selected data item as the microscope."""
        self.controller.modes.use_selected()

    def figure_clicked(self, _widget: Widget) -> None:
        """Draw the last run, or another one."""
        self._with_run(_("Draw a run"), self.controller.modes.afterwards.figure)

    def compare_clicked(self, _widget: Widget) -> None:
        """Compare the last run, or another one."""
        self._with_run(_("Compare a run"), self.controller.modes.afterwards.compare)

    def repeat_clicked(self, _widget: Widget) -> None:
        """Load the settings of the last run, or another one."""
        self._with_run(_("Repeat a run"), self.controller.modes.repeat)

    def _with_run(self, title: str, do: Callable[[Path], object]) -> None:
        """Do something with the last run; where there is none yet, the user chooses one."""
        last = self.controller.modes.afterwards.path
        for path in [last] if last is not None else self._files(title, _RUNS):
            do(path)

    def _files(self, title: str, kinds: str) -> list[Path]:
        paths, _filter, _folder = self._document_controller.get_file_paths_dialog(title, "", kinds, None)
        return [Path(path) for path in paths[:1]]
