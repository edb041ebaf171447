"""The client's file by itself: what LabVIEW may load, what it refuses, how it reports."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import bench_vi as vi
import pytest

VERSIONS = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
NAN = float("nan")


def interpreter(version: str) -> str | None:
    """A CPython of a version, on the PATH or of pyenv."""
    root = os.environ.get("PYENV_ROOT") or str(Path.home() / ".pyenv")
    found = sorted(Path(root).glob(f"versions/{version}.*/bin/python"))
    return str(found[-1]) if found else shutil.which(f"python{version}")


def stdlib_only(python: str) -> str:
    """Load the client by its path without site-packages, and say what it loaded that lies elsewhere."""
    code = (
        "import sys, importlib.util as u\n"
        f"s = u.spec_from_file_location('client', {str(vi.CLIENT)!r})\n"
        "m = u.module_from_spec(s); s.loader.exec_module(m)\n"
        "base = sys.base_prefix\n"
        "files = [getattr(x, '__file__', None) or base for n, x in list(sys.modules.items())"
        " if n not in ('client', '__main__')]\n"
        "print([f for f in files if not f.startswith(base) or 'site-packages' in f], m.bridge_version())\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run([python, "-S", "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_client_loads_alone_under_every_python_that_labview_takes(version):
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    assert stdlib_only(python) == "[] 2.0.0"


def test_the_client_imports_the_standard_library_alone():
    tree = ast.parse(vi.CLIENT.read_text(encoding="utf-8"), feature_version=(3, 6))
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or "."] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert names <= sys.stdlib_module_names


def test_every_function_has_a_variant_that_raises_the_same(client):
    code, text, _ = client.session_open("")
    with pytest.raises(client.BridgeError, match="config_json is empty") as raised:
        client.session_open_x("")
    assert (raised.value.code, raised.value.text) == (code, text)
    assert str(raised.value) == f"{code}: {text}"
    pairs = {name for name in vars(client) if not name.startswith("_") and name.endswith("_x")}
    assert len(pairs) == 19
    assert all(callable(getattr(client, name[:-2])) for name in pairs)


GOOD = {
    "session_set_image": [vi.image(), *vi.FRAME],
    "submit_result": [1, vi.BIAS, vi.spectrum(8, 8)],
    "submit_failed": [1, "tip crash"],
    "result_get": [1],
    "suggest_poll": [1],
    "suggest_get": [1],
    "suggest_cancel": [1],
    "next_frame_start": [20e-9],
    "next_frame_get": [1],
    "check_position": [1e-6, -2e-6],
}
# What LabVIEW gives for a terminal that is not wired, where it can be told from a value.
UNWIRED = [
    ("session_set_image", 0, [], "z"),
    ("session_set_image", 0, [[]], "row 0 of z"),
    ("session_set_image", 1, 0.0, "width_m"),
    ("session_set_image", 2, 0.0, "height_m"),
    ("session_set_image", 3, None, "xc_m"),
    ("session_set_image", 5, None, "angle_deg"),
    ("session_set_image", 6, None, "y_up"),
    ("session_set_image", 6, 1, "y_up"),
    ("session_set_image", 3, NAN, "xc_m"),
    ("session_set_image", 0, [[1.0, 2.0], [3.0]], "row 1 of z"),
    ("session_set_image", 0, [["a"]], "row 0 of z"),
    ("submit_result", 0, 0, "point_id"),
    ("submit_result", 1, [], "V"),
    ("submit_result", 2, [], "channels"),
    ("submit_result", 2, [[]], "row 0 of channels"),
    ("submit_failed", 1, "", "reason"),
    ("result_get", 0, 0, "point_id"),
    ("suggest_poll", 0, 0, "job"),
    ("suggest_get", 0, 0, "job"),
    ("suggest_get", 0, 1.5, "job"),
    ("suggest_cancel", 0, None, "job"),
    ("next_frame_start", 0, 0.0, "size_m"),
    ("check_position", 0, "", "x_m"),
    ("check_position", 1, None, "y_m"),
]


@pytest.mark.parametrize(("name", "at", "value", "says"), UNWIRED)
def test_a_terminal_that_is_not_wired_is_named(new_client, name, at, value, says):
    client = new_client()
    given = list(GOOD[name])
    given[at] = value
    code, text, *_ = getattr(client, name)(7, *given)
    assert code == client.INPUT
    assert says in text
    assert client._children == []


@pytest.mark.parametrize("name", [*GOOD, "suggest_start", "map_axes", "session_close"])
def test_a_handle_that_is_not_wired_is_named(new_client, name):
    client = new_client()
    for handle in (0, None):
        code, text, *_ = getattr(client, name)(handle, *GOOD.get(name, []))
        assert code == client.HANDLE
        assert "the handle is not wired" in text
    assert client.get_map(0, "mean") == [[]]
    assert client.last_error(0)[0] == client.HANDLE
    assert json.loads(client.status_json(0))["code"] == client.HANDLE


def test_a_wrong_number_of_terminals_is_told_with_their_order(new_client):
    client = new_client()
    code, text = client.submit_result(1, 2)
    assert code == client.INPUT
    assert "h, point_id, V, channels" in text


def test_arrays_marshalled_to_numpy_are_taken_without_importing_it(client):
    import numpy as np

    handle = vi.opened(client)
    assert client.session_set_image(handle, np.array(vi.image()) + 1, *vi.FRAME) == (0, "")
    found = vi.suggested(client, handle)
    spectrum = np.array(vi.spectrum(found[3], found[4]))
    assert client.submit_result(handle, np.int32(found[2]), np.array(vi.BIAS), spectrum) == (0, "")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"pyhton": "x"}, "'pyhton'"),
        ({"python": ""}, "'python'"),
        ({"runs": ""}, "'runs'"),
        ({"idle_s": "long"}, "idle_s"),
        ({"deadline_s": 0}, "deadline_s"),
        ({"threads": 1.5}, "threads"),
        ({"environment": {"A": 1}}, "environment"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_name(new_client, runs, change, says):
    client = new_client()
    with pytest.raises(client.BridgeError, match=says) as raised:
        client.connect(vi.settings_of(runs, **change))
    assert raised.value.code == client.SETTINGS


def test_settings_that_are_not_there_or_damaged_are_told_with_their_path(new_client, tmp_path, monkeypatch):
    client = new_client()
    path = tmp_path / "none.json"
    monkeypatch.setenv("DKL_BRIDGE_SETTINGS", str(path))
    assert client.session_open("{}")[:1] == (client.SETTINGS,)
    path.write_text("{")
    code, text = client.bridge_start()
    assert code == client.SETTINGS
    assert str(path) in text


def test_the_worker_gets_an_environment_without_labviews_python(new_client, runs, monkeypatch):
    client = new_client()
    for name in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PYTHONSTARTUP", "CONDA_PREFIX"):
        monkeypatch.setenv(name, "/labview")
    made = client._clean_environment(client.load_settings(vi.settings_of(runs, environment={"MINE": "1"})))
    assert "/labview" not in made.values()
    assert made["MINE"] == "1"
    assert made["OMP_NUM_THREADS"] == "2"
    assert made["PATH"] == os.environ["PATH"]


def test_an_interpreter_that_is_not_there_or_cannot_serve_is_told(new_client, runs, tmp_path, monkeypatch):
    client = new_client()
    for python, says in ((str(tmp_path / "none"), "there is no interpreter"), ("/bin/false", "ended with status 1")):
        path = vi.written_settings(tmp_path / "settings.json", runs, python=python)
        monkeypatch.setenv("DKL_BRIDGE_SETTINGS", str(path))
        code, text = client.bridge_start()
        assert code in {client.SETTINGS, client.WORKER}
        assert says in text


def test_last_error_tells_how_the_last_call_of_a_handle_went(client):
    handle = vi.opened(client)
    assert client.last_error(handle) == (0, "")
    client.get_map(handle, "men")
    code, text = client.last_error(handle)
    assert code == client.INPUT
    assert "mean, std, acquisition, measured" in text
    client.status_json(handle)
    assert client.last_error(handle) == client.last_error(0) == (0, "")
