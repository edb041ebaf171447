"""Uses the real Nion Swift on a screen in memory as a microscopist would, and keeps pictures of it.

    python -m tests.swift.app --out docs/images

A new profile, the plug-in from a freshly built and installed wheel, the simulated microscope, and a whole experiment
by mouse clicks. The exit status is 0 when every click had its effect, 1 when one had not (the last picture is then in
the folder), 77 when the machine lacks a program that cannot be installed from here.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.swift.app import stages
from tests.swift.app.application import StageError, SwiftApplication
from tests.swift.app.installation import InstallationError, built_wheel, installed, launcher
from tests.swift.app.needs import NeedsError, provide
from tests.swift.app.pictures import save
from tests.swift.app.profile import eyes_file, home_environment, make_profile
from tests.swift.app.screen import Frame, Screen, ScreenError

SMALL, LARGE = (1366, 768, 1), (3840, 2160, 2)
HARD_LIMIT_S = 900
CANNOT_RUN = 77
FAILED = ("swift_failed.png", "swift_failed.log")


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.swift.app", description="The panel in the real application.")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the pictures go")
    parser.add_argument("--wheel", type=Path, help="a wheel to install; else one is built")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupted)
    signal.signal(signal.SIGALRM, _interrupted)
    signal.alarm(HARD_LIMIT_S)
    try:
        program = launcher()
        provide(program)
        with tempfile.TemporaryDirectory(prefix="dkl-screens-") as name:
            _whole(Path(name), arguments.out.resolve(), arguments.wheel, program)
    except NeedsError as error:
        print(f"swift-screens: {error}", file=sys.stderr)
        return CANNOT_RUN
    except (InstallationError, ScreenError, StageError) as error:
        print(f"swift-screens: {error}", file=sys.stderr)
        return 1
    return 0


def _whole(folder: Path, out: Path, wheel: Path | None, program: Path) -> None:
    began = time.monotonic()
    for left in FAILED:
        (out / left).unlink(missing_ok=True)
    environment, home = folder / "environment", folder / "home"
    plug_ins = installed(wheel or built_wheel(folder), environment)
    make_profile(home)
    for number, (size, act) in enumerate(((SMALL, stages.first_experiment), (LARGE, stages.reopened))):
        width, height, scale = size
        with Screen(width, height, folder / f"screen-{number}", home_environment(home)) as screen:
            swift = SwiftApplication(screen, environment, program, eyes_file(home), scale)
            _act(swift, act, out)
            _check_origin(swift, plug_ins)
    print(f"swift-screens: every click had its effect, {time.monotonic() - began:.0f} s; pictures in {out}")


def _act(swift: SwiftApplication, act: Callable[[SwiftApplication, stages.Shoot], None], out: Path) -> None:
    # written afterwards: meanwhile the experiment would go on
    frames: dict[str, Frame] = {}

    def shoot(name: str) -> None:
        frames[name] = swift.screen.frame()
        print(f"swift-screens: {name}", flush=True)

    try:
        swift.start()
        act(swift, shoot)
    except BaseException as error:
        last, log = (out / name for name in FAILED)
        save(swift.screen.frame(), last)
        log.write_text(swift.log.read_text(encoding="utf-8", errors="replace"), encoding="utf-8")
        raise StageError(f"{error}\nthe last picture: {last}\nwhat Swift printed: {log}") from error
    finally:
        for name, frame in frames.items():
            save(frame, out / f"swift_{name}.png")


def _check_origin(swift: SwiftApplication, plug_ins: Path) -> None:
    found = Path(swift.last_seen()["plugin"])
    if not found.is_relative_to(plug_ins):
        raise StageError(f"the plug-in came from {found}, expected that of the wheel in {plug_ins}")


def _interrupted(number: int, _frame: object) -> None:
    raise StageError(f"interrupted by signal {number}, after {HARD_LIMIT_S} s if it was the alarm")


if __name__ == "__main__":
    sys.exit(main())
