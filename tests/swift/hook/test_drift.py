"""Following the sample by reference scans."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from nion.instrumentation.scan_base import ScanFrameParameters
from scipy import ndimage

from nionswift_plugin.dkl.acquisition.dose import Region
from nionswift_plugin.dkl.acquisition.drift import DriftError, DriftFollower, DriftPath, DriftPoint
from nionswift_plugin.dkl.acquisition.position import FrameGeometry
from nionswift_plugin.dkl.acquisition.settings import DriftSettings, ReferenceKind

FRAME = FrameGeometry((128, 128), 12.8)
SAMPLE = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(300, 300)), 3.0)


def scan(region: Region, pixels: int, moved_nm: tuple[float, float], noise: float = 0.0) -> np.ndarray:
    """What the scan sees of the sample when that has moved."""
    steps = (np.arange(pixels) + 0.5) / pixels - 0.5
    axes = [
        (steps * size + centre) * 128 - 0.5 + 86 - 10 * moved
        for centre, size, moved in zip(region.centre, region.size, moved_nm, strict=True)
    ]
    image = ndimage.map_coordinates(SAMPLE, np.meshgrid(*axes, indexing="ij"), order=3)
    return np.asarray(image + np.random.default_rng(0).normal(0, noise, image.shape) * SAMPLE.std())


def follower(kind: ReferenceKind = "subscan", **settings: float) -> DriftFollower:
    survey = scan(Region(), 128, (0.0, 0.0))
    chosen: dict[str, Any] = {"max_jump_nm": 1.0} | settings
    return DriftFollower(DriftSettings(every_sites=5, every_s=60.0, kind=kind, **chosen), FRAME, survey, 100.0)


def look(at: DriftFollower, time_s: float, moved_nm: tuple[float, float], noise: float = 0.0) -> DriftPoint:
    region = at.region(time_s)
    return at.follow(scan(region, 51, moved_nm, noise), region, time_s)


@pytest.mark.parametrize("kind", ["subscan", "frame"])
def test_a_steady_drift_is_followed(kind: ReferenceKind) -> None:
    following = follower(kind)
    for step in range(1, 9):
        moved = 0.3 * step, -0.2 * step
        point = look(following, 100.0 + 30 * step, moved, noise=0.3)
        np.testing.assert_allclose(point.drift_nm, moved, atol=0.03 if kind == "subscan" else 0.06)


def test_between_references_the_drift_goes_on() -> None:
    following = follower()
    look(following, 130.0, (0.3, -0.2))
    look(following, 160.0, (0.6, -0.4))
    np.testing.assert_allclose(following.path.at(190.0), (0.9, -0.6), atol=0.02)


def test_the_subscan_moves_with_the_sample() -> None:
    following = follower()
    before = following.region(100.0)
    look(following, 130.0, (0.5, -0.5))
    after = following.region(130.0)
    np.testing.assert_allclose(np.subtract(after.centre, before.centre) * 12.8, (0.5, -0.5), atol=0.03)


def test_a_jump_is_not_believed() -> None:
    following = follower(max_jump_nm=0.4)
    with pytest.raises(DriftError, match="jumped by"):
        look(following, 130.0, (0.5, 0.3))
    assert len(following.path.points) == 1


def test_another_place_is_not_believed() -> None:
    following = follower()
    region = following.region(130.0)
    with pytest.raises(DriftError, match="does not resemble the survey image"):
        following.follow(np.random.default_rng(0).normal(size=(51, 51)), region, 130.0)


def test_a_sample_that_has_left_the_frame_is_told() -> None:
    following = follower("frame", max_jump_nm=1.0)
    with pytest.raises(DriftError, match="drifted so far"):
        _ = [look(following, 100.0 + 30 * step, (0.9 * step, 0.0)) for step in range(1, 20)]


def test_a_reference_is_due_by_sites_and_by_time() -> None:
    following = follower()
    assert not following.is_due(159.0)
    assert following.is_due(160.0)
    for _ in range(5):
        following.count_site()
    assert following.is_due(101.0)
    look(following, 110.0, (0.0, 0.0))
    assert not following.is_due(169.0)


def test_a_reference_can_be_demanded() -> None:
    following = follower()
    following.demand()
    assert following.is_due(100.0)


def test_the_subscan_has_the_pixels_of_the_survey() -> None:
    present = ScanFrameParameters(pixel_size=(128, 128), fov_nm=12.8, pixel_time_us=2.0)
    following = follower(share=0.25, pixel_time_us=4.0)
    region = following.region(100.0)
    reduced = following.parameters(present, region)
    assert cast(tuple[int, int], tuple(reduced.subscan_pixel_size)) == (32, 32)
    assert tuple(reduced.subscan_fractional_size) == pytest.approx((0.25, 0.25))
    assert tuple(reduced.subscan_fractional_center) == pytest.approx(region.centre)
    assert reduced.pixel_time_us == 4.0
    assert present.subscan_pixel_size is None


def test_a_small_frame_covers_the_whole() -> None:
    present = ScanFrameParameters(pixel_size=(128, 128), fov_nm=12.8, pixel_time_us=2.0)
    reduced = follower("frame", share=0.25).parameters(present, Region())
    assert tuple(reduced.pixel_size) == (32, 32)
    assert reduced.fov_nm == 12.8
    assert reduced.subscan_pixel_size is None


def test_the_subscan_is_where_the_contrast_is() -> None:
    image = np.zeros((128, 128))
    image[30:50, 80:100] = SAMPLE[:20, :20]
    following = DriftFollower(DriftSettings(every_sites=5, share=0.3), FRAME, image, 0.0)
    np.testing.assert_allclose(FRAME.to_pixels(following.region(0.0).centre), (40, 85), atol=15)


def test_a_difference_within_a_moment_says_nothing_about_the_rate() -> None:
    path = DriftPath(0.0)
    path.add(DriftPoint(0.05, (0.1, 0.0)))
    assert np.abs(path.at(10.05)).max() < 0.2


def test_after_a_pause_the_path_starts_anew() -> None:
    following = follower()
    following.demand()
    look(following, 101.0, (0.4, 0.0))
    np.testing.assert_allclose(following.path.at(200.0), (0.4, 0.0), atol=0.03)


def test_a_path_of_one_point_does_not_move() -> None:
    np.testing.assert_array_equal(DriftPath(5.0).at(1000.0), (0.0, 0.0))
