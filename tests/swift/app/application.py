"""Nion Swift on a screen, used with the mouse as a microscopist does."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.swift.app.popups import Box, changed_box
from tests.swift.app.screen import Frame, Screen

SOON_S, START_S = 30.0, 120.0
_SETTLE_S, _POLL_S, _LIGHT_S = 0.4, 0.1, 0.6
_MENU_STEP_PX, _MENU_BAR_PX, _LETTER_PX = 14, 10, 6


class StageError(Exception):
    """Something that should have happened on the screen did not."""


class SwiftApplication:
    """The real application and what can be done to it by hand.

    Args:
        screen: where it is.
        environment: folder of the Python environment that it runs in.
        launcher: its program.
        eyes: the file in which the plug-in within it tells what is where.
        scale: pixels of the screen for one of its own.
    """

    def __init__(self, screen: Screen, environment: Path, launcher: Path, eyes: Path, scale: int = 1) -> None:
        self.screen, self._eyes, self._scale = screen, eyes, scale
        self._command = (str(launcher), str(environment), "nionui_app.nionswift")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What it printed."""
        return self._eyes.with_name("swift.log")

    def start(self) -> None:
        """Start it, wait for its window and let that fill the screen."""
        self._eyes.unlink(missing_ok=True)
        self._process = self.screen.start(
            *self._command, cwd=self._eyes.parent, log=self.log, QT_SCALE_FACTOR=str(self._scale)
        )
        self.until("the window of Nion Swift", lambda seen: seen.get("window"), START_S)
        self.quiet_frame()

    # ------------------------------------------------------------------ seeing

    def seen(self) -> dict[str, Any]:
        """What is where, as it was a moment ago."""
        if self._process is not None and self._process.poll() is not None:
            raise StageError(f"Nion Swift ended by itself with status {self._process.returncode}; see {self.log}")
        try:
            seen: dict[str, Any] = json.loads(self._eyes.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"count": 0}
        if seen.get("error"):
            raise StageError(f"the plug-in that sees failed: {seen['error']}")
        return seen

    def last_seen(self) -> dict[str, Any]:
        """What was seen last, also after its end."""
        seen: dict[str, Any] = json.loads(self._eyes.read_text(encoding="utf-8"))
        return seen

    def fresh(self) -> dict[str, Any]:
        """What is where, looked at after now."""
        count = self.seen()["count"]
        # one look may have begun before now
        return self.until("Swift to answer", lambda seen: seen["count"] > count + 1)

    def until(self, what: str, reached: Callable[[dict[str, Any]], Any], timeout_s: float = SOON_S) -> dict[str, Any]:
        """Wait for something to be seen.

        Raises:
            StageError: it was not, in that time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            seen = self.seen()
            if reached(seen):
                return seen
            if time.monotonic() > deadline:
                raise StageError(f"waited {timeout_s:.0f} s in vain for {what}; the run: {seen.get('run')}")
            time.sleep(_POLL_S)

    def quiet_frame(self, timeout_s: float = SOON_S) -> Frame:
        """The screen once it shows twice the same, or after some time as it is."""
        before, deadline = self.screen.frame(), time.monotonic() + timeout_s
        while True:
            time.sleep(_SETTLE_S)
            now = self.screen.frame()
            if np.array_equal(before, now) or time.monotonic() > deadline:
                return now
            before = now

    def until_ended(self) -> None:
        """Wait for it to end by itself.

        Raises:
            StageError: it does not, or not well.
        """
        process, self._process = self._process, None
        assert process is not None
        try:
            status = process.wait(SOON_S)
        except subprocess.TimeoutExpired:
            raise StageError(f"Nion Swift was asked to end {SOON_S:.0f} s ago and did not") from None
        if status:
            raise StageError(f"Nion Swift ended with status {status}; see {self.log}")

    # ------------------------------------------------------------------ menus

    def choose_menu(self, menu: str, entry: str, *, leaves: bool = False) -> None:
        """Choose an entry of the menu bar.

        Which menu hangs open is told by Swift; where its entries are is seen by what lights up under the mouse.

        Args:
            menu: its title.
            entry: its title.
            leaves: the entry ends Swift, which says no more.

        Raises:
            StageError: there is none.
        """
        closed = self.quiet_frame()
        self._open_menu(menu)
        opened = self.quiet_frame()
        left, top, width, height = self._pixels(self.seen()["window"])
        below = Box(left, top + 2 * _MENU_BAR_PX * self._scale, left + width, top + height)
        box = changed_box(closed, opened, below)
        if box is None:
            raise StageError(f"the menu {menu} did not open")
        entries = self.fresh()["menus"][menu]
        index = next((at for at, each in enumerate(entries) if each["title"] == entry and each["enabled"]), None)
        if index is None:
            raise StageError(f"the menu {menu} has no entry {entry} that can be chosen: {entries}")
        self.screen.click(*self._entry(box, opened, [not each["title"] for each in entries], index))
        if not leaves:
            self.until("the menu to close", lambda seen: seen["menu"] is None)

    def _open_menu(self, menu: str) -> None:
        left, top, width, _height = self._pixels(self.seen()["window"])
        titles = list(self.seen()["menus"])
        # somewhat left of where it may be expected
        before = sum(_LETTER_PX * len(title) + _MENU_STEP_PX for title in titles[: titles.index(menu)])
        x, y = left + (_MENU_STEP_PX + before) * self._scale, top + _MENU_BAR_PX * self._scale
        self.screen.click(x, y)
        while self.fresh()["menu"] != menu:
            x += _MENU_STEP_PX * self._scale
            if x > left + width / 2:
                raise StageError(f"there is no menu {menu}")
            # an open menu gives way to its neighbour as the mouse passes
            self.screen.move(x, y)

    def _entry(self, box: Box, opened: Frame, lines: list[bool], index: int) -> tuple[float, float]:
        """Where an entry of an open menu is, once it is lit up by the mouse."""
        rows, row = lines.count(False), lines[:index].count(False)
        x, guess = box.left + box.width / 4, box.top + (row + 0.5) * box.height / rows
        for away in (0, -8, 8, -16, 16, -24, 24):
            lit = self._lit(box, opened, x, guess + away * self._scale)
            if lit is None or lit.height > 1.5 * box.height / rows:
                continue
            # the separating lines share what the entries leave
            line = (box.height - rows * lit.height) / max(1, lines.count(True))
            exact = self._lit(
                box, opened, x, box.top + (row + 0.5) * lit.height + max(0.0, line) * lines[:index].count(True)
            )
            if exact is not None:
                return x, exact.middle[1]
        raise StageError("no entry of the menu lights up under the mouse where it should be")

    def _lit(self, box: Box, opened: Frame, x: float, y: float) -> Box | None:
        self.screen.move(x, min(max(y, box.top + 1), box.bottom - 2))
        deadline = time.monotonic() + _LIGHT_S
        while True:
            time.sleep(0.05)
            lit = changed_box(opened, self.screen.frame(), box)
            if (lit is not None and lit.top <= y <= lit.bottom) or time.monotonic() > deadline:
                return lit

    def _pixels(self, rectangle: list[int]) -> tuple[int, int, int, int]:
        left, top, width, height = (self._scale * part for part in rectangle)
        return left, top, width, height

    # ------------------------------------------------------------------ the panel

    def press(self, name: str) -> None:
        """Click on a button of the panel, or on a check box.

        Raises:
            StageError: it is not there, or cannot be pressed.
        """
        key = next((key for key in (f"{name}_button", f"{name}_check") if key in self.seen()["widgets"]), name)
        self.until(f"{name} to be enabled", lambda seen: seen["widgets"].get(key, {}).get("enabled"))
        left, top, width, height = self.revealed(key)
        # a check box is longer than its text
        self.screen.click(left + min(width / 2, 12 * self._scale), top + height / 2)
        self._beside()

    def type(self, name: str, text: str) -> None:
        """Type into a field of the panel."""
        left, top, width, height = self.revealed(f"{name}_edit")
        self.screen.click(left + width / 2, top + height / 2)
        time.sleep(0.2)
        self.screen.type(text)
        self.screen.key("Tab")
        self.until(f"{text} in the field {name}", lambda seen: seen["widgets"][f"{name}_edit"]["text"] == text)

    def choose(self, name: str, title: str) -> None:
        """Choose of a list of the panel."""
        key = f"{name}_combo"
        choices = self.fresh()["widgets"][key]["choices"]
        if title not in choices:
            raise StageError(f"{name} offers no {title}, only {', '.join(choices)}")
        left, top, width, height = self.revealed(key)
        # Whatever had the focus shows that it has lost it, and would be taken for a part of the list.
        self.screen.click(left + width / 2, top + height / 2)
        self.quiet_frame()
        self.screen.key("Escape")
        closed = self.quiet_frame()
        self.screen.click(left + width / 2, top + height / 2)
        opened = self.quiet_frame()
        box = changed_box(closed, opened)
        if box is None:
            raise StageError(f"the list of {name} did not open")
        self.screen.click(*box.row(choices.index(title), len(choices)))
        self._beside()

    def click_display(self, view: str, down: float, right: float) -> None:
        """Click on a square image in one of the views.

        Args:
            view: its id.
            down: fraction of the image's height.
            right: fraction of its width.
        """
        seen = self.until(f"an image in {view}", lambda seen: seen["displays"].get(view, {}).get("rectangle"))
        left, top, width, height = self._pixels(seen["displays"][view]["rectangle"])
        side = min(width, height)
        self.screen.click(left + width / 2 + (right - 0.5) * side, top + height / 2 + (down - 0.5) * side)
        self._beside()

    def revealed(self, key: str) -> tuple[int, int, int, int]:
        """Where a widget of the panel is, left, top, width, height in pixels; the panel is scrolled until it is seen.

        Raises:
            StageError: it is not there, or cannot be scrolled to.
        """
        for _attempt in range(40):
            seen = self.fresh()
            widget = seen["widgets"].get(key)
            if widget is None or not widget["visible"] or not seen["panel"]:
                raise StageError(f"{key} is not on the panel")
            left, top, width, height = self._pixels(widget["rectangle"])
            panel_left, panel_top, _panel_width, panel_height = self._pixels(seen["panel"])
            if top >= panel_top and top + height <= panel_top + panel_height:
                return left, top, width, height
            # at the margin of the panel nothing takes the wheel for itself
            self.screen.turn(panel_left + 3, panel_top + panel_height / 2, 1 if top > panel_top else -1)
        raise StageError(f"{key} cannot be scrolled to")

    def _beside(self) -> None:
        """Take the mouse off, so that nothing lights up and no tip hides the pictures."""
        self.screen.move(self.screen.width - 2, self.screen.height - 2)
