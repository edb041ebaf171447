"""Hostile input: refused with a reason, the worker alive, nothing outside the run's folder touched."""

from __future__ import annotations

import json
import socket
import struct
import tracemalloc
import uuid
from pathlib import Path

import bench_vi as vi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkl_core.errors import InputError, RecordError, ScalarizerError
from labview_bridge.worker import server as server_module
from labview_bridge.worker.names import run_folder
from labview_bridge.worker.problems import Code, WorkerError, as_worker_error
from labview_bridge.worker.protocol import Limits, Message, proof, receive, send
from labview_bridge.worker.server import Server

PREFIX = struct.Struct("<4sI")


@pytest.fixture
def announced(runs, client):
    """Port and token of a worker with a client."""
    assert client.bridge_start() == (0, "")
    return json.loads((runs / "worker.json").read_text())


def connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=vi.GENEROUS_S)
    assert receive(connection).header["dkl"] == 1
    return connection


def greeted(place) -> socket.socket:
    """A connection that has shown the token."""
    connection = socket.create_connection(("127.0.0.1", place["port"]), timeout=vi.GENEROUS_S)
    nonce = receive(connection).header["nonce"]
    answer = {"proof": proof(place["token"], "client", nonce), "nonce": "n", "client": uuid.uuid4().hex}
    send(connection, Message(answer))
    assert receive(connection).header["ok"]
    return connection


def refusal(connection: socket.socket) -> dict:
    """What the worker says before it hangs up."""
    header = dict(receive(connection).header)
    assert connection.recv(1) == b""
    connection.close()
    return header


def test_a_wrong_token_is_refused_and_the_token_never_travels(announced, client):
    connection = connected(announced["port"])
    send(connection, Message({"proof": proof("guess", "client", "x"), "nonce": "n", "client": "c"}))
    said = refusal(connection)
    assert said["code"] == Code.REFUSED
    assert "wrong token" in said["text"]
    assert announced["token"] not in json.dumps(said)
    assert client.bridge_ping(0) >= 0


@pytest.mark.parametrize(
    "greeting", [{}, {"proof": 1, "nonce": "n", "client": "c"}, {"proof": "p", "nonce": "n", "client": "c" * 99}]
)
def test_a_greeting_that_is_none_is_refused(announced, client, greeting):
    connection = connected(announced["port"])
    send(connection, Message(greeting))
    assert refusal(connection)["code"] == Code.REFUSED
    assert client.bridge_ping(0) >= 0


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "no DKL client"),
        (PREFIX.pack(b"DKLB", 2**31), "2147483648 bytes"),
        (PREFIX.pack(b"DKLB", 4) + b"[1]]", "no JSON"),
        (PREFIX.pack(b"DKLB", 2) + b"[]", "an object"),
        (PREFIX.pack(b"DKLB", 9) + b'{"a":NaN}', "NaN"),
        (PREFIX.pack(b"DKLB", 4000) + b"[" * 4000, "no JSON"),
    ],
)
def test_garbage_is_refused_with_the_reason(announced, client, sent, says):
    connection = connected(announced["port"])
    connection.sendall(sent)
    said = refusal(connection)
    assert said["code"] == Code.PROTOCOL
    assert says in said["text"]
    assert client.bridge_ping(0) >= 0


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        ([[2**31, 2**31]], "4611686018427387904 numbers"),
        ([[-1]], "whole numbers"),
        ([[1.5]], "whole numbers"),
        ([[True]], "whole numbers"),
        ([[1, 1, 1, 1]], "whole numbers"),
        ([[1]] * 9, "at most 8"),
        ("all", "at most 8"),
    ],
)
def test_sizes_are_checked_before_memory_is_taken(announced, client, shapes, says):
    connection = greeted(announced)
    text = json.dumps({"id": 1, "method": "worker.ping", "arrays": shapes}).encode()
    tracemalloc.start()
    connection.sendall(PREFIX.pack(b"DKLB", len(text)) + text)
    said = refusal(connection)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert said["code"] == Code.PROTOCOL
    assert says in said["text"]
    assert most < 10_000_000
    assert client.bridge_ping(0) >= 0


@settings(max_examples=60, derandomize=True)
@given(sent=st.binary(min_size=1, max_size=200))
def test_no_bytes_upset_a_receiver(sent):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(WorkerError):
            receive(ours)


@settings(max_examples=30, derandomize=True)
@given(values=st.lists(st.floats(allow_nan=True), max_size=30), texts=st.text(max_size=20))
def test_what_is_sent_is_received(values, texts):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(theirs, Message({"text": texts}, [np.array(values), np.zeros((0, 3))]))
        got = receive(ours)
    assert got.header["text"] == texts
    assert np.array_equal(got.arrays[0], np.array(values), equal_nan=True)
    assert got.arrays[1].shape == (0, 3)


def test_a_message_that_does_not_go_on_is_given_up():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"DKLB")
        with pytest.raises(WorkerError, match="not complete in time"):
            receive(ours, Limits(seconds=0.05))


def test_unknown_methods_handles_and_params_are_refused_and_the_connection_goes_on(announced):
    connection = greeted(announced)
    for method, params, code in (
        ("os.system", {}, Code.METHOD),
        (None, {}, Code.METHOD),
        ("session.status", {"handle": 123}, Code.HANDLE),
        ("session.status", {}, Code.HANDLE),
        ("session.status", [], Code.INPUT),
        ("session.open", {"config": 5}, Code.INPUT),
        ("session.submit", {"handle": "1"}, Code.INPUT),
    ):
        send(connection, Message({"id": 7, "method": method, "params": params}))
        said = receive(connection).header
        assert (said["ok"], said["id"], said["code"]) == (False, 7, code), method
    connection.close()


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "..",
        "a/b",
        "a\\b",
        "/etc",
        "C:x",
        "CON",
        "nul.txt",
        "COM1",
        "x" * 81,
        ".hidden",
        "a..b",
        "end.",
        "ä",
        "a\0",
    ],
)
def test_a_run_cannot_be_named_out_of_its_folder(client, runs, name):
    before = sorted(runs.parent.rglob("*"))
    code, text, handle = client.session_open(json.dumps({**vi.CONFIG, "run": name}))
    assert (code, handle) == (client.INPUT, 0)
    assert "run" in text
    assert sorted(runs.parent.rglob("*")) == before


def test_a_link_is_no_run(client, runs, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (runs / "a").symlink_to(tmp_path / "elsewhere")
    code, text, _ = client.session_open(json.dumps(vi.CONFIG))
    assert code == client.INPUT
    assert "link" in text
    assert list((tmp_path / "elsewhere").iterdir()) == []


@settings(max_examples=200, derandomize=True)
@given(name=st.text(max_size=30))
def test_every_accepted_name_is_a_folder_of_its_own(tmp_path_factory, name):
    runs = Path("/runs")
    try:
        folder = run_folder(runs, name)
    except WorkerError:
        return
    assert folder.parent == runs
    assert folder.name == name.strip()


def test_too_many_connections_are_refused_and_room_comes_back(announced, client, monkeypatch):
    monkeypatch.setattr(server_module, "MOST_CONNECTIONS", 3)
    others = [greeted(announced) for _ in range(2)]
    late = socket.create_connection(("127.0.0.1", announced["port"]), timeout=vi.GENEROUS_S)
    said = refusal(late)
    assert said["code"] == Code.REFUSED
    assert "connections" in said["text"]
    for other in others:
        other.close()

    def has_room() -> bool:
        with socket.create_connection(("127.0.0.1", announced["port"]), timeout=vi.GENEROUS_S) as again:
            return "nonce" in receive(again).header

    vi.wait_for(has_room, "room for a connection")


def test_a_worker_that_is_another_program_is_not_talked_to(new_client, runs):
    client = new_client()
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = {"port": other.getsockname()[1], "token": "t", "pid": 1, "started": 0.0}
        (runs / "worker.json").write_text(json.dumps(place))
        (runs / "worker.json").chmod(0o600)
        worker = client.connect(None)
        other.settimeout(0.2)
        found, why = worker._attached(vi.time.monotonic() + 0.2)
    assert found is None
    assert why


def test_a_file_that_others_can_read_is_not_trusted(new_client, announced, runs):
    (runs / "worker.json").chmod(0o644)
    found, why = new_client().connect(None)._attached(vi.time.monotonic() + 5)
    assert found is None
    assert "others" in why


def test_errors_of_a_method_become_codes():
    for error, code in (
        (InputError("x"), Code.INPUT),
        (RecordError("x"), Code.RECORD),
        (ScalarizerError("x"), Code.SCALARIZER),
        (OSError("x"), Code.RECORD),
        (KeyError("x"), Code.INTERNAL),
    ):
        assert as_worker_error(error).code is code


def test_a_method_that_raises_leaves_the_worker_alive(client):
    def broken(_params, _arrays):
        raise ZeroDivisionError("never")

    server = Server("t", {"broken": broken}, 60.0)
    thread = vi.threading.Thread(target=server.serve)
    thread.start()
    place = {"port": server.port, "token": "t"}
    connection = greeted(place)
    for _ in range(2):
        send(connection, Message({"id": 1, "method": "broken", "params": {}}))
        said = receive(connection).header
        assert said["code"] == Code.INTERNAL
        assert "ZeroDivisionError: never" in said["text"]
    connection.close()
    server.stop()
    thread.join()
