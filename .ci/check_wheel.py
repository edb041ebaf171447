"""Checks that the wheel holds what the source tree holds, says what it is, and that its command can be loaded."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("dkl_core", "labview_bridge", "nionswift_plugin")
METADATA = {"Name": "dkl-microscopy", "License-Expression": "GPL-3.0-or-later", "Requires-Python": ">=3.11"}
ENTRY_POINT = "dkl = dkl_core.cli:main"
LOAD_COMMAND = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import dkl_core, labview_bridge
from dkl_core.cli import main
assert callable(main), main
for package in (dkl_core, labview_bridge):
    assert Path(package.__file__).is_relative_to(sys.argv[1]), package.__file__
print(dkl_core.__version__)
"""


def tracked_files() -> list[str]:
    """Files of the source tree, those not yet added to git included, those that git ignores left out."""
    listed = _run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    return [name for name in listed if (ROOT / name).is_file()]


def expected(names: Iterable[str]) -> set[str]:
    """Of the source tree's files, those that the wheel should hold."""
    return {name for name in names if name.startswith(tuple(f"{p}/" for p in PACKAGES)) and not name.endswith(".md")}


def build(names: Iterable[str], folder: Path) -> Path:
    """Builds the wheel from a clean copy: a build folder left in the tree would bring back deleted modules."""
    source = folder / "source"
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name)
    _run(sys.executable, "-m", "build", "--wheel", "--outdir", str(folder / "dist"), str(source))
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def complaints(wheel: Path, names: Iterable[str]) -> list[str]:
    """What is wrong with the wheel, one line each."""
    with zipfile.ZipFile(wheel) as archive:
        held = archive.namelist()
        texts = {name.rpartition("/")[2]: archive.read(name).decode() for name in held if _is_metadata(name)}
    inside = {name for name in held if ".dist-info/" not in name}
    wanted = expected(names)
    found = [f"not in the wheel: {name}" for name in sorted(wanted - inside)]
    found += [f"only in the wheel: {name}" for name in sorted(inside - wanted)]
    metadata = Parser().parsestr(texts["METADATA"])
    found += [f"{k} is {metadata[k]!r}, expected {v!r}" for k, v in METADATA.items() if metadata[k] != v]
    if ENTRY_POINT not in texts.get("entry_points.txt", ""):
        found.append(f"no entry point {ENTRY_POINT!r}")
    return found


def installed_version(wheel: Path, folder: Path) -> str:
    """Installs the wheel by itself, loads its command from there, and returns the version it tells."""
    target = folder / "installed"
    _run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel))
    return _run(sys.executable, "-I", "-c", LOAD_COMMAND, str(target), cwd=folder).strip()


def _is_metadata(name: str) -> bool:
    return name.endswith((".dist-info/METADATA", ".dist-info/entry_points.txt"))


def _run(*command: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        shown = " ".join(" ".join(command).split())
        sys.exit(f"wheel: this failed: {shown[:120]}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    """Returns the exit status: 0 when the wheel is as it should be."""
    names = tracked_files()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        wheel = build(names, folder)
        found = complaints(wheel, names)
        version = installed_version(wheel, folder)
        if f"-{version}-" not in wheel.name:
            found.append(f"{wheel.name} says of itself that it is version {version}")
    for line in found:
        print(f"wheel: {line}", file=sys.stderr)
    if not found:
        print(f"wheel: {wheel.name} holds all {len(expected(names))} files, version {version}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
