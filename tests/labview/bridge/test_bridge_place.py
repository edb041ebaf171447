"""The worker's place in a runs folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labview_bridge.worker.place import WORKER_FILE, AlreadyServedError, Place


def test_a_worker_takes_its_announcement_with_it(tmp_path: Path) -> None:
    with Place(tmp_path) as place:
        place.announce(1234)
        assert json.loads((tmp_path / WORKER_FILE).read_text())["token"] == place.token
    assert not (tmp_path / WORKER_FILE).exists()


def test_the_announcement_of_another_worker_stays(tmp_path: Path) -> None:
    with Place(tmp_path) as place:
        place.announce(1234)
        Place(tmp_path).announce(4321)
    assert json.loads((tmp_path / WORKER_FILE).read_text())["port"] == 4321


def test_a_folder_has_one_worker(tmp_path: Path) -> None:
    with Place(tmp_path), pytest.raises(AlreadyServedError, match="served by another"), Place(tmp_path, wait_s=0.05):
        pass
    with Place(tmp_path):
        pass
