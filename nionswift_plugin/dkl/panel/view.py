"""The panel's looks: numbered steps from top to bottom, every number with its unit."""

from __future__ import annotations

import gettext
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nion.swift import DisplayPanel
from nion.ui import Declarative
from nion.utils import Geometry, Model

from dkl_core.errors import DKLError
from nionswift_plugin.dkl.panel import fields, summary
from nionswift_plugin.dkl.panel.controller import Controller
from nionswift_plugin.dkl.panel.fields import ChoiceField, TextField
from nionswift_plugin.dkl.panel.layout import panel_layout
from nionswift_plugin.dkl.panel.modes_view import ModesView
from nionswift_plugin.dkl.panel.notices import notify
from nionswift_plugin.dkl.panel.presets import presets
from nionswift_plugin.dkl.panel.room import make_room
from nionswift_plugin.dkl.panel.wording import AIMS, MODES, PROPERTIES, SEED_METHODS, STRATEGIES, WORKFLOWS

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController
    from nion.swift.model.DisplayItem import DisplayItem

_ = gettext.gettext
Widget = Declarative.UIWidget
_FILTER = "DKL (*.json);;Run (*.h5);;All (*.*)"


class View(ModesView, Declarative.Handler):
    """Binds the controller to the widgets.

    Args:
        document_controller: the window.
        controller: what the panel does; it is closed with the view.
    """

    def __init__(self, document_controller: DocumentController, controller: Controller) -> None:
        super().__init__()
        self._document_controller, self.controller = document_controller, controller
        self._make_fields()
        self._make_models()
        self.make_modes()
        self.ui_view = panel_layout()
        self._listeners = [
            controller.changed.listen(self.refresh),
            DisplayPanel.DisplayPanelManager().image_display_clicked_event.listen(self._image_clicked),
        ]
        self.refresh()

    def close(self) -> None:
        """The window closes."""
        for listener in self._listeners:
            listener.close()
        self._listeners = []
        self.controller.close()
        super().close()

    def _make_fields(self) -> None:
        whole, number, maybe, shown = fields.whole, fields.number, fields.or_nothing, fields.shown
        typed: dict[str, Callable[[str], Any]] = {
            "survey_px": whole,
            "fov_nm": maybe(number),
            "dwell_us": maybe(number),
            "patch_px": whole,
            "every_px": whole,
            "value": maybe(number),
            "structure_px": maybe(whole),
            "target_file": maybe(str),
            "sites": whole,
            "minutes": maybe(number),
            "million_electrons": maybe(number),
            "exposure_ms": number,
            "binning": maybe(whole),
            "current_pa": maybe(number),
            "dark_frames": whole,
            "follow_every": whole,
            "seeds": whole,
            "random_seed": whole,
            "folder": maybe(str),
        }
        self.fields: dict[str, TextField | ChoiceField] = {
            name: TextField(name, parse, shown, self._change) for name, parse in typed.items()
        }
        self.fields["options"] = TextField("options", fields.options, fields.shown_options, self._change)
        for name, choices in (
            ("instrument", ()),
            ("camera", ()),
            ("measured", [(each.name, each.title) for each in PROPERTIES]),
            ("aim", AIMS),
            ("workflow", WORKFLOWS),
            ("strategy", STRATEGIES),
            ("mode", MODES),
            ("seed_method", SEED_METHODS),
        ):
            self.fields[name] = ChoiceField(name, choices, self._change)
        for name, field in self.fields.items():
            setattr(self, f"{name}_field", field)

    def _make_models(self) -> None:
        self.skip_model: Model.PropertyModel[int] = Model.PropertyModel(0)
        self.skip_model.on_value_changed = lambda percent: self._change(lambda: {"skip_percent": float(percent or 0)})
        self.preset_names = [_("Presets…"), *(preset.name for preset in presets())]
        self.preset_model: Model.PropertyModel[int] = Model.PropertyModel(0)
        self.preset_model.on_value_changed = self._preset_chosen
        self.text: dict[str, Model.PropertyModel[str]] = {}
        for name in (
            "device", "survey", "patch_nm", "grid", "unit", "live", "trial", "estimate", "progress", "best", "message",
            "pause", "frame_fold", "options_fold", "advanced_fold", "override_fold", "option_hint", "stop",
        ):  # fmt: skip
            model: Model.PropertyModel[str] = Model.PropertyModel("")
            self.text[name] = model
            setattr(self, f"{name}_text", model)
        self.flag: dict[str, Model.PropertyModel[bool]] = {}
        for name in (
            "consent", "free", "can_try", "can_start", "can_pause", "can_step", "can_stop", "can_steer", "value",
            "structure", "live", "trial", "frame", "options", "advanced", "override", "click",
        ):  # fmt: skip
            flag: Model.PropertyModel[bool] = Model.PropertyModel(False)
            self.flag[name] = flag
            setattr(self, f"{name}_flag", flag)
        self.share_model: Model.PropertyModel[int] = Model.PropertyModel(0)

    # ------------------------------------------------------------------ showing

    def refresh(self) -> None:
        """Show how things stand; on the main thread."""
        controller, settings = self.controller, self.controller.settings
        self._offer("instrument", [(choice.key, choice.title) for choice in controller.instruments])
        self._offer("camera", [(choice.key, choice.title) for choice in controller.cameras])
        for field in self.fields.values():
            field.follow(settings)
        self.skip_model.value = round(settings.skip_percent)
        self._show(self.text, summary.texts(controller))
        self._show(self.flag, summary.flags(controller))
        self._show_folds()
        self.show_modes()
        status = controller.status
        self.share_model.value = 0 if status is None else round(100 * status.share)

    def _show(self, models: Mapping[str, Model.PropertyModel[Any]], values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            models[name].value = value

    def _show_folds(self) -> None:
        for name, title in (
            ("frame", _("Frame")),
            ("options", _("Options")),
            ("advanced", _("Advanced")),
            ("override", _("By hand")),
        ):
            self.text[f"{name}_fold"].value = f"{'▾' if self.flag[name].value else '▸'} {title}"

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, ChoiceField)
        field.offer(choices or [("", _("none"))])

    # ------------------------------------------------------------------ typing and choosing

    def _change(self, changes: Callable[[], Mapping[str, Any]]) -> None:
        try:
            self.controller.change(**changes())
        except DKLError as error:
            self.controller.message = str(error)
            notify(_("Settings"), str(error))
            self.refresh()

    def _preset_chosen(self, index: int | None) -> None:
        if index:
            self.controller.adopt(presets()[index - 1].applied(self.controller.settings))
            self.preset_model.value = 0

    def _toggle(self, name: str) -> None:
        self.flag[name].value = not self.flag[name].value
        self._show_folds()

    # ------------------------------------------------------------------ buttons

    def consent_clicked(self, _widget: Widget) -> None:
        """The user agrees to the use of a real microscope."""
        self.controller.consent()

    def acquire_clicked(self, _widget: Widget) -> None:
        """Take a survey."""
        self.controller.acquire_survey()

    def displayed_clicked(self, _widget: Widget) -> None:
        """Use the displayed image."""
        self.controller.use_displayed()

    def region_clicked(self, _widget: Widget) -> None:
        """Draw a region."""
        self.controller.draw_region()

    def forbidden_clicked(self, _widget: Widget) -> None:
        """Draw a forbidden rectangle."""
        self.controller.draw_forbidden()

    def clear_clicked(self, _widget: Widget) -> None:
        """Take the rectangles away."""
        self.controller.clear_drawn()

    def live_clicked(self, _widget: Widget) -> None:
        """Try the live pattern."""
        self.controller.try_live()

    def try_clicked(self, _widget: Widget) -> None:
        """Try a few sites."""
        self.controller.try_sites()

    def start_clicked(self, _widget: Widget) -> None:
        """Begin."""
        self.controller.start()

    def pause_clicked(self, _widget: Widget) -> None:
        """Pause or go on."""
        self.controller.pause()

    def step_clicked(self, _widget: Widget) -> None:
        """Measure one site."""
        self.controller.step()

    def stop_clicked(self, _widget: Widget) -> None:
        """End."""
        self.controller.stop()

    def accept_clicked(self, _widget: Widget) -> None:
        """Keep the last measurement."""
        self.controller.accept()

    def reject_clicked(self, _widget: Widget) -> None:
        """Drop the last measurement."""
        self.controller.reject()

    def undo_clicked(self, _widget: Widget) -> None:
        """Use it again."""
        self.controller.undo()

    def frame_clicked(self, _widget: Widget) -> None:
        """Fold the frame's settings out or in."""
        self._toggle("frame")

    def options_clicked(self, _widget: Widget) -> None:
        """Fold the property's options out or in."""
        self._toggle("options")

    def advanced_clicked(self, _widget: Widget) -> None:
        """Fold the advanced settings out or in."""
        self._toggle("advanced")

    def override_clicked(self, _widget: Widget) -> None:
        """Fold what is done by hand out or in."""
        self._toggle("override")

    def workspace_clicked(self, _widget: Widget) -> None:
        """Arrange the window for a run."""
        make_room(self._document_controller)

    def save_clicked(self, _widget: Widget) -> None:
        """Save the settings."""
        path, _filter, _folder = self._document_controller.get_save_file_path(_("Save settings"), "", _FILTER)
        if path:
            self.controller.save(Path(path))

    def load_clicked(self, _widget: Widget) -> None:
        """Load settings, of a text file or of a run."""
        for path in self._chosen_files(_("Load settings")):
            self.controller.load(path)

    def resume_clicked(self, _widget: Widget) -> None:
        """Go on with an earlier run."""
        for path in self._chosen_files(_("Resume a run")):
            self.controller.resume_file(path)

    def _chosen_files(self, title: str) -> list[Path]:
        paths, _filter, _folder = self._document_controller.get_file_paths_dialog(title, "", _FILTER, None)
        return [Path(path) for path in paths[:1]]

    def _image_clicked(
        self, _panel: object, item: DisplayItem, position: Geometry.FloatPoint, _modifiers: object
    ) -> bool:
        if not self.flag["click"].value:
            return False
        place = self.controller.place_on_survey(item, position)
        if place is not None:
            self.controller.measure_at(*place)
        return place is not None
