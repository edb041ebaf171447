"""The sessions of a worker: handles, owners, and the methods `session.*`."""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dkl_core.errors import DKLError, InputError
from labview_bridge.worker.caller import current_client
from labview_bridge.worker.configuration import SessionConfig
from labview_bridge.worker.deciding import Deciding
from labview_bridge.worker.importing import import_journal
from labview_bridge.worker.methods import Method
from labview_bridge.worker.names import run_folder
from labview_bridge.worker.problems import Code, WorkerError
from labview_bridge.worker.protocol import FloatArray
from labview_bridge.worker.session import Session

RECORD_NAME = "run.h5"
_LARGEST_HANDLE = 2**31 - 1
Params = dict[str, Any]
Arrays = list[FloatArray]
Answer = tuple[dict[str, Any], list[FloatArray]]
_log = logging.getLogger(__name__)


@dataclass
class _Open:
    """A run that this worker holds; without a handle it is being closed."""

    run: Deciding
    session: Session
    handle: int
    owner: str


class Sessions:
    """All sessions of a worker.

    Args:
        runs: the runs folder.
        is_connected: whether a client has a connection now.
    """

    def __init__(self, runs: Path, is_connected: Callable[[str], bool]) -> None:
        self._runs, self._is_connected = runs, is_connected
        self._open: dict[str, _Open] = {}
        self._closing: list[threading.Thread] = []
        self._mutex = threading.RLock()

    @property
    def is_busy(self) -> bool:
        """Whether work is under way."""
        with self._mutex:
            return any(one.run.is_busy for one in self._open.values())

    def methods(self) -> dict[str, Method]:
        """The methods by name."""
        return {
            f"session.{name.removeprefix('do_')}": getattr(self, name) for name in dir(self) if name.startswith("do_")
        }

    def close_all(self) -> None:
        """Stop after what is under way and write the records."""
        with self._mutex:
            left, closing = list(self._open.values()), list(self._closing)
            self._open.clear()
        for one in left:
            one.run.stop()
            _write_record(one.run)
        for thread in closing:
            thread.join()

    # ------------------------------------------------------------------ opening and closing

    def do_open(self, params: Params, _arrays: Arrays) -> Answer:
        """Open a run, or find it again."""
        config = SessionConfig.parse(_text(params, "config"))
        folder = run_folder(self._runs, config.run)
        again = params.get("handle")
        with self._mutex:
            one = self._open.get(_key(folder))
            if one is None:
                one = self._begin(folder, config)
            else:
                self._take_over(one, config)
            if again is None:
                self._offer_outstanding(one.run)
            one.owner = current_client.get()
            one.handle = one.handle or self._new_handle(again)
        return {"handle": one.handle}, []

    def do_close(self, params: Params, _arrays: Arrays) -> Answer:
        """Let go of a run; its record is written when all is done."""
        with self._mutex:
            one = self._found(params)
            one.handle, one.owner = 0, ""
            thread = threading.Thread(target=self._close, args=(one,), name="dkl-close", daemon=True)
            self._closing = [*(other for other in self._closing if other.is_alive()), thread]
            thread.start()
        return {}, []

    def _begin(self, folder: Path, config: SessionConfig) -> _Open:
        folder.mkdir(exist_ok=True)
        run = Deciding(folder, config)
        try:
            self._check_same(run, config)
        except BaseException:
            run.stop()
            raise
        run.start()
        one = self._open[_key(folder)] = _Open(run, Session(run), 0, "")
        return one

    def _check_same(self, run: Deciding, config: SessionConfig) -> None:
        first = next(run.journal.events(), None)
        if first is None:
            run.write({"kind": "open", "format": "dkl-labview-2", "config": dict(config.given)})
        elif first.get("format") != "dkl-labview-2":
            raise WorkerError(Code.CONFLICT, f"the journal in {run.folder} is of another program; give another name")
        else:
            _require_same(first["config"], config)

    def _take_over(self, one: _Open, config: SessionConfig) -> None:
        _require_same(one.run.config.given, config)
        client = current_client.get()
        if one.owner in ("", client):
            return
        if self._is_connected(one.owner) and not config.take_over:
            raise WorkerError(
                Code.IN_USE,
                f"the run {config.run!r} is used by another LabVIEW session; close it there, or open it here with "
                '"take_over": true',
            )
        # What still holds the old handle is refused from now on.
        one.handle = 0

    def _offer_outstanding(self, run: Deciding) -> None:
        with run.mutex:
            if run.ledger.outstanding() != run.ledger.offered:
                run.write({"kind": "reopen"})

    def _close(self, one: _Open) -> None:
        one.run.wait_until_idle(600.0)
        with self._mutex:
            if one.handle or self._open.get(_key(one.run.folder)) is not one:
                return
            del self._open[_key(one.run.folder)]
            one.run.stop()
        _write_record(one.run)

    def _new_handle(self, again: object) -> int:
        used = {one.handle for one in self._open.values()}
        if type(again) is int and 0 < again <= _LARGEST_HANDLE and again not in used:
            return again
        # Random, so that a handle of an earlier worker does not fit by chance.
        while (handle := 1 + secrets.randbelow(_LARGEST_HANDLE)) in used:
            pass
        return handle

    def _found(self, params: Params) -> _Open:
        handle, client = params.get("handle"), current_client.get()
        with self._mutex:
            for one in self._open.values():
                if one.handle and one.handle == handle:
                    if one.owner != client and self._is_connected(one.owner):
                        raise WorkerError(Code.IN_USE, f"handle {handle} belongs to another LabVIEW session")
                    one.owner = client
                    return one
        raise WorkerError(Code.HANDLE, f"there is no session {handle}; call session_open and wire its handle")

    def _session(self, params: Params) -> Session:
        return self._found(params).session

    # ------------------------------------------------------------------ asking

    def do_set_image(self, params: Params, arrays: Arrays) -> Answer:
        """Begin a frame."""
        (image,) = _blocks(arrays, 1)
        self._session(params).set_image(image, dict(params["geometry"]))
        return {}, []

    def do_submit(self, params: Params, arrays: Arrays) -> Answer:
        """Take a spectrum in."""
        bias, channels = _blocks(arrays, 2)
        self._session(params).submit(_whole(params, "point"), bias, channels)
        return {}, []

    def do_submit_failed(self, params: Params, _arrays: Arrays) -> Answer:
        """Take in that a point could not be measured."""
        self._session(params).submit_failed(_whole(params, "point"), _text(params, "reason"))
        return {}, []

    def do_result(self, params: Params, _arrays: Arrays) -> Answer:
        """The scalar of a point."""
        return self._session(params).result(_whole(params, "point")), []

    def do_suggest(self, params: Params, _arrays: Arrays) -> Answer:
        """Ask for the next point."""
        return {"job": self._session(params).start("suggest", str(params.get("request", "")))}, []

    def do_next_frame(self, params: Params, _arrays: Arrays) -> Answer:
        """Ask for the next, smaller frame."""
        request, size_m = str(params.get("request", "")), float(params["size_m"])
        return {"job": self._session(params).start("next_frame", request, size_m=size_m)}, []

    def do_poll(self, params: Params, _arrays: Arrays) -> Answer:
        """How far a job is."""
        state, progress, text = self._session(params).poll(_whole(params, "job"))
        return {"state": state, "progress": progress, "text": text}, []

    def do_get(self, params: Params, _arrays: Arrays) -> Answer:
        """The point that was decided on."""
        return self._session(params).suggestion(_whole(params, "job")), []

    def do_get_frame(self, params: Params, _arrays: Arrays) -> Answer:
        """The frame that was decided on."""
        return self._session(params).frame(_whole(params, "job")), []

    def do_cancel(self, params: Params, _arrays: Arrays) -> Answer:
        """Give a job up."""
        self._session(params).cancel(_whole(params, "job"))
        return {}, []

    def do_check_position(self, params: Params, _arrays: Arrays) -> Answer:
        """Refuse a place that the tip must not be sent to."""
        self._session(params).check_position(float(params["x_m"]), float(params["y_m"]))
        return {}, []

    def do_map(self, params: Params, _arrays: Arrays) -> Answer:
        """A map and its axes."""
        values, axes = self._session(params).map(_text(params, "which"))
        return {"axes": list(axes)}, [values]

    def do_status(self, params: Params, _arrays: Arrays) -> Answer:
        """How the run stands."""
        return {"status": self._session(params).status()}, []


def _require_same(given: Any, config: SessionConfig) -> None:
    if dict(given) != dict(config.given):
        differing = sorted(key for key in {*given, *config.given} if given.get(key) != config.given.get(key))
        raise WorkerError(
            Code.CONFLICT,
            f"the run {config.run!r} was begun with another configuration ({', '.join(differing)} differ); "
            "give that one, or another name",
        )


def _write_record(run: Deciding) -> None:
    try:
        import_journal(run.journal.path, run.folder / RECORD_NAME, overwrite=True)
    except (DKLError, OSError):
        # The journal holds everything; `dkl import-journal` can be called when the trouble is over.
        _log.exception("the record of %s could not be written", run.folder)


def _key(folder: Path) -> str:
    # Windows and macOS take names that differ in case for the same.
    return str(folder).casefold()


def _text(params: Params, name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str):
        raise InputError(f"{name} is {json.dumps(value)[:60]}; give a text")
    return value


def _whole(params: Params, name: str) -> int:
    value = params.get(name)
    if type(value) is not int:
        raise InputError(f"{name} is {json.dumps(value)[:60]}; give a whole number")
    return value


def _blocks(arrays: Arrays, count: int) -> Arrays:
    if len(arrays) != count:
        raise InputError(f"{len(arrays)} arrays came with the request; {count} are needed")
    return arrays
