"""A new profile of Nion Swift: an empty project that Swift opens without asking."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from pathlib import Path

PROJECT = "DKL experiment"
EYES = Path(__file__).with_name("dkl_eyes")


def home_environment(home: Path) -> dict[str, str]:
    """The environment of a program whose every file is within a folder of its own."""
    runtime = home / "run"
    runtime.mkdir(parents=True, exist_ok=True, mode=0o700)
    keep = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR", "TZ")}
    return keep | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_RUNTIME_DIR": str(runtime),
        "DKL_EYES": str(eyes_file(home)),
        # else every text is looked up in files that are not there, half of the main thread's time
        "LANGUAGE": "C",
        "QT_QPA_PLATFORM": "xcb",
        "PYTHONDONTWRITEBYTECODE": "1",
        # two cores are shared with the drawing
        "OMP_NUM_THREADS": "1",
    }


def eyes_file(home: Path) -> Path:
    """Where the plug-in that sees writes what it sees."""
    return home / "eyes.json"


def make_profile(home: Path) -> None:
    """A profile with one empty project, which is the last one used, and with the plug-in that sees."""
    from nion.swift.model import FileStorageSystem, Profile

    # where Qt has a program's data on Linux
    data = home / ".local" / "share" / "Nion" / "Nion Swift"
    for folder in (data / "Cache", data / "PlugIns", home / "Documents"):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(EYES, data / "PlugIns" / EYES.name, ignore=shutil.ignore_patterns("__pycache__"))
    path = data / "Profile.nsproj"
    path.write_text(json.dumps({"version": FileStorageSystem.PROFILE_VERSION, "uuid": str(uuid.uuid4())}), "utf-8")
    storage = FileStorageSystem.make_file_persistent_storage_system(path)
    storage.load_properties()
    profile = Profile.Profile(storage_system=storage, cache_dir_path=data / "Cache")
    profile.read_profile()
    profile.last_project_reference = profile.create_project(home / "Projects", PROJECT).uuid
    profile.script_items_updated = True
    profile.close()
