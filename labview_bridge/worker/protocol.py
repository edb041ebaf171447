"""The wire: a message is `DKLB`, the length of its header (uint32), a JSON header and raw float64 blocks.

All of it is little-endian.
The header's `arrays` lists the shape of each block. Every size is checked against a limit before memory is taken for
it. There is no pickle, and JSON neither holds nor reads NaN: numbers that may be NaN travel in blocks, or as null.

Before anything else both sides prove that they know the worker's token without sending it: the worker sends a nonce,
the client answers with its own nonce and HMAC-SHA256(token, "client" + worker's nonce), the worker answers with
HMAC-SHA256(token, "worker" + client's nonce).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from labview_bridge.worker.problems import Code, WorkerError

VERSION = 1
MAGIC = b"DKLB"
FloatArray = NDArray[np.float64]
_PREFIX = struct.Struct("<4sI")
_MOST_DIMENSIONS = 3


@dataclass(frozen=True)
class Limits:
    """How much a message may hold.

    Attributes:
        header: bytes of the header.
        arrays: number of blocks.
        values: numbers in all blocks together.
        seconds: time in which a message that has begun must be complete.
    """

    header: int = 1 << 20
    arrays: int = 8
    values: int = 1 << 25
    seconds: float = 30.0


GREETING = Limits(header=4096, arrays=0, values=0, seconds=5.0)
REQUEST = Limits()


@dataclass(frozen=True)
class Message:
    """A header with its blocks."""

    header: Mapping[str, Any]
    arrays: Sequence[FloatArray] = field(default_factory=tuple)


class ConnectionClosedError(Exception):
    """The other side has closed the connection between two messages."""


def send(connection: socket.socket, message: Message) -> None:
    """Send a message.

    Raises:
        OSError: the connection is lost.
        ValueError: the header holds something that JSON cannot hold.
    """
    blocks = [np.ascontiguousarray(array, dtype="<f8") for array in message.arrays]
    header = {**message.header, "arrays": [list(block.shape) for block in blocks]}
    text = json.dumps(header, allow_nan=False).encode("utf-8")
    connection.sendall(b"".join([_PREFIX.pack(MAGIC, len(text)), text, *(block.tobytes() for block in blocks)]))


def receive(connection: socket.socket, limits: Limits = REQUEST) -> Message:
    """Receive a message; waits for its beginning as long as the connection's own time-out says.

    Raises:
        ConnectionClosedError: the other side has closed the connection.
        WorkerError: what came is no message, or larger than the limits allow; the connection is of no use any more.
        OSError: the connection is lost, or its beginning did not come in time.
    """
    first = connection.recv(1)
    if not first:
        raise ConnectionClosedError
    until = time.monotonic() + limits.seconds
    prefix = first + bytes(_exactly(connection, _PREFIX.size - 1, until))
    magic, length = _PREFIX.unpack(prefix)
    if magic != MAGIC:
        _refuse(f"a message begins with {magic!r}, not with {MAGIC!r}: this is no DKL client")
    if length > limits.header:
        _refuse(f"the header is said to have {length} bytes; at most {limits.header} are accepted")
    header = _parsed(bytes(_exactly(connection, length, until)))
    shapes = _shapes(header.get("arrays", []), limits)
    return Message(header, [_block(connection, shape, until) for shape in shapes])


def proof(token: str, side: str, nonce: str) -> str:
    """What proves that a side knows the token."""
    return hmac.new(token.encode("ascii"), (side + nonce).encode("utf-8"), hashlib.sha256).hexdigest()


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        _refuse(f"the header is no JSON: {error}")
    if not isinstance(header, dict):
        _refuse(f"the header is a {type(header).__name__}; send an object")
    return header


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _shapes(given: object, limits: Limits) -> list[tuple[int, ...]]:
    if not isinstance(given, list) or len(given) > limits.arrays:
        _refuse(f"the header's arrays must be a list of at most {limits.arrays} shapes")
    shapes: list[tuple[int, ...]] = []
    for shape in given:
        whole = isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)
        if not whole or not 1 <= len(shape) <= _MOST_DIMENSIONS:
            _refuse(f"the shape {str(shape)[:60]} of an array is not 1 to {_MOST_DIMENSIONS} whole numbers")
        shapes.append(tuple(shape))
    values = sum(math.prod(shape) for shape in shapes)
    if values > limits.values:
        _refuse(f"the arrays are said to hold {values} numbers; at most {limits.values} are accepted")
    return shapes


def _block(connection: socket.socket, shape: tuple[int, ...], until: float) -> FloatArray:
    data = _exactly(connection, 8 * math.prod(shape), until)
    return np.frombuffer(data, dtype="<f8").reshape(shape).astype(np.float64, copy=False)


def _exactly(connection: socket.socket, count: int, until: float) -> bytearray:
    before = connection.gettimeout()
    data = bytearray(count)
    view = memoryview(data)
    try:
        while len(view):
            left = until - time.monotonic()
            if left <= 0:
                _refuse("a message was not complete in time")
            connection.settimeout(left)
            received = connection.recv_into(view)
            if not received:
                _refuse("the connection ended in the middle of a message")
            view = view[received:]
    except TimeoutError:
        _refuse("a message was not complete in time")
    finally:
        connection.settimeout(before)
    return data


def _refuse(text: str) -> NoReturn:
    raise WorkerError(Code.PROTOCOL, text)
