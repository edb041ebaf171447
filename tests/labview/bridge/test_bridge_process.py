"""The worker as a process: started, found again, killed, idle; never two for one folder."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import bench_vi as vi
import psutil
import pytest

from benchmarks.labview_soak import soak
from labview_bridge.worker import __main__ as worker_main
from labview_bridge.worker.place import AlreadyServedError, Place

WORKER = [sys.executable, "-P", "-m", "labview_bridge.worker"]


def test_no_process_thread_or_file_is_left_after_polls_and_kills(tmp_path, monkeypatch):
    monkeypatch.setenv("DKL_BRIDGE_SETTINGS", "")
    found = soak(tmp_path, polls=200, cycles=2)
    assert found.measured == found.expected == 3
    for before, after in (found.here, found.worker):
        assert not after.exceeds(before), f"{before} became {after}"


ABORTED = """
import importlib.util as u, os, sys, json
s = u.spec_from_file_location("c", sys.argv[1]); c = u.module_from_spec(s); s.loader.exec_module(c)
answer = c.session_open(sys.argv[2])
print(json.dumps([answer, c.bridge_version()]), flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_worker_outlives_the_vi_and_is_found_by_the_next(new_client, runs):
    command = [sys.executable, "-c", ABORTED, str(vi.CLIENT), json.dumps(vi.CONFIG)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=vi.GENEROUS_S)
    (code, _, handle), _ = json.loads(done.stdout)
    assert code == 0, done.stderr
    place = json.loads((runs / "worker.json").read_text())
    assert stat.S_IMODE((runs / "worker.json").stat().st_mode) == 0o600
    client = new_client()
    # The handle of the process that is gone is good.
    assert json.loads(client.status_json(handle))["pid"] == place["pid"]
    assert client._children == []
    assert client.bridge_stop() == (0, "")
    vi.wait_for(lambda: ended(place["pid"]), "the end of the worker")


def test_a_worker_ends_when_it_is_idle_and_takes_its_file_along(runs, capfd):
    done = subprocess.run([*WORKER, str(runs), "--no-preload", "--idle", "0.1"], check=False, timeout=vi.GENEROUS_S)
    assert done.returncode == 0
    assert "idle for 0.1 s" in capfd.readouterr().err
    assert not (runs / "worker.json").exists()


def test_a_second_worker_for_the_same_folder_gives_way(runs, monkeypatch):
    monkeypatch.setattr(worker_main, "Place", partial(Place, wait_s=0.05))
    with Place(runs), pytest.raises(AlreadyServedError), Place(runs, wait_s=0.05):
        pass
    with Place(runs):
        assert worker_main.main([str(runs)]) == worker_main.SERVED_ALREADY == 3


def test_clients_that_start_at_once_get_one_worker(new_client, runs):
    clients = [new_client() for _ in range(3)]
    pids = []

    def ask(client) -> None:
        answer, _ = client.connect(None).request("worker.ping", {}, (), vi.GENEROUS_S)
        pids.append(answer["pid"])

    threads = [vi.threading.Thread(target=ask, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 3
    assert len(set(pids)) == 1
    assert clients[0].bridge_stop() == (0, "")
    vi.wait_for(lambda: ended(pids[0]), "the end of the worker")


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(os.name != "posix", reason="file descriptors are counted on POSIX")
def test_the_worker_keeps_no_file_of_labview_open(new_client, runs, tmp_path):
    held = (tmp_path / "held.txt").open("w")
    os.set_inheritable(held.fileno(), True)
    client = new_client()
    client.connect(None).request("worker.ping", {}, (), vi.GENEROUS_S)
    pid = json.loads((runs / "worker.json").read_text())["pid"]
    names = [file.path for file in psutil.Process(pid).open_files()]
    assert str(tmp_path / "held.txt") not in names
    assert os.getsid(pid) != os.getsid(0)
    assert Path(psutil.Process(pid).cwd()) == runs
    held.close()
