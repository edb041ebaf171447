"""Recorded data from Nanonis grids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dkl_core.datasets import load_recorded
from dkl_core.errors import DataFileError
from dkl_core.survey import levelled

pytest.importorskip("nanonispy2")
Writer = Callable[..., Path]
# The first point measured is the lower left one.
ORDER = np.arange(12.0).reshape(3, 4)[::-1]


def test_the_image_is_the_topography_in_nm_with_the_last_line_on_top(write_grid: Writer) -> None:
    np.testing.assert_allclose(load_recorded(write_grid()).survey.values, ORDER, rtol=1e-6)


def test_pixels_are_the_frame_divided_by_their_number(write_grid: Writer) -> None:
    data = load_recorded(write_grid(**{"Grid settings": "0;0;8E-9;3E-9;0"}))
    assert data.survey.pixel_nm == pytest.approx((1.0, 2.0))


def test_the_default_target_is_the_current_over_positive_bias(write_grid: Writer) -> None:
    data = load_recorded(write_grid())
    assert data.target_name == "Current (A)"
    np.testing.assert_allclose(data.values, 1.0)
    assert "Current (A) integrated over Bias (V) from 0 to 1" in data.note


def test_a_channel_is_integrated_over_positive_bias(write_grid: Writer) -> None:
    data = load_recorded(write_grid(sweep_v=(-2.0, 2.0)), target="LIX 1 omega (A)")
    np.testing.assert_allclose(data.target_map, 2 * ORDER)


def test_a_falling_sweep_has_the_same_integral(write_grid: Writer) -> None:
    data = load_recorded(write_grid(sweep_v=(2.0, -2.0)), target="LIX 1 omega")
    np.testing.assert_allclose(data.target_map, 2 * ORDER)


def test_without_positive_bias_the_whole_sweep_is_integrated(write_grid: Writer) -> None:
    data = load_recorded(write_grid(sweep_v=(-3.0, -1.0)))
    np.testing.assert_allclose(data.values, 2.0)
    assert "from -3 to -1" in data.note


def test_a_sweep_that_is_not_the_bias_is_integrated_whole(write_grid: Writer) -> None:
    data = load_recorded(write_grid(**{"Sweep Signal": '"Z rel (m)"'}))
    np.testing.assert_allclose(data.values, 2.0)
    assert data.raw is not None
    assert data.raw.channels[0] == "Z_rel_m"


def test_a_parameter_may_be_the_target(write_grid: Writer) -> None:
    data = load_recorded(write_grid(), target="sweep end")
    assert data.target_name == "Sweep End"
    assert set(data.values) == {1.0}


def test_a_single_channel_and_a_single_parameter_are_read(write_grid: Writer) -> None:
    changes = {
        "Channels": '"Current (A)"',
        "Fixed parameters": '"Sweep Start"',
        "Experiment parameters": '"a;b;c;Z (m)"',
    }
    assert load_recorded(write_grid(**changes)).raw is not None


def test_the_spectra_have_the_sweep_as_first_row(write_grid: Writer) -> None:
    data = load_recorded(write_grid())
    assert data.raw is not None
    assert data.raw.channels == ("bias", "current", "didv")
    np.testing.assert_allclose(data.raw_at(0, 1), [np.linspace(-1, 1, 5), np.ones(5), np.full(5, 9.0)])
    assert data.notices == ("channel LIX 1 omega (A) is taken as dI/dV in the spectra",)


def test_raw_data_can_be_left_out(write_grid: Writer) -> None:
    data = load_recorded(write_grid(), raw=False)
    assert data.raw is None
    assert data.notices == ()


def test_missing_header_lines_that_nothing_depends_on_are_filled_in_and_named(write_grid: Writer) -> None:
    path = write_grid(leave_out=["Delay before measuring (s)", "Comment", "User", "Experiment size (bytes)"])
    data = load_recorded(path, raw=False)
    (notice,) = data.notices
    assert notice.startswith("the header lacks Delay before measuring (s), Experiment size (bytes), User, Comment; ")
    assert data.values.size == 12


@pytest.mark.parametrize("line", ["Grid dim", "Grid settings", "Points", "Channels", "# Parameters (4 byte)"])
def test_a_missing_header_line_that_the_data_depend_on_is_named(write_grid: Writer, line: str) -> None:
    path = write_grid(leave_out=[line])
    with pytest.raises(DataFileError, match=rf"header of grid\.3ds lacks {line.replace('(', '.').replace(')', '.')}"):
        load_recorded(path)


def test_a_grid_stopped_early_has_nan_where_nothing_was_measured(write_grid: Writer) -> None:
    data = load_recorded(write_grid(measured=6), target="LIX 1 omega")
    assert data.values.size == 6
    assert np.isnan(data.survey.values[0]).all()
    assert data.value_at(2, 3) == 3.0
    assert np.isnan(data.value_at(1, 3))
    assert "the grid was stopped early: 6 of 12 points are measured, the others are NaN" in data.notices


def test_a_spectrum_cut_short_does_not_count(write_grid: Writer) -> None:
    path = write_grid(measured=6)
    path.write_bytes(path.read_bytes()[:-1])
    assert load_recorded(path).values.size == 5


def test_bytes_beyond_the_grid_are_ignored(write_grid: Writer) -> None:
    path = write_grid()
    path.write_bytes(path.read_bytes() + b"more")
    data = load_recorded(path, raw=False)
    assert data.values.size == 12
    assert data.notices == ()


def test_a_grid_without_one_whole_spectrum_is_refused(write_grid: Writer) -> None:
    with pytest.raises(DataFileError, match=r"holds 0 bytes of data, less than one spectrum \(60 bytes\)"):
        load_recorded(write_grid(measured=0))


def test_a_grid_cut_within_its_header_is_refused(write_grid: Writer) -> None:
    path = write_grid()
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataFileError, match=r"has no line :HEADER_END:.*copy it again"):
        load_recorded(path)


def test_a_header_with_a_wrong_number_is_refused(write_grid: Writer) -> None:
    with pytest.raises(DataFileError, match=r"header of grid\.3ds cannot be understood .*'many'"):
        load_recorded(write_grid(Points="many"))


def test_a_grid_without_topography_lists_what_there_is(write_grid: Writer) -> None:
    path = write_grid(**{"Experiment parameters": '"X (m);Y (m);height"'})
    with pytest.raises(
        DataFileError, match=r"'Z \(m\)' for the image; choose --image from: Sweep Start, .*height, Curr"
    ):
        load_recorded(path)


def test_a_grid_of_another_suffix_is_to_be_renamed(write_grid: Writer) -> None:
    with pytest.raises(DataFileError, match=r"must end in \.3ds; rename it to grid\.3ds"):
        load_recorded(write_grid(name="grid.bin"))


def test_the_measured_grid_agrees_with_the_archive_made_of_it(shared_data: Path) -> None:
    grid = load_recorded(shared_data / "measured" / "STS_grid_lockin.3ds")
    archive = load_recorded(shared_data / "measured" / "stm_sts_grid30.npz", target="scalar_I_pos")
    assert grid.target_map is not None
    assert archive.target_map is not None
    # The archive was made without turning the grid's lines: its first row is the lowest.
    upside_down = archive.target_map[::-1]
    assert np.corrcoef(grid.target_map.ravel(), upside_down.ravel())[0, 1] > 0.9999
    height = levelled(grid.survey, "plane").values * 1e3
    np.testing.assert_allclose(height, archive.survey.values[::-1], atol=1e-2)


def test_the_spectra_of_the_measured_grid_are_those_of_the_archive(shared_data: Path) -> None:
    grid = load_recorded(shared_data / "measured" / "STS_grid_lockin.3ds")
    archive = load_recorded(shared_data / "measured" / "stm_sts_grid30.npz")
    spectrum, reference = grid.raw_at(3, 7), archive.raw_at(29 - 3, 7)
    assert spectrum is not None
    assert reference is not None
    np.testing.assert_allclose(spectrum[:3], reference, rtol=1e-6, atol=1e-8)
    assert grid.raw is not None
    assert archive.raw is not None
    assert grid.raw.channels[:3] == archive.raw.channels


def test_the_measured_grid_is_calibrated_and_tells_what_its_header_lacks(shared_data: Path) -> None:
    grid = load_recorded(shared_data / "measured" / "STS_grid_lockin.3ds")
    assert grid.survey.size_nm == pytest.approx((5.0, 5.0))
    assert grid.notices[0].startswith("the header lacks Delay before measuring (s), Start time, End time, Comment")
