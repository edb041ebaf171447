"""The switch of the simulated microscope: a menu item, a setting that Swift remembers, and the environment."""

# ruff: noqa: ARG002 - arguments are Swift's

from __future__ import annotations

import gettext
import logging
from collections.abc import Callable, MutableMapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from nion.swift import Application
from nion.swift.DocumentController import DocumentController
from nion.ui import Window

from nionswift_plugin.dkl_simulator.settings import SimulatorSettings, is_wanted, load, save

if TYPE_CHECKING:
    from nionswift_plugin.dkl_simulator.configuration import Configuration

_ = gettext.gettext
ACTION_ID = "dkl_simulator.switch"
MENU_ID = "dkl_menu"
_logger = logging.getLogger(__name__)


class Switch:
    """Puts the simulated microscope into Swift and takes it out.

    Args:
        folder: gives Swift's configuration folder, None where there is none.
    """

    def __init__(self, folder: Callable[[], Path | None]) -> None:
        self._folder = folder
        self._configuration: Configuration | None = None
        self._settings: SimulatorSettings | None = None

    @property
    def settings(self) -> SimulatorSettings | None:
        """What the microscope was made of, None while it is off."""
        return self._settings if self.is_on else None

    @property
    def configuration(self) -> Configuration | None:
        """The devices while Swift lists them."""
        return self._configuration

    @property
    def is_on(self) -> bool:
        """Whether Swift lists the microscope."""
        return self._configuration is not None

    def start(self) -> None:
        """Switch on if the settings or the environment say so."""
        if is_wanted(load(self._folder())):
            self.turn_on()

    def toggle(self) -> None:
        """Switch on or off and remember it."""
        if self.is_on:
            self.turn_off()
        else:
            self.turn_on()
        save(self._folder(), replace(load(self._folder()), enabled=self.is_on))

    def turn_on(self, settings: SimulatorSettings | None = None) -> None:
        """Let Swift list the microscope; it is built in the background.

        Args:
            settings: what it is made of, not remembered; None takes what the user has set.
        """
        # What the microscope is made of takes a moment to import, which Swift's start need not wait for.
        from dkl_core.stem.detectors import DetectorSettings
        from nionswift_plugin.dkl_simulator.configuration import Configuration

        if self._configuration is not None:
            return
        settings = settings or load(self._folder())
        configuration = Configuration(
            settings.sample,
            settings.realism,
            seed=settings.seed,
            optics=settings.optics,
            detector=DetectorSettings(shape=(settings.sensor_px, settings.sensor_px)),
        )
        configuration.run()
        configuration.warm_up()
        self._configuration, self._settings = configuration, settings
        _logger.info("the simulated microscope is on")

    def turn_off(self) -> None:
        """Take the microscope out of Swift."""
        configuration, self._configuration = self._configuration, None
        if configuration is not None:
            configuration.stop()
            _logger.info("the simulated microscope is off")


class SwitchAction(Window.Action):
    """The menu item.

    Args:
        switch: what it switches.
    """

    action_id = ACTION_ID
    action_name = _("Simulated Microscope")

    def __init__(self, switch: Switch) -> None:
        super().__init__()
        self._switch = switch

    def execute(self, context: Window.ActionContext) -> Window.ActionResult:
        """Switch on or off."""
        self._switch.toggle()
        return Window.ActionResult(Window.ActionStatus.FINISHED)

    def is_checked(self, context: Window.ActionContext) -> bool:
        """Whether Swift lists the microscope."""
        return self._switch.is_on


def run() -> None:
    """Add the menu item, and the microscope if it is switched on. Swift's instrumentation runs already."""
    global _switch
    if _switch is not None:
        return
    _switch = Switch(_configuration_folder)
    Window.register_action(SwitchAction(_switch))
    application = _application()
    if application is not None:
        application.register_menu_handler(_add_to_menu)
    _switch.start()


def stop() -> None:
    """Undo `run`."""
    global _switch
    if _switch is None:
        return
    _switch.turn_off()
    _switch = None
    cast(MutableMapping[str, Window.Action], Window.actions).pop(ACTION_ID, None)
    application = _application()
    if application is not None and _add_to_menu in application.menu_handlers:
        application.unregister_menu_handler(_add_to_menu)


def switch() -> Switch | None:
    """The switch while the extension runs."""
    return _switch


_switch: Switch | None = None


def _add_to_menu(window: DocumentController) -> None:
    menu = window.get_or_create_menu(MENU_ID, _("DKL"), "window_menu")
    menu.add_menu_item(SwitchAction.action_name, partial(window.perform_action, ACTION_ID), action_id=ACTION_ID)
    if menu.on_about_to_show is None:
        # As Swift's own menus do: it sets the check mark.
        menu.on_about_to_show = partial(window._menu_about_to_show, menu)  # noqa: SLF001


def _application() -> Application.Application | None:
    application: Application.Application | None = Application.app
    return application


def _configuration_folder() -> Path | None:
    from nionswift_plugin import nion_instrumentation_ui

    folder = nion_instrumentation_ui.configuration_location
    return None if folder is None else Path(folder)
