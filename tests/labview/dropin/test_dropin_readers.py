"""The drop-in reads what LabVIEW writes, in every locale and at every moment, and says what it cannot read."""

from __future__ import annotations

import math
import threading

import pytest

HEAD = b"Bias\t1,0\r\nx\ty\tz\r\n"
ROWS = "X_pixel\tY_pixel)\tScalar\tIndex\tX,Y (nm)"


def scan(values, number="{:f}", end="\r\n"):
    """A scan file of 3 x 3 pixels."""
    lines = [f"{place % 3}\t{place // 3}\t" + number.format(value) for place, value in enumerate(values)]
    return HEAD + (end.join(lines) + end).encode()


@pytest.mark.parametrize("number", ["{:f}", "{:E}", "{:e}", "{:.6E}", "{:+.6f}"])
@pytest.mark.parametrize("comma", [False, True])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_every_format_of_a_scan_is_read(parts, number, comma, end):
    content = scan([1.5, -2.25, 3, 4, 5, 6, 7, 8, 9], number, end)
    read = parts.tables.parse_scan(content.replace(b".", b",") if comma else content)
    assert read.size == 3
    assert read.values.tolist() == [1.5, -2.25, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("word", ["NaN", "nan", "-1.#IND", "1.#QNAN", "", "Inf", "-inf"])
def test_pixels_without_height_stay_holes_and_do_not_shift_the_others(parts, word):
    content = scan(range(9)).replace(b"4.000000", word.encode())
    values = parts.tables.parse_scan(content).values
    assert math.isnan(values[4])
    assert [value for value in values if value == value] == [0, 1, 2, 3, 5, 6, 7, 8]


def test_a_scan_with_a_byte_order_mark_or_in_the_windows_code_page_is_read(parts):
    for head in (b"\xef\xbb\xbf", "Größe µm".encode("cp1252")):
        assert parts.tables.parse_scan(head + scan(range(9))).size == 3


def test_a_last_line_that_is_begun_is_left_out_of_a_scan(parts):
    assert parts.tables.parse_scan(scan(range(9)) + b"0\t3").size == 3
    assert parts.tables.parse_scan(scan(range(9))[:-2]).size == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no pixel"),
        (HEAD, "holds no pixel"),
        (scan(range(8)), "8 pixels, which is not the square"),
        (scan(range(9)).replace(b"4.000000", b"four"), "pixel 5 of the scan file"),
        (scan([float("nan")] * 9), "no finite height"),
    ],
)
def test_a_scan_that_cannot_be_used_is_refused_with_the_reason(parts, content, message):
    with pytest.raises(parts.tables.ReadError, match=message):
        parts.tables.parse_scan(content)


@pytest.mark.parametrize("comma", [False, True])
@pytest.mark.parametrize("number", ["{:.6f}", "{:.6E}"])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_rows_under_five_names_have_six_columns(parts, comma, number, end):
    rows = [[250, 20, 0.005, 23, 122.07, 9.77], [490, 490, 12.5, 2303, 239.2, 239.2]]
    text = end.join([ROWS, *("\t".join(number.format(value) for value in row) for row in rows), ""])
    read = parts.tables.parse_compilation((text.replace(".", ",") if comma else text).encode("cp1252"))
    assert [(row.x, row.y, row.number) for row in read] == [(250, 20, 23), (490, 490, 2303)]
    assert [row.scalar for row in read] == pytest.approx([0.005, 12.5], rel=1e-6)
    assert read[0].pixel_nm == pytest.approx(122.07 / 250)


@pytest.mark.parametrize(
    ("tail", "rows"),
    [
        ("", 1),
        ("20", 1),
        ("20\t30\t1.5", 1),
        ("20\t30\t1.5\t1", 1),
        ("20\t30\t1.5\t12\t9.", 2),
        ("20\t30\t1.5\t12\r\n", 2),
    ],
)
def test_a_row_that_is_not_finished_is_left_out(parts, tail, rows):
    content = f"{ROWS}\r\n10\t20\t0.5\t7\t1\t2\r\n{tail}".encode()
    assert len(parts.tables.parse_compilation(content)) == rows


@pytest.mark.parametrize("content", [b"", ROWS.encode(), (ROWS + "\r\n").encode()])
def test_a_compilation_without_rows_is_no_error(parts, content):
    assert parts.tables.parse_compilation(content) == []


def test_a_row_that_is_damaged_in_the_middle_is_named(parts):
    content = f"{ROWS}\r\n1\t2\tx\t4\r\n10\t20\t0.5\t7\t1\t2\r\n".encode()
    with pytest.raises(parts.tables.ReadError, match="line 2 is no row"):
        parts.tables.parse_compilation(content)


def test_a_scalar_that_is_no_number_leaves_the_row(parts):
    row = parts.tables.parse_compilation(f"{ROWS}\r\n10\t20\tNaN\t7\t1\t2\r\n".encode())[0]
    assert math.isnan(row.scalar)


def test_a_file_that_is_being_written_is_waited_for(parts, tmp_path):
    path = tmp_path / "scan.txt"
    path.write_bytes(scan(range(9))[:60])
    timer = threading.Timer(0.2, path.write_bytes, [scan(range(9))])
    timer.start()
    read = parts.tables.read_patiently(str(path), parts.tables.parse_scan, parts.tables.time.monotonic() + 60)
    timer.join()
    assert read.size == 3


def test_a_file_that_stays_away_is_given_up(parts, tmp_path):
    with pytest.raises(parts.tables.ReadError, match=r"none\.txt cannot be read: No such file"):
        parts.tables.read_patiently(str(tmp_path / "none.txt"), parts.tables.parse_scan, 0.0)


def test_files_that_labview_holds_open_are_only_read(vi, heights, spectrum):
    vi.write_scan(heights)
    vi.compilation.write_bytes(b"")
    session = vi.new_session()
    with vi.scan.open("r+b"), vi.compilation.open("r+b"):
        before = vi.scan.read_bytes()
        x, y, *_ = vi.ask(session, 1)
        vi.measure(session, spectrum, (x, y))
        vi.ask(session, 2)
        assert vi.scan.read_bytes() == before
        assert vi.compilation.read_bytes() == b""
