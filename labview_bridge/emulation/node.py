"""The emulated Python Node as LabVIEW sees it: sessions, calls, error codes and default outputs.

The contract (what is loaded, passed, accepted and reported) is that of National Instruments' documentation of Open
Python Session and Python Node; what happens inside the process is in `labview_bridge.emulation.node_host`.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from labview_bridge.emulation.node_host import BOOT, FUNCTION_FAILED, LENGTH, MODULE_NOT_LOADED, UNKNOWN
from labview_bridge.emulation.node_types import default, parse_type

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 60.0

__all__ = ["FUNCTION_FAILED", "MODULE_NOT_LOADED", "UNKNOWN", "Answer", "LabVIEW", "NodeError", "Session"]


class NodeError(Exception):
    """A node that opens or closes a session has put an error on its error out.

    Attributes:
        code: LabVIEW's error code.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


@dataclass(frozen=True)
class Answer:
    """What comes out of a Python Node after a call.

    Attributes:
        code: 0, or LabVIEW's error code.
        text: what the error cluster says.
        value: the return value; the type's default (0, empty) after an error.
        parameters: the parameters' values after the call.
        seconds: how long the function ran, as measured in its process.
        waited_s: how long the call waited for others in the same session.
        elapsed_s: how long the VI waited in all, the emulation's own transport included.
        plain: whether the value was made of exact Python ints, floats, bools, strings, lists and tuples only.
        raised: whether the exception that the caller asked for was raised.
    """

    code: int
    text: str
    value: Any
    parameters: tuple[Any, ...] = ()
    seconds: float = 0.0
    waited_s: float = 0.0
    elapsed_s: float = 0.0
    plain: bool = True
    raised: bool = False

    @property
    def ok(self) -> bool:
        """Whether the node's error out is clear."""
        return self.code == 0


@dataclass(frozen=True)
class Call:
    """One entry of the watchdog.

    Attributes:
        function: what was called.
        seconds: how long the function ran.
        elapsed_s: how long the VI waited.
    """

    function: str
    seconds: float
    elapsed_s: float


@dataclass
class Watchdog:
    """Measures every call. LabVIEW has no time-out, so nothing is ended before `hang_s`: then the user ends LabVIEW.

    Attributes:
        hang_s: after this the process is killed and the call answered with an error, s.
        calls: what was called so far.
    """

    hang_s: float = 120.0
    calls: list[Call] = field(default_factory=list)

    def longer_than(self, limit_s: float) -> list[Call]:
        """The calls whose function ran longer than a limit, s."""
        return [call for call in self.calls if call.seconds > limit_s]


class _Queue:
    """Lets callers in one at a time, in the order in which they came."""

    def __init__(self) -> None:
        self._changed, self._waiting = threading.Condition(), deque[object]()

    def __enter__(self) -> None:
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: self._waiting[0] is ticket)

    def __exit__(self, *exception: object) -> None:
        with self._changed:
            self._waiting.popleft()
            self._changed.notify_all()


class LabVIEW:
    """A running LabVIEW: it opens sessions, and never again with an interpreter that once failed to start."""

    def __init__(self) -> None:
        self._failed: dict[str, str] = {}

    def open_session(
        self,
        python: str | Path,
        *,
        folder: str | Path,
        environment: Mapping[str, str] | None = None,
        argv: bool = True,
        stdout: Literal["hidden", "closed"] = "hidden",
        hang_s: float = 120.0,
    ) -> Session:
        """Open a session.

        Args:
            python: the interpreter, any CPython from 3.6 on.
            folder: current directory of the process; not the module's.
            environment: environment variables beside those of this process.
            argv: whether `sys.argv` is there.
            stdout: where the module's output goes: nowhere, or its descriptor is closed.
            hang_s: see `Watchdog`.

        Raises:
            NodeError: 1672, the interpreter does not start, or did not start before.
        """
        name = str(python)
        if name in self._failed:
            raise NodeError(UNKNOWN, f"unknown Python error (remembered until LabVIEW is started again): {name}")
        try:
            return Session(name, Path(folder), dict(environment or {}), {"argv": argv, "stdout": stdout}, hang_s)
        except OSError as error:
            self._failed[name] = str(error)
            raise NodeError(UNKNOWN, f"unknown Python error: {error}") from error


class Session:
    """A Python session: one process that keeps its modules, one call at a time. Made by `LabVIEW.open_session`."""

    def __init__(
        self, python: str, folder: Path, environment: dict[str, str], options: dict[str, Any], hang_s: float
    ) -> None:
        self.watchdog = Watchdog(hang_s)
        self._queue = _Queue()
        token = secrets.token_hex(16)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.settimeout(0.2)
            port = listening.getsockname()[1]
            self._process = subprocess.Popen(
                [python, "-c", BOOT, str(ROOT), str(port), token, json.dumps(options)],
                cwd=folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                self._link = self._accepted(listening, token)
            except BaseException:
                self.kill()
                raise

    @property
    def pid(self) -> int:
        """Process id of the host."""
        return self._process.pid

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def call(
        self,
        module: str | Path,
        function: str,
        parameters: Sequence[tuple[str, Any]] = (),
        returns: str | None = None,
        *,
        error_in: int = 0,
        raise_at: int | None = None,
    ) -> Answer:
        """Call a function, positionally, in the order of the terminals.

        Args:
            module: the file, loaded by its path at the first call and kept until the session is closed.
            function: its name.
            parameters: (LabVIEW type, value) from top to bottom; see `node_host` for how types are written.
            returns: the type wired to the node's return type; None for a function that returns nothing.
            error_in: a node with an error on its error in does not run.
            raise_at: raise an exception at the nth line that runs in the module's folder, below the function.

        Returns:
            The outputs. Errors of Python do not raise here: a VI has to look at `code`.
        """
        nothing = None if returns is None else default(parse_type(returns))
        values = tuple(value for _, value in parameters)
        if error_in:
            return Answer(error_in, "error in", nothing, values)
        request = {
            "op": "call",
            "module": str(module),
            "function": function,
            "returns": returns,
            "parameters": [list(pair) for pair in parameters],
            "raise_at": raise_at,
        }
        asked = time.perf_counter()
        with self._queue:
            started = time.perf_counter()
            try:
                answer = self._exchange(request)
            except (OSError, EOFError) as error:
                self.kill()
                return Answer(
                    UNKNOWN, f"unknown Python error: the session's process is gone ({error})", nothing, values
                )
            ended = time.perf_counter()
        self.watchdog.calls.append(Call(function, answer["seconds"], ended - asked))
        return Answer(
            answer["code"],
            answer["text"],
            answer["value"],
            tuple(answer["parameters"]),
            answer["seconds"],
            started - asked,
            ended - asked,
            answer["plain"],
            answer["raised"],
        )

    def about(self) -> dict[str, Any]:
        """Facts of the process: pid, version, loaded modules, path, current directory."""
        with self._queue:
            return self._exchange({"op": "about"})

    def lock(self, paths: Sequence[str | Path]) -> None:
        """From now on the process finds these files locked; none are with an empty list."""
        with self._queue:
            self._exchange({"op": "lock", "paths": [str(path) for path in paths]})

    def kill(self) -> None:
        """End the process at once, as when LabVIEW crashes or is ended by the user."""
        self._process.kill()
        self._process.wait()
        if hasattr(self, "_link"):
            self._link.close()

    def close(self) -> None:
        """Close the session; its process ends."""
        if self._process.poll() is None:
            try:
                self._send({"op": "close"})
                self._process.wait(START_LIMIT_S)
            except (OSError, subprocess.TimeoutExpired):
                self._process.kill()
        self._process.wait()
        self._link.close()

    def _accepted(self, listening: socket.socket, token: str) -> socket.socket:
        limit = time.monotonic() + START_LIMIT_S
        while time.monotonic() < limit:
            try:
                link, _ = listening.accept()
            except TimeoutError:
                if self._process.poll() is not None:
                    raise OSError(f"the interpreter ended with status {self._process.returncode}") from None
                continue
            link.settimeout(START_LIMIT_S)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if _received(link, len(token)) == token.encode("ascii"):
                link.settimeout(self.watchdog.hang_s)
                return link
            link.close()
        raise OSError(f"the interpreter did not answer within {START_LIMIT_S:g} s")

    def _send(self, request: Mapping[str, Any]) -> None:
        text = json.dumps(request).encode("utf-8")
        self._link.sendall(LENGTH.pack(len(text)) + text)

    def _exchange(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._send(request)
        (count,) = LENGTH.unpack(_received(self._link, LENGTH.size))
        answer: dict[str, Any] = json.loads(_received(self._link, count))
        return answer


def _received(link: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = link.recv(min(count - len(parts), 1 << 20))
        if not part:
            raise EOFError("the connection was closed")
        parts += part
    return bytes(parts)
