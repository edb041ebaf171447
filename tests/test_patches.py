"""Sites and patches of a survey image."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.measurement import Site
from dkl_core.patches import Edge, Patches, PatchSettings, Sites, grid_sites, make_patches
from dkl_core.survey import SurveyImage

PUBLISHED = (512, 512)


def picture(rows: int = 20, cols: int = 26) -> SurveyImage:
    return SurveyImage(np.random.default_rng(3).normal(size=(rows, cols)))


def plain(**chosen: Any) -> PatchSettings:
    """Settings that leave the image as it is."""
    return PatchSettings(**{"stride": 1, "normalisation": "none", **chosen})


def naive(image: np.ndarray, row: int, col: int, window: int, edge: Edge) -> np.ndarray:
    """The patch pixel by pixel."""

    def within(index: int, length: int) -> int:
        if edge == "nearest":
            return min(max(index, 0), length - 1)
        while not 0 <= index < length:
            index = -index if index < 0 else 2 * (length - 1) - index
        return index

    rows = [within(row - window // 2 + step, image.shape[0]) for step in range(window)]
    cols = [within(col - window // 2 + step, image.shape[1]) for step in range(window)]
    return image[np.ix_(rows, cols)].astype(np.float32)


# ---------------------------------------------------------------------- sites


@pytest.mark.parametrize("window", range(25, 42))
def test_the_published_grid_is_48_by_48_sites_from_20_to_490(window: int) -> None:
    sites = grid_sites(PUBLISHED, PatchSettings(window=window, stride=10))
    axis = np.arange(20, 491, 10)
    expected = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    np.testing.assert_array_equal(sites.positions, expected)
    assert len(sites) == 48 * 48 == 2304


def test_a_window_of_24_px_has_a_row_and_a_column_of_sites_more() -> None:
    sites = grid_sites(PUBLISHED, PatchSettings(window=24, stride=10))
    assert (sites.positions.min(), sites.positions.max(), len(sites)) == (20, 500, 49**2)


@pytest.mark.parametrize("edge", ["reflect", "nearest"])
def test_sites_reach_the_border_where_the_image_may_be_continued(edge: Edge) -> None:
    sites = grid_sites((20, 31), PatchSettings(window=30, stride=10, edge=edge))
    np.testing.assert_array_equal(sites.positions, [(r, c) for r in (0, 10) for c in (0, 10, 20, 30)])


def test_every_patch_that_fits_has_a_site_at_stride_1() -> None:
    assert len(grid_sites((9, 11), PatchSettings(window=4, stride=1))) == (9 - 4 + 1) * (11 - 4 + 1)


def test_a_site_knows_its_index_row_and_column() -> None:
    sites = grid_sites((11, 11), PatchSettings(window=3, stride=4))
    assert [sites[index] for index in range(len(sites))] == [
        Site(0, 4, 4),
        Site(1, 4, 8),
        Site(2, 8, 4),
        Site(3, 8, 8),
    ]
    assert sites.nearest(5.4, 100) == Site(1, 4, 8)


def test_values_of_sites_make_a_map_with_holes_where_there_is_no_site() -> None:
    sites = Sites(np.array([[20, 30], [40, 30], [40, 50]]), (64, 64), 10)
    np.testing.assert_array_equal(sites.to_map([1, 2, 3]), [[1, np.nan], [2, 3]])


def test_the_users_own_sites_are_kept_in_their_order() -> None:
    patches = make_patches(picture(), plain(window=5), positions=[(9.6, 4), (3, 20.2), (9.6, 4)])
    np.testing.assert_array_equal(patches.sites.positions, [(10, 4), (3, 20), (10, 4)])


@pytest.mark.parametrize(
    ("positions", "edge", "message"),
    [
        ([], "inside", r"positions have shape \(0,\); give \(row, column\) pairs, shape \(M, 2\)"),
        ([1, 2], "inside", r"positions have shape \(2,\); give \(row, column\) pairs"),
        ([(9, 9), (1, 9)], "inside", "1 of 2 positions, the first at row 1, column 9, have no whole window of 5 px"),
        ([(9, 24)], "inside", "choose a smaller window or edge='reflect'"),
        ([(0, 0), (9, 26)], "reflect", "first at row 9, column 26, lie outside the image of 20 x 26 px; leave them"),
        ([(np.nan, 4)], "nearest", "first at row nan, column 4, lie outside the image"),
    ],
)
def test_own_sites_that_have_no_patch_are_named(positions: Any, edge: Edge, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_patches(picture(), plain(window=5, edge=edge), positions=positions)


# ---------------------------------------------------------------------- patches


@pytest.mark.parametrize("window", [1, 2, 5, 8, 20])
@pytest.mark.parametrize("edge", ["inside", "reflect", "nearest"])
def test_patches_are_the_slices_of_the_image(window: int, edge: Edge) -> None:
    survey = picture()
    patches = make_patches(survey, plain(window=window, stride=2, edge=edge))
    expected = [naive(survey.values, row, col, window, edge) for row, col in patches.sites.positions]
    np.testing.assert_array_equal(patches.take(np.arange(len(patches))), expected)


@pytest.mark.parametrize("edge", ["reflect", "nearest"])
def test_a_window_larger_than_the_image_continues_it_again_and_again(edge: Edge) -> None:
    survey = picture(4, 7)
    patches = make_patches(survey, plain(window=17, edge=edge))
    expected = [naive(survey.values, row, col, 17, edge) for row, col in patches.sites.positions]
    np.testing.assert_array_equal(patches.take(np.arange(28)), expected)


def test_patches_are_taken_in_the_order_asked_for() -> None:
    patches = make_patches(picture(), plain(window=6))
    some = patches.take([5, 2, 5])
    np.testing.assert_array_equal(some, [patches.take([index])[0] for index in (5, 2, 5)])
    some[:] = 0
    assert patches.take([5]).any(), "a patch is a copy"


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_chunks_are_all_patches_once_and_in_order(size: int) -> None:
    patches = make_patches(picture(), plain(window=6))
    parts = list(patches.chunks(size))
    np.testing.assert_array_equal(np.concatenate([cut for _, cut in parts]), patches.take(np.arange(len(patches))))
    assert [index for part, _ in parts for index in range(len(patches))[part]] == list(range(len(patches)))
    assert max(len(cut) for _, cut in parts) <= size


@pytest.mark.parametrize("holes", [False, True])
def test_a_site_at_every_pixel_never_takes_the_memory_of_all_patches(holes: bool) -> None:
    image = np.random.default_rng(0).normal(size=PUBLISHED)
    if holes:
        image[100:110, 200:210] = np.nan
    tracemalloc.start()
    patches = make_patches(SurveyImage(image), PatchSettings(window=30, stride=1, edge="reflect"))
    seen = sum(len(cut) for _, cut in patches.chunks())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen == len(patches) > 200_000
    all_at_once = seen * 30 * 30 * 4
    assert peak < all_at_once / 10


# ---------------------------------------------------------------------- preparation of the image


def test_the_image_is_levelled_and_then_normalised() -> None:
    survey = picture()
    tilt = SurveyImage(survey.values + 0.5 * np.arange(26))
    patches = make_patches(tilt, PatchSettings(window=4, stride=4, levelling="plane"))
    np.testing.assert_allclose([patches.image.mean(), patches.image.std()], [0, 1], atol=1e-12)
    assert abs(np.corrcoef(patches.image.mean(axis=0), np.arange(26))[0, 1]) < 1e-9


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("edge", ["inside", "reflect", "nearest"])
@pytest.mark.parametrize("window", [1, 4, 5, 14])
def test_excluding_drops_exactly_the_sites_whose_patch_holds_a_pixel_without_data(
    window: int, edge: Edge, hole: float
) -> None:
    image = picture(14, 60).values
    image[2, 7] = image[10, 40] = image[11, 41] = hole
    settings = plain(window=window, edge=edge)
    every = grid_sites(image.shape, settings).positions
    whole = [np.isfinite(naive(image, row, col, window, edge)).all() for row, col in every]
    np.testing.assert_array_equal(make_patches(SurveyImage(image), settings).sites.positions, every[whole])


def test_filling_keeps_all_sites_and_gives_the_nearest_neighbours_value() -> None:
    image = picture().values
    image[5, 5:8] = np.nan
    patches = make_patches(SurveyImage(image), plain(window=4, nan="fill"))
    assert len(patches) == len(grid_sites(image.shape, plain(window=4)))
    assert np.isfinite(patches.image).all()
    assert patches.image[5, 6] in (image[4, 6], image[6, 6])
    np.testing.assert_array_equal(patches.image[np.isfinite(image)], image[np.isfinite(image)])


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_filled_pixels_have_no_say_in_levelling_and_scale(hole: float) -> None:
    rows, cols = np.indices((20, 30))
    image = 0.1 * rows + 0.2 * cols
    image[3, 3] += 1
    whole = make_patches(SurveyImage(image), PatchSettings(window=4, levelling="plane"))
    holed = np.pad(image, ((0, 25), (0, 0)), constant_values=hole)
    filled = make_patches(SurveyImage(holed), PatchSettings(window=4, levelling="plane", nan="fill"))
    np.testing.assert_allclose(filled.image[:20], whole.image, atol=1e-9)


# ---------------------------------------------------------------------- masks and refusals


def test_a_mask_keeps_the_sites_whose_centre_it_allows() -> None:
    mask = np.zeros((20, 26), dtype=bool)
    mask[8:, 10:] = True
    patches = make_patches(picture(), plain(window=4), mask=mask)
    every = grid_sites((20, 26), plain(window=4)).positions
    np.testing.assert_array_equal(patches.sites.positions, every[(every[:, 0] >= 8) & (every[:, 1] >= 10)])


@pytest.mark.parametrize(
    ("values", "settings", "message"),
    [
        (np.full((64, 64), np.nan), PatchSettings(), "no finite value; check the file or the detector"),
        (np.full((64, 64), 7.5), PatchSettings(), "has the one value 7.5 everywhere, .*take another channel"),
        (
            picture(20, 64).values,
            PatchSettings(window=21),
            "window of 21 px does not fit into the image of 20 x 64 px .* choose a smaller window or stride, or edge=",
        ),
        (picture(40, 40).values, PatchSettings(window=30, stride=100), "multiples of the stride 100 px"),
        (np.indices((64, 64))[1] * 1e-9, PatchSettings(levelling="plane"), "'plane' leaves nothing .* choose another"),
        (np.indices((64, 64))[0] * 3.1, PatchSettings(levelling="rows"), "'rows' leaves nothing .* choose another"),
        (np.indices((64, 64))[0] * 3.1, PatchSettings(levelling="steps"), "'steps' leaves nothing .* choose another"),
    ],
)
def test_an_image_that_nothing_can_be_learned_from_is_refused(
    values: np.ndarray, settings: PatchSettings, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_patches(SurveyImage(values), settings)


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"mask has shape \(26, 20\); give one of the image's shape \(20, 26\)"):
        make_patches(picture(), plain(window=4), mask=np.ones((26, 20), dtype=bool))


def test_that_no_site_is_left_is_said_with_what_to_do() -> None:
    image = picture().values
    image[::3, ::3] = np.nan
    with pytest.raises(InputError, match=r"no site is left of .* allow a larger area, a smaller window, or nan='fill'"):
        make_patches(SurveyImage(image), plain(window=4))
    with pytest.raises(InputError, match="no site is left of"):
        make_patches(picture(), plain(window=4), mask=np.zeros((20, 26), dtype=bool))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"window": 0}, "window is 0; give the edge of the patch in pixels, 1 or more"),
        ({"stride": 0}, "stride is 0; give the distance between sites in pixels, 1 or more"),
        ({"stride": -10}, "stride is -10; give"),
        ({"edge": "wrap"}, "unknown edge policy 'wrap'; choose one of inside, reflect, nearest"),
        ({"nan": "zero"}, "unknown NaN policy 'zero'; choose one of exclude, fill"),
    ],
)
def test_settings_that_cannot_be_met_are_refused_at_once(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PatchSettings(**chosen)


def test_patches_of_a_prepared_image_need_no_settings() -> None:
    patches = Patches(np.eye(5), Sites(np.array([[2, 2]]), (5, 5)), window=3)
    np.testing.assert_array_equal(patches.take([0])[0], np.eye(3))
