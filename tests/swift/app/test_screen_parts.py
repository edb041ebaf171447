"""What the tour through the real application is made of, as far as it needs no screen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.swift.app import needs
from tests.swift.app.pictures import MOST_BYTES, WIDEST_PX, save
from tests.swift.app.popups import Box, changed_box
from tests.swift.app.profile import home_environment, make_profile
from tests.swift.app.screen import ended


def screen_with(*boxes: Box) -> np.ndarray:
    frame = np.zeros((60, 80, 3), dtype=np.uint8)
    for box in boxes:
        box.of(frame)[...] = 200
    return frame


def test_what_came_up_is_found_by_what_changed():
    popup = Box(10, 20, 50, 44)
    assert changed_box(screen_with(), screen_with(popup)) == popup
    assert changed_box(screen_with(popup), screen_with(popup)) is None


def test_changes_elsewhere_do_not_count():
    popup, clock = Box(10, 20, 50, 44), Box(70, 0, 80, 5)
    assert changed_box(screen_with(), screen_with(popup, clock), Box(0, 10, 80, 60)) == popup


def test_the_rows_of_a_list_share_its_height():
    assert Box(10, 20, 50, 44).row(1, 3) == (30, 32)


def test_pictures_are_small_and_no_wider_than_a_page(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 255, (400, 2 * WIDEST_PX, 3), dtype=np.uint8)
    noise[:, WIDEST_PX // 2 :] = 240
    save(noise, tmp_path / "images" / "noise.png")
    assert (tmp_path / "images" / "noise.png").stat().st_size <= MOST_BYTES
    with Image.open(tmp_path / "images" / "noise.png") as picture:
        assert picture.size == (WIDEST_PX, 200)


def test_every_file_of_the_application_is_in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    environment = home_environment(tmp_path)
    assert "PYTHONPATH" not in environment
    assert all(
        Path(value).is_relative_to(tmp_path)
        for name, value in environment.items()
        if name == "HOME" or name.startswith("XDG")
    )


def test_a_profile_opens_its_project_and_has_the_eyes(tmp_path: Path):
    make_profile(tmp_path)
    data = tmp_path / ".local" / "share" / "Nion" / "Nion Swift"
    assert (data / "PlugIns" / "dkl_eyes" / "manifest.json").is_file()
    assert list((tmp_path / "Projects").glob("*.nsproj"))


def test_what_is_missing_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(needs, "PROGRAMS", {"no-such-program": "some-package"})
    monkeypatch.setattr(needs.os, "geteuid", lambda: 1000)
    with pytest.raises(needs.NeedsError, match="sudo apt-get install some-package"):
        needs.provide(Path(sys.executable))


def test_a_process_is_ended_though_it_does_not_want_to():
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(99)"
    )
    process = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        ended(process, patience_s=0.2)
    assert process.returncode == -9
