"""Panels without coordinates: measured against predicted, the learning curve, calibration."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dkl_core.report import style
from dkl_core.report.data import BoolArray, FloatArray, RunFigureData, best_so_far
from dkl_core.report.units import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COVERAGE = 0.9
HALF_WIDTH_90 = NormalDist().inv_cdf(0.5 + COVERAGE / 2)


def inside_interval(measured: FloatArray, mean: FloatArray, std: FloatArray, coverage: float = COVERAGE) -> BoolArray:
    """Whether each value lies inside the central normal interval of that coverage (n,)."""
    width = NormalDist().inv_cdf(0.5 + coverage / 2)
    inside: BoolArray = np.abs(np.asarray(measured) - mean) <= width * np.asarray(std)
    return inside


def parity_panel(
    axes: Axes, values: tuple[FloatArray, FloatArray, FloatArray], label: tuple[str, str], title: str
) -> None:
    """Measured against predicted with 90 % intervals, the 1:1 line and the share inside.

    Args:
        axes: where to draw.
        values: measured values, predicted mean and predicted standard deviation of a measurement, each (n,).
        label: name and unit of the quantity.
        title: heading of the panel.
    """
    measured, mean, std = values
    scale = Scale.fitting(measured, label[1])
    y, x, half = (np.asarray(a) * scale.factor for a in (measured, mean, HALF_WIDTH_90 * np.asarray(std)))
    inside = inside_interval(measured, mean, std)
    remark = f"{100 * np.mean(inside):.0f} % of {y.size} inside their 90 % interval" if y.size else ""
    style.quiet(axes, title, scale.label(f"predicted {label[0]}"), scale.label(f"measured {label[0]}"), remark=remark)
    axes.set_aspect("equal", adjustable="box")
    if not y.size:
        _nothing(axes, "no measurement has been\npredicted beforehand yet")
        return
    low, high = style.limits(y, x)
    axes.plot((low, high), (low, high), color=style.GREY, linewidth=1.0, linestyle="--", zorder=1)
    _points(axes, (x[inside], y[inside], half[inside]), style.BLUE, "o", "inside 90 %")
    _points(axes, (x[~inside], y[~inside], half[~inside]), style.VERMILLION, "D", "outside")
    axes.set(xlim=(low, high), ylim=(low, high))


def learning_panel(axes: Axes, data: RunFigureData) -> None:
    """Value and best value so far of every measurement; seeds shaded, failed ones at the foot, optional hit rate."""
    usable = data.usable
    scale = Scale.fitting(np.where(usable, data.values, np.nan), data.labels.unit)
    values = np.where(usable, data.values, np.nan) * scale.factor
    style.quiet(axes, "Learning curve", "measurement", scale.label(data.labels.target), remark="")
    if not len(values):
        _nothing(axes, "nothing has been measured yet")
        return
    goal = None if data.goal_value is None else data.goal_value * scale.factor
    _shade_seeds(axes, data.seeds)
    _draw_values(axes, values, data.seeds)
    order = np.arange(1, len(values) + 1)
    best = best_so_far(values, data.direction, goal)
    axes.step(order, best, where="post", color=style.BLACK, linewidth=1.6, label="best so far")
    if goal is not None:
        axes.axhline(goal, color=style.PURPLE, linewidth=1.2, linestyle="--", label="goal")
    _frame_learning(axes, values, goal)
    _draw_failed(axes, order[~usable])
    _legend_above(axes)
    if data.hits is not None:
        _hit_rate(axes, np.asarray(data.hits))


def calibration_panel(axes: Axes, measured: FloatArray, mean: FloatArray, std: FloatArray) -> None:
    """Share of values inside central intervals against their nominal coverage, with the scatter chance allows."""
    nominal = np.linspace(0.05, 0.95, 19)
    observed = [float(np.mean(inside_interval(measured, mean, std, float(level)))) for level in nominal]
    chance = HALF_WIDTH_90 * np.sqrt(nominal * (1 - nominal) / len(measured))
    remark = "above the line: too cautious; below: too confident"
    style.quiet(axes, "Calibration", "nominal coverage (%)", "observed coverage (%)", remark=remark)
    axes.set_aspect("equal", adjustable="box")
    axes.fill_between(
        100 * nominal,
        100 * (nominal - chance),
        100 * (nominal + chance),
        color=style.LIGHT_GREY,
        linewidth=0,
        label="expected scatter (90 %)",
    )
    axes.plot((0, 100), (0, 100), color=style.GREY, linewidth=1.0, linestyle="--", label="ideal")
    axes.plot(100 * nominal, 100 * np.asarray(observed), color=style.BLUE, marker="o", markersize=4, label="observed")
    axes.set(xlim=(0, 100), ylim=(0, 100))
    axes.legend(loc="lower right", fontsize=style.TICK_PT, frameon=False)


def _points(
    axes: Axes, points: tuple[FloatArray, FloatArray, FloatArray], colour: str, marker: str, label: str
) -> None:
    x, y, half = points
    # Many intervals on top of one another would hide the points.
    crowded = x.size > 60
    axes.hlines(y, x - half, x + half, color=colour, linewidth=0.7, alpha=0.25 if crowded else 0.8, zorder=2)
    size = 14 if crowded else 22
    axes.scatter(x, y, s=size, marker=marker, color=colour, edgecolors="white", linewidths=0.4, zorder=3, label=label)


def _draw_values(axes: Axes, values: FloatArray, seeds: int) -> None:
    order = np.arange(1, len(values) + 1)
    seed = order <= seeds
    for chosen, marker, face in ((seed, "s", "white"), (~seed, "o", style.SKY)):
        axes.scatter(
            order[chosen], values[chosen], s=14, marker=marker, color=face, edgecolors=style.BLUE, linewidths=0.7
        )


def _draw_failed(axes: Axes, order: NDArray[np.intp]) -> None:
    """Failed measurements have no value; they stand at the foot of the panel."""
    if order.size:
        foot = np.full(order.size, 0.02)
        at_foot = axes.get_xaxis_transform()
        axes.plot(order, foot, "x", color=style.VERMILLION, markersize=5, transform=at_foot, label="failed")


def _frame_learning(axes: Axes, values: FloatArray, goal: float | None) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(0.5, len(values) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.set_ylim(*style.limits(values, np.asarray([] if goal is None else [goal]), margin=0.08))


def _shade_seeds(axes: Axes, seeds: int) -> None:
    if seeds:
        axes.axvspan(0.5, seeds + 0.5, color=style.LIGHT_GREY, linewidth=0, zorder=0)
        axes.annotate(
            "seeds",
            (0.5, 1.0),
            (4, -3),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            va="top",
            fontsize=style.TICK_PT,
            color=style.GREY,
        )


def _hit_rate(axes: Axes, hits: BoolArray) -> None:
    order = np.arange(1, len(hits) + 1)
    twin = axes.twinx()
    twin.plot(order, 100 * np.cumsum(hits) / order, color=style.GREEN, linewidth=1.4, linestyle="-.")
    twin.set_ylim(0, 100)
    twin.set_ylabel("hit rate (%)", fontsize=style.LABEL_PT, color=style.GREEN)
    twin.tick_params(labelsize=style.TICK_PT, colors=style.GREEN, length=3)
    twin.spines["top"].set_visible(False)


def _legend_above(axes: Axes) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=3,
        fontsize=style.TICK_PT,
        frameon=False,
        borderaxespad=0.1,
        handlelength=1.6,
        columnspacing=1.0,
        handletextpad=0.4,
    )


def _nothing(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=style.GREY, fontsize=9)
    axes.set(xticks=[], yticks=[])
