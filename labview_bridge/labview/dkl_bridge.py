"""DKL for LabVIEW: the one file that a VI loads through its Python Node.

Standard library only, syntax of Python 3.6, loaded by its path alone: it serves LabVIEW 2018 to 2026, 32 and 64 bit.
It holds no numerics. A worker process (Python 3.11 or newer, in an environment of its own) does the work; this file
starts it, finds it again, and talks to it over a loopback connection.

Every function takes positional arguments and gives plain int, float, bool, str, rectangular lists or one flat tuple of
them. Functions that give a tuple begin it with (code, text): code 0 and an empty text say that all is well. The same
function with `_x` at its end raises `BridgeError` instead, which the Python Node reports as error 1671.

Settings: `dkl_bridge.json` beside this file, or the file that the environment variable DKL_BRIDGE_SETTINGS names.
"""

import array
import hashlib
import hmac
import json
import math
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

VERSION = "2.0.0"
PROTOCOL = 1
SETTINGS_FILE = "dkl_bridge.json"
SETTINGS_VARIABLE = "DKL_BRIDGE_SETTINGS"

INPUT, HANDLE, JOB, POINT, CONFLICT = 5001, 5002, 5003, 5004, 5005
NOT_READY, FINISHED, CANCELLED, NO_IMAGE, OUTSIDE = 5006, 5007, 5008, 5009, 5010
RECORD, SCALARIZER, IN_USE, METHOD = 5011, 5012, 5013, 5014
WORKER, TIMEOUT, PROTOCOL_ERROR, REFUSED, SETTINGS, INTERNAL = 5020, 5021, 5022, 5023, 5024, 5030

Block = Tuple[Tuple[int, ...], "array.array[float]"]
Answer = Tuple[Dict[str, Any], List[Block]]

# One name per loaded copy of this file: by it the worker tells one LabVIEW session from another.
_CLIENT = uuid.uuid4().hex
_PREFIX = struct.Struct("<4sI")
_MAGIC = b"DKLB"
_MOST_HEADER = 1 << 24
_MOST_VALUES = 1 << 27
_SERVED_ALREADY = 3
_LOG_BYTES = 1 << 20
_children = []  # type: List["subprocess.Popen[bytes]"]


class BridgeError(Exception):
    """What went wrong, as a code (5000 to 5999) and one line of text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{int(code)}: {text}")
        self.code = int(code)
        self.text = str(text)


class _LostError(Exception):
    """The connection broke; the request may be sent again on a new one."""


# ---------------------------------------------------------------------------------------------------- settings

_KNOWN = {
    "python": str,
    "runs": str,
    "idle_s": float,
    "deadline_s": float,
    "start_s": float,
    "threads": int,
    "preload": bool,
    "environment": dict,
    "published": dict,
}  # type: Dict[str, type]
_DEFAULTS = {
    "idle_s": 3600.0,
    "deadline_s": 3.0,
    "start_s": 60.0,
    "threads": 1,
    "preload": True,
    "environment": {},
    "published": {},
}  # type: Dict[str, Any]


def settings_path() -> str:
    """Where the settings are: the file that the environment variable names, or the one beside this file."""
    named = os.environ.get(SETTINGS_VARIABLE, "").strip()
    return named or os.path.join(os.path.dirname(os.path.abspath(__file__)), SETTINGS_FILE)


def load_settings(settings: Any = None) -> Dict[str, Any]:
    """Settings, checked and completed.

    Args:
        settings: a dictionary, the path of a JSON file, or None for `settings_path()`.

    Raises:
        BridgeError: the file cannot be read, a key is not known, or a value cannot be used.
    """
    if isinstance(settings, dict):
        given, where = settings, "the settings"
    else:
        where = str(settings or settings_path())
        given = _read_settings(where)
    values = dict(_DEFAULTS)
    for name, value in given.items():
        values[name] = _setting(name, value, where)
    for name in ("python", "runs"):
        if not values.get(name):
            raise BridgeError(SETTINGS, f"{where} lacks {name!r}: {_MEANING[name]}")
    values["python"] = os.path.abspath(os.path.expanduser(values["python"]))
    values["runs"] = os.path.realpath(os.path.expanduser(values["runs"]))
    return values


_MEANING = {
    "python": "the path of the python.exe in which dkl-microscopy is installed",
    "runs": "the folder in which runs are kept",
}


def _read_settings(path: str) -> Dict[str, Any]:
    try:
        with open(path, "rb") as file:
            given = json.loads(file.read().decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise BridgeError(SETTINGS, f"the settings {path} cannot be read: {error}") from error
    if not isinstance(given, dict):
        raise BridgeError(SETTINGS, f"the settings {path} hold no object {{...}}")
    return given


def _setting(name: str, value: Any, where: str) -> Any:
    if name not in _KNOWN:
        raise BridgeError(
            SETTINGS, "{} has the unknown key {!r}; known are {}".format(where, name, ", ".join(sorted(_KNOWN)))
        )
    kind = _KNOWN[name]  # type: Any
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise BridgeError(SETTINGS, f"{where}: {name} is {value!r}; give a value of type {kind.__name__}")
    if kind in (int, float) and not (value > 0 and math.isfinite(value)):
        raise BridgeError(SETTINGS, f"{where}: {name} is {value!r}; give a number above 0")
    if name == "environment" and not all(type(text) is str for text in value.values()):
        raise BridgeError(SETTINGS, f"{where}: environment must hold texts only")
    return value.strip() if kind is str else value


# ---------------------------------------------------------------------------------------------------- the worker


class _Worker:
    """The connection to a runs folder's worker, which is started when none runs. Safe to use from several threads."""

    def __init__(self, settings: Dict[str, Any]) -> None:
        self.settings = settings
        self._mutex = threading.RLock()
        self._socket = None  # type: Optional[socket.socket]
        self._starting = None  # type: Optional["subprocess.Popen[bytes]"]
        self._log_start = 0
        self._number = 0

    def request(
        self,
        method: str,
        params: Dict[str, Any],
        arrays: Sequence[Block] = (),
        timeout_s: Optional[float] = None,
    ) -> Answer:
        """Ask the worker; it is connected to, or started, first.

        A request whose connection breaks is sent once more, to a new worker if need be: methods are made so that
        this does no harm.

        Args:
            method: what is asked.
            params: JSON-compatible values without NaN.
            arrays: blocks of (shape, values).
            timeout_s: how long all of it may take, s; the settings' deadline_s if None.

        Raises:
            BridgeError: the worker refuses, does not answer in time, or cannot be started.
        """
        allowed = self.settings["deadline_s"] if timeout_s is None else timeout_s
        until = time.monotonic() + allowed
        with self._mutex:
            _reap()
            for attempt in (1, 2):
                try:
                    connection = self._connected(until)
                    return self._exchanged(connection, method, params, arrays, until)
                except _LostError as error:
                    self.disconnect()
                    if attempt == 2:
                        raise BridgeError(WORKER, f"the worker was lost during {method}: {error}") from error
                except BridgeError as error:
                    if error.code in (TIMEOUT, PROTOCOL_ERROR):
                        # What comes later would be taken for the answer to another request.
                        self.disconnect()
                    raise
        raise BridgeError(INTERNAL, "a request ended without an answer")

    def is_there(self) -> bool:
        """Whether a worker runs; none is started."""
        with self._mutex:
            if self._socket is None:
                self._socket, _ = self._attached(time.monotonic() + 2.0)
            return self._socket is not None

    def disconnect(self) -> None:
        """Let go of the connection; the worker goes on."""
        with self._mutex:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    # ------------------------------------------------------------------ connecting

    def _connected(self, until: float) -> socket.socket:
        if self._socket is not None:
            return self._socket
        started = False
        while True:
            connection, why = self._attached(until)
            if connection is not None:
                self._socket, self._starting = connection, None
                return connection
            if not started and self._starting is None:
                self._start()
                started = True
            if self._gave_way():
                # The one it gave way to may be ending.
                started = False
            if time.monotonic() >= until:
                raise BridgeError(TIMEOUT, f"the worker is not there yet ({why}); ask again")
            time.sleep(0.02)

    def _attached(self, until: float) -> Tuple[Optional[socket.socket], str]:
        """A connection to the worker that is announced, or why there is none."""
        place = os.path.join(self.settings["runs"], "worker.json")
        try:
            port, token = _announced(place)
        except (OSError, ValueError, KeyError, TypeError) as error:
            return None, f"no worker is announced: {error}"
        connection = None
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=_left(until, 2.0))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _greet(connection, token, until)
            return connection, ""
        except (OSError, _LostError) as error:
            if connection is not None:
                connection.close()
            return None, f"the announced worker does not answer: {error}"
        except BridgeError as error:
            if connection is not None:
                connection.close()
            if error.code == REFUSED and "connections" in error.text:
                raise
            return None, error.text

    def _start(self) -> None:
        settings = self.settings
        runs = settings["runs"]
        if not os.path.isfile(settings["python"]):
            raise BridgeError(
                SETTINGS, "there is no interpreter {}; set 'python' in the settings".format(settings["python"])
            )
        try:
            os.makedirs(runs, exist_ok=True)
            log_path = os.path.join(runs, "worker.log")
            self._log_start = _rotated(log_path)
            with open(log_path, "ab") as log:
                self._starting = _launched(_command(settings), runs, _clean_environment(settings), log)
        except OSError as error:
            raise BridgeError(WORKER, f"the worker cannot be started: {error}") from error
        _children.append(self._starting)

    def _gave_way(self) -> bool:
        """Whether the worker that was started has found another one and ended."""
        status = None if self._starting is None else self._starting.poll()
        if status is None:
            return False
        self._starting = None
        if status != _SERVED_ALREADY:
            raise BridgeError(WORKER, f"the worker ended with status {status}: {self._log_tail()}")
        return True

    def _log_tail(self) -> str:
        try:
            with open(os.path.join(self.settings["runs"], "worker.log"), "rb") as log:
                log.seek(self._log_start)
                lines = log.read(_LOG_BYTES).decode("utf-8", "replace").split("\n")
        except OSError as error:
            return f"no log ({error})"
        told = [line.strip() for line in lines if line.strip()]
        return " | ".join(told[-3:]) or "nothing in worker.log"

    # ------------------------------------------------------------------ asking

    def _exchanged(
        self, connection: socket.socket, method: str, params: Dict[str, Any], arrays: Sequence[Block], until: float
    ) -> Answer:
        self._number += 1
        _send(connection, {"id": self._number, "method": method, "params": params}, arrays, until)
        header, blocks = _receive(connection, until)
        if header.get("ok") is not True:
            raise BridgeError(int(header.get("code", INTERNAL)), str(header.get("text", "no reason given")))
        if header.get("id") != self._number:
            raise BridgeError(PROTOCOL_ERROR, "the worker answered another request")
        return header.get("result", {}), blocks


_workers = {}  # type: Dict[str, _Worker]
_workers_mutex = threading.Lock()


def connect(settings: Any = None) -> _Worker:
    """The worker of the settings' runs folder; nothing is started before the first request.

    Args:
        settings: a dictionary, the path of a JSON file, or None for the file found by `settings_path()`.

    Raises:
        BridgeError: settings that cannot be used.
    """
    values = load_settings(settings)
    with _workers_mutex:
        worker = _workers.get(values["runs"])
        if worker is None or worker.settings != values:
            if worker is not None:
                worker.disconnect()
            worker = _workers[values["runs"]] = _Worker(values)
        return worker


def _announced(path: str) -> Tuple[int, str]:
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        place = json.loads(file.read(65536).decode("utf-8"))
    if os.name == "posix" and (status.st_uid != os.getuid() or status.st_mode & 0o077):
        raise ValueError(f"{path} can be read or was written by others; remove it")
    port, token = place["port"], place["token"]
    if type(port) is not int or not 0 < port < 65536 or type(token) is not str or not token:
        raise ValueError(f"{path} is damaged")
    return port, token


def _greet(connection: socket.socket, token: str, until: float) -> None:
    until = min(until, time.monotonic() + 2.0)
    hello, _ = _receive(connection, until)
    if hello.get("ok") is False:
        raise BridgeError(int(hello.get("code", REFUSED)), str(hello.get("text", "")))
    if hello.get("dkl") != PROTOCOL:
        raise BridgeError(PROTOCOL_ERROR, f"the worker speaks version {hello.get('dkl')!r}, this file {PROTOCOL}")
    nonce = uuid.uuid4().hex
    answer = {"proof": _proof(token, "client", str(hello.get("nonce"))), "nonce": nonce, "client": _CLIENT}
    _send(connection, answer, (), until)
    welcome, _ = _receive(connection, until)
    if welcome.get("ok") is not True:
        raise BridgeError(int(welcome.get("code", REFUSED)), str(welcome.get("text", "")))
    if not hmac.compare_digest(str(welcome.get("proof")), _proof(token, "worker", nonce)):
        raise BridgeError(REFUSED, "what answers on the announced port is not the worker")


def _proof(token: str, side: str, nonce: str) -> str:
    return hmac.new(token.encode("ascii"), (side + nonce).encode("utf-8"), hashlib.sha256).hexdigest()


def _send(connection: socket.socket, header: Dict[str, Any], arrays: Sequence[Block], until: float) -> None:
    header = dict(header, arrays=[list(shape) for shape, _ in arrays])
    try:
        text = json.dumps(header, allow_nan=False).encode("utf-8")
    except ValueError as error:
        raise BridgeError(INPUT, f"the parameters cannot be sent: {error}") from error
    parts = [_PREFIX.pack(_MAGIC, len(text)), text]
    parts.extend(_bytes_of(values) for _, values in arrays)
    try:
        connection.settimeout(_left(until))
        connection.sendall(b"".join(parts))
    except socket.timeout:
        raise BridgeError(TIMEOUT, "the worker did not take the request in time") from None
    except OSError as error:
        raise _LostError(str(error)) from error


def _receive(connection: socket.socket, until: float) -> Tuple[Dict[str, Any], List[Block]]:
    magic, length = _PREFIX.unpack(bytes(_exactly(connection, _PREFIX.size, until)))
    if magic != _MAGIC or length > _MOST_HEADER:
        raise BridgeError(PROTOCOL_ERROR, "what answers is no DKL worker")
    try:
        header = json.loads(bytes(_exactly(connection, length, until)).decode("utf-8"))
        shapes = [tuple(int(size) for size in shape) for shape in header.get("arrays", [])]
    except (ValueError, TypeError, AttributeError) as error:
        raise BridgeError(PROTOCOL_ERROR, f"the answer's header is damaged: {error}") from error
    if any(size < 0 for shape in shapes for size in shape) or sum(_count(shape) for shape in shapes) > _MOST_VALUES:
        raise BridgeError(PROTOCOL_ERROR, "the answer's arrays are too large")
    return header, [(shape, _values_of(_exactly(connection, 8 * _count(shape), until))) for shape in shapes]


def _exactly(connection: socket.socket, count: int, until: float) -> bytearray:
    data = bytearray(count)
    view = memoryview(data)
    try:
        while len(view):
            connection.settimeout(_left(until))
            received = connection.recv_into(view)
            if not received:
                raise _LostError("the worker closed the connection")
            view = view[received:]
    except socket.timeout:
        raise BridgeError(TIMEOUT, "the worker did not answer in time") from None
    except OSError as error:
        raise _LostError(str(error)) from error
    return data


def _left(until: float, most: Optional[float] = None) -> float:
    left = max(0.001, until - time.monotonic())
    return left if most is None else min(left, most)


def _count(shape: Sequence[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _bytes_of(values: "array.array[float]") -> bytes:
    if sys.byteorder == "big":
        values = array.array("d", values)
        values.byteswap()
    return values.tobytes()


def _values_of(data: bytearray) -> "array.array[float]":
    values = array.array("d")
    values.frombytes(bytes(data))
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _command(settings: Dict[str, Any]) -> List[str]:
    # -P: a file in the current folder that bears a module's name must not be taken for it.
    command = [settings["python"], "-P", "-X", "utf8", "-m", "labview_bridge.worker", settings["runs"]]
    command += ["--idle", repr(settings["idle_s"])]
    return command if settings["preload"] else [*command, "--no-preload"]


def _clean_environment(settings: Dict[str, Any]) -> Dict[str, str]:
    """The environment without what LabVIEW's own Python would impose on the worker's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("PYTHON", "CONDA", "__PYVENV")) and name.upper() != "VIRTUAL_ENV"
    }
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        # A fixed number: sums in another order differ in their last bits, and so might the next site.
        kept[name] = str(settings["threads"])
    kept["MPLBACKEND"] = "agg"
    kept.update(settings["environment"])
    return kept


def _launched(command: List[str], folder: str, environment: Dict[str, str], log: Any) -> "subprocess.Popen[bytes]":
    options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "close_fds": True}  # type: Dict[str, Any]
    options.update(cwd=folder, env=environment)
    if os.name != "nt":
        # A session of its own: what ends LabVIEW's process group does not end the worker.
        return subprocess.Popen(command, start_new_session=True, **options)
    no_window, new_group, breakaway = 0x08000000, 0x00000200, 0x01000000
    try:
        return subprocess.Popen(command, creationflags=no_window | new_group | breakaway, **options)
    except OSError:
        # The job object that LabVIEW runs in may not let its processes leave.
        return subprocess.Popen(command, creationflags=no_window | new_group, **options)


def _rotated(path: str) -> int:
    """Put a long log aside; gives where the next line will begin."""
    try:
        size = os.path.getsize(path)
    except OSError:
        return 0
    if size < _LOG_BYTES:
        return size
    try:
        os.replace(path, path + ".1")
    except OSError:
        return size
    return 0


def _reap() -> None:
    """Take note of workers that have ended, so that the system can forget them."""
    _children[:] = [child for child in _children if child.poll() is None]


# ---------------------------------------------------------------------------------------------------- arguments


def _handle(value: Any) -> int:
    if value is None or (type(value) is int and value == 0):
        raise BridgeError(HANDLE, "the handle is not wired: give the one that session_open gave")
    return _whole("the handle", value)


def _whole(name: str, value: Any) -> int:
    if value is None:
        raise BridgeError(INPUT, f"{name} is not wired")
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise BridgeError(INPUT, f"{name} is {_shown(value)}; give a whole number (I32)")
    number = int(value.__index__())
    if not -(2**31) <= number < 2**31:
        raise BridgeError(INPUT, f"{name} is {number}; that is no I32")
    return number


def _number(name: str, value: Any) -> int:
    """A number counted from 1; LabVIEW gives 0 for a terminal that is not wired."""
    number = _whole(name, value)
    if number <= 0:
        raise BridgeError(INPUT, f"{name} is {number}: the terminal is not wired, or wired to the wrong value")
    return number


def _real(name: str, value: Any) -> float:
    if value is None:
        raise BridgeError(INPUT, f"{name} is not wired")
    if isinstance(value, (bool, str, bytes)) or not (hasattr(value, "__float__") or hasattr(value, "__index__")):
        raise BridgeError(INPUT, f"{name} is {_shown(value)}; give a number (DBL)")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise BridgeError(INPUT, f"{name} is {_shown(value)}; give a number (DBL)") from error
    if not math.isfinite(number):
        raise BridgeError(INPUT, f"{name} is {number}; give a finite number")
    return number


def _positive(name: str, value: Any) -> float:
    number = _real(name, value)
    if number <= 0:
        raise BridgeError(INPUT, f"{name} is {number}: the terminal is not wired, or the value is not above 0")
    return number


def _text(name: str, value: Any) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise BridgeError(INPUT, f"{name} is empty: the terminal is not wired")
    if not isinstance(value, str):
        raise BridgeError(INPUT, f"{name} is {_shown(value)}; give a text (String)")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BridgeError(INPUT, f"{name} holds characters that are no text; use plain letters") from error
    return value.strip()


def _flag(name: str, value: Any) -> bool:
    if value is None:
        raise BridgeError(INPUT, f"{name} is not wired")
    if not isinstance(value, bool):
        raise BridgeError(INPUT, f"{name} is {_shown(value)}; give a Boolean")
    return value


def _vector(name: str, value: Any) -> Block:
    values = _row(name, _as_list(name, value))
    return (len(values),), values


def _matrix(name: str, value: Any) -> Block:
    rows = _as_list(name, value)
    flat = array.array("d")
    width = -1
    for number, row in enumerate(rows):
        part = _row(f"row {number} of {name}", _as_list(f"row {number} of {name}", row))
        if width not in (-1, len(part)):
            raise BridgeError(
                INPUT, f"row {number} of {name} has {len(part)} values, the first {width}; give equal rows"
            )
        width = len(part)
        flat.extend(part)
    return (len(rows), width), flat


def _as_list(name: str, value: Any) -> Any:
    if hasattr(value, "tolist"):
        # "Marshal to NumPy Array" is set on the terminal; NumPy itself is not needed here.
        value = value.tolist()
    if not isinstance(value, (list, tuple)) or not value:
        raise BridgeError(INPUT, f"{name} is {_shown(value)}: the terminal is not wired, or the array is empty")
    return value


def _row(name: str, values: Any) -> "array.array[float]":
    if not set(map(type, values)) <= {int, float}:
        raise BridgeError(INPUT, f"{name} holds something that is no number; give an array of DBL")
    try:
        return array.array("d", values)
    except (TypeError, OverflowError) as error:
        raise BridgeError(INPUT, f"{name} holds a number that is too large: {error}") from error


def _shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _or_nan(value: Any) -> float:
    return float("nan") if value is None else float(value)


# ---------------------------------------------------------------------------------------------------- calling

_opened = {}  # type: Dict[int, str]
_safe_places = {}  # type: Dict[int, Tuple[float, float, float, float]]
_last_errors = {}  # type: Dict[int, Tuple[int, str]]
_IMAGE_S = 30.0


def _worker() -> _Worker:
    return connect(None)


def _asked(
    handle: int, method: str, params: Dict[str, Any], arrays: Sequence[Block] = (), least_s: float = 0.0
) -> Answer:
    """Ask about a session; one that a new worker does not know is opened again first, under the same handle."""
    worker = _worker()
    allowed = max(least_s, worker.settings["deadline_s"])
    params = dict(params, handle=handle)
    try:
        return worker.request(method, params, arrays, allowed)
    except BridgeError as error:
        if error.code != HANDLE or handle not in _opened:
            raise
    start_s = worker.settings["start_s"]
    result, _ = worker.request("session.open", {"config": _opened[handle], "handle": handle}, (), start_s)
    if result.get("handle") != handle:
        raise BridgeError(HANDLE, f"session {handle} was lost with its worker; call session_open again")
    return worker.request(method, params, arrays, allowed)


def _status(function: Callable[..., Any], failed: Callable[..., Tuple[Any, ...]]) -> Callable[..., Any]:
    """The variant of a function that never raises: it gives (code, text, ...) with harmless values where it failed."""

    def call(*arguments: Any) -> Any:
        try:
            return _called(function, arguments)
        except BridgeError as error:
            return (error.code, error.text, *failed(*arguments))

    call.__name__ = function.__name__[: -len("_x")]
    call.__doc__ = function.__doc__
    return call


def _called(function: Callable[..., Any], arguments: Tuple[Any, ...]) -> Any:
    """Call, remember how it went, and turn every error into a BridgeError."""
    handle = arguments[0] if arguments and type(arguments[0]) is int else 0
    try:
        _check_count(function, arguments)
        answer = function(*arguments)
    except BridgeError as error:
        problem = error
    except Exception as error:  # noqa: BLE001 - nothing but a BridgeError may reach the VI
        problem = BridgeError(INTERNAL, f"{type(error).__name__}: {error}")
    else:
        if function.__name__ == "session_open_x":
            handle = answer[2]
        _last_errors[handle] = _last_errors[0] = (0, "")
        return answer
    _last_errors[handle] = _last_errors[0] = (problem.code, problem.text)
    raise problem


def _check_count(function: Callable[..., Any], arguments: Tuple[Any, ...]) -> None:
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    if len(arguments) != len(names):
        order = ", ".join(names) or "none"
        name = function.__name__[: -len("_x")]
        raise BridgeError(INPUT, f"{name} has {len(names)} inputs ({order}); {len(arguments)} are wired")


def _raising(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        return _called(function, arguments)

    call.__name__ = function.__name__
    call.__doc__ = function.__doc__
    return call


def _nothing(*_arguments: Any) -> Tuple[Any, ...]:
    return ()


def _safe_place(*arguments: Any) -> Tuple[float, float, float, float]:
    """Where the tip was sent last, or the frame's centre: a VI that overlooks the code must not leave the frame."""
    handle = arguments[0] if arguments and type(arguments[0]) is int else 0
    nan = float("nan")
    return _safe_places.get(handle, (nan, nan, nan, nan))


# ---------------------------------------------------------------------------------------------------- functions


def bridge_version() -> str:
    """The version of this file. No worker is needed for it."""
    return VERSION


def bridge_start_x() -> Tuple[int, str]:
    """Start the worker, or find the one that runs, and wait until all it needs is loaded. -> (code, text)."""
    worker = _worker()
    until = time.monotonic() + worker.settings["start_s"]
    while True:
        answer, _ = worker.request("worker.ping", {}, (), _left(until))
        if answer.get("warm"):
            return 0, ""
        if time.monotonic() >= until:
            raise BridgeError(TIMEOUT, "the worker is still loading what it needs; see worker.log in the runs folder")
        time.sleep(0.05)


def bridge_stop_x() -> Tuple[int, str]:
    """End the worker, in order: every run is put on the disk first. -> (code, text)."""
    worker = _worker()
    if worker.is_there():
        worker.request("worker.stop", {})
        worker.disconnect()
    return 0, ""


def bridge_ping_x(h: int) -> int:
    """How long a question to the worker takes, ms. -> I32; -1 where it does not answer."""
    worker = _worker()
    before = time.monotonic()
    worker.request("worker.ping", {"handle": _whole("h", h)})
    return math.ceil(1000 * (time.monotonic() - before))


def session_open_x(config_json: str) -> Tuple[int, str, int]:
    """Open a run, or find it again after an abort. -> (code, text, handle)."""
    text = _text("config_json", config_json)
    worker = _worker()
    result, _ = worker.request("session.open", {"config": text}, (), worker.settings["start_s"])
    handle = int(result["handle"])
    _opened[handle] = text
    return 0, "", handle


def session_set_image_x(
    h: int,
    z: List[List[float]],
    width_m: float,
    height_m: float,
    xc_m: float,
    yc_m: float,
    angle_deg: float,
    y_up: bool,
) -> Tuple[int, str]:
    """Set the structural image and where it lies; a new one begins a new frame. -> (code, text)."""
    handle = _handle(h)
    image = _matrix("z", z)
    geometry = {
        "width_m": _positive("width_m", width_m),
        "height_m": _positive("height_m", height_m),
        "xc_m": _real("xc_m", xc_m),
        "yc_m": _real("yc_m", yc_m),
        "angle_deg": _real("angle_deg", angle_deg),
        "y_up": _flag("y_up", y_up),
    }
    _asked(handle, "session.set_image", {"geometry": geometry}, [image], _IMAGE_S)
    rows, cols = image[0]
    _safe_places[handle] = ((cols - 1) / 2.0, (rows - 1) / 2.0, geometry["xc_m"], geometry["yc_m"])
    return 0, ""


def submit_result_x(h: int, point_id: int, V: List[float], channels: List[List[float]]) -> Tuple[int, str]:  # noqa: N803
    """Hand in the spectrum that was measured at a point; returns at once. -> (code, text)."""
    handle, point = _handle(h), _number("point_id", point_id)
    _asked(handle, "session.submit", {"point": point}, [_vector("V", V), _matrix("channels", channels)])
    return 0, ""


def submit_failed_x(h: int, point_id: int, reason: str) -> Tuple[int, str]:
    """Say that a point could not be measured. -> (code, text)."""
    handle, point = _handle(h), _number("point_id", point_id)
    _asked(handle, "session.submit_failed", {"point": point, "reason": _text("reason", reason)})
    return 0, ""


def result_get_x(h: int, point_id: int) -> Tuple[int, str, int, float, bool]:
    """The scalar of a measured point. -> (code, text, state 0 working or 1 done, scalar, valid); text: why invalid."""
    handle, point = _handle(h), _number("point_id", point_id)
    result, _ = _asked(handle, "session.result", {"point": point})
    return 0, str(result["reason"]), int(result["state"]), _or_nan(result["value"]), bool(result["valid"])


def suggest_start_x(h: int) -> Tuple[int, str, int]:
    """Ask for the next point; returns at once. -> (code, text, job)."""
    result, _ = _asked(_handle(h), "session.suggest", {"request": uuid.uuid4().hex})
    return 0, "", int(result["job"])


def suggest_poll_x(h: int, job: int) -> Tuple[int, str, int, float]:
    """How far a job is. -> (code, text, state, progress 0 to 1).

    States: 0 working, 1 ready, 2 nothing left to measure, 3 cancelled, 4 failed; text says why.
    """
    result, _ = _asked(_handle(h), "session.poll", {"job": _number("job", job)})
    return 0, str(result["text"]), int(result["state"]), float(result["progress"])


def suggest_get_x(h: int, job: int) -> Tuple[int, str, int, float, float, float, float, float, float, float]:
    """The point that a job decided on.

    -> (code, text, point_id, x_px, y_px, x_m, y_m, predicted, sigma, acq).
    """
    handle = _handle(h)
    found, _ = _asked(handle, "session.get", {"job": _number("job", job)})
    place = (float(found["x_px"]), float(found["y_px"]), float(found["x_m"]), float(found["y_m"]))
    _safe_places[handle] = place
    believed = (_or_nan(found["predicted"]), _or_nan(found["sigma"]), _or_nan(found["acquisition"]))
    return (0, "", int(found["point"]), *place, *believed)


def suggest_cancel_x(h: int, job: int) -> Tuple[int, str]:
    """Give a job up, or take its point back; never waits for a fit. -> (code, text)."""
    _asked(_handle(h), "session.cancel", {"job": _number("job", job)})
    return 0, ""


def next_frame_start_x(h: int, size_m: float) -> Tuple[int, str, int]:
    """Ask for the next, smaller frame of size_m x size_m; poll and cancel it like a point. -> (code, text, job)."""
    params = {"size_m": _positive("size_m", size_m), "request": uuid.uuid4().hex}
    result, _ = _asked(_handle(h), "session.next_frame", params)
    return 0, "", int(result["job"])


def next_frame_get_x(h: int, job: int) -> Tuple[int, str, float, float, float, float, float]:
    """The frame that a job decided on. -> (code, why, xc_m, yc_m, width_m, height_m, angle_deg)."""
    found, _ = _asked(_handle(h), "session.get_frame", {"job": _number("job", job)})
    names = ("xc_m", "yc_m", "width_m", "height_m", "angle_deg")
    frame = tuple(float(found[name]) for name in names)
    return (0, str(found["reason"]), frame[0], frame[1], frame[2], frame[3], frame[4])


def check_position_x(h: int, x_m: float, y_m: float) -> Tuple[int, str]:
    """Refuse a place outside the frame, nearer to its edge than the margin, or beyond the maximal step.

    -> (code, text).
    """
    _asked(_handle(h), "session.check_position", {"x_m": _real("x_m", x_m), "y_m": _real("y_m", y_m)})
    return 0, ""


def get_map_x(h: int, which: str) -> List[List[float]]:
    """A map with one cell per site: mean, std, acquisition, measured or property. -> 2-D DBL, NaN: no value."""
    _, blocks = _asked(_handle(h), "session.map", {"which": _text("which", which)})
    (rows, cols), values = blocks[0]
    flat = values.tolist()
    return [flat[start : start + cols] for start in range(0, rows * cols, cols)]


def map_axes_x(h: int) -> Tuple[int, str, float, float, float, float]:
    """Pixels of the image that a map's cells stand for. -> (code, text, x0_px, dx_px, y0_px, dy_px)."""
    result, _ = _asked(_handle(h), "session.map", {"which": "measured"})
    x_px, dx_px, y_px, dy_px = (float(value) for value in result["axes"])
    return 0, "", x_px, dx_px, y_px, dy_px


def status_json_x(h: int) -> str:
    """How the run stands, as a JSON text with code and text."""
    result, _ = _asked(_handle(h), "session.status", {})
    return json.dumps(dict(result["status"], code=0, text=""), allow_nan=False)


def session_close_x(h: int) -> Tuple[int, str]:
    """Let go of the run; its record is written as soon as all is done. -> (code, text)."""
    handle = _handle(h)
    _asked(handle, "session.close", {})
    _opened.pop(handle, None)
    return 0, ""


def last_error(h: int) -> Tuple[int, str]:
    """How the last call with this handle went (0: the last call at all). -> (code, text)."""
    return _last_errors.get(h if type(h) is int else 0, (0, ""))


bridge_start = _status(bridge_start_x, _nothing)
bridge_stop = _status(bridge_stop_x, _nothing)
session_open = _status(session_open_x, lambda *_: (0,))
session_set_image = _status(session_set_image_x, _nothing)
submit_result = _status(submit_result_x, _nothing)
submit_failed = _status(submit_failed_x, _nothing)
result_get = _status(result_get_x, lambda *_: (0, float("nan"), False))
suggest_start = _status(suggest_start_x, lambda *_: (0,))
suggest_poll = _status(suggest_poll_x, lambda *_: (4, 0.0))
suggest_get = _status(suggest_get_x, lambda *given: (0,) + _safe_place(*given) + (float("nan"),) * 3)
suggest_cancel = _status(suggest_cancel_x, _nothing)
next_frame_start = _status(next_frame_start_x, lambda *_: (0,))
next_frame_get = _status(next_frame_get_x, lambda *_: (float("nan"),) * 5)
check_position = _status(check_position_x, _nothing)
map_axes = _status(map_axes_x, lambda *_: (0.0, 1.0, 0.0, 1.0))
session_close = _status(session_close_x, _nothing)


def bridge_ping(h: int) -> int:
    """See `bridge_ping_x`."""
    try:
        return int(_called(_PLAIN["bridge_ping_x"], (h,)))
    except BridgeError:
        return -1


def get_map(h: int, which: str) -> List[List[float]]:
    """See `get_map_x`; where it fails one empty row, and `last_error` says why."""
    try:
        found = _called(_PLAIN["get_map_x"], (h, which))  # type: List[List[float]]
    except BridgeError:
        return [[]]
    return found


def status_json(h: int) -> str:
    """See `status_json_x`; where it fails, an object with only code and text."""
    try:
        return str(_called(_PLAIN["status_json_x"], (h,)))
    except BridgeError as error:
        return json.dumps({"code": error.code, "text": error.text})


_PLAIN = {name: value for name, value in list(globals().items()) if name.endswith("_x") and not name.startswith("_")}  # type: Dict[str, Callable[..., Any]]
# The raising variants too turn every error into a BridgeError, and remember it.
globals().update({name: _raising(function) for name, function in _PLAIN.items()})
