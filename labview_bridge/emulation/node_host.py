"""The process in which an emulated Python Node runs a user's functions, as LabVIEW's own host process does.

    python -c BOOT ROOT PORT TOKEN OPTIONS-AS-JSON

It runs under CPython 3.6 to 3.13 with the standard library alone and is driven over a loopback socket by
`labview_bridge.emulation.node`. A user's module finds no trace of this project in it: not on the path, not among the
modules. Options: `argv` (false deletes sys.argv), `stdout` ("hidden", or "closed": the descriptors are).
"""

# ruff: noqa: PTH109, PTH113, PTH118, PTH119, PTH120, PTH122

import importlib.util
import json
import os
import socket
import struct
import sys
import time
from typing import Any

from labview_bridge.emulation.node_faults import LockedFiles, Raising
from labview_bridge.emulation.node_types import Kind, default, from_python, is_plain, parse_type, to_python

BOOT = """\
import sys
sys.path.insert(0, sys.argv[1])
from labview_bridge.emulation.node_host import main
main()
"""
LENGTH = struct.Struct(">I")
MODULE_NOT_LOADED, FUNCTION_FAILED, UNKNOWN = 1667, 1671, 1672
FAILED = "There was an error in executing the specified function. Python returned the following error:"


class LoadError(Exception):
    """The module's path cannot be used."""


class Host:
    """The modules of one session and what is called in them."""

    def __init__(self) -> None:
        self._modules: dict[str, Any] = {}
        self._locked = LockedFiles()

    def call(self, request: Any) -> "dict[str, Any]":
        """Call a function: {module, function, returns, parameters: [[type, value], ...], raise_at}."""
        returns = parse_type(request["returns"]) if request["returns"] else None
        kinds = [parse_type(kind) for kind, _ in request["parameters"]]
        values = [value for _, value in request["parameters"]]
        answer = {"code": 0, "text": "", "plain": True, "raised": False, "seconds": 0.0, "parameters": values}
        answer["value"] = None if returns is None else default(returns)
        try:
            passed = [to_python(kind, value) for kind, value in zip(kinds, values)]  # noqa: B905 - Python 3.6
            self._run(request, returns, kinds, passed, answer)
        except LoadError as error:
            answer.update(code=MODULE_NOT_LOADED, text=str(error))
        except BaseException as error:  # noqa: BLE001 - whatever it is, a VI gets a code and goes on
            answer.update(code=FUNCTION_FAILED, text=f"{FAILED} {type(error)} {error}")
        return answer

    def _run(self, request: Any, returns: Kind, kinds: "list[Kind]", passed: "list[Any]", answer: Any) -> None:
        started = time.perf_counter()
        raising = Raising(os.path.dirname(request["module"]), request["raise_at"])
        try:
            function = getattr(self._module(request["module"]), request["function"])
            with raising:
                value = function(*passed)
        finally:
            answer.update(seconds=time.perf_counter() - started, raised=raising.done)
        answer["plain"] = is_plain(value)
        # Both are converted before either is handed over: after an error every output is its default.
        after = [from_python(kind, part) for kind, part in zip(kinds, passed)]  # noqa: B905 - Python 3.6
        returned = None if returns is None else from_python(returns, value)
        answer.update(value=returned, parameters=after)

    def lock(self, request: Any) -> "dict[str, Any]":
        """Lock files: {paths}."""
        self._locked.lock(request["paths"])
        return {}

    def about(self, _request: Any) -> "dict[str, Any]":
        """Facts of this process."""
        return {
            "pid": os.getpid(),
            "version": list(sys.version_info[:3]),
            "modules": sorted(sys.modules),
            "path": sys.path,
            "cwd": os.getcwd(),
            "argv": hasattr(sys, "argv"),
            "stdout": sys.stdout is not None,
        }

    def _module(self, path: str) -> Any:
        if path not in self._modules:
            self._modules[path] = _loaded(path)
        return self._modules[path]


def _loaded(path: str) -> Any:
    try:
        path.encode("ascii")
    except UnicodeEncodeError:
        raise LoadError(f"the path of the module has characters beyond ASCII: {path!r}") from None
    if not os.path.isfile(path):
        raise LoadError(f"the module could not be loaded: there is no file {path}")
    stem = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(stem, path)
    if spec is None or spec.loader is None:
        raise LoadError(f"the module could not be loaded: {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _received(link: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = link.recv(min(count - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def _serve(link: socket.socket, host: Host) -> None:
    handlers: Any = {"call": host.call, "lock": host.lock, "about": host.about}
    while True:
        (count,) = LENGTH.unpack(_received(link, LENGTH.size))
        request = json.loads(_received(link, count).decode("utf-8"))
        if request["op"] == "close":
            return
        text = json.dumps(handlers[request["op"]](request)).encode("utf-8")
        link.sendall(LENGTH.pack(len(text)) + text)


def _as_labview_has_it(root: str, options: "dict[str, Any]") -> None:
    sys.path[:] = [folder for folder in sys.path if folder not in ("", root)]
    for name in [name for name in sys.modules if name.split(".")[0] == "labview_bridge"]:
        del sys.modules[name]
    # In LabVIEW this is the host program, which starts no Python.
    sys.executable = os.path.join(os.getcwd(), "niPythonHost.exe")
    if not options["argv"]:
        del sys.argv
    if options["stdout"] == "closed":
        setattr(sys, "stdout", None)  # noqa: B010 - its declared type knows no None
        setattr(sys, "stderr", None)  # noqa: B010
        os.close(1)
        os.close(2)


def main() -> None:
    """Connect to the emulated LabVIEW and serve it until it closes the session."""
    root, port, token, options = sys.argv[1], int(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])
    link = socket.create_connection(("127.0.0.1", port))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.sendall(token.encode("ascii"))
    _as_labview_has_it(root, options)
    try:
        _serve(link, Host())
    except EOFError:
        pass
    finally:
        link.close()
    # A session that is closed ends at once, whatever threads its modules have started.
    os._exit(0)
