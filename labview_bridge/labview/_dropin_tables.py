"""Reading the text files that the published VI writes, whatever locale and moment they were written in."""

import math
import time
from array import array
from typing import Callable, List, NamedTuple, Optional, TypeVar

_PAUSE_S = 0.05
_SCAN_HEADER_LINES = 2
_NOT_A_NUMBER = (
    "",
    "nan",
    "-nan",
    "+nan",
    "nan(ind)",
    "-nan(ind)",
    "1.#qnan",
    "-1.#qnan",
    "1.#ind",
    "-1.#ind",
    "1.#inf",
    "-1.#inf",
)

Content = TypeVar("Content")


class ReadError(Exception):
    """A file cannot be used as it is now; the text says what is wrong and what would be right."""


class Scan(NamedTuple):
    """A square topograph as it stands in its file.

    Attributes:
        size: pixels per line, and lines.
        values: heights, row by row in the order of the file; NaN where there is none.
        y_rises: whether the file's own y column rises from its first line to its last; None if it does not say.
    """

    size: int
    values: "array[float]"
    y_rises: Optional[bool]


class Row(NamedTuple):
    """One line of the compilation file.

    Attributes:
        x: column of the site in pixels.
        y: row of the site in pixels, counted from the bottom.
        scalar: what the VI wrote, with the digits it left; NaN where it is no number.
        number: of the site in the fitting grid.
        pixel_nm: width of a pixel in nm, if the line gives it.
    """

    x: float
    y: float
    scalar: float
    number: int
    pixel_nm: Optional[float]


def number(token: str) -> float:
    """A number with decimal point or comma, in F or E format; NaN for the usual spellings of not-a-number.

    Raises:
        ValueError: it is something else.
    """
    text = token.strip().replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        if text.lower() in _NOT_A_NUMBER:
            return math.nan
        raise
    return value if math.isfinite(value) else math.nan


def decoded(content: bytes) -> str:
    """Text in UTF-8, or in the Windows code page where it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def read_patiently(path: str, parse: Callable[[bytes], Content], until: float) -> Content:
    """What a file holds, tried again while LabVIEW holds it or has not finished writing it.

    Args:
        path: the file; it is only ever opened for reading.
        parse: makes something of its bytes.
        until: `time.monotonic()` at which the last trial may begin.

    Raises:
        ReadError: it cannot be read or parsed by then.
    """
    while True:
        try:
            with open(path, "rb") as file:
                content = file.read()
            return parse(content)
        except OSError as error:
            problem = f"{path} cannot be read: {error.strerror or error}"
        except ReadError as error:
            problem = f"{path}: {error}"
        if time.monotonic() >= until:
            raise ReadError(problem)
        time.sleep(_PAUSE_S)


def parse_scan(content: bytes) -> Scan:
    """The topograph: two header lines, then x, y, z of every pixel, line by line of the image.

    Raises:
        ReadError: empty, not square, not numbers, or no finite height.
    """
    lines = decoded(content).splitlines()
    finished = content.endswith((b"\n", b"\r"))
    body = [line for line in lines[_SCAN_HEADER_LINES:] if line.strip()]
    if not body:
        raise ReadError(f"the scan file holds no pixel ({len(content)} bytes); save the topograph before the run")
    size = int(len(body) ** 0.5 + 0.5)
    if size * size != len(body) and not finished:
        body = body[:-1]
        size = int(len(body) ** 0.5 + 0.5)
    if size * size != len(body):
        raise ReadError(
            f"the scan file holds {len(body)} pixels, which is not the square of a whole number; the VI needs a "
            "square frame that was saved completely"
        )
    values = _column(body, 2)
    if not any(value == value for value in values):
        raise ReadError("the scan file holds no finite height in its third column")
    return Scan(size, values, _rises(body, size))


def parse_compilation(content: bytes) -> List[Row]:
    """The rows of the compilation file; a header line and a last line that is not finished are left out.

    Raises:
        ReadError: a line in the middle that is no row.
    """
    text = decoded(content)
    lines = text.splitlines()
    if lines and not text.endswith(("\n", "\r")) and len(_fields(lines[-1])) < 5:
        lines = lines[:-1]
    rows = []
    for place, line in enumerate(lines):
        if not line.strip():
            continue
        row = _row(line)
        if row is not None:
            rows.append(row)
        elif place > 0:
            raise ReadError(f"line {place + 1} is no row of the compilation file: {line!r:.80}")
    return rows


def _fields(line: str) -> List[str]:
    for mark in ("\t", ";"):
        if mark in line:
            return line.split(mark)
    return line.split()


def _row(line: str) -> Optional[Row]:
    fields = _fields(line)
    if len(fields) < 4:
        return None
    try:
        x, y, scalar, index = (number(field) for field in fields[:4])
        x_nm = number(fields[4]) if len(fields) > 4 else math.nan
    except ValueError:
        return None
    if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(index)):
        return None
    pixel_nm = x_nm / x if x > 0 and x_nm > 0 else None
    return Row(x, y, scalar, int(index), pixel_nm)


def _column(body: List[str], at: int) -> "array[float]":
    try:
        values = array("d", [float(line.split("\t")[at]) for line in body])
        if not math.isfinite(sum(values)):
            values = array("d", [value if math.isfinite(value) else math.nan for value in values])
        return values
    except (ValueError, IndexError):
        pass
    values = array("d")
    for place, line in enumerate(body):
        try:
            values.append(number(_fields(line)[at]))
        except (ValueError, IndexError):
            raise ReadError(f"pixel {place + 1} of the scan file is {line!r:.80}; x, y and z are expected") from None
    return values


def _rises(body: List[str], size: int) -> Optional[bool]:
    try:
        first, last = (number(_fields(body[place])[1]) for place in (0, size * size - 1))
    except (ValueError, IndexError):
        return None
    return last > first if last != first else None
