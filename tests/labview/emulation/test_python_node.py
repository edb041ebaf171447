"""The emulated Python Node: loading, calling, what is accepted back, and what a VI sees of an error."""

from __future__ import annotations

import re
import sys
import threading
import time

import pytest

from labview_bridge.emulation.interpreters import SUPPORTED, interpreters
from labview_bridge.emulation.node import LabVIEW, NodeError

MODULE = """
import os, sys, threading, time

KEPT = []

def give(text):
    return eval(text)

def echo(value):
    return value

def kind(value):
    return type(value).__name__

def mutate(numbers):
    numbers[0] = 42.0
    return 0

def remember(text):
    KEPT.append(text)
    return len(KEPT)

def package():
    return repr(__package__) + " " + __name__

def slow(seconds):
    KEPT.append("begin")
    time.sleep(seconds)
    KEPT.append("end")
    return seconds

def nothing():
    KEPT.append(None)

def die():
    os._exit(3)

def prints():
    print("hello")
    return sys.stdout is None

def begin():
    def work():
        time.sleep(0.05)
        KEPT.append("thread")
    threading.Thread(target=work).start()
    return 0

def deep(x):
    try:
        return _below(x)
    except Exception as error:
        return -1

def _below(x):
    y = x + 1
    return y
"""


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "modules" / "1_basic.py"
    path.parent.mkdir()
    path.write_text(MODULE)
    return path


def given(session, module, expression, returns):
    return session.call(module, "give", [("String", expression)], returns)


@pytest.mark.parametrize(
    ("returns", "expression", "value"),
    [
        ("I32", "7", 7),
        ("I32", "True", 1),
        ("DBL", "2", 2.0),
        ("DBL", "2.5", 2.5),
        ("SGL", "0.1", 0.10000000149011612),
        ("String", "'µm'", "µm"),
        ("Boolean", "True", True),
        ("[I32]", "[1, 2]", [1, 2]),
        ("[[DBL]]", "[[1, 2], [3, 4]]", [[1.0, 2.0], [3.0, 4.0]]),
        ("[String]", "['a', '']", ["a", ""]),
        ("(I32,String)", "(1, 'a')", [1, "a"]),
        ("(I32,[DBL])", "(1, [2, 3])", [1, [2.0, 3.0]]),
        ("U64", "2 ** 64 - 1", 2**64 - 1),
    ],
)
def test_what_fits_its_type_comes_back(session, module, returns, expression, value):
    answer = given(session, module, expression, returns)
    assert (answer.code, answer.value) == (0, value)


@pytest.mark.parametrize(
    ("returns", "expression", "default", "reason"),
    [
        ("[DBL]", "(1.0, 2.0)", [], "SystemError.*bad argument to internal function"),
        ("[DBL]", "None", [], "SystemError"),
        ("(I32,String)", "[1, 'a']", [0, ""], "convert field of tuple at index: 0 .*SystemError"),
        ("(I32,String)", "(1,)", [0, ""], "too short"),
        ("DBL", "'1.0'", 0.0, "TypeError"),
        ("DBL", "None", 0.0, "TypeError"),
        ("String", "b'a'", "", "TypeError"),
        ("I16", "40000", 0, "does not fit I16"),
        ("I64", "2 ** 63", 0, "OverflowError"),
        ("[[DBL]]", "[[1.0], [1.0, 2.0]]", [], "rectangular"),
        ("Boolean", "'yes'", False, "TypeError"),
        ("I32", "1/0", 0, "ZeroDivisionError"),
        ("I32", "sys.exit(3)", 0, "SystemExit"),
    ],
)
def test_what_does_not_fit_gives_1671_and_the_default(session, module, returns, expression, default, reason):
    answer = given(session, module, expression, returns)
    assert answer.code == 1671
    assert answer.value == default
    assert re.search(reason, answer.text, re.DOTALL)


@pytest.mark.parametrize(
    ("returns", "expression", "code"),
    [
        ("[DBL]", "__import__('numpy').zeros(2)", 1671),
        ("DBL", "__import__('numpy').float64(2)", 0),
        ("I32", "__import__('numpy').int64(2)", 0),
        ("I32", "__import__('numpy').float64(2)", 1671),
        ("Boolean", "__import__('numpy').bool_(True)", 1671),
    ],
)
def test_cpython_decides_about_numpy_objects(session, module, returns, expression, code):
    answer = given(session, module, expression, returns)
    assert answer.code == code
    assert not answer.plain or code


@pytest.mark.parametrize(
    ("kind", "value", "name"),
    [
        ("I16", 3, "int"),
        ("DBL", 3, "float"),
        ("String", "", "str"),
        ("Boolean", 1, "bool"),
        ("[[DBL]]", [[1]], "list"),
        ("(I32,DBL)", [1, 2], "tuple"),
        ("numpy[[DBL]]", [[1, 2]], "ndarray"),
    ],
)
def test_a_value_arrives_as_its_type_does(session, module, kind, value, name):
    assert session.call(module, "kind", [(kind, value)], "String").value == name


def test_a_value_beyond_its_type_never_gets_into_python(session, module):
    answer = session.call(module, "echo", [("I16", 40000)], "I32")
    assert answer.code == 1671
    assert "would not let it through" in answer.text


def test_a_list_changed_in_place_comes_back_changed(session, module):
    answer = session.call(module, "mutate", [("[DBL]", [1, 2])], "I32")
    assert answer.parameters == ([42.0, 2.0],)


def test_a_function_without_return_type_gives_nothing(session, module):
    answer = session.call(module, "nothing")
    assert (answer.code, answer.value) == (0, None)


def test_a_module_is_loaded_once_by_its_path_without_package_or_folder_on_the_path(session, module):
    assert session.call(module, "package", (), "String").value == "'' 1_basic"
    assert session.call(module, "remember", [("String", "a")], "I32").value == 1
    assert session.call(module, "remember", [("String", "a")], "I32").value == 2
    facts = session.about()
    assert str(module.parent) not in facts["path"]
    assert facts["cwd"] != str(module.parent)
    assert not [name for name in facts["modules"] if name.startswith("labview_bridge")]


def test_a_module_that_cannot_be_loaded_gives_1667(session, module):
    assert session.call(module.with_name("missing.py"), "f", (), "I32").code == 1667
    umlaut = module.with_name("größe.py")
    umlaut.write_text(MODULE)
    assert session.call(umlaut, "kind", [("I32", 1)], "String").code == 1667


def test_a_module_that_raises_while_loading_and_a_missing_function_give_1671(session, module):
    broken = module.with_name("broken.py")
    broken.write_text("from . import sibling")
    answer = session.call(broken, "f", (), "I32")
    assert answer.code == 1671
    assert "no known parent package" in answer.text
    assert session.call(module, "absent", (), "I32").code == 1671


def test_an_error_in_passes_through_and_nothing_runs(session, module):
    answer = session.call(module, "remember", [("String", "a")], "I32", error_in=7)
    assert (answer.code, answer.value) == (7, 0)
    assert session.call(module, "remember", [("String", "a")], "I32").value == 1


def test_an_interpreter_that_fails_is_remembered_until_labview_is_restarted(tmp_path):
    labview, python = LabVIEW(), tmp_path / "python"
    with pytest.raises(NodeError, match="1672"):
        labview.open_session(python, folder=tmp_path)
    python.symlink_to(sys.executable)
    with pytest.raises(NodeError, match="remembered"):
        labview.open_session(python, folder=tmp_path)
    LabVIEW().open_session(python, folder=tmp_path).close()


def test_an_interpreter_that_ends_at_once_gives_1672(tmp_path):
    with pytest.raises(NodeError, match=r"1672.*status"):
        LabVIEW().open_session("/bin/false", folder=tmp_path)


def test_calls_from_several_threads_are_made_one_after_the_other(session, module):
    answers = {}

    def ask(seconds):
        answers[seconds] = session.call(module, "slow", [("DBL", seconds)], "DBL")

    threads = [threading.Thread(target=ask, args=(seconds,)) for seconds in (0.05, 0.06, 0.07)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {seconds: answer.value for seconds, answer in answers.items()} == {0.05: 0.05, 0.06: 0.06, 0.07: 0.07}
    assert given(session, module, "' '.join(KEPT)", "String").value == "begin end begin end begin end"
    assert len(session.watchdog.longer_than(0.04)) == 3
    assert not session.watchdog.longer_than(1e6)


def test_a_call_waits_for_the_one_before(session, module):
    begun = threading.Event()

    first = threading.Thread(target=lambda: (begun.set(), session.call(module, "slow", [("DBL", 0.1)], "DBL")))
    with session._queue:
        first.start()
        begun.wait(30)
        second = []
        waiting = threading.Thread(target=lambda: second.append(session.call(module, "kind", [("I32", 1)], "String")))
        waiting.start()
        time.sleep(0.2)
        assert not session.watchdog.calls
    first.join()
    waiting.join()
    assert second[0].waited_s > 0
    assert {call.function for call in session.watchdog.calls} == {"slow", "kind"}


def test_a_thread_of_the_module_runs_between_calls(session, module):
    session.call(module, "begin", (), "I32")
    until = time.monotonic() + 60
    while given(session, module, "len(KEPT)", "I32").value == 0 and time.monotonic() < until:
        time.sleep(0.01)
    assert given(session, module, "KEPT[0]", "String").value == "thread"


def test_a_process_that_dies_gives_1672_and_defaults(session, module):
    answer = session.call(module, "die", (), "[DBL]")
    assert (answer.code, answer.value) == (1672, [])
    assert session.call(module, "nothing").code == 1672


def test_a_call_that_hangs_is_ended_with_its_process(tmp_path, module):
    with LabVIEW().open_session(sys.executable, folder=tmp_path, hang_s=0.3) as session:
        assert session.call(module, "slow", [("DBL", 60.0)], "DBL").code == 1672


def test_without_argv_and_output_a_module_still_loads_and_prints(tmp_path, module):
    with LabVIEW().open_session(sys.executable, folder=tmp_path, argv=False, stdout="closed") as session:
        assert not session.about()["argv"]
        assert session.call(module, "prints", (), "Boolean").value is True


def test_an_exception_is_raised_inside_what_the_function_relies_on(session, module):
    answer = session.call(module, "deep", [("I32", 1)], "I32", raise_at=1)
    assert (answer.code, answer.value, answer.raised) == (0, -1, True)
    answer = session.call(module, "deep", [("I32", 1)], "I32", raise_at=5)
    assert (answer.value, answer.raised) == (2, False)


def test_a_locked_file_cannot_be_opened_until_it_is_free(session, module, tmp_path):
    path = tmp_path / "held.txt"
    path.write_text("x")
    session.lock([path])
    answer = given(session, module, f"open({str(path)!r}).read()", "String")
    assert "PermissionError" in answer.text
    assert "PermissionError" in given(session, module, f"os.open({str(path)!r}, 0)", "I32").text
    session.lock([])
    assert given(session, module, f"open({str(path)!r}).read()", "String").value == "x"


@pytest.mark.parametrize("version", SUPPORTED, ids=lambda version: f"{version[0]}.{version[1]}")
def test_every_python_of_labview_hosts_a_module(version, tmp_path, module):
    python = interpreters().get(version)
    if python is None:
        pytest.skip(f"there is no CPython {version[0]}.{version[1]} on this machine")
    with LabVIEW().open_session(python, folder=tmp_path) as session:
        assert session.about()["version"][:2] == list(version)
        assert given(session, module, "[1, 2.5]", "[DBL]").value == [1.0, 2.5]
        assert given(session, module, "(1, 'a')", "(I32,String)").value == [1, "a"]
        assert given(session, module, "(1, 2)", "[DBL]").code == 1671
