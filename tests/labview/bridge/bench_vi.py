"""What the tests of the bridge share: a worker in this process, a client loaded as LabVIEW loads it, and a small VI."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from labview_bridge.worker.place import Place
from labview_bridge.worker.server import Server
from labview_bridge.worker.sessions import Sessions

CLIENT = Path(__file__).resolve().parents[3] / "labview_bridge" / "labview" / "dkl_bridge.py"
CONFIG = {"run": "a", "scalarizer": "in_gap_ratio", "window": 8, "step": 8, "seeds": 3, "budget": 8, "seed": 1}
FRAME = (50e-9, 50e-9, 1e-6, -2e-6, 30.0, True)
BIAS = [round(-1.5 + 0.05 * i, 6) for i in range(61)]
GENEROUS_S = 120.0
_count = itertools.count()


def image(size: int = 48) -> list[list[float]]:
    """A picture with structure."""
    rows, cols = np.indices((size, size))
    return (np.sin(rows / 5.0) + np.cos(cols / 7.0) + 0.01 * (rows % 3)).tolist()


def spectrum(x_px: float, y_px: float) -> list[list[float]]:
    """Current and dI/dV at a pixel: the in-gap states follow the picture."""
    height = image()[int(y_px)][int(x_px)]
    bias = np.array(BIAS)
    noise = 0.003 * np.sin(np.arange(len(bias)) * 12.9 + x_px + 3 * y_px)
    didv = np.abs(bias) * (1 + 0.2 * height * (np.abs(bias) < 0.5)) + noise
    return [(bias * 1e-9).tolist(), didv.tolist()]


def load_client() -> ModuleType:
    """The client, loaded by its path alone, with globals of its own."""
    name = f"dkl_bridge_{next(_count)}"
    spec = importlib.util.spec_from_file_location(name, CLIENT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def settings_of(folder: Path, /, **more: Any) -> dict[str, Any]:
    """Settings that wait long: tests must not depend on the speed of the machine."""
    values = {"python": sys.executable, "runs": str(folder), "deadline_s": GENEROUS_S, "start_s": GENEROUS_S}
    return {**values, "idle_s": 300, "preload": False, "threads": 2, **more}


def written_settings(path: Path, folder: Path, /, **more: Any) -> Path:
    """A settings file."""
    path.write_text(json.dumps(settings_of(folder, **more)), encoding="utf-8")
    return path


@contextmanager
def worker_here(runs: Path, idle_s: float = 300.0) -> Iterator[Server]:
    """A worker in threads of this process."""
    with Place(runs) as place:
        sessions = Sessions(place.folder, lambda client: server.is_connected(client))
        ping = {"worker.ping": lambda _params, _arrays: ({"pid": os.getpid(), "warm": True}, [])}
        server = Server(place.token, {**ping, **sessions.methods()}, idle_s, lambda: sessions.is_busy)
        place.announce(server.port)
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join()
            sessions.close_all()


def put_away(client: ModuleType) -> None:
    """Close a client's connections and end the workers that it started."""
    for worker in client._workers.values():
        worker.disconnect()
    for child in client._children:
        child.kill()
        child.wait()


def kill_worker(runs: Path) -> None:
    """SIGKILL to the worker of a folder."""
    pid = json.loads((runs / "worker.json").read_text())["pid"]
    assert pid != os.getpid()
    os.kill(pid, signal.SIGKILL)


def wait_for(condition: Any, what: str) -> None:
    """Wait, for a long time if need be."""
    until = time.monotonic() + GENEROUS_S
    while not condition():
        assert time.monotonic() < until, f"{what} did not happen"
        time.sleep(0.01)


def opened(client: ModuleType, **config: Any) -> int:
    """A session with its image."""
    code, text, handle = client.session_open(json.dumps({**CONFIG, **config}))
    assert (code, text) == (0, "")
    assert client.session_set_image(handle, image(), *FRAME) == (0, "")
    return int(handle)


def finished(client: ModuleType, handle: int, job: int) -> int:
    """The state of a job when it is no longer worked on."""
    state = [0]

    def is_done() -> bool:
        code, _, state[0], _ = client.suggest_poll(handle, job)
        return code == 0 and state[0] != 0

    wait_for(is_done, f"job {job}")
    return state[0]


def suggested(client: ModuleType, handle: int) -> tuple[Any, ...] | None:
    """The next suggestion, None where nothing is left."""
    code, text, job = client.suggest_start(handle)
    assert (code, text) == (0, "")
    if finished(client, handle, job) != 1:
        return None
    answer = client.suggest_get(handle, job)
    assert answer[:2] == (0, "")
    return tuple(answer)


def measured(client: ModuleType, handle: int) -> tuple[float, float] | None:
    """Suggest, measure, submit: the pixel, or None where nothing is left."""
    found = suggested(client, handle)
    if found is None:
        return None
    assert client.submit_result(handle, found[2], BIAS, spectrum(found[3], found[4])) == (0, "")
    return found[3], found[4]


def whole_run(client: ModuleType, handle: int, most: int = 100) -> list[tuple[float, float]]:
    """Measure until nothing is left."""
    places = []
    while len(places) < most and (place := measured(client, handle)) is not None:
        places.append(place)
    return places


def forget(path: Path) -> None:
    """Remove a file that may be gone already."""
    with suppress(FileNotFoundError):
        path.unlink()
