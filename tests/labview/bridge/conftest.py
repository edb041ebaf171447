"""Fixtures of the bridge's tests: a client and a worker in this process."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

_NAME = "bench_vi"
if _NAME not in sys.modules:
    _spec = importlib.util.spec_from_file_location(_NAME, Path(__file__).with_name("bench_vi.py"))
    assert _spec is not None
    assert _spec.loader is not None
    sys.modules[_NAME] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules[_NAME])

import bench_vi  # noqa: E402


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A runs folder with a folder beside it that nobody may touch."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def new_client(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    """Loads further copies of the client, as further LabVIEW sessions do."""
    path = bench_vi.written_settings(tmp_path / "settings.json", runs)
    monkeypatch.setenv("DKL_BRIDGE_SETTINGS", str(path))
    clients: list[ModuleType] = []

    def load() -> ModuleType:
        clients.append(bench_vi.load_client())
        return clients[-1]

    yield load
    for client in clients:
        bench_vi.put_away(client)


@pytest.fixture
def client(runs: Path, new_client, one_thread: None) -> Iterator[ModuleType]:
    """A client whose worker runs in this process."""
    with bench_vi.worker_here(runs):
        loaded = new_client()
        yield loaded
        bench_vi.put_away(loaded)
