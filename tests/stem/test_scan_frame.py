from __future__ import annotations

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.stem.scan import ScanFrame


def test_pixels_are_square_and_centred() -> None:
    y, x = ScanFrame((4, 8), 8.0, centre_nm=(1.0, 2.0)).positions_nm()
    assert np.broadcast_to(y, (4, 8))[:, 0].tolist() == [-0.5, 0.5, 1.5, 2.5]
    assert np.broadcast_to(x, (4, 8))[0].tolist() == [-1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5]


def test_a_window_is_the_same_pixels_of_the_frame() -> None:
    whole = ScanFrame((16, 16), 8.0, rotation_deg=20)
    part = ScanFrame((16, 16), 8.0, rotation_deg=20, window=(0.25, 0.5, 0.5, 0.25))
    assert part.size == (8, 4)
    for all_nm, some_nm in zip(whole.positions_nm(), part.positions_nm(), strict=True):
        np.testing.assert_allclose(np.broadcast_to(all_nm, (16, 16))[4:12, 8:12], some_nm)


def test_rotation_turns_the_lines_counter_clockwise() -> None:
    y, x = ScanFrame((3, 3), 3.0, rotation_deg=90).positions_nm()
    assert (x[1, 2], y[1, 2]) == pytest.approx((0, -1))


def test_positions_lead_back_to_their_pixels() -> None:
    frame = ScanFrame((6, 9), 4.0, rotation_deg=33, centre_nm=(0.3, -1), window=(0, 0.34, 0.5, 0.5))
    row, col = frame.from_scan_nm(*frame.positions_nm())
    np.testing.assert_allclose(row, np.indices(frame.size)[0], atol=1e-9)
    np.testing.assert_allclose(col, np.indices(frame.size)[1], atol=1e-9)


def test_time_runs_along_the_lines() -> None:
    frame = ScanFrame((4, 4), 1.0, pixel_time_s=1.0, line_flyback_s=2.0)
    assert frame.seconds == 24
    assert [frame.pixel_at(time) for time in (0.5, 3.5, 5.0, 6.5)] == [(0, 0), (0, 3), (0, 3), (1, 0)]


@pytest.mark.parametrize("wrong", [{"shape": (0, 4)}, {"fov_nm": 0.0}, {"pixel_time_s": -1.0}])
def test_impossible_frames_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        ScanFrame(**({"shape": (4, 4), "fov_nm": 1.0} | wrong))  # type: ignore[arg-type]
