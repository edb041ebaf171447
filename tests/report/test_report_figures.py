import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from dkl_core.errors import InputError
from dkl_core.frame import Frame
from dkl_core.report import (
    EvaluationFigureData,
    MethodRuns,
    RunFigureData,
    RunLabels,
    baseline_figure,
    evaluation_figure,
    run_figure,
    save_figure,
    style,
)
from dkl_core.report.comparison import scores
from dkl_core.report.curves import inside_interval
from dkl_core.survey import SurveyImage

FAILED = (7, 15)


def synthetic_run(visits=30, seeds=8, shape=(64, 64), pixel_nm=(0.2, 0.2)):
    rng = np.random.default_rng(0)
    rows, cols = np.meshgrid(np.arange(4, shape[0] - 4, 4), np.arange(4, shape[1] - 4, 4), indexing="ij")
    sites = np.stack([rows, cols], axis=-1).reshape(-1, 2).astype(float)
    truth = np.sin(sites[:, 0] / 9) + np.cos(sites[:, 1] / 7)
    order = rng.permutation(len(sites))[:visits]
    values = truth[order] + rng.normal(0, 0.1, visits)
    ok = np.ones(visits, dtype=bool)
    ok[[index for index in FAILED if index < visits]] = False
    seed = np.arange(visits) < seeds
    return RunFigureData(
        survey=SurveyImage(rng.normal(size=shape), pixel_nm),
        site_positions=sites,
        visited_positions=sites[order],
        values=np.where(ok, values, np.nan),
        ok=ok,
        predicted_mean=np.where(seed, np.nan, truth[order]),
        predicted_std=np.where(seed, np.nan, 0.1),
        seeds=seeds,
        mean=truth,
        std=np.full(len(sites), 0.2),
        acquisition=np.where(np.isin(np.arange(len(sites)), order), -np.inf, truth),
        next_position=(20.0, 24.0),
        hits=values > 1,
        structure_share=0.4,
        labels=RunLabels("band gap", "eV", "A run", "find wide gaps", "EI, ξ = 0.01", ""),
    )


def panel(figure, title):
    (found,) = [axes for axes in figure.axes if axes.get_title(loc="left") == title]
    return found


def titles(figure):
    return {axes.get_title(loc="left") for axes in figure.axes} - {""}


def labelled(axes, label):
    (found,) = [artist for artist in axes.collections if artist.get_label() == label]
    return found


def outside_page(figure):
    figure.canvas.draw()
    width, height = figure.get_size_inches() * figure.dpi
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    texts = [text.get_window_extent() for text in (figure._suptitle, figure._supxlabel) if text is not None]
    return [b for b in [*boxes, *texts] if b.x0 < 0 or b.y0 < 0 or b.x1 > width or b.y1 > height]


def overlapping_titles(figure):
    figure.canvas.draw()
    boxes = [axes._left_title.get_window_extent() for axes in figure.axes if axes.get_title(loc="left")]
    return [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


def test_a_run_is_shown_in_six_panels_on_one_screen():
    figure = run_figure(synthetic_run())
    assert titles(figure) == {
        "Survey image and sites",
        "Predicted mean",
        "Standard deviation",
        "Acquisition function",
        "Measured against predicted",
        "Learning curve",
    }
    assert (figure.get_size_inches() * figure.dpi).tolist() == [1366, 768]


@pytest.mark.parametrize("shape", [(64, 64), (40, 120), (120, 40)], ids=["square", "wide", "tall"])
@pytest.mark.parametrize("maps", [3, 2, 1, 0])
def test_nothing_leaves_the_page_or_overlaps_for_any_frame(shape, maps):
    dropped = dict.fromkeys(("acquisition", "std", "mean")[: 3 - maps])
    figure = run_figure(replace(synthetic_run(shape=shape), **dropped))
    assert len(titles(figure)) == 3 + maps
    assert outside_page(figure) == []
    assert overlapping_titles(figure) == []


def test_long_words_stay_on_the_page():
    labels = RunLabels("in-gap ratio", "", "A run", "a ratio as large as it can be " * 8, "UCB " * 20)
    assert outside_page(run_figure(replace(synthetic_run(), labels=labels))) == []


def test_axes_are_calibrated_and_equally_scaled():
    axes = panel(run_figure(synthetic_run(pixel_nm=(0.2, 0.4))), "Survey image and sites")
    assert axes.get_xlabel() == "x (nm)"
    assert axes.get_aspect() == 1
    assert axes.get_xlim() == pytest.approx((-0.2, 64 * 0.4 - 0.2))
    assert axes.get_ylim() == pytest.approx((64 * 0.2 - 0.1, -0.1))


def test_an_uncalibrated_image_has_axes_in_pixels():
    axes = panel(run_figure(synthetic_run(pixel_nm=None)), "Survey image and sites")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("column (px)", "row (px)")


def test_seeds_chosen_failed_and_next_site_are_told_apart():
    axes = panel(run_figure(synthetic_run()), "Survey image and sites")
    counts = {label: len(labelled(axes, label).get_offsets()) for label in ("seed", "chosen", "failed", "next site")}
    assert counts == {"seed": 7, "chosen": 21, "failed": 2, "next site": 1}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["seed", "chosen", "failed", "next site"]


def test_measured_sites_are_coloured_by_their_order():
    axes = panel(run_figure(synthetic_run()), "Survey image and sites")
    assert labelled(axes, "seed").get_array().tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert labelled(axes, "chosen").get_array()[-1] == 30


def test_a_visited_site_is_drawn_at_its_place():
    data = synthetic_run()
    axes = panel(run_figure(data), "Survey image and sites")
    row, col = data.visited_positions[0] * 0.2
    assert labelled(axes, "seed").get_offsets()[0].tolist() == pytest.approx([col, row])


def test_a_map_over_a_grid_is_an_image_of_its_values():
    data = synthetic_run()
    axes = panel(run_figure(data), "Predicted mean")
    _, image = axes.images
    assert np.asarray(image.get_array()).ravel() == pytest.approx(data.mean)
    left, right, bottom, top = image.get_extent()
    assert (left, right) == pytest.approx((0.4, 11.6))
    assert (bottom, top) == pytest.approx((11.6, 0.4))


def test_scattered_sites_are_squares_in_data_units():
    data = synthetic_run()
    scattered = data.site_positions + np.random.default_rng(0).uniform(-1, 1, data.site_positions.shape)
    axes = panel(run_figure(replace(data, site_positions=scattered)), "Predicted mean")
    (squares,) = [artist for artist in axes.collections if isinstance(artist, PolyCollection)]
    assert np.asarray(squares.get_array()) == pytest.approx(data.mean)
    corners = squares.get_paths()[0].vertices[:4]
    assert corners.mean(axis=0) == pytest.approx(scattered[0, ::-1] * 0.2)


def test_sites_without_acquisition_are_left_blank():
    data = synthetic_run()
    _, image = panel(run_figure(data), "Acquisition function").images
    assert np.ma.count_masked(np.ma.masked_invalid(image.get_array())) == len(data.values)


def test_colour_bars_name_quantity_and_unit():
    figure = run_figure(replace(synthetic_run(), labels=RunLabels("current", "A", acquisition_unit="A")))
    (bar,) = panel(figure, "Predicted mean").child_axes
    assert bar.get_ylabel() == "current (A)"


def test_small_values_share_one_prefix_in_all_panels():
    data = synthetic_run()
    small = {name: getattr(data, name) * 1e-9 for name in ("values", "predicted_mean", "predicted_std", "mean", "std")}
    figure = run_figure(replace(data, **small, labels=RunLabels("current", "A")))
    labels = [panel(figure, title).child_axes[0].get_ylabel() for title in ("Predicted mean", "Standard deviation")]
    assert labels == ["current (nA)", "standard deviation (nA)"]
    assert panel(figure, "Learning curve").get_ylabel() == "current (nA)"


def test_measured_against_predicted_leaves_out_seeds_and_failed_ones():
    axes = panel(run_figure(synthetic_run()), "Measured against predicted")
    points = sum(len(labelled(axes, label).get_offsets()) for label in ("inside 90 %", "outside"))
    assert points == 30 - 8 - 1


def test_the_share_inside_the_interval_is_written_out():
    data = synthetic_run()
    chosen = data.predicted
    share = np.mean(np.abs(data.values - data.predicted_mean)[chosen] <= 1.6449 * 0.1)
    axes = panel(run_figure(data), "Measured against predicted")
    assert f"{100 * share:.0f} % of 21 inside their 90 % interval" in [text.get_text() for text in axes.texts]


def test_the_interval_of_ninety_percent_is_that_of_the_normal_distribution():
    inside = inside_interval(np.array([1.64, 1.65, -1.64]), np.zeros(3), np.ones(3))
    assert inside.tolist() == [True, False, True]


def test_the_learning_curve_shows_the_best_so_far():
    data = synthetic_run()
    (line,) = [line for line in panel(run_figure(data), "Learning curve").lines if line.get_label() == "best so far"]
    assert line.get_ydata()[-1] == pytest.approx(np.nanmax(data.values))


def test_the_learning_curve_of_a_value_to_reach_shows_it():
    axes = panel(run_figure(replace(synthetic_run(), direction="reach", goal_value=0.5)), "Learning curve")
    (goal,) = [line for line in axes.lines if line.get_label() == "goal"]
    assert goal.get_ydata()[0] == 0.5


def test_the_hit_rate_has_its_own_axis_in_percent():
    data = synthetic_run()
    (axes,) = [axes for axes in run_figure(data).axes if axes.get_ylabel() == "hit rate (%)"]
    assert axes.lines[0].get_ydata()[-1] == pytest.approx(100 * np.mean(data.hits))
    without = run_figure(replace(data, hits=None))
    assert "hit rate (%)" not in [axes.get_ylabel() for axes in without.axes]


def test_title_and_summary_stand_on_the_page():
    figure = run_figure(synthetic_run())
    assert figure.get_suptitle() == "A run"
    assert "structure carries 40 % of the explained variance" in figure.get_supxlabel().replace("\n", " ")


@pytest.mark.parametrize("visits", [0, 1, 2])
def test_a_run_that_has_hardly_begun_can_be_drawn(visits):
    figure = run_figure(synthetic_run(visits=visits, seeds=visits))
    assert outside_page(figure) == []


def test_a_run_of_failures_can_be_drawn():
    data = synthetic_run(visits=3)
    figure = run_figure(replace(data, ok=np.zeros(3, dtype=bool), values=np.full(3, np.nan)))
    assert len(labelled(panel(figure, "Survey image and sites"), "failed").get_offsets()) == 3
    assert outside_page(figure) == []


@pytest.mark.parametrize("value", [0.0, 2.5, np.nan])
def test_constant_and_missing_maps_can_be_drawn(value):
    data = synthetic_run()
    assert outside_page(run_figure(replace(data, mean=np.full(len(data.site_positions), value)))) == []


def test_a_survey_image_with_missing_pixels_can_be_drawn():
    image = np.full((64, 64), np.nan)
    assert outside_page(run_figure(replace(synthetic_run(), survey=SurveyImage(image)))) == []


def methods(*names):
    rng = np.random.default_rng(0)
    best = np.maximum.accumulate(rng.uniform(0, 1, (len(names), 4, 25)), axis=2)
    return [MethodRuns(name, curve, curve / 2) for name, curve in zip(names, best, strict=True)]


def test_methods_are_compared_by_mean_and_whole_range():
    runs = methods("dkl", "random")
    axes = panel(baseline_figure(runs), "Best value so far")
    assert axes.lines[0].get_ydata() == pytest.approx(runs[0].best.mean(axis=0))
    band = axes.collections[0].get_datalim(axes.transData)
    assert (band.y0, band.y1) == pytest.approx((runs[0].best.min(), runs[0].best.max()))


def test_each_method_keeps_its_colour_whoever_it_is_compared_with():
    few, many = baseline_figure(methods("pca")), baseline_figure(methods("dkl", "random", "raster", "position", "pca"))
    colour = panel(few, "Best value so far").lines[0].get_color()
    assert colour == panel(many, "Best value so far").lines[4].get_color()


def test_all_methods_have_different_colours():
    names = ("dkl", "random", "raster", "position", "pca", "mine", "yours")
    lines = panel(baseline_figure(methods(*names)), "Best value so far").lines
    assert len({to_hex(line.get_color()) for line in lines}) == len(names)


def test_the_hit_rate_is_left_out_where_no_method_has_one():
    runs = [replace(method, hit_rate=None) for method in methods("dkl", "random")]
    assert titles(baseline_figure(runs)) == {"Best value so far"}


def test_a_comparison_stays_on_its_page():
    figure = baseline_figure(methods("dkl", "random"), RunLabels("gap", "eV", "Replay"), seeds=5, best_possible=1.0)
    assert outside_page(figure) == []
    assert overlapping_titles(figure) == []


def test_comparing_nothing_is_refused():
    with pytest.raises(InputError, match="at least one"):
        baseline_figure([])


def held_out(spread):
    rng = np.random.default_rng(0)
    mean = rng.normal(size=400)
    return EvaluationFigureData(
        mean + rng.normal(0, 0.2, 400), mean, np.full(400, spread), RunLabels("gap", "eV", "Held out")
    )


@pytest.mark.parametrize(("spread", "sign"), [(0.1, -1), (0.4, 1)])
def test_the_calibration_curve_shows_too_much_and_too_little_confidence(spread, sign):
    axes = panel(evaluation_figure(held_out(spread)), "Calibration")
    (line,) = [line for line in axes.lines if line.get_label() == "observed"]
    nominal, observed = line.get_data()
    assert (sign * (observed - nominal) > 5)[5:15].all()


def test_honest_predictions_lie_on_the_diagonal():
    axes = panel(evaluation_figure(held_out(0.2)), "Calibration")
    (line,) = [line for line in axes.lines if line.get_label() == "observed"]
    nominal, observed = line.get_data()
    assert np.abs(observed - nominal).max() < 6


def test_the_scores_of_an_evaluation_are_those_of_their_definitions():
    data = held_out(0.2)
    errors = data.measured - data.predicted_mean
    text = scores(data)
    assert f"R² = {1 - np.mean(errors**2) / np.var(data.measured):.2f}" in text
    assert f"RMS error = {np.sqrt(np.mean(errors**2)):.3g} eV" in text
    assert "400 sites" in text


def test_an_evaluation_stays_on_its_page():
    assert outside_page(evaluation_figure(held_out(0.2))) == []


def test_one_held_out_site_can_be_drawn():
    figure = evaluation_figure(EvaluationFigureData(np.ones(1), np.ones(1), np.ones(1)))
    assert "R²" not in figure.get_supxlabel()


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")])
def test_the_suffix_decides_the_format(tmp_path, suffix, start):
    path = save_figure(style.new_figure((2, 2)), tmp_path / f"figure{suffix}")
    assert path.read_bytes().startswith(start)


def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(InputError, match=r"'figure.bmp' ends in '.bmp'.*\.png, \.pdf, \.svg"):
        save_figure(style.new_figure((2, 2)), tmp_path / "figure.bmp")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="missing does not exist"):
        save_figure(style.new_figure((2, 2)), tmp_path / "missing" / "figure.png")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "figure.png").mkdir()
    with pytest.raises(InputError, match=r"figure\.png cannot be written"):
        save_figure(style.new_figure((2, 2)), tmp_path / "figure.png")


def test_importing_the_report_does_not_import_matplotlib():
    code = "import sys, dkl_core.report; print('matplotlib' in sys.modules, 'scipy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


def test_drawing_does_not_touch_the_global_state_of_pyplot():
    code = (
        "import sys, numpy as np; from dkl_core.report import *; "
        "evaluation_figure(EvaluationFigureData(np.arange(3.0), np.arange(3.0), np.ones(3))).canvas.draw(); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_the_next_frame_is_outlined_on_survey_and_prediction_in_nanometres():
    frame = Frame((2.0, 4.0), (3.0, 5.0), (64, 64))
    figure = run_figure(replace(synthetic_run(), next_frame=frame))
    for title in ("Survey image and sites", "Predicted mean"):
        outline = next(patch for patch in panel(figure, title).patches if patch.get_label() == "next frame")
        assert (outline.get_x(), outline.get_y()) == (4.0, 2.0)
        assert (outline.get_width(), outline.get_height()) == (5.0, 3.0)
    assert not panel(figure, "Standard deviation").patches
    assert not outside_page(figure)


def test_without_calibration_no_next_frame_is_outlined():
    frame = Frame((2.0, 4.0), (3.0, 5.0), (64, 64))
    figure = run_figure(replace(synthetic_run(pixel_nm=None), next_frame=frame))
    assert not panel(figure, "Survey image and sites").patches
