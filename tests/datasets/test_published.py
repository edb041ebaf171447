"""Recorded data from published runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dkl_core.datasets import load_recorded
from dkl_core.datasets.published import frame_width_nm
from dkl_core.errors import DataFileError

Writer = Callable[..., Path]
RUNS = {
    "Figure3_large_area_250nm": (267, 250),
    "Figure4_Adsorbate_defect_10nm": (278, 10),
    "Figure5_Substitution_defect_5nm": (214, 5),
    "Figure7_DKL1_200nm": (210, 200),
}


def test_x_counts_from_the_left_and_y_from_the_bottom(write_run: Writer) -> None:
    data = load_recorded(write_run(places_nm=[(0.0, 0.0), (2.0, 1.0)], scalars=[5.0, 6.0]))
    assert data.positions is not None
    np.testing.assert_array_equal(data.positions, [(15, 0), (13, 4)])
    assert data.value_at(13, 4) == 6.0


def test_the_frame_width_calibrates_the_image(write_run: Writer) -> None:
    assert load_recorded(write_run()).survey.pixel_nm == (0.5, 0.5)


def test_only_measured_sites_have_a_value(write_run: Writer) -> None:
    data = load_recorded(write_run())
    assert data.target_map is None
    assert np.isnan(data.value_at(0, 0))
    assert data.raw_at(0, 0) is None


def test_the_spectrum_of_a_site_has_bias_and_three_channels(write_run: Writer) -> None:
    data = load_recorded(write_run())
    assert data.raw is not None
    assert data.raw.channels == ("bias", "current", "didv", "lockin_y")
    np.testing.assert_array_equal(data.raw_at(13, 4), np.arange(12.0, 24.0).reshape(4, 3))


def test_of_a_site_measured_twice_the_first_value_counts(write_run: Writer) -> None:
    data = load_recorded(write_run(places_nm=[(2.0, 1.0), (2.0, 1.0)], scalars=[5.0, 6.0]))
    assert data.value_at(13, 4) == 5.0
    assert data.values.tolist() == [5.0, 6.0]


@pytest.mark.parametrize(
    ("name", "width"), [("a_250nm.hf5", 250), ("a_2.5nm.hf5", 2.5), ("from_10nm_to_5nm_run.hf5", 5)]
)
def test_the_frame_width_stands_in_the_name(name: str, width: float) -> None:
    assert frame_width_nm(Path(name)) == width


@pytest.mark.parametrize("name", ["run.hf5", "run_0nm.hf5"])
def test_a_name_without_frame_width_is_refused(write_run: Writer, name: str) -> None:
    with pytest.raises(DataFileError, match=r"does not say how wide its frame is.*run_250nm\.hf5, or give frame_nm"):
        load_recorded(write_run(name=name))


def test_a_frame_width_given_is_used_instead_of_the_name(write_run: Writer) -> None:
    data = load_recorded(write_run(name="run.hf5"), frame_nm=16.0)
    assert data.survey.pixel_nm == (1.0, 1.0)
    np.testing.assert_array_equal(data.positions, [(15, 0), (14, 2)])


def test_positions_beyond_the_frame_are_refused(write_run: Writer) -> None:
    with pytest.raises(DataFileError, match="positions reach from 0 to 2 nm, not all within a frame of 1 nm"):
        load_recorded(write_run(name="run_1nm.hf5"))


def test_a_position_that_is_not_a_number_is_refused(write_run: Writer) -> None:
    with pytest.raises(DataFileError, match="not all within a frame"):
        load_recorded(write_run(places_nm=[(0.0, np.nan), (1.0, 1.0)]))


def test_positions_off_the_pixels_are_rounded_and_reported(write_run: Writer) -> None:
    data = load_recorded(write_run(places_nm=[(0.1, 0.0), (2.0, 1.0)]))
    assert data.positions is not None
    assert data.positions[0].tolist() == [15, 0]
    assert "0.20 px off" in data.notices[0]


@pytest.mark.parametrize(("option", "name"), [("image", "Image"), ("target", "Scalar")])
def test_an_unknown_name_is_refused_with_the_one_there_is(write_run: Writer, option: str, name: str) -> None:
    path = write_run()
    assert load_recorded(path, **{option: name.lower()}).values.size == 2
    with pytest.raises(DataFileError, match=f"has no {option} 'wrong'; choose --{option} from: {name}$"):
        load_recorded(path, **{option: "wrong"})


@pytest.mark.parametrize("group", ["STM Image", "DKL Position", "DKL Scalar"])
def test_an_hdf5_file_of_another_kind_is_refused(write_run: Writer, group: str) -> None:
    with pytest.raises(DataFileError, match=f"is not a published run: it has no '{group}'; it holds Meas"):
        load_recorded(write_run(leave_out=group))


def test_without_raw_data_the_spectra_need_not_be_there(write_run: Writer) -> None:
    assert load_recorded(write_run(leave_out="Tunneling"), raw=False).values.size == 2


def test_counts_that_do_not_match_are_refused(write_run: Writer) -> None:
    with pytest.raises(DataFileError, match=r"have shapes \(2, 2\), \(3,\), \(2, 4, 3\); .* of the same M"):
        load_recorded(write_run(scalars=[1.0, 2.0, 3.0]))


def test_an_image_without_finite_pixel_is_refused(write_run: Writer) -> None:
    with pytest.raises(DataFileError, match="0 finite pixels"):
        load_recorded(write_run(image=np.full((16, 16), np.nan)))


def test_stored_text_is_refused(write_run: Writer) -> None:
    with pytest.raises(DataFileError, match=r"'DKL Scalar' holds .* values; numbers are needed"):
        load_recorded(write_run(scalars=np.array([b"a", b"b"])))


def test_a_file_cut_in_half_is_refused(write_run: Writer) -> None:
    path = write_run()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataFileError, match=r"cannot be read as an HDF5 file .* cut short or damaged: copy it again"):
        load_recorded(path)


@pytest.mark.parametrize(("name", "sites_and_width"), RUNS.items())
def test_the_sites_of_the_published_runs_lie_on_a_grid_of_ten_pixels(
    shared_data: Path, name: str, sites_and_width: tuple[int, int]
) -> None:
    sites, width_nm = sites_and_width
    data = load_recorded(shared_data / "stm_runs" / f"{name}.hf5")
    assert data.positions is not None
    assert data.values.shape == (sites,)
    assert data.survey.size_nm == pytest.approx((width_nm, width_nm))
    assert data.notices == ()
    # Counted from the bottom the grid starts at 0, so from the top it starts at 511.
    assert set((511 - data.positions[:, 0]) % 10) == {0}
    assert set(data.positions[:, 1] % 10) == {0}
    assert data.positions.min() >= 20
    assert data.positions.max() <= 491


def test_the_published_scalar_follows_from_the_spectrum_at_its_site(shared_data: Path) -> None:
    data = load_recorded(shared_data / "stm_runs" / "Figure7_DKL1_200nm.hf5")

    def area(values: np.ndarray, bias: np.ndarray, high: float) -> float:
        used = (bias >= 0) & (bias <= high)
        return float(np.trapezoid(values[used], bias[used]))

    agree = 0
    for site, value in zip(data.known_sites, data.values, strict=True):
        spectrum = data.raw_at(*site)
        assert spectrum is not None
        bias, _, didv, _ = spectrum
        agree += np.isclose(0.005 + area(didv, bias, 0.5) / area(didv, bias, 1.5), value, rtol=1e-6)
    assert agree >= 204


def test_a_published_run_cut_in_half_is_refused(shared_data: Path, tmp_path: Path) -> None:
    whole = (shared_data / "stm_runs" / "Figure5_Substitution_defect_5nm.hf5").read_bytes()
    (tmp_path / "cut_5nm.hf5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataFileError, match=r"cut_5nm\.hf5 cannot be read as an HDF5 file .*truncated"):
        load_recorded(tmp_path / "cut_5nm.hf5")
