"""An installation of the project's wheel: an environment of its own that shares every other package with this one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_WHERE = "import nionswift_plugin.dkl as found; print(found.__file__)"


class InstallationError(Exception):
    """The wheel cannot be built or installed."""


def built_wheel(folder: Path) -> Path:
    """Builds the wheel from a copy of the tracked files, so that nothing left in the tree gets into it."""
    source, dist = folder / "source", folder / "dist"
    listed = _run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    _run(*_pip("wheel"), "--no-deps", "--wheel-dir", str(dist), str(source))
    (wheel,) = dist.glob("*.whl")
    return wheel


def installed(wheel: Path, folder: Path) -> Path:
    """Installs a wheel into a new environment.

    The other packages are those of the running environment, by a path that does not obey its `.pth` files: an editable
    installation of the project there stays unseen.

    Args:
        wheel: the wheel.
        folder: of the environment, new.

    Returns:
        Where `nionswift_plugin` lies in it.

    Raises:
        InstallationError: the plug-in that is found is not the wheel's.
    """
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    here = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    (packages / "shared.pth").write_text("\n".join(here) + "\n", encoding="utf-8")
    _run(*_pip("install"), "--no-deps", "--target", str(packages), str(wheel))
    found = Path(_run(str(folder / "bin" / "python"), "-c", _WHERE, cwd=folder).strip())
    if not found.is_relative_to(packages):
        raise InstallationError(f"the plug-in comes from {found}, expected it in {packages}")
    return packages / "nionswift_plugin"


def launcher() -> Path:
    """The program that is Nion Swift with its Qt; it belongs to the package nionswift-tool.

    Raises:
        InstallationError: it is not there.
    """
    path = Path(sys.prefix) / "bin" / "NionSwiftLauncher" / "NionSwiftLauncher"
    if not path.is_file():
        raise InstallationError(f"{path} is missing; install nionswift-tool: pip install 'dkl-microscopy[swift]'")
    return path


def _pip(command: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", command)


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallationError(f"this failed: {' '.join(command)[:200]}\n{done.stdout}{done.stderr}")
    return done.stdout
