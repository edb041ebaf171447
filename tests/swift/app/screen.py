"""A screen that nobody sees, with a mouse and a keyboard."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
_XWD_WORDS, _XWD_COLOUR_BYTES = 25, 12
_ENDING_S = 5.0
# Windows fill the screen, dialogs do not.
_MAXIMISED = """<openbox_config xmlns="http://openbox.org/3.4/rc">
<focus><focusNew>yes</focusNew></focus>
<applications><application type="normal"><maximized>yes</maximized></application></applications>
</openbox_config>
"""


class ScreenError(Exception):
    """The screen cannot be used."""


class Screen:
    """An X server in memory with a window manager.

    Args:
        width: pixels.
        height: pixels.
        folder: for its files; the frame buffer is one of them.
        environment: of the programs on the screen; it gets the display's name.

    Attributes:
        environment: for programs that are to appear on this screen.
    """

    def __init__(self, width: int, height: int, folder: Path, environment: Mapping[str, str]) -> None:
        self.width, self.height = width, height
        self._folder, self._started = folder, []  # type: Path, list[subprocess.Popen[bytes]]
        self.environment = dict(environment)

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            ScreenError: it does not start.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._start_server()
            settings = self._folder / "openbox.xml"
            settings.write_text(_MAXIMISED, encoding="utf-8")
            self.start("openbox", "--config-file", str(settings))
            self._pointer("getmouselocation")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        """End everything that was started on it, the last first."""
        while self._started:
            ended(self._started.pop())

    def start(
        self, *command: str, cwd: Path | None = None, log: Path | None = None, **more: str
    ) -> subprocess.Popen[bytes]:
        """Start a program on this screen; it ends with the screen."""
        with (log or self._folder / f"{Path(command[0]).name}.log").open("ab") as output:
            process = subprocess.Popen(
                command,
                env={**self.environment, **more},
                cwd=cwd or self._folder,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    # ------------------------------------------------------------------ eyes

    def frame(self) -> Frame:
        """What is shown, (rows, columns, 3), red, green, blue."""
        raw = np.fromfile(self._folder / "Xvfb_screen0", dtype=np.uint8)
        words = raw[: 4 * _XWD_WORDS].view(">u4")
        start = int(words[0]) + _XWD_COLOUR_BYTES * int(words[19])
        rows, row_bytes = int(words[5]), int(words[12])
        pixels = raw[start : start + rows * row_bytes].reshape(rows, row_bytes)[:, : 4 * int(words[4])]
        return pixels.reshape(rows, -1, 4)[..., 2::-1].copy()

    # ------------------------------------------------------------------ hands

    def move(self, x: float, y: float) -> None:
        """Move the mouse."""
        self._pointer("mousemove", *self._place(x, y))

    def click(self, x: float, y: float, button: int = 1) -> None:
        """Press and release the left button of the mouse."""
        self.move(x, y)
        time.sleep(0.08)
        self._pointer("click", str(button))

    def turn(self, x: float, y: float, notches: int) -> None:
        """Turn the mouse's wheel, down where positive."""
        self.move(x, y)
        self._pointer("click", "--repeat", str(abs(notches)), "--delay", "30", "5" if notches > 0 else "4")

    def type(self, text: str) -> None:
        """Type over what is selected."""
        self._pointer("key", "ctrl+a")
        self._pointer("type", "--delay", "25", text)

    def key(self, name: str) -> None:
        """Press a key."""
        self._pointer("key", name)

    def _place(self, x: float, y: float) -> tuple[str, str]:
        if not (0 <= x < self.width and 0 <= y < self.height):
            raise ScreenError(f"({x:.0f}, {y:.0f}) is off the screen of {self.width} × {self.height}")
        return str(round(x)), str(round(y))

    def _pointer(self, *arguments: str) -> None:
        done = subprocess.run(
            ["xdotool", *arguments], env=self.environment, capture_output=True, text=True, timeout=30, check=False
        )
        if done.returncode:
            raise ScreenError(f"xdotool {' '.join(arguments)}: {done.stderr.strip()}")

    # ------------------------------------------------------------------ the server

    def _start_server(self) -> None:
        reader, writer = os.pipe()
        log = self._folder / "Xvfb.log"
        with os.fdopen(reader, "rb") as told, log.open("ab") as output:
            try:
                process = subprocess.Popen(
                    (
                        "Xvfb", "-displayfd", str(writer), "-screen", "0", f"{self.width}x{self.height}x24",
                        "-fbdir", str(self._folder), "-nolisten", "tcp", "-noreset", "-nocursor",
                    ),
                    pass_fds=(writer,), stdout=output, stderr=output, start_new_session=True,
                )  # fmt: skip
            finally:
                os.close(writer)
            self._started.append(process)
            # an X server that cannot start closes this without a word
            number = told.readline().strip().decode()
        if not number:
            raise ScreenError(f"Xvfb did not start: {log.read_text(encoding='utf-8', errors='replace')[-500:]}")
        self.environment["DISPLAY"] = f":{number}"


def ended(process: subprocess.Popen[Any], patience_s: float = _ENDING_S) -> None:
    """See a process and what it started to their end.

    Args:
        process: leads a session of its own.
        patience_s: how long it may take to end when asked, s.
    """
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            break
        try:
            process.wait(patience_s)
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()
