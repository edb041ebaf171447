"""The panel of a headless Swift, with settings for short replays."""

from __future__ import annotations

from tests.swift.panel.conftest import open_panel

__all__ = ["open_panel"]
