import numpy as np
import pytest

from dkl_core.report.geometry import Axis2D, Grid, cell_size
from dkl_core.survey import SurveyImage


def grid_positions(rows, cols, step=(5.0, 5.0), first=(10.0, 20.0)):
    index = np.moveaxis(np.indices((rows, cols)), 0, -1).reshape(-1, 2)
    return index * np.asarray(step) + np.asarray(first)


def test_a_calibrated_image_is_drawn_in_nanometres_of_the_sample():
    axis = Axis2D.of(SurveyImage(np.zeros((4, 8)), (0.5, 0.25), (10.0, 20.0)))
    x, y = axis.xy(np.array([[2.0, 4.0]]))
    assert (x[0], y[0]) == (21.0, 11.0)
    assert axis.labels == ("x (nm)", "y (nm)")


def test_an_uncalibrated_image_is_drawn_in_pixels():
    axis = Axis2D.of(SurveyImage(np.zeros((4, 8))))
    assert [float(part[0]) for part in axis.xy(np.array([[2.0, 4.0]]))] == [4.0, 2.0]
    assert axis.labels == ("column (px)", "row (px)")


def test_the_image_ends_half_a_pixel_beyond_its_outer_pixel_centres():
    axis = Axis2D.of(SurveyImage(np.zeros((4, 8)), (0.5, 0.25), (0.25, 0.125)))
    assert axis.whole == pytest.approx((0.0, 2.0, 2.0, 0.0))


def test_row_zero_is_at_the_top():
    _, _, bottom, top = Axis2D.of(SurveyImage(np.zeros((4, 8)))).whole
    assert bottom > top


def test_sites_on_a_full_grid_become_an_image_in_any_order():
    positions = grid_positions(3, 4, step=(5.0, 2.0))
    order = np.random.default_rng(0).permutation(12)
    grid = Grid.of(positions[order])
    assert grid.step == (5.0, 2.0)
    assert np.array_equal(grid.image(np.arange(12.0)[order]), np.arange(12.0).reshape(3, 4))


def test_sites_missing_from_a_grid_are_holes():
    positions = np.delete(grid_positions(3, 4), 5, axis=0)
    image = Grid.of(positions).image(np.ones(11))
    assert np.isnan(image[1, 1])
    assert np.isfinite(image).sum() == 11


@pytest.mark.parametrize(
    "positions",
    [
        np.random.default_rng(0).uniform(0, 100, (50, 2)),
        np.random.default_rng(0).integers(0, 200, (50, 2)).astype(float),
        grid_positions(1, 5),
        grid_positions(1, 2),
    ],
    ids=["scattered", "scattered whole pixels", "one row", "too few"],
)
def test_scattered_sites_are_no_grid(positions):
    assert Grid.of(positions) is None


def test_cells_of_a_thinned_grid_are_as_large_as_its_step():
    positions = grid_positions(20, 20, step=(10.0, 8.0))
    chosen = np.random.default_rng(0).choice(400, 60, replace=False)
    assert cell_size(positions[chosen]) == (10.0, 8.0)


def test_cells_of_scattered_sites_follow_their_density():
    positions = np.random.default_rng(0).uniform(0, 100, (400, 2))
    height, width = cell_size(positions)
    assert height == width
    assert 2.0 < width < 5.0


def test_a_single_site_still_has_a_cell():
    assert min(cell_size(np.array([[3.0, 4.0]]))) > 0
