"""The panel of a Swift without window, for scripts."""

from __future__ import annotations

from tests.swift.panel.conftest import open_panel

__all__ = ["open_panel"]
