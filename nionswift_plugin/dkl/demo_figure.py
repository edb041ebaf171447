"""The figure of the demonstration: what was seen, where was measured, what the model made of it, and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dkl_core.cli.figures import figure_data
from dkl_core.report import RunLabels, save_figure, style
from dkl_core.report.maps import MapLook, map_panel, survey_panel
from dkl_core.report.units import Scale
from nionswift_plugin.dkl.demo import DemoRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INCHES = (13.66, 8.6)
NAMES = {"dkl": "DKL", "random": "random sites"}


def draw(runs: Sequence[DemoRun], path: Path) -> None:
    """Draw the first run, and the learning curves of all.

    Args:
        runs: DKL first.
        path: file to write.
    """
    save_figure(demo_figure(runs), path, dpi=120)


def demo_figure(runs: Sequence[DemoRun]) -> Figure:
    """Six panels: survey image with the visited sites, predicted |CoM|, the truth, uncertainty, learning curves."""
    run = runs[0]
    figure = style.new_figure(INCHES)
    grid = figure.add_gridspec(2, 3)
    survey, mean, truth, std, learning, values = (figure.add_subplot(grid[divmod(n, 3)]) for n in range(6))
    data = figure_data(run.experiment, RunLabels("|CoM|", "mrad"))
    survey_panel(survey, data)
    survey.set_title("HAADF and visited sites in order", loc="left", fontsize=style.TITLE_PT, fontweight="bold")
    shared = Scale.fitting(run.truth, "mrad")
    for axes, values_, title, name, cmap in (
        (mean, data.mean, "Predicted |CoM|", "|CoM|", style.MEAN_MAP),
        (truth, run.truth, "True |CoM|, known to the simulator", "|CoM|", style.MEAN_MAP),
        (std, data.std, "Uncertainty of the prediction", "standard deviation", style.STD_MAP),
    ):
        if values_ is not None:
            map_panel(axes, data, values_, MapLook(title, name, "mrad", cmap, shared))
    _mark_dopants(truth, run)
    _found_panel(learning, runs)
    _values_panel(values, runs)
    figure.suptitle(_heading(runs), x=0.01, ha="left", fontsize=style.HEADING_PT, fontweight="bold")
    return figure


def _heading(runs: Sequence[DemoRun]) -> str:
    run = runs[0]
    return (
        f"Twisted bilayer graphene with silicon: {len(run.visited)} of {len(run.truth):,} sites measured, "
        f"{run.found[-1] if len(run.visited) else 0} of {len(run.rings)} dopants found"
    )


def _mark_dopants(axes: Axes, run: DemoRun) -> None:
    places = np.array([ring.position_nm for ring in run.rings]).reshape(-1, 2)
    found = np.array([ring.found_after(run.visited) is not None for ring in run.rings], dtype=bool)
    for chosen, colour, label in ((found, style.VERMILLION, "found"), (~found, style.SKY, "missed")):
        axes.scatter(
            places[chosen, 1],
            places[chosen, 0],
            s=110,
            facecolors="none",
            edgecolors=colour,
            linewidths=1.4,
            label=f"dopant {label}",
        )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize=style.TICK_PT, frameon=False)


def _found_panel(axes: Axes, runs: Sequence[DemoRun]) -> None:
    style.quiet(axes, "Learning curve", "measurement", "dopants found")
    for run in runs:
        colour, line = style.METHOD_STYLES[run.method]
        order = np.arange(1, len(run.visited) + 1)
        axes.step(order, run.found, where="post", color=colour, linestyle=line, label=NAMES[run.method])
    axes.axhline(len(runs[0].rings), color=style.GREY, linewidth=1.0, linestyle=":", label="all dopants")
    seeds = runs[0].experiment.settings.seeds.count
    axes.axvspan(0.5, seeds + 0.5, color=style.LIGHT_GREY, zorder=0)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=style.TICK_PT, frameon=False)


def _values_panel(axes: Axes, runs: Sequence[DemoRun]) -> None:
    style.quiet(axes, "Measured |CoM|", "measurement", "|CoM| (mrad)")
    for run, marker in zip(runs, "os", strict=False):
        measured = [told.measurement.scalar.value if told.measurement.ok else np.nan for told in run.experiment.told]
        colour, _ = style.METHOD_STYLES[run.method]
        order = np.arange(1, len(measured) + 1)
        axes.plot(order, measured, marker, color=colour, markersize=3.5, alpha=0.75, label=NAMES[run.method])
    axes.legend(fontsize=style.TICK_PT, frameon=False)
