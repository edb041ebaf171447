"""Folding: putting a run file in order, its journal moved into tables and stacks that a scientist can read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dkl_core.errors import RecordError
from dkl_core.record import jsontext
from dkl_core.record.events import Array, RunHeader
from dkl_core.record.frames import StoredFrame
from dkl_core.record.growing import Growing
from dkl_core.record.header import copy_header, write_header
from dkl_core.record.journal import NAME as JOURNAL
from dkl_core.record.journal import add_journal
from dkl_core.record.measured import Measured, copy_measured
from dkl_core.record.newfile import new_file
from dkl_core.record.runfile import LOG, RunFile

if TYPE_CHECKING:
    import h5py

MODEL = "model"
FITS_KEPT = 2
LARGEST_JOURNAL = 2**30
_FIT_PREFIX = "fit_"
_FIT = _FIT_PREFIX + "{:08d}"
_COMPRESSED_FROM = 4096


def create_file(path: Path, header: RunHeader, journal_bytes: int) -> None:
    """Write the file of a run in which nothing has happened yet.

    Raises:
        OSError: the file could not be written; nothing is left of it.
    """
    with new_file(path) as (h5, _):
        write_header(h5, header)
        _Folder(h5, frozenset()).finish()
        add_journal(h5, journal_bytes, first=0)


def fold(old_path: Path, new_path: Path, journal_bytes: int | None) -> None:
    """Write the file again with every event in order.

    Args:
        old_path: the run file, which stays as it is.
        new_path: the file to write.
        journal_bytes: least size of the new file's journal; None for a finished run, which has none.

    Raises:
        OSError: the file could not be written; nothing is left of it.
        RecordError: the old file is damaged.
    """
    with RunFile(old_path) as old, new_file(new_path) as (h5, check):
        kept = _kept_fits(old)
        _copy(old.h5, h5, kept)
        folder = _Folder(h5, kept)
        for place in old.places:
            folder.add(place.seq, old.frame(place))
            check()
        folder.finish()
        if journal_bytes is not None:
            h5.flush()
            grown = min(new_path.stat().st_size, LARGEST_JOURNAL)
            add_journal(h5, max(journal_bytes, grown), first=len(old))
        events = len(old)
    _check_whole(new_path, events)


class _Folder:
    """Adds events to a file that has all earlier ones."""

    def __init__(self, h5: h5py.File, kept: frozenset[str]) -> None:
        self._h5, self._kept = h5, kept
        meaning = "every event of the run in order, one line of JSON each; {'at', 'row'} tell where an array lies"
        h5.require_group("events")
        self._log = Growing(h5, LOG, None, meaning=meaning)
        self._measured = Measured(h5)
        h5.require_group(MODEL)

    def add(self, seq: int, frame: StoredFrame) -> None:
        links = {name: self._stored(seq, frame, name) for name in frame.names if not _is_raw(frame, name)}
        if frame.kind == "tell":
            raw = frame.packed("raw") if "raw" in frame.names else None
            place = self._measured.add(jsontext.decoded(frame.data), raw)
            links |= {"raw": place} if place else {}
        elif frame.kind == "revise":
            self._measured.revise(jsontext.decoded(frame.data)["changes"])
        self._log.add(jsontext.to_text({"seq": seq, "kind": frame.kind, "data": frame.data, "arrays": links}))

    def finish(self) -> None:
        self._log.flush()
        self._measured.finish()
        self._h5[MODEL].attrs["latest"] = max(_fits(self._h5), default="")

    def _stored(self, seq: int, frame: StoredFrame, name: str) -> dict[str, Any]:
        fit = _FIT.format(seq)
        place = f"/{MODEL}/{fit}" if frame.kind == "fit" else f"/events/arrays/{seq:08d}"
        if frame.kind != "fit" or fit in self._kept:
            _store(self._h5.require_group(place), name, frame.packed(name).array())
        return {"at": f"{place}/{name}"}


def _check_whole(path: Path, events: int) -> None:
    with RunFile(path) as new:
        found = len(new)
    if found != events:
        path.unlink()
        raise RecordError(
            f"{path} came out with {found} of {events} events; check the disk, the run's file is untouched"
        )


def _kept_fits(old: RunFile) -> frozenset[str]:
    waiting = [place.seq for place in old.places if place.kind == "fit" and place.stop > place.arrays_at]
    fits = _fits(old.h5) + [_FIT.format(seq) for seq in waiting]
    return frozenset(fits[-FITS_KEPT:])


def _fits(h5: h5py.File) -> list[str]:
    return sorted(name for name in h5[MODEL] if name.startswith(_FIT_PREFIX))


def _copy(old: h5py.File, new: h5py.File, kept: frozenset[str]) -> None:
    copy_header(old, new)
    copy_measured(old, new)
    model = new.create_group(MODEL)
    for name in set(old[MODEL]) - (set(_fits(old)) - kept):
        old.copy(f"{MODEL}/{name}", model)
    # What somebody else has added to the file goes along.
    for name in set(old) - set(new) - {JOURNAL}:
        old.copy(name, new)


def _is_raw(frame: StoredFrame, name: str) -> bool:
    return frame.kind == "tell" and name == "raw"


def _store(group: h5py.Group, name: str, array: Array) -> None:
    if array.ndim and array.nbytes >= _COMPRESSED_FROM:
        group.create_dataset(name, data=array, shuffle=True, compression="gzip", compression_opts=1)
    else:
        group.create_dataset(name, data=array)
