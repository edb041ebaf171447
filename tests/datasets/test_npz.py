"""Recorded data from NumPy archives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dkl_core.datasets import load_recorded
from dkl_core.errors import DataFileError

Writer = Callable[..., Path]
IMAGE = np.arange(12.0).reshape(3, 4)


def test_the_default_image_is_the_array_named_image(write_npz: Writer) -> None:
    data = load_recorded(write_npz(haadf=IMAGE + 1, image=IMAGE, scalar_a=IMAGE))
    np.testing.assert_array_equal(data.survey.values, IMAGE)


def test_without_an_array_named_image_the_default_is_haadf(write_npz: Writer) -> None:
    data = load_recorded(write_npz(haadf=IMAGE, scalar_a=-IMAGE))
    np.testing.assert_array_equal(data.survey.values, IMAGE)


def test_the_default_target_is_the_first_scalar_map_and_the_others_are_named(write_npz: Writer) -> None:
    data = load_recorded(write_npz(image=IMAGE, other=IMAGE, scalar_b=2 * IMAGE, scalar_a=IMAGE))
    assert data.target_name == "scalar_b"
    assert data.target_map is not None
    np.testing.assert_array_equal(data.target_map, 2 * IMAGE)
    assert data.notices == ("took the target scalar_b; the file also has scalar_a",)


def test_a_single_scalar_map_needs_no_notice(write_npz: Writer) -> None:
    assert load_recorded(write_npz(image=IMAGE, scalar_b=IMAGE)).notices == ()


def test_image_and_target_are_chosen_by_key(write_npz: Writer) -> None:
    data = load_recorded(write_npz(image=IMAGE, abf=3 * IMAGE, com_x=5 * IMAGE), image="abf", target="com_x")
    assert data.survey.values[2, 3] == 33
    assert data.value_at(2, 3) == 55


def test_nan_pixels_of_the_target_are_not_known_sites(write_npz: Writer) -> None:
    scalar = IMAGE.copy()
    scalar[1, 2] = np.nan
    data = load_recorded(write_npz(image=IMAGE, scalar_a=scalar))
    assert len(data.values) == 11
    assert [1, 2] not in data.known_sites.tolist()
    assert np.isnan(data.value_at(1, 2))
    np.testing.assert_array_equal([data.value_at(*site) for site in data.known_sites], data.values)


def test_a_site_outside_the_map_has_no_value(write_npz: Writer) -> None:
    data = load_recorded(write_npz(image=IMAGE, scalar_a=IMAGE, spectra=np.ones((3, 4, 5))))
    assert np.isnan(data.value_at(-1, 0))
    assert data.raw_at(3, 0) is None


def test_a_target_that_is_a_mask_becomes_zeros_and_ones(write_npz: Writer) -> None:
    data = load_recorded(write_npz(image=IMAGE, vacuum=IMAGE > 5), target="vacuum")
    assert sorted(set(data.values)) == [0.0, 1.0]


def test_the_sampling_in_angstrom_calibrates_in_nm(fixture_data: Path) -> None:
    data = load_recorded(fixture_data / "fixture_graphene_si_16x16.npz", target="com_mag")
    assert data.survey.pixel_nm == pytest.approx((0.12, 0.12))


def test_a_pixel_size_in_nm_calibrates_as_it_is(write_npz: Writer) -> None:
    assert load_recorded(write_npz(image=IMAGE, scalar_a=IMAGE, pixel_nm=0.25)).survey.pixel_nm == (0.25, 0.25)


def test_without_calibration_the_pixel_size_is_unknown(write_npz: Writer) -> None:
    assert load_recorded(write_npz(image=IMAGE, scalar_a=IMAGE)).survey.pixel_nm is None


def test_the_note_of_the_file_is_kept(write_npz: Writer) -> None:
    assert load_recorded(write_npz(image=IMAGE, scalar_a=IMAGE, note="from the lab")).note == "from the lab"


def test_patterns_sum_to_the_recorded_total_of_the_beam(fixture_data: Path) -> None:
    data = load_recorded(fixture_data / "fixture_graphene_si_16x16.npz", target="total")
    pattern = data.raw_at(3, 5)
    assert pattern is not None
    assert data.raw is not None
    assert data.raw.kind == "pattern"
    assert pattern.shape == (48, 48)
    assert pattern.sum() == pytest.approx(data.value_at(3, 5), rel=5e-4)


def test_patterns_stored_as_square_roots_are_squared(fixture_data: Path) -> None:
    data = load_recorded(fixture_data / "fixture_nbed_graphene_10x10.npz", target="total")
    pattern = data.raw_at(4, 4)
    assert pattern is not None
    assert pattern.sum() == pytest.approx(data.value_at(4, 4), rel=1e-3)


def test_the_constants_for_a_scalarizer_come_with_the_raw_data(fixture_data: Path) -> None:
    data = load_recorded(fixture_data / "fixture_nbed_graphene_10x10.npz", target="bragg_mean")
    assert data.raw is not None
    assert data.raw.constants["det_mrad"] == pytest.approx(0.8)
    assert data.raw.constants["centre_px"] == pytest.approx(47.75)


def test_spectra_come_with_their_axis_as_first_row(write_npz: Writer) -> None:
    spectra = np.arange(60.0).reshape(3, 4, 5)
    arrays = {"image": IMAGE, "scalar_a": IMAGE, "spectra": spectra, "lockin": -spectra, "V": np.linspace(-1, 1, 5)}
    data = load_recorded(write_npz(**arrays))
    assert data.raw is not None
    assert data.raw.channels == ("bias", "current", "didv")
    np.testing.assert_array_equal(data.raw_at(1, 2), [np.linspace(-1, 1, 5), spectra[1, 2], -spectra[1, 2]])


def test_spectra_without_an_axis_are_counted(write_npz: Writer) -> None:
    data = load_recorded(write_npz(image=IMAGE, scalar_a=IMAGE, spectra=np.ones((3, 4, 5))))
    spectrum = data.raw_at(0, 0)
    assert spectrum is not None
    np.testing.assert_array_equal(spectrum[0], np.arange(5))


def test_raw_data_can_be_left_out(fixture_data: Path) -> None:
    data = load_recorded(fixture_data / "fixture_graphene_si_16x16.npz", target="total", raw=False)
    assert data.raw is None
    assert data.raw_at(0, 0) is None


def test_without_a_target_the_raw_data_alone_are_accepted_on_request(fixture_data: Path) -> None:
    data = load_recorded(fixture_data / "fixture_graphene_si_16x16.npz", need_target=False)
    assert data.target_name == ""
    assert data.values.size == 0
    assert data.known_sites.shape == (0, 2)
    assert np.isnan(data.value_at(0, 0))
    assert data.raw_at(0, 0) is not None


def test_without_a_scalar_map_the_candidates_are_listed(fixture_data: Path) -> None:
    with pytest.raises(DataFileError, match=r"choose --target from: com_x, com_y, com_mag, com_angle, .*total"):
        load_recorded(fixture_data / "fixture_graphene_si_16x16.npz")


def test_candidates_for_the_target_have_the_shape_of_the_image(write_npz: Writer) -> None:
    with pytest.raises(DataFileError, match=r"choose --target from: good$"):
        load_recorded(write_npz(image=IMAGE, good=IMAGE, other=IMAGE.T))


def test_without_an_image_the_two_dimensional_arrays_are_listed(write_npz: Writer) -> None:
    with pytest.raises(DataFileError, match=r"no array named image or haadf; choose --image from: survey \(3, 4\)$"):
        load_recorded(write_npz(survey=IMAGE, spectra=np.ones((3, 4, 5)), scale=2.0))


@pytest.mark.parametrize("option", ["image", "target"])
def test_an_unknown_key_lists_what_there_is(write_npz: Writer, option: str) -> None:
    path = write_npz(image=IMAGE, scalar_a=IMAGE, V=np.arange(3.0))
    with pytest.raises(DataFileError, match=f"no two-dimensional map 'wrong' .* --{option} from: image, scalar_a$"):
        load_recorded(path, **{option: "wrong"})


def test_a_target_of_another_shape_is_refused(write_npz: Writer) -> None:
    with pytest.raises(
        DataFileError, match=r"'small' has shape \(2, 2\) but the image has \(3, 4\); choose a --target"
    ):
        load_recorded(write_npz(image=IMAGE, small=np.ones((2, 2))), target="small")


def test_an_image_without_finite_pixel_is_refused(write_npz: Writer) -> None:
    with pytest.raises(
        DataFileError, match="the image 'image' has no finite pixel; choose another --image from: other"
    ):
        load_recorded(write_npz(image=np.full((3, 4), np.nan), other=IMAGE), target="other")


@pytest.mark.parametrize("image", [np.ones((3, 4, 3)), np.full((3, 4), "a"), 1j * IMAGE])
def test_an_image_that_is_no_map_of_real_numbers_is_refused(write_npz: Writer, image: np.ndarray) -> None:
    with pytest.raises(DataFileError, match="choose a two-dimensional map of real numbers"):
        load_recorded(write_npz(image=image, scalar_a=IMAGE))


def test_a_target_without_finite_value_is_refused(write_npz: Writer) -> None:
    with pytest.raises(DataFileError, match="the target 'scalar_a' has no finite value"):
        load_recorded(write_npz(image=IMAGE, scalar_a=np.full((3, 4), np.inf)))


@pytest.mark.parametrize("option", ["image", "target"])
def test_pickled_objects_are_refused(write_npz: Writer, option: str) -> None:
    path = write_npz(image=IMAGE, scalar_a=IMAGE, bad=np.array([[{}]], dtype=object))
    with pytest.raises(DataFileError, match="'bad' holds pickled Python objects, which are never loaded"):
        load_recorded(path, **{option: "bad"})


def test_pickled_objects_elsewhere_in_the_file_do_no_harm(write_npz: Writer) -> None:
    data = load_recorded(write_npz(image=IMAGE, scalar_a=IMAGE, note=np.array({}, dtype=object)))
    assert data.note == ""


def test_an_archive_cut_in_half_is_refused(fixture_data: Path, tmp_path: Path) -> None:
    whole = (fixture_data / "fixture_graphene_si_16x16.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataFileError, match=r"cut\.npz cannot be read as a NumPy archive .* copy it again"):
        load_recorded(tmp_path / "cut.npz")


def test_an_archive_with_damaged_data_is_refused(write_npz: Writer) -> None:
    path = write_npz(image=IMAGE, scalar_a=IMAGE)
    damaged = bytearray(path.read_bytes())
    damaged[150] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(DataFileError, match="cannot be read as a NumPy archive"):
        load_recorded(path)


@pytest.mark.parametrize(
    ("name", "target", "size"),
    [
        ("stm_sts_grid30", "scalar_LIX", 900),
        ("stm_fese_didv224", "scalar_dIdV_LIY", 224**2),
        ("eels_signal_si25", "scalar_ratio", 775),
    ],
)
def test_measured_sets_are_read(shared_data: Path, name: str, target: str, size: int) -> None:
    data = load_recorded(shared_data / "measured" / f"{name}.npz", target=target)
    assert data.values.size == size
    assert len(data.note) > 10


def test_where_there_is_vacuum_is_read(write_npz: Writer) -> None:
    vacuum = np.zeros(IMAGE.shape, dtype=bool)
    vacuum[2] = True
    known = load_recorded(write_npz(image=IMAGE, scalar_a=IMAGE, vacuum=vacuum)).vacuum
    assert known is not None
    assert np.array_equal(known, vacuum)


def test_a_vacuum_that_is_no_map_of_truth_values_is_not_taken_for_one(write_npz: Writer) -> None:
    assert load_recorded(write_npz(image=IMAGE, scalar_a=IMAGE, vacuum=np.ones(3))).vacuum is None
