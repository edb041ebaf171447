"""Arrays as bytes that HDF5's shuffle and deflate filters read: what the journal holds becomes a chunk unchanged."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from dkl_core.errors import InputError
from dkl_core.record.events import Array

_SAMPLE_BYTES = 32768
_WORTH = 0.9
_LARGEST_BYTES = 2**32 - 1
_STORABLE = frozenset("?bhilqBHILQefdFD")


@dataclass(frozen=True)
class PackedArray:
    """An array ready to be written.

    Attributes:
        dtype: NumPy's name of the type, little-endian.
        shape: the array's shape.
        deflated: whether `data` is shuffled and deflated rather than plain.
        data: the bytes.
    """

    dtype: str
    shape: tuple[int, ...]
    deflated: bool
    data: bytes

    @property
    def header(self) -> dict[str, Any]:
        """All but the bytes, JSON-compatible."""
        return {"dtype": self.dtype, "shape": list(self.shape), "deflated": self.deflated, "bytes": len(self.data)}

    @classmethod
    def of_header(cls, header: dict[str, Any], data: bytes) -> PackedArray:
        """The inverse of `header`."""
        return cls(header["dtype"], tuple(header["shape"]), header["deflated"], data)

    def array(self) -> Array:
        """The array itself, writable."""
        dtype = np.dtype(self.dtype)
        if not self.deflated:
            return np.frombuffer(self.data, dtype).reshape(self.shape).copy()
        planes = np.frombuffer(zlib.decompress(self.data), np.uint8).reshape(dtype.itemsize, -1)
        plain: Array = np.ascontiguousarray(planes.T).view(dtype).reshape(self.shape)
        return plain


def packed(array: Array, name: str) -> PackedArray:
    """The array as bytes, compressed where a sample of it shows that this pays.

    Args:
        array: numbers (bool, integer, float or complex) of any shape.
        name: name of the array, for the error message.

    Raises:
        InputError: the array does not hold plain numbers, or is larger than 4 GiB.
    """
    values = np.asarray(array)
    shape = values.shape
    if values.dtype.newbyteorder("=").char not in _STORABLE:
        raise InputError(f"the array {name!r} holds {values.dtype} values; give numbers of the usual types")
    if values.nbytes > _LARGEST_BYTES:
        raise InputError(f"the array {name!r} has {values.nbytes} bytes, more than {_LARGEST_BYTES}; split it")
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    data, deflated = little.tobytes(), False
    if _compressible(data, little.dtype.itemsize):
        data, deflated = zlib.compress(_shuffled(data, little.dtype.itemsize), 1), True
    return PackedArray(little.dtype.str, shape, deflated, data)


def _compressible(data: bytes, itemsize: int) -> bool:
    middle = (len(data) // 2 - _SAMPLE_BYTES // 2) // itemsize * itemsize
    sample = data[max(middle, 0) :][: _SAMPLE_BYTES // itemsize * itemsize]
    return len(zlib.compress(_shuffled(sample, itemsize), 1)) < _WORTH * len(sample)


def _shuffled(data: bytes, itemsize: int) -> bytes:
    return np.frombuffer(data, np.uint8).reshape(-1, itemsize).T.tobytes()
