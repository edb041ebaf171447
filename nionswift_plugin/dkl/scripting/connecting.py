"""From what Swift hands a script to the panel of a window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from dkl_core.errors import InputError
from nionswift_plugin.dkl.acquisition.main_loop import EventLoopMain, MainLoopClosedError
from nionswift_plugin.dkl.panel.panel import DKLPanel
from nionswift_plugin.dkl.panel.room import PANEL_ID
from nionswift_plugin.dkl.scripting.panel import ScriptedPanel
from nionswift_plugin.dkl.scripting.waiting import WaitError

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController


@runtime_checkable
class ApiBroker(Protocol):
    """What Swift passes to `script_main`."""

    def get_interactive(self, version: str, /) -> Any:
        """The window of the script."""


def connect(window: DocumentController | ApiBroker) -> ScriptedPanel:
    """The panel of a window, for a script.

    Args:
        window: what Swift passed to `script_main` (Cancel then ends the waiting, too), or a window, as `_window` in the
            Python Console.

    Raises:
        InputError: it is no window of Swift, or the plug-in is not loaded there.
        WaitError: Swift's main thread does not answer.
    """
    is_cancelled: Callable[[], bool] = _never
    if isinstance(window, ApiBroker):
        script = window.get_interactive("1.0")
        window, is_cancelled = script.document_controller, lambda: bool(script.cancelled)
    if not hasattr(window, "find_dock_panel"):
        raise InputError(
            f"{type(window).__name__} is no window of Swift; give api_broker in a script, _window in the Python Console"
        )
    document_controller = cast("DocumentController", window)
    try:
        panel = EventLoopMain(document_controller.event_loop).call(lambda: _panel_of(document_controller))
    except MainLoopClosedError as error:
        raise WaitError(str(error)) from error
    return ScriptedPanel(document_controller, panel.view.controller, is_cancelled)


def _panel_of(document_controller: DocumentController) -> DKLPanel:
    panel = document_controller.find_dock_panel(PANEL_ID)
    if not isinstance(panel, DKLPanel):
        raise InputError("this window has no DKL panel; see that the plug-in nionswift_plugin.dkl is loaded")
    return panel


def _never() -> bool:
    return False
