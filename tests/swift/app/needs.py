"""What the machine must have for programs with windows to run on a screen in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

PROGRAMS = {"Xvfb": "xvfb", "xdotool": "xdotool", "openbox": "openbox"}
# What Qt's own platform plug-in is linked with but does not bring along.
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
FONTS = "fonts-dejavu-core"


class NeedsError(Exception):
    """The machine lacks something that cannot be installed from here."""


def missing(launcher: Path) -> list[str]:
    """Debian packages that are not there, or the names of libraries of which the package is not known.

    Args:
        launcher: Nion Swift's program, with Qt's plug-ins beside it.
    """
    lacking = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    for part in (launcher, launcher.parent / "plugins" / "platforms" / "libqxcb.so"):
        lines = subprocess.run(["ldd", str(part)], capture_output=True, text=True, check=False).stdout.splitlines()
        absent = [line.split()[0] for line in lines if line.endswith("not found")]
        lacking += [LIBRARIES.get(library, library) for library in absent]
    if not any(Path("/usr/share/fonts").rglob("*.ttf")):
        lacking.append(FONTS)
    return list(dict.fromkeys(lacking))


def provide(launcher: Path) -> None:
    """Install what is missing.

    Args:
        launcher: Nion Swift's program.

    Raises:
        NeedsError: that is not possible here; it says what to install.
    """
    lacking = missing(launcher)
    if not lacking:
        return
    by_hand = f"sudo apt-get install {' '.join(lacking)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NeedsError(f"this machine lacks {', '.join(lacking)}. On Debian or Ubuntu: {by_hand}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *lacking]):
        done = subprocess.run(["apt-get", "-qq", *command], env=quiet, capture_output=True, text=True, check=False)
        if done.returncode and command[0] == "install":
            raise NeedsError(f"apt-get could not install {', '.join(lacking)}: {done.stderr.strip()[-500:]}")
