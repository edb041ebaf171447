"""Frames: how one event lies in the journal, and how whole frames are told from torn ones."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from dkl_core.errors import InputError
from dkl_core.record import jsontext
from dkl_core.record.arrays import PackedArray, packed
from dkl_core.record.events import Event
from dkl_core.record.tells import check_revision, check_tell

# magic, CRC-32 of all that follows it, sequence number, bytes of text, bytes of arrays
HEAD = struct.Struct("<4sIQQQ")
_MAGIC = b"dklE"
_CHECKED_FROM = 8
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")

Read = Callable[[int, int], bytes]


@dataclass(frozen=True)
class Frame:
    """An event as text and packed arrays.

    Attributes:
        kind: the event's kind.
        data: the event's data, encoded.
        arrays: the packed arrays by name.
    """

    kind: str
    data: dict[str, Any]
    arrays: Mapping[str, PackedArray]

    @property
    def size(self) -> int:
        """Bytes it takes in the journal."""
        return len(self.to_bytes(0, 0))

    def to_bytes(self, seq: int, salt: int) -> bytes:
        """The frame for the journal.

        Args:
            seq: the event's number in the run.
            salt: the journal's own number, without which bytes left by anything else could pass for a frame.
        """
        headers = [{"name": name, **array.header} for name, array in self.arrays.items()]
        text = jsontext.to_text({"kind": self.kind, "data": self.data, "arrays": headers}).encode("ascii")
        payload = [array.data for array in self.arrays.values()]
        body = b"".join([text, *payload])
        sizes = len(text), len(body) - len(text)
        check = _checksum(HEAD.pack(_MAGIC, 0, seq, *sizes), body, salt)
        return HEAD.pack(_MAGIC, check, seq, *sizes) + body


@dataclass(frozen=True)
class Place:
    """Where a whole frame lies.

    Attributes:
        seq: the event's number in the run.
        kind: the event's kind.
        start: first byte in the journal.
        arrays_at: first byte of its arrays.
        stop: one past the last byte.
    """

    seq: int
    kind: str
    start: int
    arrays_at: int
    stop: int


def frame_of(event: Event) -> Frame:
    """The event checked, encoded and packed.

    Raises:
        InputError: the event holds something that a record cannot keep.
    """
    if not event.kind:
        raise InputError("the event's kind is empty; give it a name such as 'ask'")
    for name in event.arrays:
        if not _NAME.fullmatch(name):
            raise InputError(f"the array name {name!r} cannot be used; give letters, digits, '_', '-' and '.'")
    if event.kind == "tell":
        check_tell(event.data)
    if event.kind == "revise":
        check_revision(event.data)
    data = jsontext.encoded(event.data, event.kind)
    return Frame(event.kind, data, {name: packed(array, name) for name, array in event.arrays.items()})


@dataclass(frozen=True)
class StoredFrame:
    """A frame in the journal, of which the arrays are read when they are asked for.

    Attributes:
        kind: the event's kind.
        data: the event's data, encoded.
    """

    kind: str
    data: dict[str, Any]
    _headers: Mapping[str, tuple[int, dict[str, Any]]]
    _read: Read

    @classmethod
    def at(cls, place: Place, read: Read) -> StoredFrame:
        """The frame that `whole_frames` found there."""
        start = place.start + HEAD.size
        text = jsontext.from_text(read(start, place.arrays_at - start))
        starts = accumulate((header["bytes"] for header in text["arrays"]), initial=place.arrays_at)
        headers = {header["name"]: (start, header) for start, header in zip(starts, text["arrays"], strict=False)}
        return cls(text["kind"], text["data"], headers, read)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays."""
        return tuple(self._headers)

    def packed(self, name: str) -> PackedArray:
        """One of the arrays."""
        start, header = self._headers[name]
        return PackedArray.of_header(header, self._read(start, header["bytes"]))


def whole_frames(read: Read, capacity: int, first: int, salt: int) -> Iterator[Place]:
    """The frames up to the first that is torn or missing.

    Args:
        read: (start, size) → bytes of the journal.
        capacity: bytes of the journal.
        first: number of the first event.
        salt: the journal's own number.
    """
    start, seq = 0, first
    while start + HEAD.size <= capacity:
        head = read(start, HEAD.size)
        magic, check, number, text_bytes, array_bytes = HEAD.unpack(head)
        stop = start + HEAD.size + text_bytes + array_bytes
        if magic != _MAGIC or number != seq or stop > capacity:
            return
        body = read(start + HEAD.size, stop - start - HEAD.size)
        if _checksum(head, body, salt) != check:
            return
        yield Place(seq, jsontext.from_text(body[:text_bytes])["kind"], start, stop - array_bytes, stop)
        start, seq = stop, seq + 1


def _checksum(head: bytes, body: bytes, salt: int) -> int:
    return zlib.crc32(body, zlib.crc32(head[_CHECKED_FROM:], salt))
