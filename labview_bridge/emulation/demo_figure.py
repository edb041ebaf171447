"""The figure of the demonstration: topograph and tip, truth, spectra, what was found, scalars, decision times."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dkl_core.report import RunFigureData, RunLabels, save_figure, style
from dkl_core.report.geometry import Axis2D
from dkl_core.report.maps import MapLook, map_panel, survey_panel
from dkl_core.survey import FloatArray
from labview_bridge.emulation.demo import SEEDS, DemoRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INCHES = (13.66, 8.6)
SOURCES = {
    "seed": ("s", style.GREY),
    "model": ("o", style.BLUE),
    "last posterior": ("D", style.GREEN),
    "space-filling": ("^", style.ORANGE),
    "previous point": ("v", style.PURPLE),
}
OTHER = ("x", style.VERMILLION)


def draw(run: DemoRun, path: Path) -> None:
    """Draw a run and write the file."""
    save_figure(demo_figure(run), path, dpi=120)


def demo_figure(run: DemoRun) -> Figure:
    """Six panels."""
    figure = style.new_figure(INCHES)
    grid = figure.add_gridspec(2, 3)
    survey, truth, spectra, found, scalars, times = (figure.add_subplot(grid[divmod(n, 3)]) for n in range(6))
    data = _data(run)
    survey_panel(survey, data)
    survey.set_title("Topograph and the tip's way", loc="left", fontsize=style.TITLE_PT, fontweight="bold")
    map_panel(truth, data, run.truth, MapLook("True in-gap ratio, known to the simulator", "ratio", "", style.MEAN_MAP))
    _mark_found(truth, run, Axis2D.of(run.image))
    _spectra_panel(spectra, run)
    _found_panel(found, run)
    _scalar_panel(scalars, run)
    _time_panel(times, run)
    figure.suptitle(_heading(run), x=0.01, ha="left", fontsize=style.HEADING_PT, fontweight="bold")
    return figure


def _heading(run: DemoRun) -> str:
    result = run.result()
    return (
        f"The published VI round the drop-in (Python {result['python']} in LabVIEW's place): {result['measured']} "
        f"spectra, {result['found']} of {result['in_frame']} vacancies found, {result['faults']} faults, "
        f"{result['off_site']} times off a site"
    )


def _data(run: DemoRun) -> RunFigureData:
    visited = np.array([run.sites[index] for index in run.visited if index >= 0], dtype=float).reshape(-1, 2)
    values = np.array([visit.scalar for visit in run.visits if visit.on_site])
    unknown = np.full(len(values), np.nan)
    return RunFigureData(
        survey=run.image,
        site_positions=run.sites.astype(float),
        visited_positions=visited,
        values=values,
        ok=values > 0,
        predicted_mean=unknown,
        predicted_std=unknown,
        seeds=min(SEEDS, len(values)),
        labels=RunLabels("5 + 1000 × in-gap ratio"),
    )


def _mark_found(axes: Axes, run: DemoRun, axis: Axis2D) -> None:
    met = set(run.defects[run.visited[run.visited >= 0]].tolist()) - {-1}
    for defect in sorted(set(run.defects.tolist()) - {-1}):
        x, y = axis.xy(run.sites[run.defects == defect].mean(axis=0))
        colour = style.VERMILLION if defect in met else style.SKY
        axes.scatter(x, y, s=90, facecolors="none", edgecolors=colour, linewidths=1.3)
    for colour, label in ((style.VERMILLION, "vacancy found"), (style.SKY, "missed")):
        axes.scatter([], [], s=60, facecolors="none", edgecolors=colour, linewidths=1.3, label=label)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize=style.TICK_PT, frameon=False)


def _spectra_panel(axes: Axes, run: DemoRun) -> None:
    style.quiet(axes, "Measured dI/dV", "bias (V)", "dI/dV (nA/V)")
    scalars = np.array([visit.scalar for visit in run.visits])
    usable = np.flatnonzero((scalars > 0) & [spectrum.shape[0] > 2 for spectrum in run.spectra])
    if not usable.size:
        return
    order = usable[np.argsort(scalars[usable])]
    for place, colour, label in (
        (order[-1], style.BLUE, "largest scalar"),
        (order[len(order) // 4], style.GREY, "25 %"),
    ):
        bias, didv = run.spectra[place][0], run.spectra[place][2] * 1e9
        axes.plot(bias, didv, color=colour, linewidth=1.2, label=f"{label}: {scalars[place]:.1f}")
    axes.axvspan(0, 0.5, color=style.LIGHT_GREY, zorder=0)
    axes.legend(fontsize=style.TICK_PT, frameon=False, loc="upper left")


def _found_panel(axes: Axes, run: DemoRun) -> None:
    style.quiet(axes, "Vacancies found", "measurement", "different vacancies")
    order = np.arange(1, len(run.visits) + 1)
    (colour, line), (random, dashed) = style.METHOD_STYLES["dkl"], style.METHOD_STYLES["random"]
    axes.step(order, run.found, where="post", color=colour, linestyle=line, label="drop-in")
    axes.plot(order, run.expected_at_random, color=random, linestyle=dashed, label="sites at random, mean")
    axes.axvspan(0.5, SEEDS + 0.5, color=style.LIGHT_GREY, zorder=0)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=style.TICK_PT, frameon=False)


def _scalar_panel(axes: Axes, run: DemoRun) -> None:
    style.quiet(axes, "What the VI's graph shows", "measurement", "5 + 1000 × in-gap ratio")
    _by_source(axes, run, np.array([visit.scalar for visit in run.visits]))
    struck = sorted({fault.iteration for fault in run.struck})
    if struck:
        axes.plot(struck, np.zeros(len(struck)), "|", color=style.VERMILLION, markersize=9, label="fault")
    _legend_below(axes)


def _time_panel(axes: Axes, run: DemoRun) -> None:
    style.quiet(axes, "How long the VI waits for a decision", "measurement", "s")
    _by_source(axes, run, run.seconds)
    limit = run.settings.deadline_s
    axes.axhline(limit, color=style.VERMILLION, linewidth=1.0, linestyle="--", label="deadline")
    axes.set_yscale("log")
    _legend_below(axes)


def _legend_below(axes: Axes) -> None:
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.14),
        ncols=5,
        fontsize=style.TICK_PT,
        frameon=False,
        handletextpad=0.3,
        columnspacing=0.8,
    )


def _by_source(axes: Axes, run: DemoRun, values: FloatArray) -> None:
    sources, order = np.array(run.sources), np.arange(1, len(run.visits) + 1)
    for source in sorted(set(run.sources)):
        marker, colour = SOURCES.get(source, OTHER)
        chosen = sources == source
        axes.plot(order[chosen], values[chosen], marker, color=colour, markersize=3.5, alpha=0.8, label=source)
