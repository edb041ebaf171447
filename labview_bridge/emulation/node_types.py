"""The types that a Python Node passes, and how their values cross the border in both directions.

What a function returns is judged by CPython's own functions (`PyList_*`, `PyTuple_*`, `PyLong_AsLongLong`,
`PyFloat_AsDouble`, `PyUnicode_AsUTF8`), which is what LabVIEW calls. Runs under CPython 3.6 to 3.13.

Types are written as `DBL`, `I32`, `String`, `Boolean`, arrays as `[DBL]` and `[[DBL]]`, arrays marshalled to NumPy as
`numpy[[DBL]]`, clusters as `(I32,String)`.
"""

import ctypes
import re
import struct
from typing import Any

Kind = Any

INTEGERS = {
    "I8": (-(2**7), 2**7 - 1),
    "I16": (-(2**15), 2**15 - 1),
    "I32": (-(2**31), 2**31 - 1),
    "I64": (-(2**63), 2**63 - 1),
    "U8": (0, 2**8 - 1),
    "U16": (0, 2**16 - 1),
    "U32": (0, 2**32 - 1),
    "U64": (0, 2**64 - 1),
}
FLOATS = ("SGL", "DBL")


class ConversionError(Exception):
    """What a function returned does not fit the type that the VI declares."""


def _prototype(name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(ctypes.pythonapi, name)
    function.restype, function.argtypes = result, arguments
    return function


# The two GetItem functions lend their result: as an address it is not counted as owned.
_LIST_SIZE = _prototype("PyList_Size", ctypes.c_ssize_t, ctypes.py_object)
_LIST_ITEM = _prototype("PyList_GetItem", ctypes.c_void_p, ctypes.py_object, ctypes.c_ssize_t)
_TUPLE_SIZE = _prototype("PyTuple_Size", ctypes.c_ssize_t, ctypes.py_object)
_TUPLE_ITEM = _prototype("PyTuple_GetItem", ctypes.c_void_p, ctypes.py_object, ctypes.c_ssize_t)
_AS_INT64 = _prototype("PyLong_AsLongLong", ctypes.c_longlong, ctypes.py_object)
_AS_UINT64 = _prototype("PyLong_AsUnsignedLongLong", ctypes.c_ulonglong, ctypes.py_object)
_AS_DOUBLE = _prototype("PyFloat_AsDouble", ctypes.c_double, ctypes.py_object)
_AS_UTF8 = _prototype("PyUnicode_AsUTF8", ctypes.c_char_p, ctypes.py_object)


def _lent(address: int) -> Any:
    return ctypes.cast(address, ctypes.py_object).value


def parse_type(text: str) -> Kind:
    """A type's text as nested tuples: ("DBL",), ("array", depth, element, numpy), ("cluster", [fields])."""
    found, rest = _parse(text.replace(" ", ""))
    if rest:
        raise ValueError(f"type {text!r}: {rest!r} is left over")
    return found


def _parse(text: str) -> Any:
    numpy = text.startswith("numpy[")
    if numpy:
        text = text[5:]
    if text.startswith("["):
        element, rest = _parse(text[1:])
        if not rest.startswith("]"):
            raise ValueError(f"type {text!r}: ']' is missing")
        if element[0] == "array":
            return ("array", element[1] + 1, element[2], numpy), rest[1:]
        return ("array", 1, element, numpy), rest[1:]
    if text.startswith("("):
        fields, rest = [], text[1:]
        while not rest.startswith(")"):
            field, rest = _parse(rest)
            fields.append(field)
            if rest.startswith(","):
                rest = rest[1:]
            elif not rest.startswith(")"):
                raise ValueError(f"type {text!r}: ')' is missing")
        return ("cluster", fields), rest[1:]
    found = re.match(r"[A-Za-z]+\d*", text)
    name = found.group() if found else ""
    if name not in INTEGERS and name not in FLOATS and name not in ("String", "Boolean"):
        raise ValueError(f"type {text!r} is not one that Python Node passes")
    return (name,), text[len(name) :]


def default(kind: Kind) -> Any:
    """What a VI finds on an output after an error."""
    if kind[0] == "array":
        return []
    if kind[0] == "cluster":
        return [default(field) for field in kind[1]]
    if kind[0] in FLOATS:
        return 0.0
    return {"String": "", "Boolean": False}.get(kind[0], 0)


def to_python(kind: Kind, value: Any) -> Any:
    """The object that a function gets for a wired value."""
    name = kind[0]
    if name == "array":
        nested = _nested(kind, value, kind[1])
        if kind[3]:
            import numpy as np

            return np.array(nested, dtype="f8" if kind[2][0] in FLOATS else "i8")
        return nested
    if name == "cluster":
        return tuple(to_python(field, part) for field, part in zip(kind[1], value))  # noqa: B905 - Python 3.6
    if name in FLOATS:
        if name == "SGL":
            return struct.unpack("<f", struct.pack("<f", float(value)))[0]
        return float(value)
    if name == "Boolean":
        return bool(value)
    if name == "String":
        return str(value)
    low, high = INTEGERS[name]
    if not low <= value <= high:
        raise ValueError(f"{value!r} does not fit {name}; LabVIEW would not let it through")
    return int(value)


def _nested(kind: Kind, value: Any, depth: int) -> Any:
    if depth == 0:
        return to_python(kind[2], value)
    parts = [_nested(kind, part, depth - 1) for part in value]
    if depth > 1 and len({len(part) for part in parts}) > 1:
        raise ValueError("an array of LabVIEW is rectangular")
    return parts


def from_python(kind: Kind, value: Any) -> Any:
    """What the VI gets for a returned object, as CPython's functions read it."""
    name = kind[0]
    if name == "array":
        if kind[3] and type(value).__module__ == "numpy":
            value = value.tolist()
        return _listed(kind, value, kind[1])
    if name == "cluster":
        return [_field(field, value, i) for i, field in enumerate(kind[1])]
    if name in FLOATS:
        number = _AS_DOUBLE(value)
        return struct.unpack("<f", struct.pack("<f", number))[0] if name == "SGL" else number
    if name == "String":
        return _AS_UTF8(value).decode("utf-8")
    if name == "Boolean":
        return bool(_AS_INT64(value))
    return _whole(name, value)


def _whole(name: str, value: Any) -> int:
    number = int(_AS_UINT64(value) if name == "U64" else _AS_INT64(value))
    low, high = INTEGERS[name]
    if not low <= number <= high:
        raise ConversionError(f"{number} does not fit {name}")
    return number


def _listed(kind: Kind, value: Any, depth: int) -> Any:
    if depth == 0:
        return from_python(kind[2], value)
    parts = [_listed(kind, _lent(_LIST_ITEM(value, i)), depth - 1) for i in range(_LIST_SIZE(value))]
    if depth > 1 and len({len(part) for part in parts}) > 1:
        raise ConversionError("the list is not rectangular")
    return parts


def _field(kind: Kind, value: Any, i: int) -> Any:
    try:
        if i >= _TUPLE_SIZE(value):
            raise ConversionError("the tuple is too short")
        return from_python(kind, _lent(_TUPLE_ITEM(value, i)))
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        text = f"Failed when trying to convert field of tuple at index: {i}  Inner error: {told}"
        raise ConversionError(text) from error


def is_plain(value: Any) -> bool:
    """Whether a value is made of exact ints, floats, bools, strings, lists and tuples only."""
    if type(value) in (list, tuple):
        return all(is_plain(part) for part in value)
    return value is None or type(value) in (int, float, bool, str)
