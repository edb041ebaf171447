"""The drop-in's sites are those of the published fitting grid, and lie where the tip goes."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from dkl_core.patches import make_patches
from labview_bridge.worker.published_request import experiment_settings, survey_and_positions

RUNS = {
    "Figure3_large_area_250nm": 250,
    "Figure4_Adsorbate_defect_10nm": 10,
    "Figure5_Substitution_defect_5nm": 5,
    "Figure7_DKL1_200nm": 200,
}
PUBLISHED = [(x, y) for y in range(20, 491, 10) for x in range(20, 491, 10)]
SYMMETRIES = {
    "as it is": lambda a: a,
    "rows turned": lambda a: a[::-1],
    "columns turned": lambda a: a[:, ::-1],
    "half turn": lambda a: a[::-1, ::-1],
    "transposed": lambda a: a.T,
    "quarter turn left": lambda a: np.rot90(a),
    "quarter turn right": lambda a: np.rot90(a, -1),
    "other diagonal": lambda a: a[::-1, ::-1].T,
}


def by_definition(flipped: np.ndarray, step: int, window: int) -> list[tuple[int, int]]:
    """The fitting grid: whole windows without NaN round multiples of the step, row by row."""
    size, half = len(flipped), window // 2
    found = []
    for y in range(0, size, step):
        for x in range(0, size, step):
            cut = flipped[max(y - half, 0) : y - half + window, max(x - half, 0) : x - half + window]
            if y >= half and x >= half and cut.shape == (window, window) and not np.isnan(cut).any():
                found.append((x, y))
    return found


@pytest.mark.parametrize("window", [26, 30, 40, 25, 31, 41])
def test_the_sites_of_a_512_px_image_are_the_published_2304(parts, window):
    grid = parts.grid.Grid(512, 10, window)
    assert len(grid) == 2304
    assert grid.points == PUBLISHED


def test_a_window_of_24_px_gives_another_grid(parts):
    assert len(parts.grid.Grid(512, 10, 24)) == 2401


@pytest.mark.parametrize("name", RUNS)
def test_every_published_measurement_lies_on_a_site(shared_data, parts, name):
    with h5py.File(shared_data / "stm_runs" / f"{name}.hf5") as file:
        places = file["Metadata_000/DKL Position/Position/Position"][()] * 512 / RUNS[name]
        image = file["Measurement_001/STM Image/Image/Image"][()]
    grid = parts.grid.Grid(512, 10, 30, parts.grid.flipped_rows(image.astype(float).ravel().tolist(), 512))
    assert grid.points == PUBLISHED
    np.testing.assert_allclose(places, np.rint(places), atol=1e-3)
    assert all(grid.index_of(x, y) is not None for x, y in np.rint(places))


@pytest.mark.parametrize(("size", "step", "window"), [(64, 10, 30), (40, 5, 30), (33, 4, 9), (20, 1, 20), (9, 3, 1)])
def test_other_grids_follow_the_same_rule_with_and_without_holes(parts, rng, size, step, window):
    flipped = rng.normal(size=(size, size))
    holed = flipped.copy()
    holed[rng.integers(0, size, 2), rng.integers(0, size, 2)] = np.nan
    for image in (flipped, holed):
        grid = parts.grid.Grid(size, step, window, image.ravel().tolist())
        assert grid.points == by_definition(image, step, window)
        _, positions = survey_and_positions(image[::-1], step, window)
        assert [(int(col), size - 1 - int(row)) for row, col in positions] == grid.points


def test_row_is_511_less_y_and_column_is_x(vi, parts):
    """A hole in the file's image takes away the sites round it; no other orientation takes away the same."""
    rows = np.random.default_rng(1).normal(size=(512, 512))
    rows[100:104, 300:304] = np.nan
    vi.write_scan(rows.tolist())
    run = parts.run.begin_run(parts.settings.load("."), "Exp", {})
    image = run.image(parts.settings.load("."), vi.scan.name, 0.0)
    sites = run.grid(image, 10, 30).points
    assert set(PUBLISHED) - set(sites) == {
        (x, y)
        for x, y in PUBLISHED
        if {*range(x - 15, x + 15)} & {300, 301, 302, 303}
        and {*range(y - 15, y + 15)} & {511 - 100, 511 - 101, 511 - 102, 511 - 103}
    }
    agreeing = [name for name, turn in SYMMETRIES.items() if by_definition(turn(rows), 10, 30) == sites]
    assert agreeing == ["rows turned"]


def test_the_worker_puts_its_patches_where_the_tip_goes(rng):
    rows = rng.normal(size=(64, 64))
    survey, positions = survey_and_positions(rows, 4, 8)
    settings = experiment_settings(
        step=4, window=8, seeds=5, seed=0, retries=1, goal="maximise", model="linear", levelling="none"
    )
    patches = make_patches(survey, settings.patches, positions=positions)
    points = by_definition(rows[::-1], 4, 8)
    x, y = np.array(points).T
    agreeing = []
    for name, turn in SYMMETRIES.items():
        turned = turn(rows)
        scaled = (turned - turned.mean()) / turned.std()
        if np.allclose(patches.take(np.arange(len(patches)))[:, 4, 4], scaled[y, x], atol=1e-5):
            agreeing.append(name)
    assert agreeing == ["rows turned"]


def test_sites_at_the_edge_of_the_image_keep_their_patches():
    """An even window turned upside down reaches one pixel further: the core must not lose the site."""
    survey, positions = survey_and_positions(np.random.default_rng(0).normal(size=(40, 40)), 5, 30)
    settings = experiment_settings(
        step=5, window=30, seeds=1, seed=0, retries=1, goal="maximise", model="linear", levelling="none"
    )
    assert (39 - 25, 15) in {tuple(position) for position in positions}
    assert len(make_patches(survey, settings.patches, positions=positions)) == len(positions) == 9


def test_a_scan_that_begins_with_the_bottom_row_is_turned_when_the_settings_say_so(vi, heights):
    turned = heights[::-1]
    turned[3][5] = float("nan")
    vi.configure(scan_first_row="bottom")
    vi.write_scan(turned)
    vi.ask(vi.new_session(), 1, 4, 9)
    image = np.fromfile(vi.runs()[-1] / "scan.f64").reshape(64, 64)
    assert np.isnan(image[64 - 1 - 3, 5])
    assert "its first row is the top" in vi.statuses()[-1]["text"]


def test_the_first_site_is_a_site_of_every_image_that_has_one(parts):
    for step, window in [(10, 30), (7, 13), (1, 1), (3, 40), (10, 2)]:
        for size in (window, 64, 100, 512):
            points = parts.grid.Grid(size, step, window).points
            assert not points or points[0] == parts.grid.first_site(step, window)


def test_the_order_of_seeds_is_the_same_everywhere_and_has_no_repeats(parts):
    order = parts.grid.seed_order(2304, 0)
    assert sorted(order) == list(range(2304))
    assert order[:5] == [402, 993, 1973, 40, 2173]
    assert parts.grid.seed_order(2304, 1)[:5] != order[:5]


def test_the_remotest_site_keeps_away_from_what_is_measured(parts):
    grid = parts.grid.Grid(512, 10, 30)
    assert grid.points[parts.grid.most_remote(grid, [0], {0})] == (490, 490)
    assert parts.grid.most_remote(grid, [], set(range(2304))) is None
