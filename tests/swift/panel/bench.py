"""The panel of a headless Swift, and hands to click it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from nion.swift.model import Notification

from nionswift_plugin.dkl.panel.model import PanelSettings

SOON_S = 120.0


def spread(pattern: Any) -> float:
    """A property that every pattern has."""
    return float(np.asarray(pattern).std())


def quick_settings(folder: Path, **changes: Any) -> PanelSettings:
    """A run of a second or two."""
    few = {
        "survey_px": 48,
        "fov_nm": 10.0,
        "dwell_us": 1.0,
        "patch_px": 8,
        "every_px": 8,
        "measured": "tests.swift.panel.bench:spread",
        "sites": 6,
        "seeds": 3,
        "exposure_ms": 10.0,
        "dark_frames": 0,
        "folder": str(folder),
    }
    return PanelSettings(**{**few, **changes})


class PanelBench:
    """An open panel.

    Attributes:
        swift: the Swift it is in.
        view: its widgets by name, for instance `start_button`.
        controller: what it does.
        notices: texts of the notifications so far.
    """

    def __init__(self, swift: Any, panel_id: str) -> None:
        self.swift = swift
        window = swift.document_controller
        window.workspace_controller.create_panels([panel_id])
        self.view: Any = window.find_dock_panel(panel_id).view
        self.controller = self.view.controller
        self.notices: list[str] = []
        source = Notification._notification_source
        self._listener = source.notify_event.listen(lambda notice: self.notices.append(notice.text))

    def close(self) -> None:
        """Look no more."""
        self._listener.close()

    def click(self, name: str) -> None:
        """Press a button, which has to be enabled."""
        button = getattr(self.view, f"{name}_button")
        assert button.enabled, f"{name} cannot be pressed"
        button.on_clicked()

    def type(self, name: str, text: str) -> None:
        """Type into a field and press return."""
        edit = getattr(self.view, f"{name}_edit")
        edit.text = text
        edit.editing_finished(text)

    def choose(self, name: str, index: int) -> None:
        """Choose of a list."""
        getattr(self.view, f"{name}_combo").current_index = index

    def label(self, name: str) -> str:
        return str(getattr(self.view, f"{name}_label").text)

    def pump(self, until: Callable[[], object], timeout: float = SOON_S) -> None:
        self.swift.pump(until, timeout)

    def until_idle(self, timeout: float = SOON_S) -> None:
        self.pump(lambda: self.controller.phase == "idle", timeout)

    def survey(self) -> None:
        """Acquire a survey and wait for its sites."""
        self.click("acquire")
        self.pump(lambda: self.controller.phase == "idle" and self.controller.setup.sites)

    def start(self) -> None:
        """Start, and wait until sites are measured."""
        self.click("start")
        self.pump(lambda: self.measured >= 1)

    @property
    def measured(self) -> int:
        status = self.controller.status
        return 0 if status is None else status.measured

    @property
    def is_blanked(self) -> bool:
        return bool(self.swift.instrument.GetVal("C_Blank") == 1.0)

    @property
    def files(self) -> list[Path]:
        folder = Path(self.controller.settings.folder)
        return sorted(folder.glob("*.h5"))
