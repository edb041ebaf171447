"""The published VI, reconstructed: what it writes, what it ignores, where it sends the tip."""

from __future__ import annotations

import numpy as np
import pytest

from labview_bridge.emulation.published_vi import (
    PublishedVI,
    State,
    VISettings,
    candidate_sites,
    to_frame,
    to_piezo,
)
from labview_bridge.emulation.vi_files import NumberFormat, VIFiles
from tests.labview.emulation.small_modules import small_modules

SETTINGS = VISettings(name="T", step=8, window=10, iterations=5)


def vi_with(session, tmp_path, base, sample, settings=SETTINGS, **options):
    return PublishedVI(session, small_modules(tmp_path / "modules", base, **options), base, sample, settings)


def test_one_more_point_is_measured_than_asked_for(session, tmp_path, base, ramp):
    visits = vi_with(session, tmp_path, base, ramp).run()
    assert [visit.iteration for visit in visits] == [1, 2, 3, 4, 5, 6]
    assert all(visit.on_site for visit in visits)


def test_the_scalar_belongs_to_the_place_of_the_tip(session, tmp_path, base, ramp):
    for visit in vi_with(session, tmp_path, base, ramp).run():
        assert visit.scalar == pytest.approx(1000 * visit.x_px + visit.y_px, rel=1e-6)


def test_when_the_decision_raises_the_tip_goes_to_the_corner_and_garbage_is_recorded(session, tmp_path, base, ramp):
    visits = vi_with(session, tmp_path, base, ramp, fails_at=3).run()
    bad = visits[2]
    assert (bad.decision.code, bad.decision.value) == (1671, [])
    assert (bad.x_px, bad.y_px, bad.index) == (0, 0, 0)
    assert not bad.on_site
    assert [visit.on_site for visit in visits].count(False) == 1
    rows = (base / "T__compilation.txt").read_text().splitlines()[1:]
    assert [float(part) for part in rows[2].split()] == pytest.approx([0.0] * 6)
    assert len(rows) == 6


@pytest.mark.parametrize(("zero_row", "rows"), [(False, 0), (True, 6)])
def test_when_the_scalarizer_raises_no_row_or_a_zero_is_written(session, tmp_path, base, ramp, zero_row, rows):
    settings = VISettings(name="T", step=8, window=10, iterations=5, zero_row_on_error=zero_row)
    visits = vi_with(session, tmp_path, base, ramp, settings, body="raise ValueError(1)").run()
    assert [visit.scalarized.code for visit in visits] == [1671] * 6
    text = (base / "T__compilation.txt").read_bytes()
    assert len(text.split(b"\r\n")[1:-1]) == rows


def test_the_compilation_file_has_five_names_over_six_columns_and_windows_line_ends(session, tmp_path, base, ramp):
    vi_with(session, tmp_path, base, ramp).run()
    lines = (base / "T__compilation.txt").read_bytes().split(b"\r\n")
    assert lines[0] == b"X_pixel\tY_pixel)\tScalar\tIndex\tX,Y (nm)"
    x, y, scalar, index, x_nm, y_nm = (float(part) for part in lines[2].split(b"\t"))
    assert (x, y, index) == (8, 16, 7)
    assert scalar == pytest.approx(8016)
    assert (x_nm, y_nm) == pytest.approx((8 * 10 / 64, 16 * 10 / 64))


def test_the_scan_file_has_two_header_lines_and_begins_with_the_top_row(session, tmp_path, base, ramp):
    vi = vi_with(session, tmp_path, base, ramp)
    vi.run()
    table = np.loadtxt(base / "T_scan.txt", skiprows=2)
    assert table.shape == (64 * 64, 3)
    assert table[:, 2].reshape(64, 64) == pytest.approx(ramp.topography()[0])
    assert table[0, 1] > table[-1, 1]


def test_a_scan_file_may_begin_with_the_bottom_row(tmp_path):
    files = VIFiles(tmp_path, "B", NumberFormat())
    files.write_scan(np.array([[1.0, 2.0], [3.0, 4.0]]), 2.0, "bottom")
    files.close()
    table = np.loadtxt(files.scan, skiprows=2)
    assert table.tolist() == [[0, 0, 3], [1, 0, 4], [0, 1, 1], [1, 1, 2]]


def test_a_start_truncates_the_files_of_an_earlier_run_and_keeps_them_open(session, tmp_path, base, ramp):
    vi = vi_with(session, tmp_path, base, ramp)
    (base / "T__compilation.txt").write_text("old")
    vi.step()
    assert (base / "T__compilation.txt").read_bytes() == b""
    assert vi.state is State.DECIDE
    assert all(not handle.closed for handle in vi.files._held)
    vi.run()
    assert all(handle.closed for handle in vi.files._held)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        (NumberFormat(), "-12.500000\tNaN\tInf\t0.000000\r\n"),
        (NumberFormat(decimal_comma=True), "-12,500000\tNaN\tInf\t0,000000\r\n"),
        (NumberFormat("E"), "-1.250000E+1\tNaN\tInf\t1.250000E-9\r\n"),
    ],
)
def test_numbers_are_written_as_labview_writes_them(numbers, text):
    assert numbers.row([-12.5, float("nan"), float("inf"), 1.25e-9]) == text


@pytest.mark.parametrize("numbers", [NumberFormat(), NumberFormat(decimal_comma=True), NumberFormat("E", 3)])
@pytest.mark.parametrize("last", [4.0, np.nan])
def test_a_table_is_written_as_its_rows_are(numbers, last):
    rows = np.array([[1.5, -2.25], [0.0, last]])
    assert numbers.table(rows) == numbers.row(rows[0]) + numbers.row(rows[1])


def test_the_stop_button_ends_the_run_after_the_point(session, tmp_path, base, ramp):
    vi = vi_with(session, tmp_path, base, ramp)
    for visit in vi.turns():
        vi.stop = visit.iteration == 2
    assert len(vi.visits) == 3


def test_a_published_frame_has_2304_sites_row_by_row_from_the_bottom():
    sites = candidate_sites(np.zeros((512, 512)), 10, 30)
    assert len(sites) == 2304
    assert sites[:2] == [(20, 20), (30, 20)]
    assert sites[48] == (20, 30)
    assert sites[-1] == (490, 490)


def test_a_hole_in_the_scan_takes_out_the_sites_whose_window_touches_it():
    heights = np.zeros((64, 64))
    heights[0, 0] = np.nan  # top left: x = 0, y = 63
    sites = candidate_sites(heights, 8, 16)
    assert (8, 56) not in sites
    assert len(sites) == len(candidate_sites(np.zeros((64, 64)), 8, 16)) - 1


@pytest.mark.parametrize("angle", [0.0, 30.0, -90.0])
def test_a_rotated_frame_leads_to_the_piezo_and_back(angle):
    corner = to_piezo((0.0, 0.0), 2e-7, (1e-7, -3e-8), angle)
    assert to_frame(corner, 2e-7, (1e-7, -3e-8), angle) == pytest.approx((0, 0), abs=1e-18)


def test_a_positive_angle_turns_the_frame_clockwise():
    right_of_centre = to_piezo((2e-9, 1e-9), 2e-9, (0.0, 0.0), 90.0)
    assert right_of_centre == pytest.approx((0, -1e-9), abs=1e-20)
    above_centre = to_piezo((1e-9, 2e-9), 2e-9, (0.0, 0.0), 90.0)
    assert above_centre == pytest.approx((1e-9, 0), abs=1e-20)


def test_a_rotated_frame_still_puts_the_tip_on_sites(session, tmp_path, base, ramp):
    settings = VISettings(name="T", step=8, window=10, iterations=3, angle_deg=33.0)
    assert all(visit.on_site for visit in vi_with(session, tmp_path, base, ramp, settings).run())
