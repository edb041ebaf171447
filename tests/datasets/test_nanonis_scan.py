"""Recorded data from Nanonis scans."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dkl_core.datasets import load_recorded
from dkl_core.errors import DataFileError

pytest.importorskip("nanonispy2")
Writer = Callable[..., Path]
LINES = np.arange(12.0).reshape(3, 4)
ZERO = np.zeros((3, 4))


def test_the_image_is_the_topography_in_nm_and_the_target_the_first_lock_in_channel(write_scan: Writer) -> None:
    path = write_scan({"Current": (ZERO, ZERO), "Z": (LINES * 1e-9, ZERO), "LIY_1_omega": (LINES + 7, ZERO)})
    data = load_recorded(path)
    np.testing.assert_allclose(data.survey.values, LINES, rtol=1e-6)
    assert data.target_name == "LIY 1 omega"
    assert data.value_at(2, 3) == 18


def test_pixels_are_the_range_divided_by_their_number(write_scan: Writer) -> None:
    data = load_recorded(write_scan({"Z": (LINES, ZERO), "LIX": (LINES, ZERO)}))
    assert data.survey.pixel_nm == pytest.approx((2.0, 1.0))


def test_an_upward_scan_is_turned_so_that_its_last_line_is_on_top(write_scan: Writer) -> None:
    data = load_recorded(write_scan({"Z": (LINES * 1e-9, ZERO), "LIX": (LINES, ZERO)}, direction="up"))
    np.testing.assert_allclose(data.survey.values, LINES[::-1], rtol=1e-6)
    assert data.value_at(0, 0) == LINES[2, 0]


@pytest.mark.parametrize(("direction", "expected"), [("down", LINES[:, ::-1]), ("up", LINES[::-1, ::-1])])
def test_a_backward_channel_is_mirrored(write_scan: Writer, direction: str, expected: np.ndarray) -> None:
    path = write_scan({"Z": (LINES, ZERO), "LIX": (ZERO, LINES)}, direction=direction)
    np.testing.assert_array_equal(load_recorded(path, target="LIX backward").target_map, expected)


@pytest.mark.parametrize("name", ["LIY 1 omega", "LIY_1_omega", "liy 1 omega (A)", "LIY 1 omega (A)"])
def test_a_channel_is_found_by_any_spelling(write_scan: Writer, name: str) -> None:
    path = write_scan({"Z": (LINES, ZERO), "LIX": (ZERO, ZERO), "LIY_1_omega": (LINES, ZERO)})
    assert load_recorded(path, target=name).target_name == "LIY 1 omega"


def test_the_image_may_be_another_channel(write_scan: Writer) -> None:
    data = load_recorded(write_scan({"Z": (ZERO, ZERO), "LIX": (LINES, ZERO)}), image="LIX", target="Z")
    np.testing.assert_array_equal(data.survey.values, LINES)


@pytest.mark.parametrize("lock_in", ["LIX", "LI_Demod_1_X", "Lock-in_X", "LockinX", "dI/dV", "LIR_2"])
def test_usual_names_of_lock_in_channels_are_known(write_scan: Writer, lock_in: str) -> None:
    path = write_scan({"Z": (LINES, ZERO), "Current": (ZERO, ZERO), lock_in: (LINES, ZERO)})
    assert load_recorded(path).target_name == lock_in.replace("_", " ")


def test_without_a_lock_in_channel_the_channels_are_listed(write_scan: Writer) -> None:
    with pytest.raises(
        DataFileError, match=r"no lock-in channel .* --target from: Z, Z backward, Lift, Lift backward$"
    ):
        load_recorded(write_scan({"Z": (LINES, ZERO), "Lift": (LINES, ZERO)}))


def test_an_unknown_channel_lists_what_there_is(write_scan: Writer) -> None:
    with pytest.raises(DataFileError, match=r"no two-dimensional map 'LIX' for the target; .* from: Z, Z backward$"):
        load_recorded(write_scan({"Z": (LINES, ZERO)}), target="LIX")


def test_little_endian_files_are_read(write_scan: Writer) -> None:
    data = load_recorded(write_scan({"Z": (LINES, ZERO), "LIX": (LINES, ZERO)}, order="<"))
    np.testing.assert_array_equal(data.target_map, LINES)


def test_lines_that_were_not_scanned_are_nan_and_reported(write_scan: Writer) -> None:
    partial = np.where(np.arange(3)[:, None] < 2, LINES, np.nan)
    data = load_recorded(write_scan({"Z": (partial, partial), "LIX": (partial, partial)}))
    assert np.isnan(data.survey.values[2]).all()
    assert data.notices == ("1 of 3 lines of the image are not complete",)
    assert data.values.size == 8


def test_a_comment_in_another_encoding_is_reported_not_fatal(write_scan: Writer) -> None:
    data = load_recorded(write_scan({"Z": (LINES, ZERO), "LIX": (LINES, ZERO)}, comment="tip 5 µm"))
    assert len(data.notices) == 1
    assert "characters" in data.notices[0]


def test_a_scan_without_finite_pixel_is_refused(write_scan: Writer) -> None:
    nothing = np.full((3, 4), np.nan)
    with pytest.raises(DataFileError, match="the image 'Z' has no finite pixel"):
        load_recorded(write_scan({"Z": (nothing, nothing), "LIX": (LINES, ZERO)}))


def test_a_scan_cut_short_is_refused(write_scan: Writer) -> None:
    path = write_scan({"Z": (LINES, ZERO), "LIX": (LINES, ZERO)})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataFileError, match="its data do not fit its header: the file is cut short"):
        load_recorded(path)


def test_a_scan_cut_within_its_header_is_refused(write_scan: Writer) -> None:
    path = write_scan({"Z": (LINES, ZERO)})
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataFileError, match=r"scan\.sxm cannot be read .*SCANIT_END"):
        load_recorded(path)


def test_a_scan_of_another_suffix_is_to_be_renamed(write_scan: Writer) -> None:
    with pytest.raises(DataFileError, match=r"must end in \.sxm; rename it to scan\.sxm"):
        load_recorded(write_scan({"Z": (LINES, ZERO)}, name="scan.SXM"))


def test_a_missing_reader_is_named(write_scan: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanonispy2", None)
    monkeypatch.setitem(sys.modules, "nanonispy2.read", None)
    with pytest.raises(DataFileError, match="needs the package nanonispy2; install it with: pip install nanonispy2"):
        load_recorded(write_scan({"Z": (LINES, ZERO)}))


def test_the_measured_scan_agrees_with_the_archive_made_of_it(shared_data: Path) -> None:
    scan = load_recorded(shared_data / "measured" / "FeSe_topography.sxm")
    archive = load_recorded(shared_data / "measured" / "stm_fese_didv224.npz")
    assert scan.target_map is not None
    assert archive.target_map is not None
    # The archive holds pA; float32 rounds in the seventh digit.
    np.testing.assert_allclose(scan.target_map * 1e12, archive.target_map, rtol=1e-6)


def test_the_measured_image_differs_from_that_of_the_archive_by_levelling_alone(shared_data: Path) -> None:
    scan = load_recorded(shared_data / "measured" / "FeSe_topography.sxm")
    archive = load_recorded(shared_data / "measured" / "stm_fese_didv224.npz")
    # The archive holds pm, less a second-order surface and each line's offset.
    removed = _without_line_means(scan.survey.values * 1e3 - archive.survey.values)
    row, col = np.indices(scan.survey.shape) / 224 - 0.5
    surface = np.stack([_without_line_means(term).ravel() for term in (col, row * col, col**2)], axis=1)
    fit = surface @ np.linalg.lstsq(surface, removed.ravel(), rcond=None)[0]
    np.testing.assert_allclose(removed.ravel(), fit, atol=1e-4)


def _without_line_means(values: np.ndarray) -> np.ndarray:
    return values - values.mean(axis=1, keepdims=True)


def test_the_measured_scan_is_calibrated_and_clean(shared_data: Path) -> None:
    scan = load_recorded(shared_data / "measured" / "FeSe_topography.sxm")
    assert scan.survey.size_nm == pytest.approx((20.0, 20.0))
    assert scan.notices == ()
    assert "rotated by 45 degrees" in scan.note
