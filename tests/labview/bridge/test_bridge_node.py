"""The bridge in an emulated Python Node: types are judged by CPython, errors become LabVIEW's codes."""

from __future__ import annotations

import json

import bench_vi as vi
import pytest

from labview_bridge.emulation.interpreters import interpreters
from labview_bridge.emulation.node import FUNCTION_FAILED, LabVIEW

OLDEST, NEWEST = (3, 6), (3, 12)


@pytest.fixture(params=[OLDEST, NEWEST], ids=["3.6", "3.12"])
def node(request, runs, tmp_path, one_thread):
    """A session of LabVIEW with a function that calls the bridge."""
    python = interpreters().get(request.param)
    if python is None:
        pytest.skip(f"there is no Python {'.'.join(map(str, request.param))} here")
    settings = vi.written_settings(tmp_path / "settings.json", runs)
    environment = {"DKL_BRIDGE_SETTINGS": str(settings)}
    with vi.worker_here(runs), LabVIEW().open_session(python, folder=tmp_path, environment=environment) as session:

        def call(name, returns, *parameters):
            return session.call(vi.CLIENT, name, list(parameters), returns)

        yield call


STATUS = "(I32,String)"


def test_a_run_goes_through_the_node(node):
    code, text, handle = node("session_open", "(I32,String,I32)", ("String", json.dumps(vi.CONFIG))).value
    assert (code, text) == (0, "")
    reals = [("DBL", value) for value in vi.FRAME[:5]]
    h = ("I32", handle)
    answer = node("session_set_image", STATUS, h, ("[[DBL]]", vi.image()), *reals, ("Boolean", True))
    assert answer.ok
    assert answer.value == [0, ""]
    for _ in range(5):
        job = ("I32", node("suggest_start", "(I32,String,I32)", h).value[2])
        vi.wait_for(lambda job=job: node("suggest_poll", "(I32,String,I32,DBL)", h, job).value[2] == 1, "a decision")
        found = node("suggest_get", f"(I32,String,I32{',DBL' * 7})", h, job)
        assert found.ok
        assert found.plain
        _, _, point, x, y, *_ = found.value
        spectrum = [("[DBL]", vi.BIAS), ("[[DBL]]", vi.spectrum(x, y))]
        assert node("submit_result", STATUS, h, ("I32", point), *spectrum).value == [0, ""]
    values = node("get_map", "[[DBL]]", h, ("String", "measured"))
    assert values.ok
    assert (len(values.value), len(values.value[0])) == (5, 5)
    assert json.loads(node("status_json", "String", h).value)["points"] == 5


def test_a_raising_function_becomes_error_1671_and_a_plain_one_a_code(node):
    raising = node("suggest_get_x", f"(I32,String,I32{',DBL' * 7})", ("I32", 5), ("I32", 1))
    assert raising.code == FUNCTION_FAILED
    assert "5002: there is no session 5" in raising.text
    plain = node("suggest_get", f"(I32,String,I32{',DBL' * 7})", ("I32", 5), ("I32", 1))
    assert plain.ok
    assert plain.value[0] == 5002
