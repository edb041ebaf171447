"""The worker's server: loopback connections, each served by a thread of its own."""

from __future__ import annotations

import hmac
import logging
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from labview_bridge.worker.caller import current_client
from labview_bridge.worker.methods import Method
from labview_bridge.worker.problems import Code, WorkerError, as_worker_error
from labview_bridge.worker.protocol import (
    GREETING,
    VERSION,
    ConnectionClosedError,
    FloatArray,
    Limits,
    Message,
    proof,
    receive,
    send,
)

MOST_CONNECTIONS = 32
_LONGEST_NAME = 64
_TURN_S = 0.2
_log = logging.getLogger(__name__)


class Server:
    """Answers requests until it is stopped or has been idle for too long.

    Args:
        token: what clients must know.
        methods: name → function of (params, arrays) that gives (result, arrays).
        idle_s: it ends when nobody has asked anything for so long and `busy` says that nothing is under way.
        busy: whether work is under way that keeps the worker alive.
        limits: how much a request may hold.
    """

    def __init__(
        self,
        token: str,
        methods: Mapping[str, Method],
        idle_s: float,
        busy: Callable[[], bool] = lambda: False,
        limits: Limits | None = None,
    ) -> None:
        self._token, self._idle_s, self._busy = token, idle_s, busy
        self._limits = limits or Limits()
        self._methods: dict[str, Method] = {**methods, "worker.stop": self._stop_asked}
        self._connections: dict[socket.socket, str] = {}
        self._mutex = threading.Lock()
        self._stopping = threading.Event()
        self._last_asked = time.monotonic()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.setblocking(False)

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        port: int = self._listener.getsockname()[1]
        return port

    def is_connected(self, client: str) -> bool:
        """Whether a client has a connection now."""
        with self._mutex:
            return client in self._connections.values()

    def stop(self) -> None:
        """Make `serve` return."""
        self._stopping.set()

    def serve(self) -> str:
        """Answer until it ends.

        Returns:
            Why it ended.
        """
        with selectors.DefaultSelector() as selector, self._listener:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._stopping.is_set():
                if selector.select(_TURN_S):
                    self._accept()
                if time.monotonic() - self._last_asked > self._idle_s and not self._busy():
                    break
        self._drop_all()
        return "stopped" if self._stopping.is_set() else f"idle for {self._idle_s:g} s"

    def _accept(self) -> None:
        with suppress(BlockingIOError, ConnectionError):
            connection, _ = self._listener.accept()
            connection.setblocking(True)
            with self._mutex:
                full = len(self._connections) >= MOST_CONNECTIONS
                if not full:
                    self._connections[connection] = ""
            if full:
                with connection:
                    text = f"the worker has {MOST_CONNECTIONS} connections already; close some"
                    _say_and_hang_up(connection, WorkerError(Code.REFUSED, text))
                return
            threading.Thread(target=self._serve_one, args=(connection,), name="dkl-connection", daemon=True).start()

    def _serve_one(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._greet(connection)
            connection.settimeout(None)
            while not self._stopping.is_set():
                self._answer(connection, receive(connection, self._limits))
        except ConnectionClosedError:
            pass
        except WorkerError as problem:
            # The stream is out of step: say why, and end it.
            _log.warning("connection refused: %s", problem.text)
            _say_and_hang_up(connection, problem)
        except OSError as error:
            _log.info("connection lost: %s", error)
        except Exception:  # noqa: BLE001 - whatever a client sends, the worker and its other clients go on
            _log.exception("connection dropped")
        finally:
            with self._mutex:
                self._connections.pop(connection, None)
            connection.close()

    def _greet(self, connection: socket.socket) -> None:
        connection.settimeout(GREETING.seconds)
        nonce = secrets.token_hex(16)
        send(connection, Message({"dkl": VERSION, "nonce": nonce}))
        answer = receive(connection, GREETING).header
        given = {name: answer.get(name) for name in ("proof", "nonce", "client")}
        texts = {name: value for name, value in given.items() if isinstance(value, str) and value}
        if len(texts) < len(given) or len(texts["client"]) > _LONGEST_NAME:
            raise WorkerError(Code.REFUSED, "the greeting lacks proof, nonce or client; update the client's file")
        expected = proof(self._token, "client", nonce)
        if not hmac.compare_digest(expected.encode(), texts["proof"].encode("utf-8", "replace")):
            raise WorkerError(Code.REFUSED, "wrong token: it must be the one in worker.json of the runs folder")
        with self._mutex:
            self._connections[connection] = texts["client"]
        send(connection, Message({"ok": True, "proof": proof(self._token, "worker", texts["nonce"])}))

    def _answer(self, connection: socket.socket, request: Message) -> None:
        self._last_asked = time.monotonic()
        number = request.header.get("id")
        try:
            result, arrays = self._called(connection, request)
            send(connection, Message({"id": number, "ok": True, "result": result}, arrays))
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - a method may raise anything; the client gets it as a code and a line
            problem = as_worker_error(error)
            if problem.code is Code.INTERNAL:
                _log.exception("%s failed", request.header.get("method"))
            send(connection, _refusal(problem, number))
        self._last_asked = time.monotonic()

    def _called(self, connection: socket.socket, request: Message) -> tuple[dict[str, Any], list[FloatArray]]:
        name, params = request.header.get("method"), request.header.get("params", {})
        method = self._methods.get(name) if isinstance(name, str) else None
        if method is None:
            raise WorkerError(
                Code.METHOD, f"there is no method {str(name)[:60]!r}; client and worker differ in version"
            )
        if not isinstance(params, dict):
            raise WorkerError(Code.INPUT, "the parameters are no object")
        current_client.set(self._connections.get(connection, ""))
        try:
            result, arrays = method(params, list(request.arrays))
        except OSError as error:
            raise as_worker_error(error) from error
        return result, list(arrays)

    def _stop_asked(
        self, _params: dict[str, Any], _arrays: list[FloatArray]
    ) -> tuple[dict[str, Any], list[FloatArray]]:
        self.stop()
        return {}, []

    def _drop_all(self) -> None:
        with self._mutex:
            left = list(self._connections)
        for connection in left:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _say_and_hang_up(connection: socket.socket, problem: WorkerError) -> None:
    """Say why nothing more will be answered, so that it is received: closing upon unread data would destroy it."""
    with suppress(OSError):
        connection.settimeout(_TURN_S)
        send(connection, _refusal(problem))
        connection.shutdown(socket.SHUT_WR)
        until = time.monotonic() + _TURN_S
        while time.monotonic() < until and connection.recv(65536):
            pass


def _refusal(problem: WorkerError, number: object = None) -> Message:
    return Message({"id": number, "ok": False, "code": int(problem.code), "text": problem.text})
